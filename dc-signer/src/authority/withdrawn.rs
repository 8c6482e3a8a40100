//! The list of withdrawn names: signed by the signer's own list key, which never signs a credential.
//!
//! Clients that load it refuse those names at once, rather than when their last credential has ended.

mod compact;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::BASE64;
use pki_types::UnixTime;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use super::{Authority, Error};
use compact::CompactLists;
use dc_pki::names::ZoneName;

pub use compact::CompactList;

/// A list of withdrawn names as it is published.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SignedList {
    /// A [`WithdrawnList`] as JSON: these very bytes are signed.
    pub list: String,
    /// The Ed25519 public key in base64, to find the right one by; whom to trust is not for the list to say.
    pub key: String,
    /// The signature in base64, over `dc-withdrawn-v1`, a zero byte, and the list.
    pub signature: String,
    /// The same by other keys, while one replaces another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<AlsoSigned>,
}

/// The signature of a list by another key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct AlsoSigned {
    /// The Ed25519 public key in base64.
    pub key: String,
    /// The signature in base64, over the same bytes.
    pub signature: String,
}

/// The withdrawn names of a zone under which a credential may still live.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WithdrawnList {
    /// The zone.
    pub zone: String,
    /// Never less than in an older list: a client refuses one that goes back.
    pub sequence: u64,
    /// When it was signed.
    pub issued: u64,
    /// Until when it may be used; a client that has no newer one by then should say so.
    pub expires: u64,
    /// The keys in base64 that lists are signed with from now on, while one replaces another: whoever trusts the key that signed
    /// this can trust these. None means that it stays as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// By name.
    pub names: Vec<WithdrawnName>,
}

/// A withdrawn name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct WithdrawnName {
    /// The name.
    pub name: String,
    /// Since when it is withdrawn.
    pub since: u64,
    /// When the last credential under it ends.
    pub until: u64,
}

/// A list that is not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ListError {
    /// The signature is not this key's over this list.
    BadSignature,
    /// The signed bytes are no list.
    Malformed,
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadSignature => "the list of withdrawn names is not signed by this key",
            Self::Malformed => "what was signed is not a list of withdrawn names",
        })
    }
}

impl std::error::Error for ListError {}

impl SignedList {
    /// Checks the signature of a key that the caller trusts, raw Ed25519, and reads the list. Times and sequence are for the
    /// caller to compare.
    ///
    /// Fails with [`ListError`].
    pub fn verify(&self, key: &[u8]) -> Result<WithdrawnList, ListError> {
        let bytes = signed_bytes(&self.list);
        let also = self.also.iter().map(|also| &also.signature);
        let is_signed = std::iter::once(&self.signature).chain(also).any(|text| {
            let signature = BASE64.decode(text.as_bytes()).unwrap_or_default();
            let key = UnparsedPublicKey::new(&ED25519, key);
            key.verify(&bytes, &signature).is_ok()
        });
        if !is_signed {
            return Err(ListError::BadSignature);
        }
        serde_json::from_str(&self.list).map_err(|_| ListError::Malformed)
    }
}

/// Lists that were signed a moment ago: strangers ask for them, so asking must cost nothing.
#[derive(Debug, Default)]
pub(super) struct Lists {
    recent: Mutex<HashMap<String, Recent>>,
    /// Whoever makes one: else all who ask while it is made would have one each.
    making: tokio::sync::Mutex<()>,
    compact: CompactLists,
}

#[derive(Debug)]
struct Recent {
    signed: UnixTime,
    list: Arc<[u8]>,
}

impl Lists {
    fn recent(&self, zone: &str, now: UnixTime) -> Option<Arc<[u8]>> {
        let lists = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let Recent { signed, list } = lists.get(zone)?;
        let age = now.as_secs().checked_sub(signed.as_secs())?;
        (age < RECENT.as_secs()).then(|| list.clone())
    }

    fn keep(&self, zone: String, now: UnixTime, list: Arc<[u8]>) {
        let mut lists = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        lists.insert(zone, Recent { signed: now, list });
    }
}

impl Authority {
    /// The signed list of a zone's withdrawn names, at most ten seconds old: the JSON of [`SignedList`].
    ///
    /// Fails with [`UnknownZone`](dc_store::registry::Error::UnknownZone), [`Error::Clock`] and
    /// [`Error::Store`].
    pub async fn withdrawn(&self, zone: &ZoneName, now: UnixTime) -> Result<Arc<[u8]>, Error> {
        self.guard.check(now)?;
        let key = zone.to_string();
        if let Some(list) = self.lists.recent(&key, now) {
            return Ok(list);
        }
        let _making = self.lists.making.lock().await;
        if let Some(list) = self.lists.recent(&key, now) {
            return Ok(list);
        }
        let list = self.make_list(zone, now).await?;
        self.lists.keep(key, now, list.clone());
        Ok(list)
    }

    async fn make_list(&self, zone: &ZoneName, now: UnixTime) -> Result<Arc<[u8]>, Error> {
        let keys = self.secrets.now(&self.store).await?;
        let keys = keys.list_keys(now);
        let withdrawn = self.store.withdrawn(zone, now).await?;
        let names = withdrawn.names.iter().map(|one| WithdrawnName {
            name: one.name.to_string(),
            since: one.since.as_secs(),
            until: one.until.as_secs(),
        });
        let list = WithdrawnList {
            zone: zone.to_string(),
            sequence: withdrawn.sequence,
            issued: now.as_secs(),
            expires: now.as_secs().saturating_add(USABLE.as_secs()),
            keys: match keys.len() {
                1 => Vec::new(),
                _ => keys.iter().map(|key| public(key)).collect(),
            },
            names: names.collect(),
        };
        Ok(sign(&list, &keys).into())
    }
}

/// Signs a list with each of the keys.
fn sign(list: &WithdrawnList, keys: &[&Ed25519KeyPair]) -> Vec<u8> {
    let list = serde_json::to_string(list).expect("texts and numbers are JSON");
    let bytes = signed_bytes(&list);
    let mut all = keys.iter().map(|key| AlsoSigned {
        key: public(key),
        signature: BASE64.encode(key.sign(&bytes).as_ref()),
    });
    // The newest key never ends, so there is one.
    let (key, signature) = all
        .next()
        .map_or_else(Default::default, |first| (first.key, first.signature));
    let signed = SignedList {
        also: all.collect(),
        key,
        signature,
        list,
    };
    serde_json::to_vec(&signed).expect("texts are JSON")
}

fn public(key: &Ed25519KeyPair) -> String {
    BASE64.encode(key.public_key().as_ref())
}

/// No signature of this key over anything else is one over a list.
fn signed_bytes(list: &str) -> Vec<u8> {
    [b"dc-withdrawn-v1\0", list.as_bytes()].concat()
}

/// The time for which a list is sent again.
const RECENT: Duration = Duration::from_secs(10);
/// The time for which a client may use a list.
const USABLE: Duration = Duration::from_secs(24 * 3600);
