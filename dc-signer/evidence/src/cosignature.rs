//! Cosignatures (C2SP `tlog-cosignature`): a witness says that it has seen a checkpoint, and no other of that size.

use std::fmt;
use std::str::FromStr;

use crate::named_key::NamedKey;
use crate::{Error, Note};

/// The key of a witness; shown and read as C2SP writes it, `name+id+key`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WitnessKey(NamedKey<TYPE>);

impl WitnessKey {
    /// A key with the name of its witness.
    ///
    /// Fails with [`Error::BadKeyName`].
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, Error> {
        NamedKey::new(name, public).map(Self)
    }

    /// The witness's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The first 4 bytes of `SHA-256(name || 0x0A || 0x04 || key)`: which of a witness's keys it is.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.0.id()
    }

    /// When the witness saw a checkpoint, in seconds since 1970, if it has cosigned it.
    ///
    /// Fails with [`Error::NotSigned`], and with [`Error::WrongSignature`] if any that names this key is wrong.
    pub fn verify(&self, note: &Note) -> Result<u64, Error> {
        let id = self.id();
        let name = || self.name().to_owned();
        let all = note.signatures().iter();
        let mut seen = None;
        for signature in all.filter(|by| by.id() == id && by.name() == self.name()) {
            let wrong = Error::WrongSignature { name: name() };
            let (time, bytes) = signature
                .bytes()
                .split_first_chunk()
                .ok_or_else(|| wrong.clone())?;
            let time = u64::from_be_bytes(*time);
            if !self.0.verifies(&message(time, note.text()), bytes) {
                return Err(wrong);
            }
            seen = seen.max(Some(time));
        }
        seen.ok_or_else(|| Error::NotSigned { name: name() })
    }
}

/// The text that a witness signs at a time.
pub(crate) fn message(time: u64, checkpoint: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{checkpoint}")
}

impl FromStr for WitnessKey {
    type Err = Error;

    /// Fails with [`Error::BadVerifyingKey`] and [`Error::BadKeyName`].
    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Cosignatures by Ed25519, as C2SP `signed-note` numbers them.
const TYPE: u8 = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;
    use crate::testing::signing_key;
    use crate::{Checkpoint, Frontier, Signature};

    fn witness() -> (Ed25519KeyPair, WitnessKey) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
        let public = pair.public_key().as_ref().try_into().unwrap();
        let key = WitnessKey::new("witness.example.com", public).unwrap();
        (pair, key)
    }

    fn cosigned(time: u64, said: u64) -> Note {
        let (pair, key) = witness();
        let log = signing_key("log");
        let mut note = Checkpoint::of(&Frontier::new(), &log).sign(&log).unwrap();
        let signature = pair.sign(message(time, note.text()).as_bytes());
        let bytes = [&said.to_be_bytes()[..], signature.as_ref()].concat();
        note.add(Signature::new(key.name(), key.id(), &bytes))
            .unwrap();
        note
    }

    #[test]
    fn a_cosignature_says_when() {
        let (_, key) = witness();
        assert_eq!(key.verify(&cosigned(77, 77)), Ok(77));
        let name = || key.name().to_owned();
        let wrong = Err(Error::WrongSignature { name: name() });
        assert_eq!(key.verify(&cosigned(77, 78)), wrong);
        let log = signing_key("log");
        let alone = Checkpoint::of(&Frontier::new(), &log).sign(&log).unwrap();
        assert_eq!(key.verify(&alone), Err(Error::NotSigned { name: name() }));
        let mut short = alone;
        short
            .add(Signature::new(key.name(), key.id(), &[1; 7]))
            .unwrap();
        assert_eq!(key.verify(&short), wrong);
    }

    #[test]
    fn a_log_key_is_no_witness() {
        let text = signing_key("log").verifying_key().to_string();
        assert_eq!(text.parse::<WitnessKey>(), Err(Error::BadVerifyingKey));
    }

    proptest! {
        #[test]
        fn keys_are_read_as_they_are_written(name in "[a-z./]{1,9}", public: [u8; 32]) {
            let key = WitnessKey::new(&name, public).unwrap();
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<WitnessKey>();
        }
    }
}
