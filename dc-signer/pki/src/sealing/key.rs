//! One key-encryption key.

use std::fmt;

use data_encoding::HEXLOWER;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use zeroize::Zeroizing;

use super::Label;
use super::error::SealError;
use super::key_id::KeyId;
use super::kind::{Kind, Origin, SALT_LEN};
use super::sealed::Sealed;
use crate::keys::{SecretKey, SecretKeyError, TokenFault, TokenUri, Unlock};

/// A key-encryption key: secrets are sealed with it, and opened.
///
/// Ring's copy of the key is not wiped; ours is. One in a token stays there, and makes a key of a salt for each thing that is sealed: so it
/// takes as long as the token does.
pub struct SealingKey {
    id: KeyId,
    held: Held,
}

/// By whom a key is held.
enum Held {
    /// By this process.
    Here {
        key: Box<LessSafeKey>,
        /// The salt of the passphrase that it was made of, if it was.
        salt: Option<[u8; SALT_LEN]>,
    },
    /// By a token.
    Token(Box<SecretKey>),
}

impl SealingKey {
    /// From 64 hexadecimal digits.
    ///
    /// Fails with [`SealError::BadKey`].
    pub fn from_hex(text: &[u8]) -> Result<Self, SealError> {
        Self::new(&digits(text)?, None)
    }

    /// From a passphrase of at least 12 bytes and a salt, through scrypt with 128 MiB (N = 2^17, r = 8, p = 1; RFC 7914), which
    /// takes about half a second.
    ///
    /// Fails with [`SealError::ShortPassphrase`].
    pub fn from_passphrase(passphrase: &[u8], salt: [u8; 16]) -> Result<Self, SealError> {
        if passphrase.len() < MIN_PASSPHRASE {
            let min = MIN_PASSPHRASE;
            return Err(SealError::ShortPassphrase { min });
        }
        let parameters = scrypt::Params::RECOMMENDED;
        let mut key = Zeroizing::new([0; 32]);
        scrypt::scrypt(passphrase, &salt, &parameters, &mut *key).map_err(|_| SealError::BadKey)?;
        Self::new(&key, Some(salt))
    }

    /// A key in a token, which cannot leave it.
    ///
    /// Fails with [`SealError::Token`] and [`SealError::Secret`].
    pub fn in_token(uri: &TokenUri, unlock: &Unlock) -> Result<Self, SealError> {
        Self::of_token(uri, SecretKey::open(uri, TOKEN_ID, unlock))
    }

    /// Makes a key in a token, under the name that a URI gives it.
    ///
    /// Fails with [`SealError::Token`], also if there is one of that name, and with [`SealError::Secret`].
    pub fn generate_in_token(uri: &TokenUri, unlock: &Unlock) -> Result<Self, SealError> {
        Self::of_token(uri, SecretKey::generate(uri, TOKEN_ID, unlock))
    }

    /// Puts the key of 64 hexadecimal digits into a token, so that several tokens can have the same one. It is another key than the same
    /// digits are without a token, and opens nothing that was sealed with them.
    ///
    /// Fails with [`SealError::BadKey`], and as [`generate_in_token`](Self::generate_in_token) does.
    pub fn import_into_token(
        uri: &TokenUri,
        text: &[u8],
        unlock: &Unlock,
    ) -> Result<Self, SealError> {
        let key = digits(text)?;
        let made = Self::of_token(uri, SecretKey::import(uri, &key[..], TOKEN_ID, unlock))?;
        let same = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key[..]), TOKEN_ID);
        match id_of(same.as_ref()) == made.id {
            true => Ok(made),
            false => Err(SealError::Token {
                key: Box::new(uri.clone()),
                fault: TokenFault::NoKey,
            }),
        }
    }

    fn of_token(
        uri: &TokenUri,
        opened: Result<SecretKey, SecretKeyError>,
    ) -> Result<Self, SealError> {
        let key = opened.map_err(|error| match error {
            SecretKeyError::Pin(error) => SealError::Secret(error),
            SecretKeyError::Token(fault) => SealError::Token {
                key: Box::new(uri.clone()),
                fault,
            },
        })?;
        let id = id_of(key.known_by());
        let held = Held::Token(Box::new(key));
        Ok(Self { id, held })
    }

    fn new(key: &Zeroizing<[u8; 32]>, salt: Option<[u8; SALT_LEN]>) -> Result<Self, SealError> {
        let of = |purpose: &[u8]| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, &key[..]);
            hmac::sign(&key, purpose)
        };
        let (tag, key) = (of(b"dc-sealing-id-v1"), of(b"dc-sealing-key-v1"));
        let key = aes(key.as_ref())?;
        Ok(Self {
            id: id_of(tag.as_ref()),
            held: Held::Here {
                key: Box::new(key),
                salt,
            },
        })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match &self.held {
            Held::Here { salt: None, .. } => Kind::Key,
            Held::Here { salt: Some(_), .. } => Kind::Passphrase,
            Held::Token(_) => Kind::Token,
        }
    }

    pub(super) const fn salt(&self) -> Option<&[u8; SALT_LEN]> {
        match &self.held {
            Held::Here { salt, .. } => salt.as_ref(),
            Held::Token(_) => None,
        }
    }

    /// Seals a secret with a random nonce, in the form of [`Sealed`].
    ///
    /// Fails with [`SealError::Randomness`] and [`SealError::Token`].
    pub fn seal(&self, label: &Label<'_>, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        match &self.held {
            Held::Here { key, salt } => {
                let origin = salt.map_or(Origin::Key, Origin::Passphrase);
                self.seal_with(key, &origin, label, secret)
            }
            Held::Token(token) => {
                let salt = crate::random().map_err(|_| SealError::Randomness)?;
                let key = derive(token, salt)?;
                self.seal_with(&key, &Origin::Token(salt), label, secret)
            }
        }
    }

    fn seal_with(
        &self,
        key: &LessSafeKey,
        origin: &Origin,
        label: &Label<'_>,
        secret: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let nonce = crate::random().map_err(|_| SealError::Randomness)?;
        let head = Sealed::head(origin, self.id);
        let aad = Aad::from(authenticated(&head, label));
        // Room for the tag too: a vector that grows leaves a copy behind.
        let mut data = Zeroizing::new(Vec::with_capacity(secret.len() + AES_256_GCM.tag_len()));
        data.extend_from_slice(secret);
        let nonce_of_ring = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(nonce_of_ring, aad, &mut *data)
            .map_err(|_| SealError::Malformed)?;
        Ok([&head, &nonce[..], &data].concat())
    }

    /// Opens what was sealed with this key under the same label.
    ///
    /// Fails with [`SealError::Tampered`] and [`SealError::Token`].
    pub fn open(
        &self,
        label: &Label<'_>,
        sealed: &Sealed<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        match (&self.held, &sealed.origin) {
            (Held::Here { key, .. }, Origin::Key | Origin::Passphrase(_)) => {
                open_with(key, label, sealed)
            }
            (Held::Token(token), Origin::Token(salt)) => {
                open_with(&derive(token, *salt)?, label, sealed)
            }
            _ => Err(tampered(label)),
        }
    }
}

fn digits(text: &[u8]) -> Result<Zeroizing<[u8; 32]>, SealError> {
    let text = Zeroizing::new(text.trim_ascii().to_ascii_lowercase());
    let bytes = HEXLOWER.decode(&text).map_err(|_| SealError::BadKey)?;
    let bytes = Zeroizing::new(bytes);
    let key = <[u8; 32]>::try_from(&bytes[..]).map_err(|_| SealError::BadKey)?;
    Ok(Zeroizing::new(key))
}

fn open_with(
    key: &LessSafeKey,
    label: &Label<'_>,
    sealed: &Sealed<'_>,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let aad = Aad::from(authenticated(sealed.head, label));
    let nonce = Nonce::assume_unique_for_key(sealed.nonce);
    let mut data = Zeroizing::new(sealed.ciphertext.to_vec());
    let opened = key.open_in_place(nonce, aad, &mut data);
    let len = opened.map(|secret| secret.len());
    let len = len.map_err(|_| tampered(label))?;
    data.truncate(len);
    Ok(data)
}

/// The key of one thing that is sealed, by a token's key.
fn derive(token: &SecretKey, salt: [u8; SALT_LEN]) -> Result<LessSafeKey, SealError> {
    let made = token.mac(&[TOKEN_KEY, &salt[..]].concat());
    let made = made.map_err(|fault| SealError::Token {
        key: Box::new(token.uri().clone()),
        fault,
    })?;
    aes(&made[..])
}

fn aes(key: &[u8]) -> Result<LessSafeKey, SealError> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealError::BadKey)?;
    Ok(LessSafeKey::new(key))
}

/// From the beginning of a MAC.
fn id_of(mac: &[u8]) -> KeyId {
    let mut id = [0; 16];
    id.iter_mut().zip(mac).for_each(|(to, from)| *to = *from);
    KeyId::from_bytes(id)
}

fn tampered(label: &Label<'_>) -> SealError {
    SealError::Tampered {
        what: label.what.to_owned(),
        version: label.version,
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, held: _ } = self;
        write!(f, "SealingKey({id}, ..)")
    }
}

/// Each field behind its length, so that none can be taken for a part of another.
fn authenticated(head: &[u8], label: &Label<'_>) -> Vec<u8> {
    let Label {
        what,
        tenant,
        version,
    } = label;
    let version = version.to_be_bytes();
    let fields = [
        &b"dc-sealed-v1"[..],
        head,
        what.as_bytes(),
        tenant.as_bytes(),
        &version,
    ];
    let mut all = Vec::new();
    for field in fields {
        let len = u64::try_from(field.len()).unwrap_or(u64::MAX);
        all.extend(len.to_be_bytes());
        all.extend(field);
    }
    all
}

/// A token's key makes its id of this.
const TOKEN_ID: &[u8] = b"dc-sealing-token-id-v1";
/// It makes keys of this, with a salt behind it that is always as long.
const TOKEN_KEY: &[u8] = b"dc-sealing-token-key-v1";
/// The fewest bytes of a passphrase.
pub(super) const MIN_PASSPHRASE: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Label<'_> = Label {
        what: "secret/names",
        tenant: "default",
        version: 1,
    };

    fn key(digit: &str) -> SealingKey {
        SealingKey::from_hex(digit.repeat(64).as_bytes()).unwrap()
    }

    fn open(key: &SealingKey, label: &Label<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let opened = key.open(label, &Sealed::parse(sealed)?)?;
        Ok(opened.to_vec())
    }

    #[test]
    fn what_was_sealed_is_opened_as_what_it_was_and_by_its_key_alone() {
        let sealed = key("a").seal(&NAMES, b"secret").unwrap();
        assert_eq!(open(&key("A"), &NAMES, &sealed).unwrap(), b"secret");
        assert_ne!(sealed, key("a").seal(&NAMES, b"secret").unwrap());
        let what = "secret/codes";
        let tenant = "other";
        for other in [
            Label { what, ..NAMES },
            Label { tenant, ..NAMES },
            Label {
                version: 2,
                ..NAMES
            },
        ] {
            let error = open(&key("a"), &other, &sealed).unwrap_err();
            assert!(error.to_string().contains(other.what), "{error}");
        }
        open(&key("b"), &NAMES, &sealed).unwrap_err();
        assert_ne!(key("a").id(), key("b").id());
        assert!(!format!("{:?}", key("a")).contains(&"a".repeat(9)));
    }

    #[test]
    fn no_byte_of_what_was_sealed_can_be_changed() {
        let sealed = key("a").seal(&NAMES, b"secret").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&key("a"), &NAMES, &changed).is_err(), "{at}");
        }
        for len in 0..sealed.len() {
            assert!(open(&key("a"), &NAMES, &sealed[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        let digits = "0123456789abcdef".repeat(4);
        SealingKey::from_hex(format!(" {digits}\r\n").as_bytes()).unwrap();
        for bad in [
            &digits[1..],
            &format!("{digits}0"),
            &digits.replace('a', "g"),
            "",
        ] {
            let error = SealingKey::from_hex(bad.as_bytes()).unwrap_err();
            assert_eq!(error, SealError::BadKey);
        }
    }

    #[test]
    fn a_passphrase_with_another_salt_is_another_key() {
        let of = |salt| SealingKey::from_passphrase(b"correct horse", [salt; 16]).unwrap();
        let key = of(1);
        assert_eq!(key.id(), of(1).id());
        assert_ne!(key.id(), of(2).id());
        let min = MIN_PASSPHRASE;
        let short = SealingKey::from_passphrase(b"eleven byte", [0; 16]).unwrap_err();
        assert_eq!(short, SealError::ShortPassphrase { min });
    }
}
