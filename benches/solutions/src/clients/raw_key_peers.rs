//! Raw public keys between rustls and GnuTLS, which nobody here wrote: `gnutls-cli` visits our server, and our client
//! `gnutls-serv`.
//!
//! GnuTLS 3.7 takes and sends raw keys if its priorities say so, in TLS 1.2 and 1.3; rustls does in TLS 1.3. What it cannot
//! do is know whose key it got: `gnutls-cli` reads what it is to remember (`--tofu`) as a certificate, and has no option
//! for a fingerprint.

use std::path::Path;
use std::process::Command;

use dc_tests::process::Server;
use serde::Serialize;

use super::Outcome;
use super::by_key::{Connection, Form, refusal};
use super::program::{Said, request, run};
use crate::Result;
use crate::clock::Clock;

/// A connection, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Attempt {
    /// The command, or what our client did.
    pub(crate) how: String,
    pub(crate) outcome: Outcome,
}

/// `gnutls-cli` at our server, which has a raw key and listens on this port of loopback: as it checks, as it remembers,
/// and as it checks nothing. `folder` becomes its home.
pub(crate) fn gnutls_cli(clock: &Clock, folder: &Path, port: u16) -> Result<Vec<Attempt>> {
    let ways: [&[&str]; 3] = [&[], &["--tofu"], &["--no-ca-verification"]];
    let attempt = |options: &&[&str]| {
        let mut command = clock.command("gnutls-cli");
        command.env("HOME", folder).args(["--priority", RAW_KEYS]);
        command
            .args(*options)
            .args(["-p", &port.to_string()])
            .arg("127.0.0.1");
        let said = run(&mut command, request("localhost").as_bytes())?;
        Ok(Attempt {
            how: format!("gnutls-cli --priority {RAW_KEYS} {}", options.join(" "))
                .trim_end()
                .to_owned(),
            outcome: outcome(&said),
        })
    };
    ways.iter().map(attempt).collect()
}

/// Our client at a `gnutls-serv` that has the key of a file, in PEM, and its public half in another: with the pin of that
/// key, and with another one.
pub(crate) fn gnutls_serv(
    clock: &Clock,
    key: &Path,
    public: &Path,
    pin: [u8; 32],
) -> Result<Vec<Attempt>> {
    let mut command: Command = clock.command("gnutls-serv");
    // It has no option for the address.
    command
        .env("DC_LOOPBACK", "1")
        .args(["--http", "--disable-client-cert", "-p", "0"]);
    command
        .args(["--priority", RAW_KEYS])
        .arg("--rawpkkeyfile")
        .arg(key);
    command.arg("--rawpkfile").arg(public);
    let server = Server::try_start("gnutls-serv", &mut command);
    let server = server.map_err(|said| format!("gnutls-serv does not start: {said}"))?;
    let mut other = pin;
    other[0] ^= 1;
    let attempt = |(pinned, pin)| Attempt {
        how: format!("gnutls-serv --priority {RAW_KEYS}, and rustls with {pinned}"),
        outcome: match visit(server.port(), pin) {
            Ok(()) => Outcome::Connected,
            Err(error) => Outcome::Refused(refusal(&*error)),
        },
    };
    Ok([("the pin of its key", pin), ("another pin", other)]
        .map(attempt)
        .into())
}

fn visit(port: u16, pin: [u8; 32]) -> Result<()> {
    let connection = Connection::open("localhost", port, Form::RawKey, Some(pin))?;
    connection.get("/")?.success().map(drop)
}

/// It says what it thinks of a key only when it ends because of it.
fn outcome(said: &Said) -> Outcome {
    let all = said.all();
    let words = |prefix: &str| {
        let mut lines = all.lines();
        lines.find_map(|line| Some(line.strip_prefix(prefix)?.trim().to_owned()))
    };
    let memory = words("gnutls_verify_stored_pubkey: ");
    let check = words("- Could not verify certificate (err: ");
    match said.page() {
        true => Outcome::Warned("nothing is checked".to_owned()),
        false => Outcome::Refused(
            { memory.or(check).or_else(|| words("*** Fatal error: ")) }
                .map(|words| words.trim_end_matches(')').to_owned())
                .unwrap_or_else(|| format!("ended with {:?}", said.exit)),
        ),
    }
}

/// Servers send raw keys and nothing else; clients send none, so theirs stay certificates.
const RAW_KEYS: &str = "NORMAL:-CTYPE-ALL:+CTYPE-SRV-RAWPK:+CTYPE-CLI-X509";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::lab::{Lab, key};
    use crate::rows::raw_keys::{Meeting, RawKeys};
    use crate::solution::{Solution as _, serve};

    fn refused(words: &str) -> Outcome {
        Outcome::Refused(words.to_owned())
    }

    #[test]
    fn gnutls_shakes_hands_with_raw_keys_and_cannot_tell_whose_they_are() {
        if !apparatus::have(apparatus::Part::Tools) {
            return;
        }
        let lab = Lab::with_programs();
        let device = RawKeys::new(&lab.world, Meeting::Label).enrol(0).unwrap();
        let server = serve(&device).unwrap();
        let attempts = gnutls_cli(&lab.world.clock, lab.folder(), server.port()).unwrap();
        assert!(attempts.iter().all(|one| one.how.contains(RAW_KEYS)));
        let outcomes: Vec<Outcome> = attempts.into_iter().map(|one| one.outcome).collect();
        let wanted = [
            refused("The request is invalid."),
            refused("ASN1 parser: Error in TAG."),
            Outcome::Warned("nothing is checked".to_owned()),
        ];
        assert_eq!(outcomes, wanted);
    }

    #[test]
    fn our_client_takes_gnutls_s_raw_key_if_it_is_the_pinned_one() {
        if !apparatus::have(apparatus::Part::Tools) {
            return;
        }
        let lab = Lab::with_programs();
        let mut row = RawKeys::new(&lab.world, Meeting::Label);
        let device = row.enrol(0).unwrap();
        let public = key(&device).with_file_name("public.pem");
        let pin = row.trust(0).pin.unwrap();
        let attempts = gnutls_serv(&lab.world.clock, key(&device), &public, pin).unwrap();
        assert!(attempts.iter().all(|one| one.how.contains(RAW_KEYS)));
        let outcomes: Vec<Outcome> = attempts.into_iter().map(|one| one.outcome).collect();
        assert_eq!(outcomes, [Outcome::Connected, refused("another key")]);
    }
}
