#!/usr/bin/env python3
"""Look for services over multicast DNS, and say what was found.

Prints one line of JSON for each service: its name, host, port, the path in its text, and the host's addresses.
Exit status: 0 all kinds were found, 1 one was not.
"""

import argparse
import json
import queue
import sys

from zeroconf import IPVersion, ServiceBrowser, ServiceListener, Zeroconf

PATIENCE = 30


class Listener(ServiceListener):
    """Puts what it is told into queues."""

    def __init__(self):
        self.added = queue.Queue()
        self.removed = queue.Queue()

    def add_service(self, zc, type_, name):
        self.added.put((type_, name))

    def remove_service(self, zc, type_, name):
        self.removed.put(name)

    def update_service(self, zc, type_, name):
        """Nothing is asked about that."""


def describe(zeroconf, kind, name):
    info = zeroconf.get_service_info(kind, name, timeout=PATIENCE * 1000)
    path = info.properties.get(b"path")
    return {
        "name": info.name,
        "host": info.server,
        "port": info.port,
        "path": path.decode() if path else None,
        "addresses": info.parsed_addresses(IPVersion.All),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interface", help="an address of this machine on the link to look at")
    parser.add_argument("kinds", nargs="+", metavar="KIND", help="such as _https._tcp.local.")
    parser.add_argument("--until-removed", action="store_true", help="wait until one of them is gone")
    arguments = parser.parse_args()
    version = IPVersion.V6Only if ":" in arguments.interface else IPVersion.V4Only
    with Zeroconf(interfaces=[arguments.interface], ip_version=version) as zeroconf:
        listener = Listener()
        ServiceBrowser(zeroconf, arguments.kinds, listener)
        for _ in arguments.kinds:
            try:
                print(json.dumps(describe(zeroconf, *listener.added.get(timeout=PATIENCE))), flush=True)
            except queue.Empty:
                return 1
        if arguments.until_removed:
            print("removed", listener.removed.get(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
