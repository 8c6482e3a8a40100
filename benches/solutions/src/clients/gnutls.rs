//! GnuTLS's `gnutls-cli`: it ends when it does not trust a server, or asks the user and remembers the key (`--tofu`).

use std::fs;
use std::process::Command;

use dc_pki::Sha256;

use super::files::Files;
use super::program::{Said, request, run, version};
use super::{Client, Outcome, Visit};
use crate::Result;
use crate::clock::Clock;

#[derive(Debug)]
pub(super) struct GnuTls;

impl Client for GnuTls {
    fn name(&self) -> &'static str {
        "gnutls-cli"
    }

    fn version(&self) -> std::result::Result<String, String> {
        // `gnutls-cli 3.7.9`
        version("gnutls-cli", "--version")
    }

    fn visit(&self, clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        super::each(visits, |visit| one(clock, visit))
    }
}

/// First as it is; what it does not trust then is the user's to decide.
fn one(clock: &Clock, visit: &Visit<'_>) -> Result<Outcome> {
    let files = Files::new()?;
    let get = request(visit.name);
    if visit.accepted.is_none() {
        let said = run(&mut command(clock, visit, &files)?, get.as_bytes())?;
        if said.page() {
            return Ok(Outcome::Connected);
        }
        if said.all().contains(OTHERS_LIST) {
            return Ok(Outcome::Unable("takes no list of a CA that is not a root"));
        }
        let Some(status) = status(&said) else {
            return error(&said).map(Outcome::Refused);
        };
        return ask(clock, visit, &files, status);
    }
    remember(visit, &files)?;
    let mut command = command(clock, visit, &files)?;
    let said = run(command.arg("--tofu"), get.as_bytes())?;
    match (said.page(), question(&said)) {
        (true, _) => Ok(Outcome::Connected),
        (false, Some(words)) => ask(clock, visit, &files, words),
        (false, None) => error(&said).map(Outcome::Refused),
    }
}

/// It asks whether to trust the key; without an answer there is no page.
fn ask(clock: &Clock, visit: &Visit<'_>, files: &Files, words: String) -> Result<Outcome> {
    let mut first = command(clock, visit, files)?;
    let answer: &[u8] = if visit.accepts_warning { b"y\n" } else { b"" };
    let said = run(first.arg("--tofu"), answer)?;
    if question(&said).is_none() {
        return Ok(Outcome::Refused(words));
    }
    if visit.accepts_warning {
        // The answer and the request cannot both be given at once: it reads ahead.
        let mut again = command(clock, visit, files)?;
        let said = run(again.arg("--tofu"), request(visit.name).as_bytes())?;
        if !said.page() {
            return error(&said).map(Outcome::Refused);
        }
    }
    Ok(Outcome::Warned(words))
}

fn command(clock: &Clock, visit: &Visit<'_>, files: &Files) -> Result<Command> {
    let mut command = clock.command("gnutls-cli");
    command
        // Its memory of keys is `.gnutls/known_hosts` there.
        .env("HOME", files.folder())
        .args(["-p", &visit.port.to_string(), "127.0.0.1"])
        .arg(format!("--sni-hostname={}", visit.name))
        .arg(format!("--verify-hostname={}", visit.name))
        .arg("--x509cafile")
        .arg(files.bundle(&visit.roots)?);
    if let Some(list) = visit.revocation_list {
        command.arg("--x509crlfile").arg(list);
    }
    if visit.raw_keys {
        command.args(["--priority", RAW_KEYS]);
    }
    Ok(command)
}

/// What it writes itself when a user says yes, but with the key's hash: a line of host, port, no end, SHA-256, hash.
fn remember(visit: &Visit<'_>, files: &Files) -> Result<()> {
    let Some((pin, _)) = visit.accepted else {
        return Ok(());
    };
    let folder = files.folder().join(".gnutls");
    fs::create_dir_all(&folder)?;
    let hash = Sha256::from_bytes(*pin);
    let line = format!("|c0|{}|{}|0|6|{hash}\n", visit.name, visit.port);
    fs::write(folder.join("known_hosts"), line)?;
    Ok(())
}

/// What it thinks of a certificate that it does not trust, such as `The certificate issuer is unknown.`
fn status(said: &Said) -> Option<String> {
    let prefix = "- Status: The certificate is NOT trusted. ";
    let mut lines = said.stdout.lines();
    lines.find_map(|line| Some(line.strip_prefix(prefix)?.trim().to_owned()))
}

/// What it tells the user before it asks whether to trust a key; none if it asks nothing.
fn question(said: &Said) -> Option<String> {
    let all = said.all();
    let known = "is known and it is associated with a different key";
    let unknown = "has never been contacted before";
    all.contains("(y/N)").then_some(())?;
    [known, unknown]
        .into_iter()
        .find(|words| all.contains(words))
        .map(|words| format!("the host {words}"))
}

/// Why there is no page: what it says of its memory of keys or of a key that it cannot judge, the server's alert, or its
/// last word, such as `*** Fatal error: Error in the certificate.` Fails if it was not about TLS.
fn error(said: &Said) -> Result<String> {
    let all = said.all();
    let after = |prefix: &str| all.lines().find_map(|line| line.strip_prefix(prefix));
    if let Some(words) = after("gnutls_verify_stored_pubkey: ") {
        return Ok(format!("memory of keys: {words}"));
    }
    if let Some(words) = after("- Could not verify certificate (err: ") {
        return Ok(words.trim_end_matches(')').to_owned());
    }
    if let Some(words) = after("*** Received alert ") {
        return Ok(format!("alert {words}"));
    }
    let fatal = after("*** Fatal error: ").map(str::to_owned);
    fatal.ok_or_else(|| format!("gnutls-cli said: {all}").into())
}

/// It verifies a list when it is loaded, with the roots alone.
const OTHERS_LIST: &str = "Error setting the x509 CRL file: Error in the CRL verification.";
/// X.509 as ever, and raw public keys of servers.
const RAW_KEYS: &str = "NORMAL:+CTYPE-SRV-RAWPK";

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stdout: &str) -> Said {
        Said {
            exit: Some(1),
            stdout: stdout.to_owned(),
            stderr: String::new(),
        }
    }

    #[test]
    fn what_it_thinks_and_what_it_asks_are_read() {
        let doubt =
            said("- Status: The certificate is NOT trusted. The certificate issuer is unknown. \n");
        assert_eq!(
            status(&doubt).unwrap(),
            "The certificate issuer is unknown."
        );
        assert_eq!(
            status(&said("- Status: The certificate is trusted. \n")),
            None
        );
        let known = "Warning: host a is known and it is associated with a different key.\n(y/N): ";
        assert!(question(&said(known)).unwrap().ends_with("a different key"));
        assert_eq!(
            question(&said("is known and it is associated with a different key")),
            None
        );
    }

    #[test]
    fn an_alert_says_more_than_the_fatal_error_before_it() {
        let alert = "*** Fatal error: A TLS fatal alert has been received.\n*** Received alert [40]: Handshake failed\n";
        assert_eq!(error(&said(alert)).unwrap(), "alert [40]: Handshake failed");
        assert!(
            error(&said(
                "Could not connect to 127.0.0.1:1: Connection refused\n"
            ))
            .is_err()
        );
    }
}
