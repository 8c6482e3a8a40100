//! The only user of a delegation key: approve, sign, verify.

use std::time::Duration;

use dc_core::{Issued, Request, SignError, UniqueName};
use pki_types::{SignatureVerificationAlgorithm, UnixTime};

use crate::csr::DeviceKey;
use crate::delegation::Delegation;
use crate::error::Error;

/// Which credentials a device is to get.
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

    /// Whether a credential without a name is wanted.
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
/// [`Error::BadCertificate`] if it is not valid now, [`Error::Refused`] for any other rule, and
/// [`Error::Sign`].
pub fn issue(
    delegation: &Delegation,
    device_key: &DeviceKey,
    wanted: &Wanted,
    lifetime: Option<Duration>,
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    now: UnixTime,
) -> Result<Vec<Issued>, Error> {
    if device_key.spki() == delegation.certificate().spki() {
        let path = device_key.path().into();
        return Err(Error::DelegationKeyOnDevice { path });
    }
    wanted
        .credentials()
        .into_iter()
        .map(|name| {
            let request = request(device_key, name, lifetime);
            let approved = delegation
                .policy()
                .approve(&request, now)
                .map_err(|source| refusal(source, delegation, device_key))?;
            approved
                .sign(delegation.key(), algorithms)
                .map_err(not_signed)
        })
        .collect()
}

fn request<'a>(
    device_key: &'a DeviceKey,
    name: Option<&UniqueName<'static>>,
    lifetime: Option<Duration>,
) -> Request<'a> {
    let mut request = Request::new(device_key.spki());
    if let Some(name) = name {
        request = request.unique_name(name.clone());
    }
    if let Some(lifetime) = lifetime {
        request = request.lifetime(lifetime);
    }
    request
}

/// The rule that was broken, with the file or the value that broke it.
fn refusal(source: dc_core::Error, delegation: &Delegation, device_key: &DeviceKey) -> Error {
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

fn not_signed(error: SignError<rustls::Error>) -> Error {
    match error {
        SignError::Refused(source) => Error::Refused { source },
        SignError::Signer(source) => Error::Sign { source },
    }
}
