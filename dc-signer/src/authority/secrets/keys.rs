//! The secrets as they are used.

use std::fmt;

use dc_store::registry::{ActivationCode, CodeKey, DeviceId, NameKey, Purpose, Sha256};
use pki_types::UnixTime;
use ring::signature::Ed25519KeyPair;
use zeroize::Zeroizing;

use super::versions::Version;

/// The secrets that are used now, with older ones that count until they end.
pub(in super::super) struct Keys {
    /// The key that names are derived with.
    pub(in super::super) names: NameKey,
    /// Of new codes.
    code: CodeKey,
    /// By version.
    codes: Vec<Of<CodeKey>>,
    /// By version.
    lists: Vec<Of<Ed25519KeyPair>>,
}

struct Of<K> {
    key: K,
    fingerprint: Sha256,
    until: Option<UnixTime>,
}

impl<K> Of<K> {
    fn new(version: &Version, key: K) -> Self {
        Self {
            key,
            fingerprint: version.fingerprint,
            until: version.until,
        }
    }

    fn counts(&self, now: UnixTime) -> bool {
        self.until.is_none_or(|until| now <= until)
    }
}

impl Keys {
    /// None if a purpose has no version, or one is not what was written.
    pub(super) fn new(versions: &[Version]) -> Option<Self> {
        let of = |purpose| {
            versions
                .iter()
                .filter(move |version| version.purpose == purpose)
        };
        let bytes = |version: &Version| {
            <[u8; 32]>::try_from(&version.secret[..])
                .ok()
                .map(Zeroizing::new)
        };
        let code_key = |version| Some(Of::new(version, CodeKey::new(&*bytes(version)?)));
        let list_key = |version: &Version| {
            let pair = Ed25519KeyPair::from_pkcs8(&version.secret).ok()?;
            Some(Of::new(version, pair))
        };
        let names = of(Purpose::Names).next_back().and_then(bytes)?;
        let code = of(Purpose::Codes).next_back().and_then(bytes)?;
        let keys = Self {
            names: NameKey::new(&names),
            code: CodeKey::new(&code),
            codes: of(Purpose::Codes).map(code_key).collect::<Option<_>>()?,
            lists: of(Purpose::Lists).map(list_key).collect::<Option<_>>()?,
        };
        (!keys.lists.is_empty()).then_some(keys)
    }

    /// The hash that is kept of a new code.
    pub(in super::super) fn new_mac(&self, code: &ActivationCode, device: DeviceId) -> Sha256 {
        self.code.mac(code, device)
    }

    /// The hashes that may be kept of a device's code, the newest first.
    pub(in super::super) fn macs(
        &self,
        code: &ActivationCode,
        device: DeviceId,
        now: UnixTime,
    ) -> Vec<Sha256> {
        let counting = self.codes.iter().rev().filter(|of| of.counts(now));
        let macs = |of: &Of<CodeKey>| [of.key.mac(code, device), of.key.mac_without_device(code)];
        counting.flat_map(macs).collect()
    }

    /// The keys that lists are signed with: first the one that all clients trust already, then those that they are to trust.
    pub(in super::super) fn list_keys(&self, now: UnixTime) -> Vec<&Ed25519KeyPair> {
        let mut keys: Vec<&Of<_>> = Vec::new();
        for of in self.lists.iter().filter(|of| of.counts(now)) {
            if keys.iter().all(|key| key.fingerprint != of.fingerprint) {
                keys.push(of);
            }
        }
        keys.into_iter().map(|of| &of.key).collect()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}
