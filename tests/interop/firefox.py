#!/usr/bin/env python3
"""Load pages in a headless Firefox and say how each was authenticated.

Drives Firefox by its own Marionette protocol, with the standard library only. Prints one line of JSON for each page.
Exit status: 0 all pages came with a credential, 3 one came without, 1 one could not be loaded.
"""

import argparse
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

# Where a page is looked at: name, width and height. 450 is the least that Firefox takes.
SCREENS = (("desktop", 1200, 1000), ("phone", 450, 1000))
START_TIMEOUT = 120
ANSWER_TIMEOUT = 60
QUIT_TIMEOUT = 10

# No connection but those that were asked for.
QUIET = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.chrome.favicons": False,
    "browser.chrome.site_icons": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.security.https_only_mode": False,
    "extensions.update.enabled": False,
    "geo.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.dns.disablePrefetch": True,
    "network.http.http3.enable": False,
    "network.http.speculative-parallel-limit": 0,
    "network.prefetch-next": False,
    "network.proxy.type": 0,
    "network.trr.mode": 5,
    "security.OCSP.enabled": 0,
    "security.sandbox.content.level": 0,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "startup.homepage_welcome_url": "about:blank",
    "toolkit.telemetry.server": "",
}

TRUST = """
const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
for (const certificate of arguments[0]) database.addCertFromBase64(certificate, "C,,");
"""

# Only now that the roots are trusted: after a failure Firefox does not ask for a while. What is found is on loopback too.
OVER_HTTPS = """
Services.prefs.setBoolPref("network.trr.allow-rfc1918", true);
Services.prefs.setStringPref("network.trr.bootstrapAddr", "127.0.0.1");
Services.prefs.setStringPref("network.trr.confirmationNS", "skip");
Services.prefs.setStringPref("network.trr.uri", arguments[0]);
Services.prefs.setIntPref("network.trr.mode", 3);
"""

VERSION = """
const nss = Cc["@mozilla.org/security/nssversion;1"].getService(Ci.nsINSSVersion);
return `Firefox ${Services.appinfo.version} with NSS ${nss.NSS_Version}`;
"""

HOW_AUTHENTICATED = """
const info = gBrowser.selectedBrowser.securityUI.secInfo;
return {
  delegated: info.isDelegatedCredential,
  resumed: info.resumed,
  scheme: info.signatureSchemeName,
  group: info.keaGroupName,
};
"""

# What a page makes Firefox do for itself takes longer than the connection.
REQUEST = """
const [url, done] = arguments;
const request = new XMLHttpRequest();
const report = (more) => {
  const info = request.channel.securityInfo;
  const how = info && !info.errorCode ? {
    delegated: info.isDelegatedCredential,
    resumed: info.resumed,
    scheme: info.signatureSchemeName,
    group: info.keaGroupName,
  } : {};
  done({ ...how, ...more(info) });
};
request.open("GET", url);
request.channel.loadFlags |= Ci.nsIRequest.LOAD_BYPASS_CACHE | Ci.nsIRequest.INHIBIT_CACHING;
request.onload = () => report(() => ({ body: request.responseText.trim() }));
request.onerror = () => report((info) => ({
  error: info?.errorCodeString || `0x${(request.channel.status >>> 0).toString(16)}`,
}));
request.send();
"""


class MarionetteError(Exception):
    """What Firefox says went wrong."""


class Marionette:
    """A session with a running Firefox."""

    def __init__(self, process, profile):
        self.connection = self.connect(process, profile)
        self.received = b""
        self.number = 0
        self.receive()
        self.call("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": False}})

    @staticmethod
    def connect(process, profile):
        """Firefox chooses a port that is free, and writes it into a file."""
        end = time.monotonic() + START_TIMEOUT
        while True:
            try:
                with open(os.path.join(profile, "MarionetteActivePort")) as file:
                    port = int(file.read())
                connection = socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT)
                connection.settimeout(ANSWER_TIMEOUT)
                return connection
            except (OSError, ValueError):
                if time.monotonic() > end or process.poll() is not None:
                    raise
                time.sleep(0.05)

    def receive(self):
        """One message: its length in decimal, a colon, JSON."""
        while b":" not in self.received:
            self.receive_more()
        length, self.received = self.received.split(b":", 1)
        while len(self.received) < int(length):
            self.receive_more()
        message, self.received = self.received[: int(length)], self.received[int(length) :]
        return json.loads(message)

    def receive_more(self):
        more = self.connection.recv(65536)
        if not more:
            raise EOFError("Firefox has closed the Marionette connection")
        self.received += more

    def call(self, command, **parameters):
        self.number += 1
        message = json.dumps([0, self.number, command, parameters]).encode()
        self.connection.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self.receive()
        if error:
            raise MarionetteError((error["message"] or error["error"]).splitlines()[0])
        return result

    def in_browser(self, script, *arguments, how="ExecuteScript"):
        """Run JavaScript with the rights of the browser itself."""
        self.call("Marionette:SetContext", value="chrome")
        try:
            return self.call("WebDriver:" + how, script=script, args=list(arguments))["value"]
        finally:
            self.call("Marionette:SetContext", value="content")

    def in_page(self, script, **parameters):
        return self.call("WebDriver:ExecuteScript", script=script, args=[], **parameters)["value"]

    def load(self, url):
        page = {"url": url}
        try:
            self.call("WebDriver:Navigate", url=url)
            page.update(self.in_browser(HOW_AUTHENTICATED))
            page["body"] = self.in_page("return document.body.innerText").strip()
        except MarionetteError as error:
            page["error"] = self.error_code() or str(error)
        return page

    def picture(self, path, full=False):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("WebDriver:TakeScreenshot", full=full)["value"]))

    def pictures(self, folder, number):
        """The page as it is on each screen."""
        for screen, width, height in SCREENS:
            self.call("WebDriver:SetWindowRect", width=width, height=height)
            self.picture(os.path.join(folder, "%d-%s.png" % (number, screen)), full=True)

    def request(self, url):
        """The same without showing it, and in a tenth of the time."""
        return {"url": url, **self.in_browser(REQUEST, url, how="ExecuteAsyncScript")}

    def error_code(self):
        """The name of the error on the page that Firefox shows instead, or nothing if there is none."""
        try:
            return self.in_page("return document.getNetErrorInfo().errorCodeString", sandbox="system")
        except MarionetteError:
            return None


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--root", action="append", default=[], metavar="PEM", help="a root certificate to trust")
    parser.add_argument("--without-credentials", action="store_true", help="turn Firefox's preference for them off")
    parser.add_argument("--hidden", action="store_true", help="request the pages without showing them, which is faster")
    parser.add_argument("--doh", metavar="URL", help="find all names over HTTPS, at a server on 127.0.0.1")
    parser.add_argument("--by-dns", action="store_true", help="find all names as the system does")
    parser.add_argument("--without-ipv6", action="store_true", help="go to no address of IPv6")
    parser.add_argument("--screenshot", metavar="PNG", help="where to keep a picture of the last page")
    parser.add_argument("--pictures", metavar="FOLDER", help="keep pictures of all pages, for a desktop and a phone")
    return parser.parse_args()


def write_preferences(profile, preferences):
    with open(os.path.join(profile, "user.js"), "w") as file:
        for name, value in preferences.items():
            file.write("user_pref(%s, %s);\n" % (json.dumps(name), json.dumps(value)))


@contextlib.contextmanager
def firefox(preferences):
    """A session with a Firefox that has a new profile, which is deleted afterwards."""
    profile = tempfile.mkdtemp(prefix="interop-firefox-")
    write_preferences(profile, {**QUIET, **preferences, "marionette.port": 0})
    command = ["firefox-esr", "--headless", "--no-remote", "--marionette", "--remote-allow-system-access"]
    environment = dict(os.environ, HOME=profile, MOZ_HEADLESS="1", MOZ_CRASHREPORTER_DISABLE="1")
    with open(os.path.join(profile, "log"), "w") as log:
        process = subprocess.Popen(
            [*command, "--profile", profile],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    try:
        session = Marionette(process, profile)
        yield session
        with contextlib.suppress(MarionetteError, EOFError, OSError):
            session.call("Marionette:Quit", flags=["eForceQuit"])
    finally:
        end(process)
        shutil.rmtree(profile, ignore_errors=True)


def end(process):
    try:
        process.wait(QUIT_TIMEOUT)
    except subprocess.TimeoutExpired:
        # Its children too: the group is ours alone.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_root(path):
    with open(path) as file:
        match = re.search("-----BEGIN CERTIFICATE-----(.*?)-----END", file.read(), re.S)
    return "".join(match.group(1).split())


def exit_status(pages):
    if any("error" in page for page in pages):
        return 1
    return 0 if all(page["delegated"] for page in pages) else 3


def main():
    arguments = parse_arguments()
    hosts = {urllib.parse.urlsplit(url).hostname for url in arguments.urls}
    preferences = {
        "network.dns.disableIPv6": arguments.without_ipv6,
        "network.dns.localDomains": "" if arguments.doh or arguments.by_dns else ",".join(sorted(hosts)),
        "security.tls.enable_delegated_credentials": not arguments.without_credentials,
    }
    pages = []
    with firefox(preferences) as session:
        print("# %s" % session.in_browser(VERSION), flush=True)
        session.in_browser(TRUST, [read_root(path) for path in arguments.root])
        if arguments.doh:
            session.in_browser(OVER_HTTPS, arguments.doh)
        for url in arguments.urls:
            pages.append(session.request(url) if arguments.hidden else session.load(url))
            print(json.dumps(pages[-1]), flush=True)
            if arguments.pictures:
                session.pictures(arguments.pictures, len(pages))
        if arguments.screenshot:
            session.picture(arguments.screenshot)
    return exit_status(pages)


if __name__ == "__main__":
    sys.exit(main())
