//! Where requests are answered: judged, counted, signed and written into the log, in this order.

mod begin;
mod quiet;
mod status;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dc_core::{Role, UniqueName};
use dc_evidence::Hash;
use pki_types::{SignatureVerificationAlgorithm, UnixTime};
use serde_json::{Value, json};

use self::quiet::Quiet;
use super::caller::Caller;
use super::checkpoints::{Checkpoints, Tree};
use super::counts::Counts;
use super::error::Error;
use super::holder::{Held, Holder};
use super::made::Made;
use super::policy::{Ceilings, Permitted, Wish};
use super::rate::{Rate, Reached};
use super::record::Record;
use super::turned_away::TurnedAway;
use crate::config::KeydConfig;
use dc_pki::files::{self, Access};
use dc_pki::keyd::{Answer, Ask};
use dc_pki::keys::Refusal;
use dc_pki::names::ZoneName;
use dc_pki::time::Moment;
use dc_pki::{Delegation, Forms, Roles, Sha256, Unissued, Wanted, clock, names};

/// All that the process holds and knows. Its calls sign and write, so nobody makes one on a thread that answers others.
#[derive(Debug)]
pub struct Desk {
    ceilings: Ceilings,
    holder: Holder,
    made: Made,
    checkpoints: Option<Checkpoints>,
    rates: Mutex<BTreeMap<String, Rate>>,
    record: Mutex<Record>,
    counts: Counts,
    /// Refusals that are still written into the log this minute.
    quiet: Quiet,
    /// A key that nobody has, to try others with.
    nobodys: Vec<u8>,
    began: UnixTime,
    _lock: File,
}

impl Desk {
    /// Opens keys, state and log; `base` is the folder of the configuration.
    ///
    /// Fails with [`Error`]; a delegation that cannot be loaded is told of in the log, and looked for again when somebody wants it.
    pub fn open(config: &KeydConfig, base: &Path) -> Result<Self, Error> {
        if config.zones.is_empty() {
            return Err(Error::Missing { table: "zones" });
        }
        let state = &config.state;
        files::make_folder(state, Access::Owner)?;
        let lock = begin::lock(state)?;
        let ceilings = Ceilings(config.zones.clone());
        let began = clock::now()?;
        let (mut rates, uptime) = (begin::rates(&ceilings), clock::uptime().as_secs());
        let record = Record::open(state, |line| begin::recall(&mut rates, line, began, uptime))?;
        let unlock = &config.keys.unlock;
        let checkpoints = config.checkpoints.as_ref();
        let checkpoints = checkpoints.map(|config| Checkpoints::open(config, base, state, unlock));
        let folders = config.delegations.iter().map(|one| one.folder.clone());
        let desk = Self {
            holder: Holder::new(folders.collect(), state, unlock.clone()),
            made: Made::new(state),
            checkpoints: checkpoints.transpose()?,
            rates: Mutex::new(rates),
            record: Mutex::new(record),
            counts: Counts::default(),
            quiet: Quiet::default(),
            nobodys: begin::nobodys_key()?,
            ceilings,
            began,
            _lock: lock,
        };
        desk.reload()?;
        Ok(desk)
    }

    /// Loads the delegations anew.
    ///
    /// Fails with [`Error::File`] if its own folder cannot be read.
    pub fn reload(&self) -> Result<(), Error> {
        let count = self.holder.reload()?;
        tracing::info!(count, "delegations are held");
        Ok(())
    }

    /// Answers a request. A refusal is an answer as well.
    pub fn answer(&self, ask: Ask, caller: Caller) -> Answer {
        let what = what(&ask);
        let done = clock::now()
            .map_err(TurnedAway::by_own_fault)
            .and_then(|now| self.do_it(ask, caller, now));
        done.unwrap_or_else(|refused| self.refuse(what, &refused, caller).into())
    }

    /// Counts a request that is refused, and writes it into the log unless there are too many.
    pub(super) fn turn_away(&self, refused: &TurnedAway, caller: Caller) {
        self.refuse("connect", refused, caller);
    }

    /// Brings the log to the disk.
    pub(super) fn sync(&self) -> std::io::Result<()> {
        let file = self.record().file()?;
        file.sync_data()
    }

    fn do_it(&self, ask: Ask, caller: Caller, now: UnixTime) -> Result<Answer, TurnedAway> {
        match ask {
            Ask::Issue {
                certificate,
                role,
                name,
                lifetime,
                spki,
            } => {
                let name = name.map(|name| names::parse(&name)).transpose();
                let name = name.map_err(|error| TurnedAway::new(Refusal::Name, error))?;
                let wish = Wish {
                    role,
                    name: name.as_ref(),
                    lifetime: lifetime.map(|seconds| Duration::from_secs(seconds.into())),
                };
                self.issue(&certificate, &wish, &spki, caller, now)
            }
            Ask::Try { certificate, role } => self.try_key(&certificate, role),
            Ask::Status => Ok(Answer::Status(self.status(now).to_string())),
            Ask::Checkpoint {
                size,
                root,
                old,
                proof,
            } => {
                let proof = proof.map(|hashes| {
                    let hashes = hashes.into_iter().map(Hash::from_bytes).collect();
                    (old, hashes)
                });
                let root = Hash::from_bytes(root);
                self.checkpoint(&Tree { size, root, proof }, caller, now)
            }
            Ask::NewKey { zone, for_clients } => self.new_key(&zone, for_clients, caller, now),
            Ask::Install { chain } => {
                let sha256 = self
                    .made
                    .install(&chain, &self.ceilings, &self.holder, now)?;
                let line = json!({ "act": "install", "certificate": sha256.to_string() });
                self.write(line, caller, now)?;
                self.sync().map_err(TurnedAway::by_own_fault)?;
                Ok(Answer::Installed(sha256))
            }
            _ => Err(TurnedAway::new(
                Refusal::Malformed,
                "it knows no such request",
            )),
        }
    }

    fn issue(
        &self,
        certificate: &Sha256,
        wish: &Wish<'_>,
        spki: &[u8],
        caller: Caller,
        now: UnixTime,
    ) -> Result<Answer, TurnedAway> {
        let held = self.held(certificate)?;
        let delegation = of_role(&held, wish.role)?;
        let permitted = self.ceilings.permit(delegation.certificate(), wish, now)?;
        // Before anything is counted: what RFC 9345 forbids uses nothing up.
        let request = dc_core::Request::new(spki).lifetime(permitted.lifetime());
        let request = match wish.name {
            Some(name) => request.unique_name(name.clone()),
            None => request,
        };
        let allowed = delegation.policy().approve(&request, now).map(drop);
        allowed.map_err(|error| TurnedAway::new(Refusal::Rule, error))?;
        self.count(permitted.zone())?;
        let credential = sign(delegation, spki, wish.name, &permitted, now)?;
        let expires = Moment::at(now.as_secs() + permitted.lifetime().as_secs());
        let line = json!({
            "act": "issue",
            "certificate": certificate.to_string(),
            "credential": Sha256::of(&credential).to_string(),
            "expires": expires.to_string(),
            "name": wish.name.map(UniqueName::as_str),
            "role": role_word(wish.role),
            "spki": Sha256::of(spki).to_string(),
            "zone": permitted.zone().to_string(),
        });
        self.write(line, caller, now)?;
        self.counts.issued(&permitted.zone().to_string());
        Ok(Answer::Credential(credential))
    }

    fn try_key(&self, certificate: &Sha256, role: Role) -> Result<Answer, TurnedAway> {
        let held = self.held(certificate)?;
        let delegation = of_role(&held, role)?;
        let zone = self.ceilings.zone_of(delegation.certificate(), role)?;
        let name = zone.fresh_name().map_err(TurnedAway::by_own_fault)?;
        // When the certificate begins: whether it has, or is over, says nothing about the key.
        let begin = delegation.certificate().not_before();
        let wanted = Wanted::Named(name);
        let tried = dc_pki::try_key(delegation, &self.nobodys, &wanted, algorithms(), begin);
        tried.map(|()| Answer::Works).map_err(unissued)
    }

    fn checkpoint(&self, tree: &Tree, caller: Caller, now: UnixTime) -> Result<Answer, TurnedAway> {
        let checkpoints = self.checkpoints.as_ref().ok_or_else(|| {
            TurnedAway::new(
                Refusal::Checkpoint,
                "its configuration has no [checkpoints]",
            )
        })?;
        let note = checkpoints.sign(tree)?;
        let line = json!({
            "act": "checkpoint",
            "origin": checkpoints.verifying_key().name(),
            "root": tree.root.to_string(),
            "size": tree.size,
        });
        self.write(line, caller, now)?;
        self.counts.checkpoint();
        Ok(Answer::Note(note.to_string()))
    }

    fn new_key(
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
        let request = self.made.new_key(&zone, for_clients)?;
        let line = json!({ "act": "new-key", "zone": zone.to_string() });
        self.write(line, caller, now)?;
        Ok(Answer::Request(request))
    }

    fn held(&self, certificate: &Sha256) -> Result<std::sync::Arc<Held>, TurnedAway> {
        self.holder.find(certificate).ok_or_else(|| {
            let detail = format!("no certificate {certificate} is held here");
            TurnedAway::new(Refusal::Certificate, detail)
        })
    }

    fn count(&self, zone: &ZoneName) -> Result<(), TurnedAway> {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rate) = rates.get_mut(&zone.to_string()) else {
            return Ok(());
        };
        let counted = rate.count(clock::uptime().as_secs());
        counted.map_err(|reached| {
            let detail = match reached {
                Reached::Minute(most) => {
                    format!("zone {zone} has had {most} credentials in a minute")
                }
                Reached::Hour(most) => format!("zone {zone} has had {most} credentials in an hour"),
            };
            TurnedAway::new(Refusal::Rate, format!("{detail}, its ceiling"))
        })
    }

    fn refuse(&self, what: &'static str, refused: &TurnedAway, caller: Caller) -> TurnedAway {
        let TurnedAway { reason, detail } = refused;
        self.counts.refused(*reason);
        let minute = clock::uptime().as_secs() / 60;
        if let Some(left_out) = self.quiet.may_tell(minute) {
            tracing::warn!(uid = caller.uid, pid = caller.pid, what, %detail, left_out, "refused");
            let mut line = json!({
                "act": "refuse", "what": what, "reason": reason.as_str(), "detail": detail,
            });
            if left_out > 0 {
                line["left_out"] = left_out.into();
            }
            // It is refused all the same.
            let _ = clock::now().map(|now| self.write(line, caller, now));
        }
        refused.clone()
    }

    fn write(&self, line: Value, caller: Caller, now: UnixTime) -> Result<(), TurnedAway> {
        let Value::Object(mut line) = line else {
            return Ok(());
        };
        line.insert("uid".to_owned(), caller.uid.into());
        line.insert("pid".to_owned(), caller.pid.into());
        let written = self.record().add(line, now);
        written.map_err(TurnedAway::by_own_fault)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sign(
    delegation: &Delegation,
    spki: &[u8],
    name: Option<&UniqueName<'static>>,
    permitted: &Permitted<'_>,
    now: UnixTime,
) -> Result<Vec<u8>, TurnedAway> {
    let wanted = name.map_or(Wanted::Rfc9345, |name| Forms::Named.with(name));
    let lifetime = Some(permitted.lifetime());
    let issued = dc_pki::sign(delegation, spki, &wanted, lifetime, algorithms(), now);
    let issued = issued.map_err(unissued)?.into_iter().next();
    let issued = issued.map(dc_core::Issued::into_bytes);
    issued.ok_or_else(|| TurnedAway::new(Refusal::Rule, "nothing was wanted"))
}

fn unissued(unissued: Unissued) -> TurnedAway {
    match unissued {
        Unissued::DelegationKey => TurnedAway::new(
            Refusal::Rule,
            "the key is the delegation certificate's own, which no device may have",
        ),
        Unissued::Refused(error) => TurnedAway::new(Refusal::Rule, error),
        Unissued::Signer(error) => {
            tracing::error!(%error, "a key does not sign");
            TurnedAway::new(Refusal::Key, "the key does not sign now: its log says more")
        }
    }
}

fn of_role(held: &Held, role: Role) -> Result<&Delegation, TurnedAway> {
    let delegation = match role {
        Role::Server => Some(&held.for_servers),
        Role::Client => held.for_clients.as_ref(),
    };
    delegation.ok_or_else(|| TurnedAway::new(Refusal::Role, "the certificate is for servers alone"))
}

fn what(ask: &Ask) -> &'static str {
    match ask {
        Ask::Issue { .. } => "issue",
        Ask::Try { .. } => "try",
        Ask::Status => "status",
        Ask::Checkpoint { .. } => "checkpoint",
        Ask::NewKey { .. } => "new-key",
        Ask::Install { .. } => "install",
        _ => "other",
    }
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Client => "client",
    }
}

fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all
}

#[cfg(test)]
mod tests;
