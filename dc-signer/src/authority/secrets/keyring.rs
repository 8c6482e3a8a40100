//! The secrets that this process has, which follow those of the database.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use dc_pki::files;
use dc_pki::sealing::{SealingKeys, Which};
use dc_store::Store;
use dc_store::registry::{Sha256, SharedDelegation, SharedSecret};
use pki_types::UnixTime;
use tokio::sync::{Mutex, OnceCell};

use super::super::blocking::Blocking;
use super::super::{Error, SetupError};
use super::keys::Keys;
use super::versions::{Places, Version, what};
use super::{Secrets, delegations, is_by_log, look_at_rest};
use crate::config::Config;

/// The secrets of this process: as the database has them, as soon as anything is done with them.
pub(in super::super) struct Keyring {
    place: Place,
    state: ArcSwap<State>,
    /// Of the key-encryption keys, for the other signers: one of a passphrase takes half a second.
    marks: OnceCell<Vec<[u8; 16]>>,
    /// Whoever has it opens what is new; the others wait.
    opening: Mutex<()>,
    blocking: Blocking,
}

#[derive(Clone)]
struct Place {
    data: PathBuf,
    tenant: String,
    sealing: Option<Arc<SealingKeys>>,
}

struct State {
    /// As they were in the database.
    known: Vec<SharedSecret>,
    versions: Vec<Version>,
    keys: Result<Arc<Keys>, Arc<Error>>,
    /// The reason that this process could not open them if it had not before: it goes on, and does not start again.
    left_out: Option<Arc<Error>>,
    /// When it is worth trying again, if those that are new could not be opened for a reason that passes.
    again: Option<Instant>,
}

impl State {
    /// True if these are the secrets of the database, as far as can be known now.
    fn is_of(&self, known: &[SharedSecret]) -> bool {
        let is_over = |again: Instant| again <= Instant::now();
        self.known == known && !self.again.is_some_and(is_over)
    }
}

impl Keyring {
    /// Opens the secrets of a database, or makes them if it has none and `is_new` says that it was not used.
    ///
    /// Fails with [`SetupError::MissingSecrets`], [`SetupError::OtherThanDatabase`], [`SetupError::OldSecret`],
    /// [`SetupError::SecretPutBack`], [`SetupError::NoSealingKey`], [`SetupError::Sealed`], and with what reading files and the database fails with.
    pub(in super::super) async fn open(
        config: &Config,
        sealing: Option<Arc<SealingKeys>>,
        store: &Store,
        is_new: bool,
        now: UnixTime,
    ) -> Result<Self, Error> {
        let place = Place::new(config, sealing);
        is_by_log(store).await?;
        let blocking = Blocking::one();
        let known = place.known(store, is_new, now, &blocking).await?;
        let (state, place) = blocking.run(move || place.state(known, &[])).await?;
        if let Err(error) = state.keys {
            return Err(Arc::into_inner(error).unwrap_or(Error::Busy));
        }
        Ok(Self {
            place,
            state: ArcSwap::from_pointee(state),
            marks: OnceCell::new(),
            opening: Mutex::default(),
            blocking,
        })
    }

    /// Looks whether the secrets of a database can be opened, and makes none.
    ///
    /// Fails as [`Self::open`] does.
    pub(in super::super) async fn look(
        config: &Config,
        store: &Store,
        is_new: bool,
    ) -> Result<(), Error> {
        let place = Place::new(config, sealing_keys(config).await?);
        let known = store.secrets().await?;
        let folder = Secrets::folder(&config.data);
        if known.is_empty() {
            return match is_new || files::is_there(&folder)? {
                true => Ok(()),
                false => Err(SetupError::MissingSecrets { folder }.into()),
            };
        }
        is_by_log(store).await?;
        place.look_at_rest(&known)?;
        let opening = move || place.places().open(&known, &[]).map(|_| ());
        Blocking::one().run(opening).await?
    }

    /// The secrets as the database has them now.
    ///
    /// Fails with [`Error::Store`], and as [`Self::open`] does if there are new ones that this process cannot open.
    pub(in super::super) async fn now(&self, store: &Store) -> Result<Arc<Keys>, Error> {
        let known = store.secrets().await?;
        let state = self.state.load_full();
        if state.is_of(&known) {
            return self.last();
        }
        let _mine = self.opening.lock().await;
        // Read again: somebody else may have opened newer ones meanwhile.
        let known = store.secrets().await?;
        let state = self.state.load_full();
        if !state.is_of(&known) {
            let (place, was_left_out) = (self.place.clone(), state.left_out.is_some());
            let put_back = match is_by_log(store).await {
                Err(error @ Error::Setup(_)) => Some(error),
                looked => looked.map(|()| None)?,
            };
            let opened = self
                .blocking
                .run(move || place.state(known, &state.versions));
            let (mut state, _) = opened.await?;
            if let Some(error) = put_back {
                state.keys = Err(Arc::new(error));
            }
            match (&state.keys, &state.left_out) {
                // It tries again every two seconds while a token is away.
                (Ok(_), Some(_)) if was_left_out => {}
                (Ok(_), Some(error)) => tracing::error!(
                    %error,
                    "the secrets that signers share cannot be opened here any more: this signer goes on with what it has opened, and does not start again before it can"
                ),
                (Ok(_), None) => tracing::info!(
                    "the secrets that signers share have changed, and are used as they are now"
                ),
                (Err(error), _) => {
                    tracing::error!(%error, "the secrets that signers share have changed, and cannot be used here");
                }
            }
            self.state.store(state.into());
        }
        self.last()
    }

    /// The same by what is known already.
    ///
    /// Fails with [`SetupError::SecretsNotHere`].
    pub(in super::super) fn last(&self) -> Result<Arc<Keys>, Error> {
        match &self.state.load().keys {
            Ok(keys) => Ok(keys.clone()),
            Err(error) => Err(SetupError::SecretsNotHere {
                why: error.to_string(),
            }
            .into()),
        }
    }

    /// The reason that the secrets cannot be used here, for strangers.
    pub(in super::super) fn fault(&self) -> Option<String> {
        let state = self.state.load();
        let fault = match (&state.keys, &state.left_out) {
            (Err(_), _) => {
                "the secrets of this database have changed, and cannot be used here: the log says more"
            }
            (Ok(_), Some(_)) => {
                "the secrets of this database cannot be opened here any more, and this signer does not start again before they can: the log says more"
            }
            (Ok(_), None) => return None,
        };
        Some(fault.to_owned())
    }

    /// The marks of the key-encryption keys that this process has.
    ///
    /// Fails with [`SetupError::SealingKey`] and [`Error::Busy`].
    pub(in super::super) async fn marks(&self) -> Result<&[[u8; 16]], Error> {
        let (place, blocking) = (self.place.clone(), &self.blocking);
        let make = || async move { blocking.run(move || place.marks()).await? };
        Ok(self.marks.get_or_try_init(make).await?)
    }

    /// The key to seal with, and the tenant, if this database's secrets are sealed.
    pub(in super::super) fn sealing(&self) -> Option<Sealing> {
        let state = self.state.load();
        let keys = self.place.sealing.clone()?;
        let sealed = state.known.iter().find_map(|row| row.sealed.clone())?;
        Some(Sealing {
            keys,
            like: sealed,
            tenant: self.place.tenant.clone(),
        })
    }
}

/// The keys to seal more with, into a database whose secrets are sealed.
pub(in super::super) struct Sealing {
    keys: Arc<SealingKeys>,
    like: Vec<u8>,
    tenant: String,
}

impl Sealing {
    /// Makes of the files of a delegation certificate what the other signers need, sealed with the key that the secrets are sealed
    /// with, of the two that may be given. Takes as long as a token does.
    ///
    /// Fails with [`SetupError::SealingKey`].
    pub(in super::super) fn share(
        &self,
        certificate_sha256: Sha256,
        chain: &[u8],
        file: (&str, &[u8]),
    ) -> Result<SharedDelegation, Error> {
        let key = self.keys.key_of(&self.like).map_err(sealing_failed)?;
        delegations::share(&key, &self.tenant, certificate_sha256, chain, file)
    }
}

impl Place {
    fn new(config: &Config, sealing: Option<Arc<SealingKeys>>) -> Self {
        Self {
            data: config.data.clone(),
            tenant: config.tenant.clone(),
            sealing,
        }
    }

    fn marks(&self) -> Result<Vec<[u8; 16]>, Error> {
        let Some(keys) = &self.sealing else {
            return Ok(Vec::new());
        };
        let marks = keys.marks(&self.tenant).map_err(sealing_failed)?;
        Ok(marks.iter().map(|mark| *mark.as_bytes()).collect())
    }

    fn places(&self) -> Places<'_> {
        Places {
            sealing: self.sealing.as_deref(),
            tenant: &self.tenant,
            data: &self.data,
        }
    }

    /// The secrets of the database, which it has after this.
    async fn known(
        &self,
        store: &Store,
        is_new: bool,
        now: UnixTime,
        blocking: &Blocking,
    ) -> Result<Vec<SharedSecret>, Error> {
        let known = store.secrets().await?;
        let is_sealed = known.iter().any(|row| row.sealed.is_some());
        if is_sealed {
            self.look_at_rest(&known)?;
            return Ok(known);
        }
        let here = files::is_there(&Secrets::folder(&self.data))?;
        match &self.sealing {
            Some(keys) if known.is_empty() && is_new && !here => {
                let (place, keys) = (self.clone(), keys.clone());
                let making = move || place.make_sealed(&keys, now);
                let sealed = blocking.run(making).await??;
                Ok(store.claim_secrets(&sealed).await?)
            }
            _ => {
                let known = Secrets::of_database(&self.data, store, is_new, now)
                    .await?
                    .1;
                if self.sealing.is_some() {
                    tracing::warn!(
                        "the secrets are in the data folder still: 'dc-signer secrets seal --reason WHY --config FILE' moves them into the database"
                    );
                }
                Ok(known)
            }
        }
    }

    /// Checks what is left in the data folder of secrets that are in the database.
    fn look_at_rest(&self, known: &[SharedSecret]) -> Result<(), Error> {
        match known.iter().all(|row| row.sealed.is_some()) {
            true => look_at_rest(&self.data, known),
            // They are what is used.
            false => Ok(()),
        }
    }

    fn make_sealed(&self, keys: &SealingKeys, now: UnixTime) -> Result<Vec<SharedSecret>, Error> {
        let secrets = Secrets::random()?;
        let key = keys.key(Which::Current, &[]).map_err(sealing_failed)?;
        let places = self.places();
        let seal = |row: SharedSecret| {
            let what = what(row.purpose);
            let label = places.label(&what, row.version);
            let sealed = key
                .seal(&label, secrets.of(row.purpose))
                .map_err(sealing_failed)?;
            Ok(SharedSecret {
                sealed: Some(sealed),
                ..row
            })
        };
        secrets.first(now).into_iter().map(seal).collect()
    }

    fn state(self, known: Vec<SharedSecret>, before: &[Version]) -> (State, Self) {
        let opened = self.places().open(&known, before);
        let (versions, keys) = match opened {
            Ok(versions) => {
                let keys = Keys::new(&versions).map(Arc::new);
                let missing = || {
                    Arc::new(Error::from(dc_store::Error::Corrupt {
                        place: "shared_secrets",
                    }))
                };
                (versions, keys.ok_or_else(missing))
            }
            Err(error) => (before.to_vec(), Err(Arc::new(error))),
        };
        let left_out = match before.is_empty() {
            // They were opened just now.
            true => None,
            false => self.places().open(&known, &[]).err().map(Arc::new),
        };
        let passes = |error: &Arc<Error>| is_temporary(error).then(|| Instant::now() + PAUSE);
        let failed = keys.as_ref().err().or(left_out.as_ref());
        let state = State {
            again: failed.and_then(passes),
            left_out,
            known,
            versions,
            keys,
        };
        (state, self)
    }
}

/// The key-encryption keys of a configuration, read.
///
/// Fails with [`SetupError::SealingKey`].
pub(in super::super) async fn sealing_keys(
    config: &Config,
) -> Result<Option<Arc<SealingKeys>>, Error> {
    let (secrets, unlock) = (config.secrets.clone(), config.keys.unlock.clone());
    let reading = move || secrets.keys(&unlock).map_err(sealing_failed);
    Blocking::one().run(reading).await?
}

pub(super) fn sealing_failed(source: dc_pki::sealing::SealError) -> Error {
    SetupError::SealingKey { source }.into()
}

/// True if secrets that were not opened may be later: the token is away, not the key.
fn is_temporary(error: &Error) -> bool {
    let Error::Setup(SetupError::Sealed { source, .. } | SetupError::SealingKey { source }) = error
    else {
        return false;
    };
    source.is_temporary()
}

/// The time between two tries to open what is new with a token that is away.
const PAUSE: Duration = Duration::from_secs(2);

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(..)")
    }
}
