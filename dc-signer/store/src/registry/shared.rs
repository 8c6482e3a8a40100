//! Things that all signers of a database share: secrets, and the keys of delegation certificates.

use std::fmt;
use std::str::FromStr;

use pki_types::UnixTime;
use ring::hmac;

use super::fields::Fields;
use super::{Error, Sha256};

/// The purpose of a secret that all signers of a database share.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Purpose {
    /// The hashes of activation codes are made with it.
    Codes,
    /// Lists of withdrawn names are signed with it.
    Lists,
    /// Unique names are derived with it.
    Names,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Codes, Self::Lists, Self::Names];

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Codes => "codes",
            Self::Lists => "lists",
            Self::Names => "names",
        }
    }

    /// HMAC-SHA-256 under a secret for this: tells two secrets apart, and nothing about them.
    #[must_use]
    pub fn fingerprint(self, secret: &[u8]) -> Sha256 {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let mut context = hmac::Context::with_key(&key);
        context.update(b"dc-secret-fingerprint-v1\0");
        context.update(self.as_str().as_bytes());
        let mut hash = [0; 32];
        hash.copy_from_slice(context.sign().as_ref());
        Sha256::from_bytes(hash)
    }
}

impl FromStr for Purpose {
    type Err = Error;

    /// Fails with [`Error::UnknownSecret`].
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
            .ok_or(Error::UnknownSecret)
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A version of a secret, as the database has it.
#[derive(Clone, Eq, PartialEq)]
pub struct SharedSecret {
    /// Its purpose.
    pub purpose: Purpose,
    /// Counts up from 1; the highest of a purpose is used for what is new.
    pub version: u32,
    /// [`Purpose::fingerprint`] of it.
    pub fingerprint: Sha256,
    /// The secret, sealed; none if it is in the data folder of each signer.
    pub sealed: Option<Vec<u8>>,
    /// When it was made, or first seen here.
    pub since: UnixTime,
    /// The second of its end; none if nothing ends it.
    pub until: Option<UnixTime>,
}

impl SharedSecret {
    /// The hash that the audit log keeps of it: SHA-256 of the text `dc-secret-v1`, its purpose, its version in 8 bytes and its
    /// fingerprint, in the fields of [`Record::encoded`](super::Record::encoded).
    #[must_use]
    pub fn commitment(&self) -> Sha256 {
        let version = u64::from(self.version).to_be_bytes();
        let fields = [
            self.purpose.as_str().as_bytes(),
            &version,
            self.fingerprint.as_bytes(),
        ];
        Fields::hash("dc-secret-v1", &fields)
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            purpose,
            version,
            fingerprint,
            sealed,
            since: _,
            until,
        } = self;
        f.debug_struct("SharedSecret")
            .field("purpose", purpose)
            .field("version", version)
            .field("fingerprint", fingerprint)
            .field("sealed", &sealed.is_some())
            .field("until", until)
            .finish_non_exhaustive()
    }
}

/// A delegation certificate that every signer can sign with, as the database has it.
#[derive(Clone, Eq, PartialEq)]
pub struct SharedDelegation {
    /// SHA-256 of the certificate.
    pub certificate_sha256: Sha256,
    /// The contents of `chain.pem`.
    pub chain: Vec<u8>,
    /// The contents of `key.uri`, if the key is elsewhere.
    pub location: Option<String>,
    /// The contents of `key.pem`, sealed; none if the key is elsewhere.
    pub sealed: Option<Vec<u8>>,
}

impl fmt::Debug for SharedDelegation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            certificate_sha256,
            chain: _,
            location,
            sealed,
        } = self;
        f.debug_struct("SharedDelegation")
            .field("certificate_sha256", certificate_sha256)
            .field("location", location)
            .field("sealed", &sealed.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for purpose in Purpose::ALL {
            assert_eq!(purpose.as_str().parse(), Ok(purpose));
        }
        assert_eq!("code".parse::<Purpose>(), Err(Error::UnknownSecret));
    }

    #[test]
    fn a_fingerprint_is_of_one_secret_and_one_purpose() {
        let mut seen = std::collections::BTreeSet::new();
        for secret in [[1; 32], [2; 32]] {
            for purpose in Purpose::ALL {
                let fingerprint = purpose.fingerprint(&secret);
                assert!(seen.insert(fingerprint.to_string()));
                assert_eq!(fingerprint, purpose.fingerprint(&secret));
            }
        }
    }
}
