//! The only user of a delegation key: approve, sign, verify.

use std::str::FromStr;
use std::time::Duration;

use dc_core::{Issued, Request, SignError, UniqueName};
use pki_types::{SignatureVerificationAlgorithm, UnixTime};

use crate::delegation::Delegation;
use crate::device_csr::DeviceKey;
use crate::error::Error;
use crate::signing::NotSigned;

/// Forms of credentials: all that a zone's devices get.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Forms {
    /// One with the unique name.
    Named,
    /// One with the unique name, and one as RFC 9345 defines it, which every holder can use for
    /// every name of the certificate.
    Both,
    /// One as RFC 9345 defines it.
    Rfc9345,
}

impl Forms {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Named, Self::Both, Self::Rfc9345];

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Both => "both",
            Self::Rfc9345 => "rfc9345",
        }
    }

    /// These forms, with a device's name where one is in them.
    #[must_use]
    pub fn with(self, name: &UniqueName<'static>) -> Wanted {
        match self {
            Self::Named => Wanted::Named(name.clone()),
            Self::Both => Wanted::Both(name.clone()),
            Self::Rfc9345 => Wanted::Rfc9345,
        }
    }
}

/// The error of a text that is none of the [`Forms`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("forms are one of named, both, rfc9345")]
pub struct UnknownForms;

impl FromStr for Forms {
    type Err = UnknownForms;

    fn from_str(text: &str) -> Result<Self, UnknownForms> {
        Self::ALL
            .into_iter()
            .find(|forms| forms.as_str() == text)
            .ok_or(UnknownForms)
    }
}

/// The ends of connections that a zone's devices get credentials for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Roles {
    /// Servers and clients: whoever asks for both gets both.
    Both,
    /// Servers alone.
    Server,
}

impl Roles {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Both, Self::Server];

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Server => "server",
        }
    }
}

/// The error of a text that is none of the [`Roles`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the roles of a zone are one of server, both")]
pub struct UnknownRoles;

impl FromStr for Roles {
    type Err = UnknownRoles;

    fn from_str(text: &str) -> Result<Self, UnknownRoles> {
        Self::ALL
            .into_iter()
            .find(|roles| roles.as_str() == text)
            .ok_or(UnknownRoles)
    }
}

/// The credentials that a device is to get: [`Forms`], with its name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// One with this name.
    Named(UniqueName<'static>),
    /// One with this name, and one as RFC 9345 defines it.
    Both(UniqueName<'static>),
    /// One as RFC 9345 defines it.
    Rfc9345,
}

impl Wanted {
    /// The unique name, if one is wanted.
    #[must_use]
    pub fn unique_name(&self) -> Option<&UniqueName<'static>> {
        match self {
            Self::Named(name) | Self::Both(name) => Some(name),
            Self::Rfc9345 => None,
        }
    }

    /// True if a credential without a name is wanted.
    #[must_use]
    pub fn rfc9345(&self) -> bool {
        !matches!(self, Self::Named(_))
    }

    /// One entry for each credential: its name, or none. The named one is first.
    fn credentials(&self) -> Vec<Option<&UniqueName<'static>>> {
        match self {
            Self::Named(name) => vec![Some(name)],
            Self::Both(name) => vec![Some(name), None],
            Self::Rfc9345 => vec![None],
        }
    }
}

/// Issues what is wanted for a device's key, from `now` on: all of it or nothing.
///
/// Without a `lifetime` it is 164 hours, or less if the certificate ends before; a `lifetime` that is
/// given is kept or refused. That the name belongs to this device, and to no other, is for the caller
/// to know.
///
/// Fails with [`Error::NameOutsideZone`], [`Error::DelegationKeyOnDevice`],
/// [`Error::LifetimeTooLong`], [`Error::BadDeviceKey`] if RFC 9345 allows no such key,
/// [`Error::BadCertificate`] if it is not valid now, [`Error::Refused`] for any other rule, such as that no CA of the
/// chain excludes the name, and [`Error::Sign`].
pub fn issue(
    delegation: &Delegation,
    device_key: &DeviceKey,
    wanted: &Wanted,
    lifetime: Option<Duration>,
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    now: UnixTime,
) -> Result<Vec<Issued>, Error> {
    sign(
        delegation,
        device_key.spki(),
        wanted,
        lifetime,
        algorithms,
        now,
    )
    .map_err(|unissued| refusal(unissued, delegation, device_key))
}

/// As [`issue`], for a DER SubjectPublicKeyInfo that came from no file.
///
/// Fails with [`Unissued`].
pub fn sign(
    delegation: &Delegation,
    spki: &[u8],
    wanted: &Wanted,
    lifetime: Option<Duration>,
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    now: UnixTime,
) -> Result<Vec<Issued>, Unissued> {
    if spki == delegation.certificate().spki() {
        return Err(Unissued::DelegationKey);
    }
    wanted
        .credentials()
        .into_iter()
        .map(|name| {
            let request = request(spki, name, lifetime);
            let approved = delegation.policy().approve(&request, now)?;
            match delegation
                .key()
                .issue(spki, name.map(UniqueName::as_str), lifetime)
            {
                None => Ok(approved.sign(delegation.key(), algorithms)?),
                Some(theirs) => Ok(approved.accept(&theirs?, algorithms)?),
            }
        })
        .collect()
}

/// Shows that a delegation's key signs: for this key, which nobody has, as if it were this time.
///
/// A signing process shows it by a key of its own, and gives out nothing. Fails as [`sign`] does.
pub fn try_key(
    delegation: &Delegation,
    spki: &[u8],
    wanted: &Wanted,
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    now: UnixTime,
) -> Result<(), Unissued> {
    match delegation.key().is_elsewhere() {
        true => Ok(delegation.key().check()?),
        false => sign(delegation, spki, wanted, None, algorithms, now).map(|_| ()),
    }
}

/// The reason that nothing was issued.
#[derive(Clone, Debug, PartialEq)]
pub enum Unissued {
    /// The key is the delegation certificate's own, which no device may hold.
    DelegationKey,
    /// RFC 9345 or the rules of the unique name forbid it.
    Refused(dc_core::Error),
    /// The delegation certificate's key could not sign.
    Signer(NotSigned),
}

impl From<dc_core::Error> for Unissued {
    fn from(error: dc_core::Error) -> Self {
        Self::Refused(error)
    }
}

impl From<NotSigned> for Unissued {
    fn from(error: NotSigned) -> Self {
        Self::Signer(error)
    }
}

impl From<SignError<NotSigned>> for Unissued {
    fn from(error: SignError<NotSigned>) -> Self {
        match error {
            SignError::Refused(source) => Self::Refused(source),
            SignError::Signer(source) => Self::Signer(source),
        }
    }
}

fn request<'a>(
    spki: &'a [u8],
    name: Option<&UniqueName<'static>>,
    lifetime: Option<Duration>,
) -> Request<'a> {
    let mut request = Request::new(spki);
    if let Some(name) = name {
        request = request.unique_name(name.clone());
    }
    if let Some(lifetime) = lifetime {
        request = request.lifetime(lifetime);
    }
    request
}

/// The rule that was broken, with the file or the value that broke it.
fn refusal(unissued: Unissued, delegation: &Delegation, device_key: &DeviceKey) -> Error {
    let source = match unissued {
        Unissued::DelegationKey => {
            let path = device_key.path().into();
            return Error::DelegationKeyOnDevice { path };
        }
        Unissued::Signer(source) => return Error::Sign { source },
        Unissued::Refused(source) => source,
    };
    match source {
        dc_core::Error::BadPublicKey | dc_core::Error::UnusableKey => Error::BadDeviceKey {
            path: device_key.path().into(),
            source,
        },
        dc_core::Error::CertificateNotValid { .. } => Error::BadCertificate {
            path: delegation.chain_path().into(),
            source,
        },
        dc_core::Error::NameNotCovered { name } => Error::NameOutsideZone {
            name,
            covered: delegation.certificate().dns_names().to_vec(),
        },
        dc_core::Error::ValidityTooLong { remaining, max } => Error::LifetimeTooLong {
            wanted: remaining,
            max,
        },
        source => Error::Refused { source },
    }
}
