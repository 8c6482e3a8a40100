//! A signer of lists of withdrawn names.

use std::time::Duration;

use dc_core::{NameHash, NewList};
use dc_rustls::ListKey;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};
use rustls::pki_types::UnixTime;

use crate::vendor::provider;

/// A signer's key for lists.
#[derive(Debug)]
pub struct Lister(KeyPair);

impl Lister {
    /// Makes a key.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        Self(KeyPair::generate_for(&PKCS_ED25519).unwrap())
    }

    /// The key that clients trust.
    #[must_use]
    pub fn key(&self) -> ListKey {
        ListKey(self.0.der_bytes().try_into().unwrap())
    }

    /// The list of that number, which lives for an hour from `now`, in seconds since 1970.
    #[must_use]
    pub fn list(&self, zone: &str, sequence: u64, names: &[&str], now: u64) -> Vec<u8> {
        self.list_for(3600, zone, sequence, names, now)
    }

    /// The same, which lives for so many seconds.
    #[must_use]
    pub fn list_for(
        &self,
        life: u64,
        zone: &str,
        sequence: u64,
        names: &[&str],
        now: u64,
    ) -> Vec<u8> {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let list = NewList {
            zone: zone.try_into().unwrap(),
            sequence,
            issued: at(now),
            expires: at(now.saturating_add(life)),
            next_keys: &[],
        };
        let list = list.encode(names.iter().map(|name| hash(name)).collect());
        let list = list.unwrap();
        let signature = self.0.sign(list.as_bytes()).unwrap();
        let signature = (self.key(), signature.try_into().unwrap());
        list.into_signed(&[signature]).unwrap()
    }
}

fn hash(name: &str) -> NameHash {
    let suites = provider().cipher_suites.clone();
    let mut suites = suites.iter().filter_map(|suite| suite.tls13());
    let sha256 = |bytes: &[u8]| {
        let suite = suites.find(|suite| suite.common.hash_provider.output_len() == 32);
        let hash = suite.unwrap().common.hash_provider.hash(bytes);
        hash.as_ref().try_into().unwrap()
    };
    NameHash::new(&name.try_into().unwrap(), sha256)
}
