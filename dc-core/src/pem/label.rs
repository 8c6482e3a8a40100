//! Labels of PEM blocks (RFC 7468 §4 to §13), and other programs' words for the same.

use crate::credential::Form;
use crate::tbs::Role;

/// The text between `-----BEGIN ` and `-----`.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Label<'a>(&'a str);

/// The kind of a block, by its label.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Certificate,
    Credential(Form, Option<Role>),
    /// A private key, in one of the encodings that providers take.
    Key(Encoding),
    /// Known, and never what is looked for.
    Other,
    PublicKey,
    Request,
}

/// The encoding of a private key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encoding {
    Encrypted,
    Pkcs1,
    Pkcs8,
    Sec1,
}

impl<'a> Label<'a> {
    /// The label and what is behind the dashes that end it, of what is behind a BEGIN or END.
    pub(super) fn split(text: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let end = super::line::find(text, DASHES)?;
        let (label, rest) = text.split_at(end);
        let label = core::str::from_utf8(label).ok()?.trim_ascii();
        let is_plain = label.bytes().all(|b| matches!(b, b' '..=b'~')) && label.len() <= MAX_LEN;
        is_plain.then_some((Self(label), rest.strip_prefix(DASHES)?))
    }

    /// True if it looks like a label wherever it stands, known or not: words in capitals.
    pub(super) fn is_written_as_one(self) -> bool {
        let is_small = |b: u8| b.is_ascii_lowercase();
        self.0.starts_with(|first: char| first.is_ascii_uppercase())
            && !self.0.bytes().any(is_small)
    }

    /// How long the label is that a text begins with, in capitals or not: all of the words there, or, if
    /// `more` may follow, the first of them.
    pub(super) fn known_at(text: &[u8], more: bool) -> Option<usize> {
        let is_label = |b: &u8| b.is_ascii_alphanumeric() || *b == b' ';
        let near = text.get(..2 * MAX_LEN).unwrap_or(text);
        let end = near.iter().position(|b| !is_label(b)).unwrap_or(near.len());
        let mut words = near.get(..end)?.trim_ascii_end();
        loop {
            let label = core::str::from_utf8(words).ok()?.trim_ascii();
            if label.len() <= MAX_LEN && Label(&label.to_ascii_uppercase()).kind().is_some() {
                return Some(words.len());
            }
            let last = words.iter().rposition(|b| *b == b' ')?;
            words = words.get(..last).filter(|_| more)?.trim_ascii_end();
        }
    }

    pub(super) fn as_str(self) -> &'a str {
        self.0
    }

    /// `None` if nothing is known of it.
    pub(super) fn kind(self) -> Option<Kind> {
        Some(match self.0 {
            "CERTIFICATE" | "X509 CERTIFICATE" => Kind::Certificate,
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Kind::Request,
            "PUBLIC KEY" => Kind::PublicKey,
            "PRIVATE KEY" => Kind::Key(Encoding::Pkcs8),
            "EC PRIVATE KEY" => Kind::Key(Encoding::Sec1),
            "RSA PRIVATE KEY" => Kind::Key(Encoding::Pkcs1),
            "ENCRYPTED PRIVATE KEY" => Kind::Key(Encoding::Encrypted),
            RFC9345 => Kind::Credential(Form::Rfc9345, None),
            NAMED => Kind::Credential(Form::Named, None),
            "SERVER DELEGATED CREDENTIAL" => Kind::Credential(Form::Rfc9345, Some(Role::Server)),
            "CLIENT DELEGATED CREDENTIAL" => Kind::Credential(Form::Rfc9345, Some(Role::Client)),
            "RSA PUBLIC KEY" | "X509 CRL" => Kind::Other,
            // EC, DH and DSA PARAMETERS; keys of OpenSSH and DSA, which are named where a key is wanted.
            other if other.ends_with(" PARAMETERS") || other.ends_with(" PRIVATE KEY") => {
                Kind::Other
            }
            _ => return None,
        })
    }
}

/// The label of a credential without a name.
pub(super) const RFC9345: &str = "DELEGATED CREDENTIAL";
/// The label of one with a name.
pub(super) const NAMED: &str = "NAMED DELEGATED CREDENTIAL";
const DASHES: &[u8] = b"-----";
/// Longer than any label that is in use.
const MAX_LEN: usize = 64;
