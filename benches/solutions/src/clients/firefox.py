"""Visit servers with one Firefox: reads a line of JSON for each visit, writes a line of JSON with what came of it.

Arguments: the folder of firefox.py, which drives Firefox.
"""

import json
import sys

sys.path.insert(0, sys.argv[1])
import firefox  # noqa: E402

# What the visit trusts, and the certificate that the user has accepted for this server, as the page of the warning does it.
PREPARE = """
const [roots, before, accepted, name, port] = arguments;
const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
for (const root of before) database.deleteCertificate(database.constructX509FromBase64(root));
for (const root of roots) database.addCertFromBase64(root, "C,,");
const overrides = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
overrides.clearAllOverrides();
if (accepted) overrides.rememberValidityOverride(name, port, {}, database.constructX509FromBase64(accepted), false);
Services.prefs.setStringPref("network.dns.localDomains", name);
Services.obs.notifyObservers(null, "net:cancel-all-connections");
"""

# Nothing of it is there on pages of other errors, from which there is no way on.
WARNING = """
const info = document.getFailedCertSecurityInfo?.();
if (!info?.errorCodeString) return null;
const card = document.querySelector("net-error-card")?.shadowRoot ?? document;
return {
  error: info.errorCodeString,
  certificate: info.certChainStrings?.[0],
  overridable: info.overridableErrorCategory !== "unset" && !!card.querySelector("#advanced-button, #advancedButton"),
};
"""

# What the button on the page of a warning does.
GO_ON = """
const [certificate, name, port] = arguments;
const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
const overrides = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
overrides.rememberValidityOverride(name, port, {}, database.constructX509FromBase64(certificate), true);
"""


class Visitor:
    """A Firefox, and what it trusts now."""

    def __init__(self, session):
        self.session = session
        self.roots = []

    def visit(self, order):
        name, port = order["name"], order["port"]
        roots = [firefox.read_root(path) for path in order["roots"]]
        accepted = order["accepted"] and firefox.read_root(order["accepted"])
        self.session.in_browser(PREPARE, roots, self.roots, accepted, name, port)
        self.roots = roots
        url = "https://%s:%d/" % (name, port)
        page = self.session.load(url)
        if "error" not in page:
            return {"page": page["body"]}
        warning = self.session.in_page(WARNING, sandbox="system")
        if not warning:
            return {"error": page["error"]}
        certificate = warning.pop("certificate")
        if warning["overridable"] and order["goes_on"]:
            self.session.in_browser(GO_ON, certificate, name, port)
            page = self.session.load(url)
            if "error" in page:
                return {"failed": "after going on: " + page["error"]}
            warning["page"] = page["body"]
        return warning


def main():
    preferences = {
        "security.ssl.disable_session_identifiers": True,
        "security.tls.enable_delegated_credentials": True,
    }
    with firefox.firefox(preferences) as session:
        visitor = Visitor(session)
        for line in sys.stdin:
            print(json.dumps(visitor.visit(json.loads(line))), flush=True)


main()
