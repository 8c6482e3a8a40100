//! OpenSSL's `s_client`, which says what it thinks of a certificate and goes on.

use super::files::Files;
use super::program::{Said, request, run, version};
use super::{Client, Outcome, Visit};
use crate::Result;
use crate::clock::Clock;

#[derive(Debug)]
pub(super) struct OpenSsl;

impl Client for OpenSsl {
    fn name(&self) -> &'static str {
        "OpenSSL s_client"
    }

    fn version(&self) -> std::result::Result<String, String> {
        // `OpenSSL 3.0.19 27 Jan 2026 (Library: OpenSSL 3.0.19 27 Jan 2026)`
        let line = version("openssl", "version")?;
        let words: Vec<&str> = line.split(' ').take(2).collect();
        Ok(words.join(" "))
    }

    fn visit(&self, clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        super::each(visits, |visit| one(clock, visit))
    }
}

fn one(clock: &Clock, visit: &Visit<'_>) -> Result<Outcome> {
    let files = Files::new()?;
    let mut command = clock.command("openssl");
    command
        .args(["s_client", "-brief", "-ign_eof"])
        .args(["-connect", &format!("127.0.0.1:{}", visit.port)])
        .args(["-servername", visit.name, "-verify_hostname", visit.name])
        .args(["-no-CApath", "-no-CAstore", "-CAfile"]);
    match visit.revocation_list {
        // A file of roots may hold lists too, and then any number of them.
        Some(list) => {
            let trusted = files.trusted(visit)?;
            command
                .arg(files.bundle(&[&trusted, list])?)
                .arg("-crl_check");
        }
        None => {
            command.arg(files.trusted(visit)?);
        }
    }
    if visit.accepted.is_some() {
        // A certificate that is trusted need not be a root.
        command.arg("-partial_chain");
    }
    let said = run(&mut command, request(visit.name).as_bytes())?;
    Ok(outcome(&said))
}

/// It goes on whatever it says, so that the page is there after a warning.
fn outcome(said: &Said) -> Outcome {
    let after = |prefix: &str| { said.stderr.lines() }.find_map(|line| line.strip_prefix(prefix));
    let verified = after("Verification: ") == Some("OK");
    match (said.page(), after("Verification error: ")) {
        (true, Some(error)) => Outcome::Warned(error.to_owned()),
        (true, None) if verified => Outcome::Connected,
        (true, None) => Outcome::Failed(format!("OpenSSL said: {}", said.all())),
        (false, _) => error(&said.stderr),
    }
}

/// `140…:error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:../ssl/…:SSL alert number 40`.
fn error(stderr: &str) -> Outcome {
    let entry = stderr.lines().find(|line| line.contains(":error:0A"));
    match entry.and_then(|line| line.split(':').nth(5)) {
        Some(reason) => Outcome::Refused(reason.to_owned()),
        None => Outcome::Failed(format!("OpenSSL said: {stderr}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stdout: &str, stderr: &str) -> Said {
        Said {
            exit: Some(0),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        }
    }

    #[test]
    fn a_page_without_a_word_on_its_verification_is_not_trusted() {
        let page = format!("{} a.example", crate::server::PAGE);
        let fine = said(&page, "CONNECTION ESTABLISHED\nVerification: OK\n");
        assert_eq!(outcome(&fine), Outcome::Connected);
        let doubtful = said(&page, "Verification error: certificate revoked\n");
        assert_eq!(
            outcome(&doubtful),
            Outcome::Warned("certificate revoked".to_owned())
        );
        assert!(matches!(outcome(&said(&page, "")), Outcome::Failed(_)));
    }

    #[test]
    fn an_alert_is_read_from_the_queue_of_errors() {
        let queue = "4047:error:0A000410:SSL routines:ssl3_read_bytes:sslv3 alert handshake failure:\
                     ../ssl/record/rec_layer_s3.c:1586:SSL alert number 40\n";
        let words = "sslv3 alert handshake failure".to_owned();
        assert_eq!(outcome(&said("", queue)), Outcome::Refused(words));
        let nobody = said("", "connect:errno=111\n");
        assert!(matches!(outcome(&nobody), Outcome::Failed(_)));
    }
}
