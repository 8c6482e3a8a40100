//! curl, with the TLS library that its package was built with.

use super::files::Files;
use super::program::{Said, run, version};
use super::{Client, Outcome, Visit};
use crate::Result;
use crate::clock::Clock;
use base64ct::{Base64, Encoding as _};

#[derive(Debug)]
pub(super) struct Curl;

impl Client for Curl {
    fn name(&self) -> &'static str {
        "curl"
    }

    fn version(&self) -> std::result::Result<String, String> {
        // `curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1 OpenSSL/3.0.19 …`
        let line = version("curl", "--version")?;
        let words: Vec<&str> = line.split(' ').collect();
        let library = words
            .iter()
            .find(|word| TLS.iter().any(|tls| word.starts_with(tls)));
        let own = words.get(..2).unwrap_or_default().join(" ");
        Ok(format!("{own} with {}", library.unwrap_or(&"no TLS")))
    }

    fn visit(&self, clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        super::each(visits, |visit| one(clock, visit))
    }
}

fn one(clock: &Clock, visit: &Visit<'_>) -> Result<Outcome> {
    let files = Files::new()?;
    let Visit { name, port, .. } = visit;
    let mut command = clock.command("curl");
    command
        .args([
            "-q",
            "-sS",
            "--http1.1",
            "--noproxy",
            "*",
            "--max-time",
            "10",
        ])
        .args(["--resolve", &format!("{name}:{port}:127.0.0.1")])
        .arg("--cacert")
        .arg(files.bundle(&visit.roots)?)
        .arg("--capath")
        .arg(files.empty()?);
    if let Some(list) = visit.revocation_list {
        command.arg("--crlfile").arg(list);
    }
    if let Some((pin, _)) = visit.accepted {
        let pin = format!("sha256//{}", Base64::encode_string(pin));
        command.args(["-k", "--pinnedpubkey", &pin]);
    }
    command.arg(format!("https://{name}:{port}/"));
    Ok(outcome(&run(&mut command, b"")?))
}

/// Whatever is wrong is an error; `-k` would let everybody in.
fn outcome(said: &Said) -> Outcome {
    match said.exit {
        Some(0) if said.page() => Outcome::Connected,
        Some(0) => Outcome::Failed(format!("curl got another page: {}", said.stdout)),
        _ => error(&said.stderr),
    }
}

/// `curl: (60) SSL certificate problem: certificate has expired`, and what more it explains.
fn error(stderr: &str) -> Outcome {
    let lines = stderr.lines();
    let error = { lines }.find_map(|line| line.strip_prefix("curl: ("));
    match error.and_then(|error| error.split_once(") ")) {
        // It could not connect, or not read its own files.
        Some((number @ ("7" | "26" | "28" | "77" | "82"), words)) => {
            Outcome::Failed(format!("curl: {number}: {words}"))
        }
        Some((number, words)) => {
            // `OpenSSL/3.0.19: error:0A000410:SSL routines::sslv3 alert handshake failure`
            let words = words.rsplit("::").next().unwrap_or(words);
            Outcome::Refused(format!("{number}: {words}"))
        }
        None => Outcome::Failed(format!("curl said: {stderr}")),
    }
}

const TLS: [&str; 6] = [
    "OpenSSL/",
    "GnuTLS/",
    "LibreSSL/",
    "BoringSSL",
    "wolfSSL/",
    "rustls",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_an_accident() {
        let expired =
            "curl: (60) SSL certificate problem: certificate has expired\nMore details here: …\n";
        let words = "60: SSL certificate problem: certificate has expired".to_owned();
        assert_eq!(error(expired), Outcome::Refused(words));
        let alert = "curl: (35) OpenSSL/3.0.19: error:0A000410:SSL routines::sslv3 alert handshake failure\n";
        let words = "35: sslv3 alert handshake failure".to_owned();
        assert_eq!(error(alert), Outcome::Refused(words));
        let nobody = "curl: (7) Failed to connect to a.example port 1: Connection refused\n";
        assert!(matches!(error(nobody), Outcome::Failed(_)));
        assert!(matches!(error(""), Outcome::Failed(_)));
    }
}
