//! The list of one zone, swapped while names are looked up.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use dc_core::{ListKey, MAX_VALIDITY, NameHash, UniqueName, WithdrawnNames};
use rustls::pki_types::UnixTime;

use super::{ListPolicy, ListStanding};
use crate::Refusal;
use crate::list_error::ListError;

pub(super) struct Zone {
    name: UniqueName<'static>,
    /// The dNSName that covers its names.
    wildcard: String,
    keys: Vec<ListKey>,
    policy: ListPolicy,
    list: ArcSwapOption<WithdrawnNames>,
    /// Whoever loads a list: two that do at once would each compare theirs with the one before.
    loading: Mutex<()>,
    /// The standing that was told last.
    told: AtomicU8,
}

impl Zone {
    pub(super) fn new(
        name: UniqueName<'static>,
        keys: impl IntoIterator<Item = ListKey>,
        policy: ListPolicy,
    ) -> Self {
        Self {
            wildcard: format!("*.{name}"),
            name,
            keys: keys.into_iter().collect(),
            policy,
            list: ArcSwapOption::empty(),
            loading: Mutex::default(),
            told: AtomicU8::new(NOTHING),
        }
    }

    /// Puts a list of this zone in the place of the one before. One from a time that has not come gives way to one that is not: the signer's
    /// clock is right again.
    ///
    /// Fails with [`ListError::Older`].
    pub(super) fn swap(
        &self,
        list: Arc<WithdrawnNames>,
        now: UnixTime,
    ) -> Result<Arc<WithdrawnNames>, ListError> {
        let _loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let is_early = |list: &WithdrawnNames| standing(list, now) == ListStanding::Early;
        if let Some(known) = self.list.load().as_ref()
            && list.is_older_than(known)
            && (list.sequence() < known.sequence() || !is_early(known) || is_early(&list))
        {
            return Err(ListError::Older {
                zone: self.name.clone(),
                sequence: list.sequence(),
                known: known.sequence(),
            });
        }
        self.list.store(Some(Arc::clone(&list)));
        Ok(list)
    }

    pub(super) fn name(&self) -> &UniqueName<'static> {
        &self.name
    }

    pub(super) fn keys(&self) -> &[ListKey] {
        &self.keys
    }

    pub(super) fn list(&self) -> Option<Arc<WithdrawnNames>> {
        self.list.load_full()
    }

    /// True if a name is one of this zone's.
    pub(super) fn has(&self, name: &UniqueName<'_>) -> bool {
        name.covered_by(&self.wildcard)
    }

    pub(super) fn standing(&self, now: UnixTime) -> ListStanding {
        let list = self.list.load();
        list.as_ref()
            .map_or(ListStanding::Missing, |list| standing(list, now))
    }

    /// The standing, if it is another one than was told last.
    pub(super) fn news(&self, now: UnixTime) -> Option<ListStanding> {
        let standing = self.standing(now);
        let code = match standing {
            ListStanding::Current => CURRENT,
            ListStanding::Missing => MISSING,
            ListStanding::Stale => STALE,
            ListStanding::Early => EARLY,
        };
        // Where nothing has changed nothing is written, which handshakes on other cores would wait for.
        let is_told = self.told.load(Ordering::Relaxed) == code;
        (!is_told && self.told.swap(code, Ordering::Relaxed) != code).then_some(standing)
    }

    /// Fails if the list has this name, which is one of the zone's, or if it is not current and has to be.
    pub(super) fn check(
        &self,
        name: &UniqueName<'_>,
        hash: NameHash,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        let list = self.list.load();
        let list = list.as_ref();
        // A name stays withdrawn, however old the list is.
        if list.is_some_and(|list| list.contains(hash)) {
            let name = name.into();
            return Err(Refusal::Withdrawn { name });
        }
        let is_current = list.is_some_and(|list| standing(list, now) == ListStanding::Current);
        match (self.policy, is_current) {
            (ListPolicy::Prefer, _) | (ListPolicy::Require, true) => Ok(()),
            (ListPolicy::Require, false) => Err(Refusal::ListNotCurrent {
                zone: self.name.clone(),
            }),
        }
    }
}

/// Whoever made a list may have had a wrong clock: it is current for as long as a credential can live, whatever it says of its end.
fn standing(list: &WithdrawnNames, now: UnixTime) -> ListStanding {
    let seconds = |time: UnixTime| time.as_secs();
    let (issued, now) = (seconds(list.issued()), now.as_secs());
    let end = seconds(list.expires()).min(issued.saturating_add(MAX_VALIDITY.as_secs()));
    if now.saturating_add(MOST_EARLY) < issued {
        ListStanding::Early
    } else if now > end {
        ListStanding::Stale
    } else {
        ListStanding::Current
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            wildcard: _,
            keys,
            policy,
            list,
            loading: _,
            told: _,
        } = self;
        f.debug_struct("Zone")
            .field("name", name)
            .field("keys", keys)
            .field("policy", policy)
            .field("list", &list.load().as_ref())
            .finish_non_exhaustive()
    }
}

const NOTHING: u8 = 0;
const CURRENT: u8 = 1;
const MISSING: u8 = 2;
const STALE: u8 = 3;
const EARLY: u8 = 4;
/// Seconds that a verifier's clock may be behind.
const MOST_EARLY: u64 = 86_400;
