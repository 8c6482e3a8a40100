//! The warnings about files, keys and credentials: nothing is stopped by them.

use std::fmt;
use std::path::{Path, PathBuf};

use dc_core::{Form, SignatureScheme, UniqueName};
use pki_types::UnixTime;

use crate::text::Foreign;
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
    /// The key in an identity folder could not be checked.
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
    /// A CA above a delegation certificate excludes names that the certificate covers.
    NamesExcluded {
        /// The file with the certificate.
        path: PathBuf,
        /// The dNSNames of the subtrees, as the CA's certificate has them.
        subtrees: Vec<String>,
    },
    /// A credential is for clients such as Firefox, and will not be sent to them.
    NotForNss {
        /// The scheme that the delegation certificate's key signs with.
        algorithm: SignatureScheme,
    },
    /// Nothing shows that whoever handed a public key in has its private key.
    NoProof {
        /// The file with the public key.
        path: PathBuf,
    },
    /// A credential has no unique name, and its certificate's names may be several devices'.
    NoUniqueName {
        /// The names that its holder can take.
        names: Vec<String>,
    },
}

impl Warning {
    /// Every holder of a credential without a name can use it for every name of the certificate; a wildcard, or more than one
    /// name, may be several devices'.
    #[must_use]
    pub fn no_unique_name(names: &[String]) -> Option<Self> {
        let is_of_several = names.len() > 1 || names.iter().any(|name| name.starts_with("*."));
        is_of_several.then(|| Self::NoUniqueName {
            names: names.to_vec(),
        })
    }

    /// The names that CAs exclude of those that a certificate covers: all of them, or some that a wildcard stands for.
    #[must_use]
    pub fn names_excluded(path: &Path, dns_names: &[String], excluded: &[String]) -> Option<Self> {
        let excludes = |subtree: &&String| dns_names.iter().any(|name| shares(name, subtree));
        let subtrees: Vec<_> = excluded.iter().filter(excludes).cloned().collect();
        let path = path.into();
        (!subtrees.is_empty()).then_some(Self::NamesExcluded { path, subtrees })
    }

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

/// True if a name that a dNSName covers may be in a subtree.
fn shares(dns_name: &str, subtree: &str) -> bool {
    // One that nobody excludes alone stands for what a wildcard covers.
    let any = dns_name.replacen('*', "any", 1).to_ascii_lowercase();
    let alone = subtree.to_ascii_lowercase();
    let alone = alone.strip_suffix('.').unwrap_or(&alone);
    UniqueName::try_from(&*any).is_ok_and(|any| any.is_within(subtree))
        || UniqueName::try_from(alone).is_ok_and(|name| name.covered_by(dns_name))
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
            Self::NamesExcluded { path, subtrees } => write!(
                f,
                "a CA above {} excludes {}: no device can have such a name, and some clients, such as those of rustls, refuse all names of a wildcard that stands for one: ask the CA for a chain without that",
                path.display(),
                Foreign(&subtrees.join(", "))
            ),
            Self::NotForNss { algorithm } => write!(
                f,
                "a credential of the rfc9345 form that is signed with {algorithm} is never served to Firefox and other clients of NSS, which take it to be forbidden: get a delegation certificate with an ECDSA key"
            ),
            Self::NoProof { path } => write!(
                f,
                "{} does not show that the device has the private key: take a certificate signing request (--csr) unless you have it from the device itself",
                path.display()
            ),
            Self::NoUniqueName { names } => write!(
                f,
                "with the rfc9345 form this device can pose as every name of the certificate ({}) to all peers that take this form, also to those that only prefer the named one: give devices that need it a certificate of their own",
                names.join(", ")
            ),
        }
    }
}
