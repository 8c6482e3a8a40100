//! Keys of notes: Ed25519, with the name that signs (C2SP `signed-note`).

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::base64;
use crate::signature::check_name;
use crate::{Error, Signature};

/// A key that notes are verified with; shown and read as C2SP writes it, `name+id+key`.
///
/// ```
/// use dc_evidence::VerifyingKey;
///
/// let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
/// let key: VerifyingKey = text.parse()?;
/// assert_eq!(key.name(), "PeterNeumann");
/// assert_eq!(key.to_string(), text);
/// # Ok::<(), dc_evidence::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifyingKey {
    name: String,
    public: [u8; 32],
}

impl VerifyingKey {
    /// A key with the name that signs with it.
    ///
    /// Fails with [`Error::BadKeyName`].
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, Error> {
        check_name(name)?;
        let name = name.to_owned();
        Ok(Self { name, public })
    }

    /// The name that signs with it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first 4 bytes of `SHA-256(name || 0x0A || 0x01 || key)`: which of a name's keys it is.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        id(&self.name, TYPE, &self.public)
    }

    pub(crate) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        key.verify(text.as_bytes(), signature).is_ok()
    }
}

impl FromStr for VerifyingKey {
    type Err = Error;

    /// Fails with [`Error::BadVerifyingKey`] and [`Error::BadKeyName`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, public) = parse(text, TYPE)?;
        Self::new(name, public)
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(&self.name, TYPE, &self.public))
    }
}

/// The first 4 bytes of `SHA-256(name || 0x0A || kind || key)`: which of a name's keys it is.
pub(crate) fn id(name: &str, kind: u8, public: &[u8; 32]) -> [u8; 4] {
    let mut context = Context::new(&SHA256);
    context.update(name.as_bytes());
    context.update(&[b'\n', kind]);
    context.update(public);
    let mut id = [0; 4];
    id.iter_mut()
        .zip(context.finish().as_ref())
        .for_each(|(to, from)| *to = *from);
    id
}

/// The name and the key of `name+id+key`, of keys of this kind.
///
/// Fails with [`Error::BadVerifyingKey`].
pub(crate) fn parse(text: &str, kind: u8) -> Result<(&str, [u8; 32]), Error> {
    // Base64 may have plus signs, the two before it may not.
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(found), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Error::BadVerifyingKey);
    };
    let key = base64::decode(key).ok_or(Error::BadVerifyingKey)?;
    let public = match key.split_first() {
        Some((first, public)) if *first == kind => public,
        _ => return Err(Error::BadVerifyingKey),
    };
    let public = public.try_into().map_err(|_| Error::BadVerifyingKey)?;
    match HEXLOWER.encode(&id(name, kind, &public)) == found {
        true => Ok((name, public)),
        false => Err(Error::BadVerifyingKey),
    }
}

/// A key as C2SP writes it.
pub(crate) fn written(name: &str, kind: u8, public: &[u8; 32]) -> String {
    let key = base64::encode(&[&[kind], &public[..]].concat());
    let id = HEXLOWER.encode(&id(name, kind, public));
    format!("{name}+{id}+{key}")
}

/// A key that notes are signed with, in this process.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// A key in PKCS#8 (RFC 8410 §7), as `openssl genpkey -algorithm ed25519` makes one, and the name that it signs for.
    ///
    /// Fails with [`Error::BadSigningKey`] and [`Error::BadKeyName`].
    pub fn from_pkcs8(name: &str, der: &[u8]) -> Result<Self, Error> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der);
        let pair = pair.map_err(|_| Error::BadSigningKey)?;
        let public = pair.public_key().as_ref().try_into();
        let public = public.map_err(|_| Error::BadSigningKey)?;
        let verifying = VerifyingKey::new(name, public)?;
        Ok(Self { pair, verifying })
    }

    /// The key that others verify its notes with.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying
    }

    /// Its signature over a note's text.
    #[must_use]
    pub fn sign(&self, text: &str) -> Signature {
        let signature = self.pair.sign(text.as_bytes());
        Signature::new(
            self.verifying.name(),
            self.verifying.id(),
            signature.as_ref(),
        )
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pair: _, verifying } = self;
        f.debug_struct("SigningKey")
            .field("verifying", verifying)
            .finish_non_exhaustive()
    }
}

/// Ed25519, as C2SP `signed-note` numbers it.
const TYPE: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pkcs8, signing_key};

    #[test]
    fn a_key_that_go_reads_is_read() {
        // The key of Go's checksum database.
        let text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        let key: VerifyingKey = text.parse().unwrap();
        assert_eq!(key.id(), [0x03, 0x3d, 0xe0, 0xae]);
        assert_eq!(key.to_string(), text);
    }

    #[test]
    fn a_key_with_another_id_name_or_length_is_refused() {
        let bad = [
            "",
            "sum.golang.org",
            "sum.golang.org+033de0ae",
            "sum.golang.org+033de0af+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
            "sum.golang.com+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
            "sum.golang.org+033DE0AE+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
            "sum.golang.org+033de0ae+Bc4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
            "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuA==",
            "sum.golang.org+033de0ae+",
        ];
        for text in bad {
            let refused = text.parse::<VerifyingKey>();
            assert_eq!(refused, Err(Error::BadVerifyingKey), "{text}");
        }
        for name in ["", "a b", "a+b", "a\nb", "a\u{a0}b", "a\u{7f}"] {
            assert_eq!(VerifyingKey::new(name, [1; 32]), Err(Error::BadKeyName));
        }
    }

    #[test]
    fn a_signing_key_does_not_show_itself() {
        let shown = format!("{:?}", signing_key("log"));
        assert_eq!(
            shown.matches("0707").count() + shown.matches("7, 7").count(),
            0,
            "{shown}"
        );
        let short = SigningKey::from_pkcs8("log", &pkcs8(&[7; 31]));
        assert!(matches!(short, Err(Error::BadSigningKey)));
    }
}
