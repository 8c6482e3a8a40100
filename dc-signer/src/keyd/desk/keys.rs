//! Keys that are made here, the certificates for them, and the end of both.

use pki_types::UnixTime;
use serde_json::json;

use super::super::caller::Caller;
use super::super::turned_away::TurnedAway;
use super::Desk;
use super::issue::not_held;
use dc_pki::keyd::Answer;
use dc_pki::keys::Refusal;
use dc_pki::names::ZoneName;
use dc_pki::{Roles, Sha256};

impl Desk {
    pub(super) fn new_key(
        &self,
        zone: &str,
        for_clients: bool,
        caller: Caller,
        now: UnixTime,
    ) -> Result<Answer, TurnedAway> {
        let zone = ZoneName::parse(zone);
        let zone = zone.map_err(|error| TurnedAway::new(Refusal::Name, error))?;
        let ceiling = self.ceilings.named(&zone)?;
        if for_clients && ceiling.roles == Roles::Server {
            let detail = format!("zone {zone} has no credentials for clients");
            return Err(TurnedAway::new(Refusal::Role, detail));
        }
        let unlock = self.holder.unlock();
        let (request, key) = self.made.new_key(&zone, for_clients, unlock, caller)?;
        let line = json!({ "act": "new-key", "key": key.to_string(), "zone": zone.to_string() });
        self.write(line, caller, now)?;
        Ok(Answer::Request(request))
    }

    pub(super) fn install(
        &self,
        chain: &[Vec<u8>],
        caller: Caller,
        now: UnixTime,
    ) -> Result<Answer, TurnedAway> {
        let (sha256, is_new) =
            self.made
                .install(chain, &self.ceilings, &self.holder, (caller, now))?;
        if is_new {
            let line = json!({ "act": "install", "certificate": sha256.to_string() });
            self.write(line, caller, now)?;
            self.sync().map_err(TurnedAway::by_own_fault)?;
        }
        Ok(Answer::Installed(sha256))
    }

    pub(super) fn end(
        &self,
        certificate: &Sha256,
        reason: Option<&str>,
        caller: Caller,
        now: UnixTime,
    ) -> Result<Answer, TurnedAway> {
        let ended = self.holder.end(certificate);
        match ended.map_err(TurnedAway::by_own_fault)? {
            None => Err(not_held(certificate)),
            Some(false) => Ok(Answer::Ended),
            Some(true) => {
                tracing::warn!(%caller, %certificate, reason, "nothing is signed under a certificate any more");
                let mut line = json!({ "act": "end", "certificate": certificate.to_string() });
                if let Some(reason) = reason {
                    // Of what a caller sends, as much as a refusal has.
                    line["why"] = TurnedAway::new(Refusal::Certificate, reason).detail.into();
                }
                self.write(line, caller, now)?;
                self.sync().map_err(TurnedAway::by_own_fault)?;
                Ok(Answer::Ended)
            }
        }
    }

    /// For root of this machine alone: a key that is removed does not come back.
    pub(super) fn forget(
        &self,
        sha256: &Sha256,
        caller: Caller,
        now: UnixTime,
    ) -> Result<Answer, TurnedAway> {
        if !caller.is_root() {
            let detail = "a key that is removed does not come back: only root of the signing process's machine may, over its socket";
            return Err(TurnedAway::new(Refusal::Caller, detail));
        }
        if !self.made.forget(sha256, &self.holder)? {
            let detail = format!(
                "no key {sha256} waits here, and no certificate {sha256} has a key that was made here"
            );
            return Err(TurnedAway::new(Refusal::Certificate, detail));
        }
        let line = json!({ "act": "forget", "sha256": sha256.to_string() });
        self.write(line, caller, now)?;
        Ok(Answer::Forgotten)
    }
}
