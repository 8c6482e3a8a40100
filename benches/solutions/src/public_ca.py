"""Serves acme2certifier, a public CA's ACME server, on loopback.

Its configuration is in ACME_SRV_CONFIGFILE. It listens on the port DC_PORT (0: the kernel's choice) and asks the DNS
server on the port DC_DNS_PORT of loopback. With DC_TLS, a file with its certificate and key, it speaks HTTPS. Nothing of its code is changed: the port of DNS cannot be configured, and a
database that need not survive a power cut need not wait for the disk.
"""

import os
import sqlite3
import ssl
import threading
import time
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

import dns.resolver


class Resolver(dns.resolver.Resolver):
    def reset(self):
        super().reset()
        self.port = int(os.environ["DC_DNS_PORT"])


def connect(*arguments, **options):
    connection = connect_and_wait(*arguments, **options)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def end_with_parent(parent):
    """However that ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def setup_environ(self):
        super().setup_environ()
        if "DC_TLS" in os.environ:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.environ["DC_TLS"])
            self.socket = context.wrap_socket(self.socket, server_side=True)
            # From it the server knows what its own URLs begin with.
            self.base_environ["HTTP_X_FORWARDED_PROTO"] = "https"


dns.resolver.Resolver = Resolver
connect_and_wait = sqlite3.connect
sqlite3.connect = connect

# Reads its configuration when it is imported.
from acme2certifier.share.acme2certifier_wsgi import application, get_handler_cls  # noqa: E402

Handler = get_handler_cls()
Handler.log_message = lambda *_: None
# Headers and body are two writes; the second must not wait for the client's acknowledgement of the first.
Handler.disable_nagle_algorithm = True
threading.Thread(target=end_with_parent, args=[os.getppid()], daemon=True).start()
make_server("127.0.0.1", int(os.environ["DC_PORT"]), application, Server, Handler).serve_forever()
