//! Where requests are answered: judged, counted, signed and written into the log, in this order.

mod begin;
mod issue;
mod keys;
mod quiet;
mod status;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dc_core::UniqueName;
use dc_evidence::Hash;
use pki_types::UnixTime;
use serde_json::{Value, json};

use self::begin::Recalled;
use self::quiet::Quiet;
use super::caller::Caller;
use super::checkpoints::{Checkpoints, Tree};
use super::counts::Counts;
use super::error::Error;
use super::holder::Holder;
use super::made::Made;
use super::policy::{Ceilings, Wish};
use super::rate::Rate;
use super::record::Record;
use super::turned_away::TurnedAway;
use crate::config::KeydConfig;
use dc_pki::files::{self, Access};
use dc_pki::keyd::{Answer, Ask};
use dc_pki::keys::Refusal;
use dc_pki::time::Moment;
use dc_pki::trust::read_roots;
use dc_pki::{clock, names};

/// All that the process holds and knows. Its calls sign and write, so nobody makes one on a thread that answers others.
#[derive(Debug)]
pub struct Desk {
    ceilings: Ceilings,
    holder: Holder,
    made: Made,
    checkpoints: Option<Checkpoints>,
    rates: Mutex<BTreeMap<String, Rate>>,
    /// Of checkpoints: each is a line in the log, which nobody is to fill.
    signings: Mutex<Rate>,
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
        let (lock, is_new) = begin::lock(state)?;
        let ceilings = Ceilings(config.zones.clone());
        let began = clock::now()?;
        let most_new = config
            .checkpoints
            .as_ref()
            .map_or(0, |table| table.most_new);
        let mut recalled = Recalled::new(&ceilings, most_new);
        let record = begin::recall(state, is_new, &mut recalled, began)?;
        let Recalled {
            rates,
            signed,
            grown,
        } = recalled;
        let unlock = &config.keys.unlock;
        let checkpoints = config.checkpoints.as_ref();
        let checkpoints = checkpoints
            .map(|config| Checkpoints::open(config, base, state, unlock, (signed, grown)));
        let anchors = config.anchors.as_deref().map(read_roots).transpose()?;
        let folders = config.delegations.iter().map(|one| one.folder.clone());
        let desk = Self {
            holder: Holder::new(folders.collect(), state, unlock.clone()),
            made: Made::new(state, anchors),
            checkpoints: checkpoints.transpose()?,
            rates: Mutex::new(rates),
            signings: Mutex::new(Rate::new(CHECKPOINTS_A_MINUTE, usize::MAX)),
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
        let tries = matches!(ask, Ask::Try { .. });
        let knows = self.knows_of_the_end(&ask);
        let done = clock::now()
            .map_err(TurnedAway::by_own_fault)
            .and_then(|now| self.do_it(ask, caller, now));
        done.unwrap_or_else(|refused| match (tries, refused.reason) {
            // That is how a service finds out which ends of connections its zone is for: nobody wanted what may not be.
            (true, Refusal::Role) => refused.into(),
            // A service looks at the keys of its slots every few seconds, and whoever has ended one here need not have ended the slot.
            (_, Refusal::Certificate) if knows => refused.into(),
            _ => self.refuse(what, &refused, caller).into(),
        })
    }

    /// True for a request that is to get nothing, and is about a certificate that has ended or is to end.
    fn knows_of_the_end(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Try { certificate, .. } | Ask::TryIssue { certificate, .. } => {
                self.holder.has_ended(certificate).unwrap_or(false)
            }
            Ask::End { .. } => true,
            _ => false,
        }
    }

    /// Counts a request that is refused, and writes it into the log unless there are too many.
    pub(super) fn turn_away(&self, refused: &TurnedAway, caller: Caller) {
        self.refuse("connect", refused, caller);
    }

    /// Brings the log to the disk, and into it how many refusals were left out of it.
    pub(super) fn sync(&self) -> std::io::Result<()> {
        let minute = clock::uptime().as_secs() / 60;
        for (reason, left_out) in self.quiet.left_out(minute) {
            tracing::warn!(reason, left_out, "more was refused");
            let line = json!({ "act": "refuse", "reason": reason, "left_out": left_out });
            // They were refused all the same.
            let _ = clock::now().map(|now| self.write_line(line, now));
        }
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
                let name = parsed(name)?;
                let wish = Wish::new(role, name.as_ref(), lifetime.map(seconds));
                self.issue(&certificate, &wish, &spki, caller, now)
            }
            Ask::Try {
                certificate,
                role,
                lifetime,
                now: theirs,
            } => {
                same_clock(theirs, now)?;
                self.try_key((&certificate, role), lifetime.map(seconds), theirs, now)
            }
            Ask::TryIssue {
                certificate,
                role,
                name,
                lifetime,
            } => {
                let name = parsed(name)?;
                let wish = Wish::new(role, name.as_ref(), lifetime.map(seconds));
                self.try_issue(&certificate, &wish, now)
            }
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
            Ask::Install { chain } => self.install(&chain, caller, now),
            Ask::End {
                certificate,
                reason,
            } => self.end(&certificate, reason.as_deref(), caller, now),
            Ask::Forget { sha256 } => self.forget(&sha256, caller, now),
            _ => Err(TurnedAway::new(
                Refusal::Malformed,
                "it knows no such request",
            )),
        }
    }

    fn checkpoint(&self, tree: &Tree, caller: Caller, now: UnixTime) -> Result<Answer, TurnedAway> {
        let checkpoints = self.checkpoints.as_ref().ok_or_else(|| {
            // Not that the log is another one.
            TurnedAway::new(Refusal::Key, "its configuration has no [checkpoints]")
        })?;
        let last = checkpoints.last();
        if last.is_none_or(|last| (last.size, last.root) != (tree.size, tree.root)) {
            self.count_checkpoint()?;
        }
        let (note, is_new) = checkpoints.sign(tree, clock::uptime().as_secs())?;
        // Whoever asks for the same again and again writes nothing.
        if is_new {
            let line = json!({
                "act": "checkpoint",
                "key": checkpoints.verifying_key().to_string(),
                "root": tree.root.to_string(),
                "size": tree.size,
            });
            self.write(line, caller, now)?;
            self.counts.checkpoint();
        }
        Ok(Answer::Note(note.to_string()))
    }

    fn count_checkpoint(&self) -> Result<(), TurnedAway> {
        let mut rate = self.signings.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = rate.count(clock::uptime().as_secs());
        counted.map_err(|_| {
            let detail = format!("{CHECKPOINTS_A_MINUTE} checkpoints were asked for in a minute");
            TurnedAway::new(Refusal::Rate, detail)
        })
    }

    fn refuse(&self, what: &'static str, refused: &TurnedAway, caller: Caller) -> TurnedAway {
        let TurnedAway {
            reason,
            detail,
            own,
        } = refused;
        self.counts.refused(*reason);
        let minute = clock::uptime().as_secs() / 60;
        if let Some(left_out) = self.quiet.may_tell(*reason, minute) {
            if let Some(error) = own {
                tracing::error!(%error, what, "a request was not done");
            }
            tracing::warn!(%caller, what, %detail, left_out, "refused");
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
        caller.write(&mut line);
        self.write_line(Value::Object(line), now)
            .map_err(|error| TurnedAway::by_log(&error))
    }

    fn write_line(&self, line: Value, now: UnixTime) -> std::io::Result<()> {
        let Value::Object(line) = line else {
            return Ok(());
        };
        // Those that are being issued count twice after a restart, in a file that begins with them.
        let carried = || {
            let signed = self.checkpoints.as_ref().and_then(Checkpoints::last);
            let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
            let mut grown = self.checkpoints.as_ref().map(Checkpoints::grown);
            let of_log = (signed.as_ref(), grown.as_deref_mut());
            begin::carried(&mut rates, of_log, now, clock::uptime().as_secs())
        };
        self.record().add(line, now, carried)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Credentials begin and end by the clocks of both, and an hour is what they are allowed to be apart.
fn same_clock(theirs: Option<u64>, now: UnixTime) -> Result<(), TurnedAway> {
    let Some(theirs) = theirs.filter(|theirs| theirs.abs_diff(now.as_secs()) > APART) else {
        return Ok(());
    };
    let theirs = Moment(UnixTime::since_unix_epoch(Duration::from_secs(theirs)));
    let detail = format!(
        "its clock says {} and that of whoever asks {theirs}, more than an hour apart: set the one that is wrong",
        Moment(now)
    );
    Err(TurnedAway::new(Refusal::Clock, detail))
}

fn parsed(name: Option<String>) -> Result<Option<UniqueName<'static>>, TurnedAway> {
    let name = name.map(|name| names::parse(&name)).transpose();
    name.map_err(|error| TurnedAway::new(Refusal::Name, error))
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

fn what(ask: &Ask) -> &'static str {
    match ask {
        Ask::Issue { .. } => "issue",
        Ask::Try { .. } | Ask::TryIssue { .. } => "try",
        Ask::Status => "status",
        Ask::Checkpoint { .. } => "checkpoint",
        Ask::NewKey { .. } => "new-key",
        Ask::Install { .. } => "install",
        Ask::End { .. } => "end",
        Ask::Forget { .. } => "forget",
        _ => "other",
    }
}

/// Seconds.
const APART: u64 = 3600;
/// Several signers that each sign once a second stay below it.
const CHECKPOINTS_A_MINUTE: usize = 240;

#[cfg(test)]
mod tests;
