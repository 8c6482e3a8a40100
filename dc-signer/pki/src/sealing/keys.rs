//! The key-encryption keys that an operator has given: the one in use, and while it changes the next one.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::Label;
use super::error::SealError;
use super::key::{MIN_PASSPHRASE, SealingKey};
use super::key_id::KeyId;
use super::kind::{Kind, Origin, SALT_LEN};
use super::sealed::Sealed;
use crate::keys::{TokenUri, Unlock};
use crate::secret::SecretSource;
use crate::sha256::Sha256;

/// The place of a key-encryption key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SealingSource {
    /// It is 64 hexadecimal digits.
    Key(SecretSource),
    /// It is made of a passphrase.
    Passphrase(SecretSource),
    /// It is in a token, and stays there.
    Token(Box<TokenUri>),
}

/// Which of the two keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    /// The one in use.
    Current,
    /// The one that replaces it.
    Next,
}

/// The key-encryption keys that an operator has given, read once.
pub struct SealingKeys {
    current: Given,
    next: Option<Given>,
}

enum Given {
    Key(Arc<SealingKey>),
    Passphrase {
        passphrase: Zeroizing<Vec<u8>>,
        /// Those that were made of it, one for each salt: it takes half a second.
        made: Mutex<Vec<Arc<SealingKey>>>,
    },
    Token(Arc<SealingKey>),
}

impl SealingKeys {
    /// Reads the keys, or opens them in their tokens, whose PINs `unlock` has if their URIs do not say where.
    ///
    /// Fails with [`SealError::Secret`], [`SealError::BadKey`], [`SealError::ShortPassphrase`] and [`SealError::Token`].
    pub fn read(
        current: &SealingSource,
        next: Option<&SealingSource>,
        unlock: &Unlock,
    ) -> Result<Self, SealError> {
        let read = |source| Given::read(source, unlock);
        Ok(Self {
            current: read(current)?,
            next: next.map(read).transpose()?,
        })
    }

    /// The mark of a key, by which signers of a tenant tell each other which ones they have, before anything is sealed with it: its id,
    /// or, because the salt of a passphrase is drawn when it seals first, the id of a key made of it with a salt of the tenant's.
    ///
    /// Fails with [`SealError::NoNextKey`].
    pub fn mark(&self, which: Which, tenant: &str) -> Result<KeyId, SealError> {
        match self.given(which)? {
            Given::Key(key) | Given::Token(key) => Ok(key.id()),
            Given::Passphrase { passphrase, made } => {
                let hash = Sha256::of(format!("dc-sealing-mark-v1\0{tenant}").as_bytes());
                let mut salt = [0; SALT_LEN];
                salt.iter_mut()
                    .zip(hash.as_bytes())
                    .for_each(|(to, from)| *to = *from);
                Ok(make(passphrase, made, salt)?.id())
            }
        }
    }

    /// The marks of the keys that are given.
    ///
    /// Fails as [`Self::mark`] does.
    pub fn marks(&self, tenant: &str) -> Result<Vec<KeyId>, SealError> {
        let next = self.next.as_ref().map(|_| Which::Next);
        [Some(Which::Current), next]
            .into_iter()
            .flatten()
            .map(|which| self.mark(which, tenant))
            .collect()
    }

    /// Opens what was sealed with either of the keys.
    ///
    /// Fails as [`key_of`](Self::key_of) does, and with [`SealError::Tampered`].
    pub fn open(&self, label: &Label<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        self.key_of(sealed)?.open(label, &Sealed::parse(sealed)?)
    }

    /// The key to seal with. One from a passphrase is the one that some of these are sealed with, if it is theirs.
    ///
    /// Fails with [`SealError::NoNextKey`], [`SealError::Malformed`] and [`SealError::Randomness`].
    pub fn key(&self, which: Which, sealed: &[&[u8]]) -> Result<Arc<SealingKey>, SealError> {
        let given = self.given(which)?;
        for one in sealed {
            let sealed = Sealed::parse(one)?;
            if let Some(key) = given.key_for(&sealed)?
                && key.id() == sealed.key
            {
                return Ok(key);
            }
        }
        given.any()
    }

    /// The key that this is sealed with. One of another kind than it says is not tried.
    ///
    /// Fails with [`SealError::Malformed`], [`SealError::OtherKind`] and [`SealError::OtherKey`].
    pub fn key_of(&self, sealed: &[u8]) -> Result<Arc<SealingKey>, SealError> {
        let sealed = Sealed::parse(sealed)?;
        let all = || {
            [Some(&self.current), self.next.as_ref()]
                .into_iter()
                .flatten()
        };
        let mut given = Vec::new();
        for one in all() {
            match one.key_for(&sealed)? {
                Some(key) if key.id() == sealed.key => return Ok(key),
                Some(key) => given.push(key.id()),
                None => {}
            }
        }
        Err(match given.is_empty() {
            true => SealError::OtherKind {
                sealed_with: sealed.kind(),
                key: sealed.key,
                given: all().map(Given::kind).collect(),
            },
            false => SealError::OtherKey {
                kind: sealed.kind(),
                sealed_with: sealed.key,
                given,
            },
        })
    }

    fn given(&self, which: Which) -> Result<&Given, SealError> {
        match which {
            Which::Current => Ok(&self.current),
            Which::Next => self.next.as_ref().ok_or(SealError::NoNextKey),
        }
    }
}

impl Given {
    fn read(source: &SealingSource, unlock: &Unlock) -> Result<Self, SealError> {
        Ok(match source {
            SealingSource::Key(source) => Self::Key(SealingKey::from_hex(&source.read()?)?.into()),
            SealingSource::Passphrase(source) => {
                let secret = source.read()?;
                if secret.len() < MIN_PASSPHRASE {
                    let min = MIN_PASSPHRASE;
                    return Err(SealError::ShortPassphrase { min });
                }
                Self::Passphrase {
                    passphrase: secret,
                    made: Mutex::default(),
                }
            }
            SealingSource::Token(uri) => Self::Token(SealingKey::in_token(uri, unlock)?.into()),
        })
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Key(_) => Kind::Key,
            Self::Passphrase { .. } => Kind::Passphrase,
            Self::Token(_) => Kind::Token,
        }
    }

    /// The key of this kind that may have sealed it; none if that was another kind.
    fn key_for(&self, sealed: &Sealed<'_>) -> Result<Option<Arc<SealingKey>>, SealError> {
        Ok(match (self, sealed.origin) {
            (Self::Key(key), Origin::Key) | (Self::Token(key), Origin::Token(_)) => {
                Some(key.clone())
            }
            (Self::Passphrase { passphrase, made }, Origin::Passphrase(salt)) => {
                Some(make(passphrase, made, salt)?)
            }
            (Self::Key(_), Origin::Passphrase(_) | Origin::Token(_))
            | (Self::Passphrase { .. }, Origin::Key | Origin::Token(_))
            | (Self::Token(_), Origin::Key | Origin::Passphrase(_)) => None,
        })
    }

    fn any(&self) -> Result<Arc<SealingKey>, SealError> {
        match self {
            Self::Key(key) | Self::Token(key) => Ok(key.clone()),
            Self::Passphrase { passphrase, made } => {
                let salt = crate::random().map_err(|_| SealError::Randomness)?;
                make(passphrase, made, salt)
            }
        }
    }
}

fn make(
    passphrase: &[u8],
    made: &Mutex<Vec<Arc<SealingKey>>>,
    salt: [u8; SALT_LEN],
) -> Result<Arc<SealingKey>, SealError> {
    // Whoever needs the same one meanwhile waits for it.
    let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(key) = made.iter().find(|key| key.salt() == Some(&salt)) {
        return Ok(key.clone());
    }
    let key = Arc::new(SealingKey::from_passphrase(passphrase, salt)?);
    made.push(key.clone());
    Ok(key)
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: Label<'_> = Label {
        what: "secret/names",
        tenant: "default",
        version: 1,
    };

    fn given(text: &str) -> SecretSource {
        SecretSource::Command(["printf", "%s", text].map(str::to_owned).to_vec())
    }

    fn key(digit: &str) -> SealingSource {
        SealingSource::Key(given(&digit.repeat(64)))
    }

    fn passphrase(word: &str) -> SealingSource {
        SealingSource::Passphrase(given(word))
    }

    fn keys(current: &SealingSource, next: Option<&SealingSource>) -> SealingKeys {
        SealingKeys::read(current, next, &Unlock::default()).unwrap()
    }

    #[test]
    fn both_keys_open_and_either_seals_as_it_is_said() {
        let (one, two) = (key("1"), passphrase("a long passphrase"));
        let both = keys(&one, Some(&two));
        let sealed = both
            .key(Which::Next, &[])
            .unwrap()
            .seal(&LABEL, b"x")
            .unwrap();
        for opening in [&both, &keys(&two, None)] {
            assert_eq!(opening.open(&LABEL, &sealed).unwrap().as_slice(), b"x");
        }
        // The same key again, and not one with another salt.
        let again = keys(&two, None).key(Which::Current, &[&sealed]).unwrap();
        assert_eq!(again.id(), Sealed::parse(&sealed).unwrap().key());
        let error = keys(&one, None).open(&LABEL, &sealed).unwrap_err();
        assert!(matches!(&error, SealError::OtherKind { given, .. } if *given == [Kind::Key]));
        let error = keys(&one, None).key(Which::Next, &[]).unwrap_err();
        assert_eq!(error, SealError::NoNextKey);
    }

    #[test]
    fn a_key_of_another_kind_opens_nothing_even_if_it_would() {
        let (given, phrase) = (key("1"), passphrase("a long passphrase"));
        let one = keys(&given, None);
        let sealed = one.key(Which::Current, &[]).unwrap();
        let sealed = sealed.seal(&LABEL, b"x").unwrap();
        let error = keys(&phrase, None).open(&LABEL, &sealed).unwrap_err();
        let id = Sealed::parse(&sealed).unwrap().key();
        assert_eq!(
            error,
            SealError::OtherKind {
                sealed_with: Kind::Key,
                key: id,
                given: vec![Kind::Passphrase],
            }
        );
        // Bytes that say that a token has sealed them, with the right id, are none of this key's.
        let mut claimed = vec![1, 3];
        claimed.extend([7; 16]);
        claimed.extend(&sealed[2..]);
        let error = one.open(&LABEL, &claimed).unwrap_err();
        assert!(
            matches!(
                &error,
                SealError::OtherKind {
                    sealed_with: Kind::Token,
                    ..
                }
            ),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains("find out who can write the database")
        );
    }

    #[test]
    fn marks_tell_who_has_the_same_keys_whichever_is_next() {
        let (one, two) = (key("1"), passphrase("a long passphrase"));
        let there = keys(&one, Some(&two)).marks("default").unwrap();
        assert_eq!(there.len(), 2);
        let back = keys(&two, Some(&one));
        assert_eq!(back.mark(Which::Current, "default"), Ok(there[1]));
        assert_eq!(back.mark(Which::Next, "default"), Ok(there[0]));
        assert_ne!(back.mark(Which::Current, "other"), Ok(there[1]));
        assert_eq!(keys(&two, None).marks("default"), Ok(vec![there[1]]));
    }

    #[test]
    fn another_passphrase_is_told_so() {
        let sealed = keys(&passphrase("a long passphrase"), None)
            .key(Which::Current, &[])
            .unwrap()
            .seal(&LABEL, b"x")
            .unwrap();
        let other = keys(&passphrase("a long passphrasf"), None);
        let error = other.open(&LABEL, &sealed).unwrap_err();
        assert!(matches!(error, SealError::OtherKey { .. }), "{error}");
        let short =
            SealingKeys::read(&passphrase("eleven byte"), None, &Unlock::default()).unwrap_err();
        assert!(
            matches!(short, SealError::ShortPassphrase { .. }),
            "{short}"
        );
    }
}
