//! The warnings about files, keys and credentials: nothing is stopped by them.

use std::fmt;
use std::path::PathBuf;

use dc_core::{Form, SignatureScheme, UniqueName};
use pki_types::UnixTime;

use crate::time::{Moment, Span};

/// A circumstance of a key, a certificate, a credential or a folder that may not be what was meant.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// The delegation certificate ends soon, and with it all that it can issue.
    CertificateEndsSoon {
        /// The file whose first certificate it is.
        path: PathBuf,
        /// The time of the check.
        now: UnixTime,
        /// When the certificate ends.
        not_after: UnixTime,
    },
    /// An identity folder had another name before.
    DifferentName {
        /// The folder.
        folder: PathBuf,
        /// The name that it had.
        old: UniqueName<'static>,
    },
    /// Whether the key in an identity folder is the right one could not be checked.
    KeyNotChecked {
        /// The file.
        path: PathBuf,
    },
    /// Others than its owner and group may read a private key, or the group may write it.
    KeyReadable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A name was given for a credential that cannot carry one.
    NameNotUsed {
        /// The name.
        name: String,
    },
    /// A credential is for clients such as Firefox, and will not be sent to them.
    NotForNss {
        /// What the delegation certificate's key signs with.
        algorithm: SignatureScheme,
    },
    /// A credential has no unique name.
    NoUniqueName {
        /// The names that its holder can take.
        names: Vec<String>,
    },
}

impl Warning {
    /// NSS looks the scheme of the delegation certificate's key up among those that it offers for the credential's,
    /// where RFC 9345 does not; only ECDSA's are there.
    #[must_use]
    pub fn not_for_nss(form: Form, algorithm: SignatureScheme) -> Option<Self> {
        let offered = [
            SignatureScheme::ECDSA_SECP256R1_SHA256,
            SignatureScheme::ECDSA_SECP384R1_SHA384,
            SignatureScheme::ECDSA_SECP521R1_SHA512,
        ];
        (form == Form::Rfc9345 && !offered.contains(&algorithm))
            .then_some(Self::NotForNss { algorithm })
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CertificateEndsSoon {
                path,
                now,
                not_after,
            } => write!(
                f,
                "{} ends at {}, in {}: get a new delegation certificate",
                path.display(),
                Moment(*not_after),
                Span::about(*now, *not_after)
            ),
            Self::DifferentName { folder, old } => write!(
                f,
                "{} was the identity of {old} until now: check --out and --name if that is another device",
                folder.display()
            ),
            Self::KeyNotChecked { path } => write!(
                f,
                "{} cannot be read as a private key, so it was not checked against the credential",
                path.display()
            ),
            Self::KeyReadable { path, mode } => write!(
                f,
                "{} can be read by others than its owner and group (mode {mode:04o}): do 'chmod g-w,o= {0}', and replace the key if others use this machine",
                path.display()
            ),
            Self::NameNotUsed { name } => write!(
                f,
                "a credential of the rfc9345 form carries no unique name, so {name} is not in it: use '--form both' to have one that does"
            ),
            Self::NotForNss { algorithm } => write!(
                f,
                "a credential of the rfc9345 form that is signed with {algorithm} is never served to Firefox and other clients of NSS, which take it to be forbidden: get a delegation certificate with an ECDSA key"
            ),
            Self::NoUniqueName { names } => write!(
                f,
                "with the rfc9345 form this device can pose as every name of the certificate ({}) to clients that do not know the unique name",
                names.join(", ")
            ),
        }
    }
}
