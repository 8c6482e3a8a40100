//! Checkpoints of the audit log: signed while the service runs, and sent where nobody can change them who can change the
//! database.
//!
//! No checkpoint is ever signed of a smaller tree than one before, or of one that does not begin with it: the tree that was
//! signed last is in a file of this machine, and the log has to go on from it.

mod at_once;
mod error;
mod look;
mod places;
mod post;
mod sign;
mod state;
mod status;
mod witness;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dc_evidence::{CheckpointSigner, Hash, SigningKey};
use dc_pki::keys::ProcessFault;
use dc_pki::time::Moment;
use dc_pki::{clock, keys};
use dc_store::{AuditTree, Store};
use pki_types::UnixTime;
use rustls::crypto::CryptoProvider;
use tokio::time::{MissedTickBehavior, interval};

use crate::config::{CheckpointKey, Config};
use crate::keyd::LogKey;
use crate::server::telemetry::Metrics;

pub use at_once::{AtOnce, at_once};
pub use error::Error;
pub use look::{ask, look, unwritable};
use places::Places;
use state::State;
pub use status::{PlaceStatus, Status, Told};

/// Signs checkpoints and sends them.
#[derive(Debug)]
pub struct Checkpoints {
    store: Arc<Store>,
    signer: Arc<dyn CheckpointSigner>,
    places: Places,
    state: State,
    folder: PathBuf,
    /// This signer's name for the others that take turns.
    holder: String,
    every: Duration,
    records: u64,
    metrics: Arc<Metrics>,
    told: Told,
    /// Since when records wait that no checkpoint has.
    waiting: Option<UnixTime>,
    /// Another signer that has the turn.
    others: Option<Others>,
    /// Whom it waits for, if that is for too long.
    waits: Option<String>,
    /// The log was compared with what whoever has the key has signed for last.
    is_compared: bool,
}

/// Another signer that has the turn.
#[derive(Debug)]
struct Others {
    /// Its name.
    holder: String,
    /// When its turn is over, unless it is kept.
    until: UnixTime,
    /// The size that it has signed for.
    size: u64,
    /// When to look again.
    next: UnixTime,
}

impl Checkpoints {
    /// As a configuration says; none if it has no key.
    ///
    /// Fails with [`Error::Pki`] and [`Error::Key`] if the key, the roots of a place or its token cannot be read, with
    /// [`Error::Tls`], and with [`Error::BadState`] if the file of what was signed last is not as it was written.
    pub fn open(
        config: &Config,
        store: Arc<Store>,
        provider: &Arc<CryptoProvider>,
        metrics: Arc<Metrics>,
        told: Told,
    ) -> Result<Option<Self>, Error> {
        let Some(settings) = &config.checkpoints else {
            return Ok(None);
        };
        let signer = signer(config, settings)?;
        let state = State::read(&config.data, signer.verifying_key())?;
        let places = Places::open(&config.checkpoint_places, provider)?;
        if places.is_empty() {
            tracing::warn!(
                "checkpoints of the audit log are sent nowhere: add [[checkpoint_places]] to the configuration"
            );
        }
        let mut opened = Self {
            store,
            signer,
            places,
            state,
            folder: config.data.clone(),
            holder: format!("{} {}", config.node, settings.name),
            every: settings.every,
            records: settings.records,
            metrics,
            told,
            waiting: None,
            others: None,
            waits: None,
            is_compared: false,
        };
        opened.state.keep_only(&opened.places.names());
        opened.tell(None);
        Ok(Some(opened))
    }

    /// The name under which it takes turns.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Goes on for ever; each failure is logged once, as long as it is the same.
    pub async fn run(mut self) {
        let mut often = interval(OFTEN.min(self.every));
        often.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = None;
        loop {
            often.tick().await;
            let Ok(now) = clock::now() else { continue };
            let failed = self.step(now).await.err();
            let now_said = failed.as_ref().map(ToString::to_string);
            if said != now_said {
                match &failed {
                    Some(error) if error.is_tampering() => {
                        tracing::error!(%error, "no checkpoint is signed: somebody changed the audit log");
                    }
                    Some(error) => tracing::warn!(%error, "no checkpoint is signed"),
                    None => tracing::info!("checkpoints are signed again"),
                }
                said = now_said;
            }
        }
    }

    /// Signs if it is time, and sends what waits.
    ///
    /// Fails with [`Error::Store`] if the log does not go on from what was signed, or cannot be read, with [`Error::Evidence`]
    /// if nothing is signed, and with [`Error::Pki`] if what was signed cannot be kept. Places that take nothing are no failure:
    /// what they are to get is kept.
    pub async fn step(&mut self, now: UnixTime) -> Result<(), Error> {
        let signed = self.sign_if_due(now).await;
        let sent = self.send(now).await;
        let result = signed.and(sent);
        self.measure(now).await;
        let noted = self.note_refusal(result.as_ref().err());
        self.tell(result.as_ref().err());
        result.and(noted)
    }

    /// Keeps for a check that the log is another one than was signed for, until it is not.
    fn note_refusal(&mut self, failed: Option<&Error>) -> Result<(), Error> {
        let refused = match failed {
            Some(error) if error.is_tampering() => Some(error.to_string()),
            // Nobody has looked at the log.
            Some(_) => return Ok(()),
            None if self.others.is_some() => return Ok(()),
            None => None,
        };
        match self.state.refuse(refused) {
            true => self.state.write(&self.folder),
            false => Ok(()),
        }
    }

    async fn measure(&mut self, now: UnixTime) {
        let others = self.others.as_ref().map_or(0, |others| others.size);
        let size = self.state.signed_size().max(others);
        let behind = match self.store.audit_head().await {
            Ok(end) => end.seq.saturating_sub(size),
            Err(_) => return,
        };
        self.waiting = match (behind, self.waiting) {
            (0, _) => None,
            (_, None) => Some(self.written(size.saturating_add(1), now).await),
            (_, since) => since,
        };
        let waiting = self.waiting.map_or(0, |since| age(now, since));
        self.note_others(waiting);
        self.metrics
            .set_checkpoint(size, self.state.at(), behind, waiting);
    }

    /// When a record was written, so that a restart makes none younger; now if it is not read, or by a clock that was ahead.
    async fn written(&self, seq: u64, now: UnixTime) -> UnixTime {
        let records = self.store.audit_from(seq, 1).await.unwrap_or_default();
        let first = records.first();
        first.map_or(now, |record| record.entry.time.min(now))
    }

    /// Says whom it waits for, if another one has the turn and signs nothing: it may be gone, or sign for another log.
    fn note_others(&mut self, waiting: u64) {
        let patience = self.every.saturating_mul(2).max(OFTEN);
        let others = self.others.as_ref();
        let waits = others
            .filter(|_| waiting > patience.as_secs())
            .map(|others| {
                format!(
                    "it is the turn of {} until {}, who has signed nothing: this one goes on then",
                    others.holder,
                    Moment(others.until)
                )
            });
        if let Some(why) = waits.as_ref().filter(|_| self.waits != waits) {
            tracing::warn!(why, "a checkpoint waits for another signer");
        }
        self.waits = waits;
    }

    /// Shows how it is to metrics, status and API.
    fn tell(&self, failed: Option<&Error>) {
        let refused = failed.is_some_and(Error::is_tampering);
        self.metrics.set_checkpoint_refused(refused);
        let mut places = Vec::new();
        for (name, failure) in self.places.failures() {
            let waiting = self.state.waiting(&name);
            self.metrics.set_checkpoints_pending(&name, waiting);
            places.push(PlaceStatus {
                name,
                waiting,
                failure,
            });
        }
        self.told.set(Status {
            key: self.signer.verifying_key().to_string(),
            size: self.state.signed_size(),
            at: self.state.at(),
            note: self.state.note().map(ToString::to_string),
            failure: failed
                .map(ToString::to_string)
                .or_else(|| self.waits.clone()),
            refused,
            places,
        });
    }
}

/// Compares the log with what this signer, and a signing process that answers, have signed for last, and its length with the last
/// checkpoint in places that are files here: what can be seen without reading all of it.
///
/// Fails with [`dc_store::Error::Cut`] and [`dc_store::Error::Rewritten`] as [`Error::Store`], with [`Error::Refused`] if the service
/// has found that the log is another one, and with [`Error::BadState`].
pub async fn compare(config: &Config, store: &Store) -> Result<(), Error> {
    let Some(settings) = &config.checkpoints else {
        return Ok(());
    };
    // One that does not answer is told of elsewhere.
    let signed = signed_by_process(config).await;
    let signed = signed.and_then(Result::ok).flatten();
    let state = state::last_signed(&config.data, &settings.name)?;
    let mut tree = AuditTree::EMPTY;
    let mut sizes: Vec<u64> = signed.iter().map(|(size, _)| *size).collect();
    if let Some(state) = &state {
        tree = state.tree().clone();
        store.grow_audit_tree_to(&tree, tree.head().seq).await?;
        sizes.extend(places::newest_in_files(
            &config.checkpoint_places,
            state.key(),
        ));
    }
    let found = store.audit_head().await?.seq;
    if let Some(size) = sizes.into_iter().max().filter(|size| *size > found) {
        return Err(dc_store::Error::Cut { size, found }.into());
    }
    if let Some((size, root)) = signed {
        let began = tree.head().seq;
        // What is not signed for yet is read by the service.
        if (began..began.saturating_add(MOST_READ)).contains(&size) {
            let tree = store.grow_audit_tree_to(&tree, size).await?;
            sign::is_of(&tree, (size, &root))?;
        }
    }
    match state.and_then(|state| state.refused().map(str::to_owned)) {
        Some(why) => Err(Error::Refused { why }),
        None => Ok(()),
    }
}

/// The size and the root that a signing process has signed for last, if it has; none if no process signs for the log.
///
/// Waits for it, some seconds at most. Fails with [`ProcessFault`] inside.
pub async fn signed_by_process(
    config: &Config,
) -> Option<Result<Option<(u64, Hash)>, ProcessFault>> {
    let settings = config.checkpoints.as_ref()?;
    let CheckpointKey::Process { socket, key } = &settings.key else {
        return None;
    };
    let log = LogKey::known(config.keys.unlock.process(socket), key.clone());
    tokio::task::spawn_blocking(move || log.last()).await.ok()
}

/// Whoever has the key of a log: this process, from a file with PKCS#8 within PEM, or a signing process.
fn signer(
    config: &Config,
    settings: &crate::config::Checkpoints,
) -> Result<Arc<dyn CheckpointSigner>, Error> {
    let path = match &settings.key {
        CheckpointKey::File(path) => path,
        CheckpointKey::Process { socket, key } => {
            let keyd = config.keys.unlock.process(socket);
            return Ok(Arc::new(LogKey::known(keyd, key.clone())));
        }
    };
    let key = keys::read(path)?;
    if let Some(warning) = dc_pki::files::check_private(path)? {
        tracing::warn!("{warning}");
    }
    let key = SigningKey::from_pkcs8(&settings.name, key.secret_der());
    let key = key.map_err(|source| Error::Key {
        path: path.clone(),
        source,
    })?;
    Ok(Arc::new(key))
}

/// How long something is ago; 0 if a clock says that it is to come.
fn age(now: UnixTime, since: UnixTime) -> u64 {
    now.as_secs().saturating_sub(since.as_secs())
}

const OFTEN: Duration = Duration::from_secs(5);
/// More records than that are not read for a check.
const MOST_READ: u64 = 1_000_000;

#[cfg(test)]
mod tests;
