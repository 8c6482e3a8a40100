//! Keys of notes: Ed25519, with the name that signs (C2SP `signed-note`).

use std::fmt;
use std::str::FromStr;

use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::named_key::NamedKey;
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
pub struct VerifyingKey(NamedKey<TYPE>);

impl VerifyingKey {
    /// A key with the name that signs with it.
    ///
    /// Fails with [`Error::BadKeyName`].
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, Error> {
        NamedKey::new(name, public).map(Self)
    }

    /// The name that signs with it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The first 4 bytes of `SHA-256(name || 0x0A || 0x01 || key)`: which of a name's keys it is.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.0.id()
    }

    /// The line of a note for a signature that the key's holder has made.
    #[must_use]
    pub fn signature(&self, bytes: &[u8]) -> Signature {
        Signature::new(self.name(), self.id(), bytes)
    }

    pub(crate) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        self.0.verifies(text, signature)
    }
}

impl FromStr for VerifyingKey {
    type Err = Error;

    /// Fails with [`Error::BadVerifyingKey`] and [`Error::BadKeyName`].
    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self)
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
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
        self.verifying.signature(signature.as_ref())
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
