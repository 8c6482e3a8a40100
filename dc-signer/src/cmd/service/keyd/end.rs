//! `dc-signer keyd end` and `forget`: what the process is to do nothing with any more.

use dc_pki::Sha256;
use dc_pki::keys::ProcessFault;
use dc_store::registry::Reason;
use serde_json::Value;

use super::super::confirm::confirm;
use super::super::error::Error;
use super::super::print;
use super::ask::Socket;

/// End a certificate that it holds: nothing is signed under it any more
///
/// No request takes it back, and it is in the process's log. 'zones end' does it by itself if the process answers; this is for when the
/// service is away, or not to be trusted. What was issued stays valid to its end.
#[derive(Debug, clap::Args)]
pub(super) struct End {
    #[command(flatten)]
    socket: Socket,
    /// The SHA-256 of the certificate, as 'keyd status' shows it
    sha256: Sha256,
    /// The reason or a ticket, for the process's log: 3 to 200 characters
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
    /// Do not ask whether it is meant
    #[arg(long)]
    yes: bool,
}

impl End {
    pub(super) fn run(self) -> Result<(), Error> {
        let (keyd, certificate) = (self.socket.keyd(), self.sha256);
        let status = keyd.status().map_err(self.socket.failed())?;
        let status: Value = serde_json::from_str(&status)
            .map_err(|_| self.socket.failed()(ProcessFault::Malformed))?;
        confirm(&question(&status, certificate), self.yes)?;
        let ended = keyd.end_because(certificate, self.reason.as_str());
        ended.map_err(self.socket.failed())?;
        print(&format!(
            "nothing is signed under certificate {certificate} any more: 'zones end' tells the service. If it was a mistake, whoever has the process's machine removes the file {certificate} from the folder 'ended' in its 'state', and starts it anew"
        ))
    }
}

/// The question before it is done.
fn question(status: &Value, certificate: Sha256) -> String {
    let all = status["certificates"].as_array().into_iter().flatten();
    let held = { all }.find(|held| held["sha256"] == certificate.to_string());
    let Some(held) = held else {
        return format!(
            "Nothing is to be signed under certificate {certificate} ever again, which is not among those that can be used now."
        );
    };
    let names = held["names"].as_str().unwrap_or("no name");
    let use_of_it = match (held["last_issued"].as_str(), held["used"] == true) {
        (Some(at), _) => format!(
            "A credential was issued under it at {at}: so a service issues from it, and its devices get nothing more until the service issues from another one ('dc-signer zones rollover')."
        ),
        (None, true) => "Credentials were issued under it before the process was started: if a service issues from it, its devices get nothing more until it issues from another one ('dc-signer zones rollover').".to_owned(),
        (None, false) => "Nobody knows of a credential under it.".to_owned(),
    };
    format!(
        "Nothing is to be signed under certificate {certificate} for {names} ever again. {use_of_it}"
    )
}

/// Remove a key that it has made and that nobody needs, for good: for root of its machine
///
/// One that waits for its certificate ('keyd status' lists them), or one whose certificate was never used or has ended.
#[derive(Debug, clap::Args)]
pub(super) struct Forget {
    #[command(flatten)]
    socket: Socket,
    /// The SHA-256 of the key that waits, or of the certificate
    sha256: Sha256,
    /// Do not ask whether it is meant
    #[arg(long)]
    yes: bool,
}

impl Forget {
    pub(super) fn run(self) -> Result<(), Error> {
        let sha256 = self.sha256;
        let question = format!(
            "The key {sha256} is to be removed for good: a certificate for it can never be used."
        );
        confirm(&question, self.yes)?;
        let forgotten = self.socket.keyd().forget(sha256);
        forgotten.map_err(self.socket.failed())?;
        print(&format!("{sha256} is removed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whoever_ends_a_certificate_is_told_whether_it_is_used() {
        let asked = |more: Value| {
            let mut held = json!({ "sha256": Sha256::ZERO.to_string(), "names": "*.example.com" });
            held["used"] = more["used"].clone();
            held["last_issued"] = more["last_issued"].clone();
            question(&json!({ "certificates": [held] }), Sha256::ZERO)
        };
        let active = asked(json!({ "used": true, "last_issued": "2026-11-29T20:00:00Z" }));
        assert!(
            active.contains("a service issues from it") && active.contains("2026-11-29T20:00:00Z"),
            "{active}"
        );
        assert!(asked(json!({ "used": true })).contains("before the process was started"));
        assert!(asked(json!({ "used": false })).contains("Nobody knows of a credential"));
        let unknown = question(&json!({ "certificates": [] }), Sha256::ZERO);
        assert!(unknown.contains("not among those"), "{unknown}");
    }
}
