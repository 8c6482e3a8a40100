"""Visit servers with one Chromium: reads a line of JSON for each visit, writes a line of JSON with what came of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# No connection but those that were asked for.
OPTIONS = (
    "--headless",
    # As root there is none.
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--host-resolver-rules=MAP * 127.0.0.1",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-pipe",
)
# In seconds. A machine that has other things to do takes its time.
VISIT_TIMEOUT = 60
QUIT_TIMEOUT = 10
POLL = 0.02

# The link by which users go on, of which the page itself knows whether it is there.
OVERRIDABLE = "typeof loadTimeData != 'undefined' && loadTimeData.getBoolean('overridable') && !!document.getElementById('proceed-link')"


class Chromium:
    """A browser that is told what to do over a pipe, by its DevTools protocol."""

    def __init__(self, home):
        self.received = b""
        self.number = 0
        orders, self.orders = os.pipe()
        self.answers, answers = os.pipe()

        def as_third_and_fourth():
            # Neither may be in the other's way.
            high = [os.dup2(descriptor, number) for descriptor, number in ((orders, 103), (answers, 104))]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        with open(os.path.join(home, "log"), "w") as log:
            self.process = subprocess.Popen(
                ["chromium", *OPTIONS, "--user-data-dir=" + os.path.join(home, "profile")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(os.environ, HOME=home),
                preexec_fn=as_third_and_fourth,
                close_fds=False,
                start_new_session=True,
            )
        os.close(orders)
        os.close(answers)

    def receive(self):
        """One message: JSON, and a zero."""
        while b"\0" not in self.received:
            more = os.read(self.answers, 65536)
            if not more:
                raise EOFError("Chromium has closed its pipe")
            self.received += more
        message, self.received = self.received.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.orders, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            # What is not the answer is news that nobody has asked for.
            if answer.get("id") != self.number:
                continue
            if "error" in answer:
                raise RuntimeError("%s: %s" % (method, answer["error"]["message"]))
            return answer["result"]

    def evaluate(self, session, script):
        while True:
            try:
                answer = self.call("Runtime.evaluate", session, expression=script, returnByValue=True)
                return answer["result"].get("value")
            except RuntimeError as error:
                # The page has just given way to the next one.
                if "navigated or closed" not in str(error):
                    raise
                time.sleep(POLL)

    def arrived(self, session, scheme):
        """Wait until a page of this scheme is there in full."""
        script = "document.readyState == 'complete' && location.protocol == '%s:'" % scheme
        while not self.evaluate(session, script):
            time.sleep(POLL)

    def close(self):
        try:
            signal.alarm(QUIT_TIMEOUT)
            self.call("Browser.close")
            self.process.wait(QUIT_TIMEOUT)
        except (OSError, EOFError, subprocess.TimeoutExpired):
            # Its children too: the group is ours alone.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        finally:
            signal.alarm(0)


class Database:
    """The certificates that Chromium trusts beside its own, which it looks up with each connection."""

    def __init__(self, home):
        folder = os.path.join(home, ".pki", "nssdb")
        os.makedirs(folder)
        self.place = "sql:" + folder
        # Their numbers, by trust and content.
        self.held = {}
        self.number = 0
        self.certutil("-N", "--empty-password")

    def certutil(self, *arguments):
        subprocess.run(["certutil", "-d", self.place, *arguments], check=True, stdin=subprocess.DEVNULL)

    def hold(self, wanted):
        """Hold these, pairs of trust and path, and nothing else."""
        paths = {}
        for trust, path in wanted:
            with open(path) as file:
                paths[trust, file.read()] = path
        for one in self.held.keys() - paths.keys():
            self.certutil("-D", "-n", str(self.held.pop(one)))
        for one in paths.keys() - self.held.keys():
            self.number += 1
            self.certutil("-A", "-n", str(self.number), "-t", one[0], "-i", paths[one])
            self.held[one] = self.number


def visit(chromium, order):
    """In a profile of its own, which remembers nothing."""
    context = chromium.call("Target.createBrowserContext")["browserContextId"]
    target = chromium.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
    session = chromium.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    url = "https://%s:%d/" % (order["name"], order["port"])
    error = chromium.call("Page.navigate", session, url=url).get("errorText")
    # An error is a page too.
    chromium.arrived(session, "chrome-error" if error else "https")
    said = {}
    if error:
        said["error"] = error.removeprefix("net::")
        said["overridable"] = bool(chromium.evaluate(session, OVERRIDABLE))
        if said["overridable"] and order["goes_on"]:
            # Later, because the answer comes from the page that then is no more.
            chromium.evaluate(session, "void setTimeout(() => document.getElementById('proceed-link').click())")
            chromium.arrived(session, "https")
    if not error or (order["goes_on"] and said["overridable"]):
        said["page"] = chromium.evaluate(session, "document.body.innerText")
    chromium.call("Target.disposeBrowserContext", browserContextId=context)
    return said


def too_late(_signal, _frame):
    raise TimeoutError("Chromium does not answer")


def main():
    signal.signal(signal.SIGALRM, too_late)
    home = tempfile.mkdtemp()
    database = Database(home)
    chromium = Chromium(home)
    try:
        for line in sys.stdin:
            order = json.loads(line)
            signal.alarm(VISIT_TIMEOUT)
            accepted = [("P,,", order["accepted"])] if order["accepted"] else []
            database.hold([("C,,", path) for path in order["roots"]] + accepted)
            said = visit(chromium, order)
            signal.alarm(0)
            print(json.dumps(said), flush=True)
    finally:
        chromium.close()
        shutil.rmtree(home, ignore_errors=True)


main()
