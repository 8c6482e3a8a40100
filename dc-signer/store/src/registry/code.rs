//! One-time activation codes: what a person types, and what is kept of it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use pki_types::UnixTime;
use ring::hmac;
use ring::rand::{SystemRandom, generate};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::fields::Fields;
use super::{DeviceId, Error, Sha256};

/// The public part of an activation code, under which it is looked up and its tries are counted.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CodeId([u8; 6]);

impl CodeId {
    /// One that was made before.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// Its 6 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 6] {
        &self.0
    }
}

impl fmt::Display for CodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for CodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An activation code: a public part, and 128 secret random bits that are wiped when it is dropped.
pub struct ActivationCode {
    id: CodeId,
    secret: Zeroizing<[u8; 16]>,
}

impl ActivationCode {
    /// How long a code is good for.
    pub const LIFETIME: Duration = Duration::from_secs(7 * 86_400);

    /// A new one.
    ///
    /// Fails with [`Randomness`](dc_pki::Error::Randomness).
    pub fn random() -> Result<Self, dc_pki::Error> {
        let random = SystemRandom::new();
        let id = generate(&random).map_err(|_| dc_pki::Error::Randomness)?;
        let secret = generate(&random).map_err(|_| dc_pki::Error::Randomness)?;
        Ok(Self {
            id: CodeId(id.expose()),
            secret: Zeroizing::new(secret.expose()),
        })
    }

    /// Its public part.
    #[must_use]
    pub const fn id(&self) -> CodeId {
        self.id
    }

    /// As it is given to a person: six groups of six characters. This is the secret.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(TEXT_LEN));
        let secret = Zeroizing::new(BASE32_NOPAD.encode(&*self.secret));
        let id = BASE32_NOPAD.encode(&self.id.0);
        for (position, letter) in id.chars().chain(secret.chars()).enumerate() {
            if position > 0 && position % GROUP == 0 {
                text.push('-');
            }
            text.push(letter.to_ascii_lowercase());
        }
        text
    }
}

impl FromStr for ActivationCode {
    type Err = Error;

    /// Reads what a person typed: in upper or lower case, with or without hyphens and spaces. Fails
    /// with [`Error::BadCode`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut letters = Zeroizing::new(Vec::with_capacity(ID_LETTERS + SECRET_LETTERS));
        for byte in text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')) {
            if letters.len() == letters.capacity() {
                return Err(Error::BadCode);
            }
            letters.push(byte.to_ascii_uppercase());
        }
        let (id, secret) = letters.split_at_checked(ID_LETTERS).ok_or(Error::BadCode)?;
        let id = BASE32_NOPAD.decode(id).map_err(|_| Error::BadCode)?;
        let secret = Zeroizing::new(BASE32_NOPAD.decode(secret).map_err(|_| Error::BadCode)?);
        Ok(Self {
            id: CodeId(id.try_into().map_err(|_| Error::BadCode)?),
            secret: Zeroizing::new((**secret).try_into().map_err(|_| Error::BadCode)?),
        })
    }
}

impl fmt::Debug for ActivationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, secret: _ } = self;
        write!(f, "ActivationCode({id}-..)")
    }
}

/// The signer's key under which codes are kept, so that a copy of the database lets nobody enrol.
pub struct CodeKey(hmac::Key);

impl CodeKey {
    /// From 32 random bytes.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The MAC that is kept of a code: HMAC-SHA-256 of both parts and of the device's id, so that whoever has the database makes the
    /// code of one device none of another.
    #[must_use]
    pub fn mac(&self, code: &ActivationCode, device: DeviceId) -> Sha256 {
        let id = &device.as_bytes()[..];
        self.sign(&[b"dc-code-v2", &code.id.0, id, &*code.secret])
    }

    /// The same as earlier versions kept it, of both parts alone. Such codes are good until they end.
    #[must_use]
    pub fn mac_without_device(&self, code: &ActivationCode) -> Sha256 {
        self.sign(&[b"dc-code-v1", &code.id.0, &*code.secret])
    }

    /// Each part has a length of its own kind, so that no two lists of parts are the same bytes.
    fn sign(&self, parts: &[&[u8]]) -> Sha256 {
        let mut context = hmac::Context::with_key(&self.0);
        parts.iter().for_each(|part| context.update(part));
        let mut mac = [0; 32];
        mac.copy_from_slice(context.sign().as_ref());
        Sha256::from_bytes(mac)
    }
}

impl fmt::Debug for CodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeKey(..)")
    }
}

/// An activation code as it is kept: without its secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PendingCode {
    /// The public part.
    pub id: CodeId,
    /// The device that it enrols.
    pub device: DeviceId,
    /// [`CodeKey::mac`] of the code.
    pub mac: Sha256,
    /// When it stops being good.
    pub expires: UnixTime,
    /// How often a wrong secret came with its public part.
    pub tries: u32,
    /// SHA-256 of the SubjectPublicKeyInfo of the enrolment key that used it up.
    pub used_by: Option<Sha256>,
}

/// The effect of a right code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CodeUse {
    /// The device that used it asks again with the same key: the first answer got lost.
    Again,
    /// It is used for the first time.
    First,
}

/// The refusal of an activation code.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// It is too old.
    #[error("the activation code is too old: ask for a new one")]
    Expired,
    /// Too many wrong secrets came with its public part.
    #[error(
        "the activation code was mistyped {} times: ask for a new one",
        PendingCode::MAX_TRIES
    )]
    TooManyTries,
    /// There is none with this public part.
    #[error("there is no such activation code: check it")]
    Unknown,
    /// It was used with another key.
    #[error("the activation code was used: ask for a new one")]
    Used,
    /// The secret part is wrong.
    #[error("there is no such activation code: check it; {left} tries are left")]
    Wrong {
        /// How many tries are left.
        left: u32,
    },
}

impl PendingCode {
    /// SHA-256 of what does not change of it, which the record has that made it and the one that used it up: the text `dc-code-v1`,
    /// the 6 bytes of its public part, the 16 bytes of the device's id, and its MAC; each with its length in 8 bytes in front.
    #[must_use]
    pub fn commitment(&self) -> Sha256 {
        let fields: [&[u8]; 3] = [
            self.id.as_bytes(),
            self.device.as_bytes(),
            self.mac.as_bytes(),
        ];
        Fields::hash("dc-code-v1", &fields)
    }

    /// How many wrong secrets may come with its public part.
    pub const MAX_TRIES: u32 = 5;

    /// Checks that a code whose [`CodeKey::mac`] is this enrols a device with this enrolment key.
    /// Compares in constant time.
    ///
    /// The store counts a try for [`CodeError::Wrong`], before it answers.
    pub fn check(&self, mac: &Sha256, key: &Sha256, now: UnixTime) -> Result<CodeUse, CodeError> {
        if now >= self.expires {
            return Err(CodeError::Expired);
        }
        if self.tries >= Self::MAX_TRIES {
            return Err(CodeError::TooManyTries);
        }
        let right = bool::from(mac.as_bytes().ct_eq(self.mac.as_bytes()));
        match (right, self.used_by) {
            (true, None) => Ok(CodeUse::First),
            (true, Some(used_by)) if used_by == *key => Ok(CodeUse::Again),
            (_, Some(_)) => Err(CodeError::Used),
            (false, None) => Err(CodeError::Wrong {
                left: Self::MAX_TRIES - self.tries - 1,
            }),
        }
    }
}

/// Letters of the public part: 6 bytes, five bits a letter.
const ID_LETTERS: usize = 10;
const SECRET_LETTERS: usize = 26;
const GROUP: usize = 6;
const TEXT_LEN: usize = ID_LETTERS + SECRET_LETTERS + (ID_LETTERS + SECRET_LETTERS) / GROUP - 1;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn pending() -> PendingCode {
        PendingCode {
            id: CodeId([1; 6]),
            device: DeviceId::from_bytes([2; 16]),
            mac: Sha256::of(b"right"),
            expires: at(NOW + 10),
            tries: 0,
            used_by: None,
        }
    }

    fn check(code: &PendingCode, secret: &[u8]) -> Result<CodeUse, CodeError> {
        code.check(&Sha256::of(secret), &Sha256::of(b"key"), at(NOW))
    }

    #[test]
    fn the_right_code_is_good_once() {
        let mut code = pending();
        assert_eq!(check(&code, b"right"), Ok(CodeUse::First));
        code.used_by = Some(Sha256::of(b"other key"));
        assert_eq!(check(&code, b"right"), Err(CodeError::Used));
    }

    #[test]
    fn the_same_key_may_ask_again() {
        let mut code = pending();
        code.used_by = Some(Sha256::of(b"key"));
        assert_eq!(check(&code, b"right"), Ok(CodeUse::Again));
        assert_eq!(check(&code, b"wrong"), Err(CodeError::Used));
    }

    #[test]
    fn five_wrong_secrets_use_up_the_right_one() {
        let mut code = pending();
        for left in [4, 3, 2, 1, 0] {
            assert_eq!(check(&code, b"wrong"), Err(CodeError::Wrong { left }));
            code.tries += 1;
        }
        assert_eq!(check(&code, b"right"), Err(CodeError::TooManyTries));
    }

    #[test]
    fn a_code_ends() {
        let mut code = pending();
        code.expires = at(NOW);
        assert_eq!(check(&code, b"right"), Err(CodeError::Expired));
    }

    #[test]
    fn a_code_is_shown_in_six_groups_and_read_in_any_spelling() {
        let code = ActivationCode::random().unwrap();
        let text = code.expose();
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [6; 6]);
        let typed = text.to_ascii_uppercase().replace('-', " ");
        let read: ActivationCode = typed.parse().unwrap();
        assert_eq!(read.id(), code.id());
        assert_eq!(*read.secret, *code.secret);
    }

    #[test]
    fn no_debug_output_has_the_secret() {
        let code = ActivationCode::random().unwrap();
        let secret = code.expose().replace('-', "")[ID_LETTERS..].to_owned();
        let shown = format!("{code:?} {:?}", CodeKey::new(&[7; 32]));
        assert!(
            !shown.contains(&secret[..6]) && !shown.contains("7, 7"),
            "{shown}"
        );
    }

    #[test]
    fn the_mac_depends_on_key_both_parts_and_the_device() {
        let device = DeviceId::from_bytes([4; 16]);
        let code = || ActivationCode {
            id: CodeId([1; 6]),
            secret: Zeroizing::new([2; 16]),
        };
        let mac = CodeKey::new(&[3; 32]).mac(&code(), device);
        let other_id = ActivationCode {
            id: CodeId([9; 6]),
            ..code()
        };
        let other_secret = ActivationCode {
            secret: Zeroizing::new([9; 16]),
            ..code()
        };
        assert_ne!(mac, CodeKey::new(&[4; 32]).mac(&code(), device));
        assert_ne!(mac, CodeKey::new(&[3; 32]).mac(&other_id, device));
        assert_ne!(mac, CodeKey::new(&[3; 32]).mac(&other_secret, device));
        let other_device = DeviceId::from_bytes([5; 16]);
        assert_ne!(mac, CodeKey::new(&[3; 32]).mac(&code(), other_device));
        assert_ne!(mac, CodeKey::new(&[3; 32]).mac_without_device(&code()));
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_a_code_or_an_error(text in "[a-zA-Z2-7 -]{30,50}|.{0,60}") {
            if let Ok(code) = text.parse::<ActivationCode>() {
                let again: ActivationCode = code.expose().parse().unwrap();
                prop_assert_eq!(*again.secret, *code.secret);
                prop_assert_eq!(again.id(), code.id());
            }
        }
    }
}
