//! The list of withdrawn names in the form that clients load: see `dc_core::WithdrawnNames`.
//!
//! The same state gives the same bytes, whichever signer of the database makes them, so that caches in front can keep them: the
//! time of issue is the beginning of an hour, and Ed25519 signs alike each time.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dc_core::{ListKey, NameHash, NewList, UniqueName};
use pki_types::UnixTime;
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::{RECENT, USABLE};
use crate::authority::blocking::Blocking;
use crate::authority::{Authority, Error};
use dc_pki::names::ZoneName;

/// A signed list, to be sent to anybody.
#[derive(Clone)]
pub struct CompactList {
    /// The list, shared by all answers.
    pub bytes: Arc<[u8]>,
    /// The entity tag of these bytes (RFC 9110 §8.8.3).
    pub etag: String,
    /// The last second at which it may be used.
    pub expires: UnixTime,
}

/// Lists that were made, with what they were made of.
#[derive(Debug)]
pub(super) struct CompactLists {
    known: Mutex<HashMap<String, Known>>,
    /// Whoever makes one: else all who ask while it is made would have one each.
    making: tokio::sync::Mutex<()>,
    work: Blocking,
}

#[derive(Clone, Debug)]
struct Known {
    /// When the database was last asked.
    asked: UnixTime,
    state: State,
    list: CompactList,
}

/// All that the bytes of a list of one zone depend on.
#[derive(Clone, Debug, Eq, PartialEq)]
struct State {
    sequence: u64,
    issued: u64,
    keys: Vec<ListKey>,
}

impl Default for CompactLists {
    fn default() -> Self {
        Self {
            known: Mutex::default(),
            making: tokio::sync::Mutex::default(),
            work: Blocking::one(),
        }
    }
}

impl CompactLists {
    fn known(&self, zone: &str) -> Option<Known> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(zone).cloned()
    }

    /// The list, if the database was asked a moment ago.
    fn recent(&self, zone: &str, now: UnixTime) -> Option<CompactList> {
        let known = self.known(zone)?;
        let age = now.as_secs().checked_sub(known.asked.as_secs())?;
        (age < RECENT.as_secs()).then_some(known.list)
    }

    fn keep(&self, zone: String, known: Known) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(zone, known);
    }
}

impl Authority {
    /// The signed list of a zone's withdrawn names for clients, which knows of everything until ten seconds ago.
    ///
    /// Fails with [`UnknownZone`](dc_store::registry::Error::UnknownZone), [`Error::Clock`], [`Error::Busy`] and
    /// [`Error::Store`].
    pub async fn withdrawn_compact(
        &self,
        zone: &ZoneName,
        now: UnixTime,
    ) -> Result<CompactList, Error> {
        self.guard.check(now)?;
        let lists = &self.lists.compact;
        let name = zone.to_string();
        if let Some(list) = lists.recent(&name, now) {
            return Ok(list);
        }
        let _making = lists.making.lock().await;
        if let Some(list) = lists.recent(&name, now) {
            return Ok(list);
        }
        let keys = self.secrets.now(&self.store).await?;
        let public: Vec<_> = keys.list_keys(now).iter().map(|key| public(key)).collect();
        let mut state = State {
            sequence: self.store.withdrawn_sequence(zone).await?,
            issued: now.as_secs() - now.as_secs() % PERIOD.as_secs(),
            keys: public,
        };
        let list = match lists.known(&name) {
            Some(known) if known.state == state => known.list,
            _ => {
                let mut names = Vec::new();
                let live_at = at(state.issued.saturating_sub(SKEW.as_secs()));
                let each = |name: &UniqueName<'_>| names.push(hash(name));
                // A name may have been withdrawn since.
                state.sequence = self.store.each_withdrawn(zone, live_at, each).await?;
                let (zone, state) = (zone.clone(), state.clone());
                let make = move || make(&zone, &state, names, &keys.list_keys(now));
                lists.work.run(make).await??
            }
        };
        let asked = now;
        let known = Known {
            asked,
            state,
            list: list.clone(),
        };
        lists.keep(name, known);
        Ok(list)
    }
}

/// Makes and signs a list.
fn make(
    zone: &ZoneName,
    state: &State,
    names: Vec<NameHash>,
    keys: &[&Ed25519KeyPair],
) -> Result<CompactList, Error> {
    let State {
        sequence,
        issued,
        keys: public,
    } = state;
    let zone = zone.to_string();
    let expires = at(issued.saturating_add(USABLE.as_secs()));
    let list = NewList {
        zone: dc_pki::names::parse(&zone)?,
        sequence: *sequence,
        issued: at(*issued),
        expires,
        next_keys: match public.len() {
            1 => &[],
            _ => public,
        },
    };
    let list = list.encode(names).map_err(Error::ListTooLong)?;
    let sign = |key: &&Ed25519KeyPair| {
        let mut signature = [0; 64];
        signature.copy_from_slice(key.sign(list.as_bytes()).as_ref());
        (self::public(key), signature)
    };
    let signatures: Vec<_> = keys.iter().map(sign).collect();
    let bytes = list.into_signed(&signatures).map_err(Error::ListTooLong)?;
    let etag = data_encoding::HEXLOWER.encode(digest(&SHA256, &bytes).as_ref());
    Ok(CompactList {
        bytes: bytes.into(),
        etag: format!("\"{etag}\""),
        expires,
    })
}

fn hash(name: &UniqueName<'_>) -> NameHash {
    NameHash::new(name, |bytes| {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        hash
    })
}

fn public(key: &Ed25519KeyPair) -> ListKey {
    let mut public = [0; 32];
    public.copy_from_slice(key.public_key().as_ref());
    ListKey(public)
}

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

impl fmt::Debug for CompactList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bytes,
            etag,
            expires,
        } = self;
        f.debug_struct("CompactList")
            .field("length", &bytes.len())
            .field("etag", etag)
            .field("expires", expires)
            .finish()
    }
}

/// A list that nothing happens to is made anew so often.
const PERIOD: Duration = Duration::from_secs(3600);
/// A client whose clock is behind by less than that does not take the credential of a name that is no longer listed: as long
/// as clocks may differ where credentials are issued for 164 hours of the 7 days.
const SKEW: Duration = Duration::from_secs(4 * 3600);
