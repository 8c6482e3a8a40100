//! Why a verdict of the run is another than the draft's, where it is.

/// The reason; nothing if none is written down, with which the run does not pass.
pub(crate) fn of(row: &str, requirement: &str) -> Option<&'static str> {
    let found = REASONS
        .iter()
        .find(|(rows, of, _)| rows.contains(&row) && *of == requirement);
    found.map(|(_, _, reason)| *reason)
}

/// Rows, requirement, reason.
type Reason = (&'static [&'static str], &'static str, &'static str);

const REASONS: &[Reason] = &[
    (
        &["named", "rfc9345"],
        "R-SUPPORT-CA",
        "The draft says that no CA supports it. One known CA sells such certificates, and the Baseline Requirements allow the \
         extension, without recommending it. The CA that was tried drops it as it comes, and issues it after a change of ten lines.",
    ),
    (
        &["rfc9345"],
        "R-SUPPORT-CLIENT",
        "The draft means the unique name, which no unmodified client knows. Without it NSS's own client, with its option -B, \
         connects beside Firefox: and both take the twin.",
    ),
    (
        &["name-constraints"],
        "R-SUPPORT-CLIENT",
        "All eight clients connect inside the subtree, and none takes what is outside without a warning. Under a public root, \
         browsers want timestamps of transparency logs too, which the vendor's authority has to get for each certificate.",
    ),
    (
        &["name-constraints"],
        "R-SUPPORT-CA",
        "The software of the CA that was tried signs such an authority after a change of its code. That no public CA is known to \
         sell one to a vendor of routers is a matter of rules: Chrome's root programme wants it audited as a root is.",
    ),
    (
        &["acme-delegated"],
        "R-SUPPORT-CA",
        "The draft's table says yes, its text 'unknown'. No CA is known that offers RFC 8739, and the one that was tried \
         ignores auto-renewal without a word: the vendor gets an ordinary certificate.",
    ),
    (
        &["raw-keys"],
        "R-SUPPORT-CLIENT",
        "Libraries have them: rustls connects with a verifier of ours, and OpenSSL takes them since 3.2, which this run may not \
         have had (see its versions). But none of the eight programs knows whose raw key it got: GnuTLS's client fetches the page only if it is told to check nothing.",
    ),
    (
        &["local-ca"],
        "R-REDUCE-CA",
        "The draft's table says no, its text yes. A CA in the home asks no public CA for anything.",
    ),
    (
        &["local-ca"],
        "R-SUPPORT-CA",
        "No CA outside the home has to do anything, if the home's root is its own. If a public CA had to sign it, it would \
         be the row of name constraints.",
    ),
    (
        &["local-ca"],
        "R-REVOKE-AUTH",
        "Six clients heed the home's revocation list once somebody gives it to them. Firefox and Chromium load none, and \
         accept the stolen printer until its certificate ends.",
    ),
    (
        &["matter"],
        "R-SUPPORT-CLIENT",
        "A device attestation certificate has no name for clients to compare. With a dNSName, which Matter does not allow \
         for, all eight connect (row below).",
    ),
    (
        &["matter"],
        "R-SUPPORT-CA",
        "The vendor's own authorities sign, and no CA that clients are delivered with has to do anything: the same as with a CA \
         in the home.",
    ),
    (
        &["matter"],
        "R-REVOKE-AUTH",
        "Without a name no client connects without a warning, so there is little to take away; the vendor can revoke, by a \
         list in Matter's ledger, and the user only all devices of the vendor.",
    ),
];
