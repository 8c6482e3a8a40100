//! Checks of an identity that a server and a client make alike, before they use it.

use std::sync::Arc;

use dc_core::{DelegatedCredential, DelegationCertificate, Offer, Role, Verifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::SigningKey;
use rustls::{CertificateError, RootCertStore};

use crate::Error;

/// The error of a chain whose first certificate may not delegate.
pub(crate) fn cannot_delegate(error: dc_core::Error, chain: &[CertificateDer<'_>]) -> Error {
    let delegates = |der: &CertificateDer<'_>| DelegationCertificate::parse(der.clone()).is_ok();
    match chain.iter().position(delegates) {
        Some(at) => Error::ChainOrder { at: at + 1 },
        None => Error::Credential(error),
    }
}

/// Fails with [`Error::KeyMismatch`] if the key is not the one that the credential is for.
pub(crate) fn check_key(
    key: &dyn SigningKey,
    credential: &DelegatedCredential<'_>,
) -> Result<(), Error> {
    match key.public_key() {
        Some(spki) if *spki != *credential.credential().spki => Err(Error::KeyMismatch),
        // A key that does not say what it is, one in an HSM perhaps, is taken at its word.
        _ => Ok(()),
    }
}

/// Fails with [`Error::CertificateUnusable`] if every peer refuses the end entity for what it is, whoever has signed it.
pub(crate) fn check_usable(
    role: Role,
    end_entity: &CertificateDer<'_>,
    provider: &Arc<CryptoProvider>,
    now: UnixTime,
) -> Result<(), Error> {
    match verify_alone(role, end_entity, provider, now) {
        // It is looked at first, and then its issuer is looked for, who is not there.
        Ok(()) | Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Ok(()),
        Err(rustls::Error::InvalidCertificate(why)) => Err(Error::CertificateUnusable(why)),
        Err(error) => Err(error.into()),
    }
}

fn verify_alone(
    role: Role,
    end_entity: &CertificateDer<'_>,
    provider: &Arc<CryptoProvider>,
    now: UnixTime,
) -> Result<(), rustls::Error> {
    // There have to be some.
    let mut roots = RootCertStore::empty();
    roots.add(end_entity.clone().into_owned())?;
    let algorithms = provider.signature_verification_algorithms.all;
    match role {
        Role::Server => {
            let parsed = ParsedCertificate::try_from(end_entity)?;
            verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], now, algorithms)
        }
        Role::Client => {
            let roots = Arc::new(roots);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
            let verifier = verifier.build().map_err(other)?;
            verifier.verify_client_cert(end_entity, &[], now).map(drop)
        }
    }
}

fn other(error: VerifierBuilderError) -> rustls::Error {
    rustls::Error::General(error.to_string())
}

/// Verifies a credential of one's own as a peer would that takes whatever it is, and wants its name. Gives its end.
pub(crate) fn verify_own(
    role: Role,
    certificate: &DelegationCertificate<'_>,
    issuers: &[CertificateDer<'_>],
    credential: &DelegatedCredential<'_>,
    provider: &CryptoProvider,
    now: UnixTime,
) -> Result<UnixTime, Error> {
    let offer = Offer::suiting(credential);
    Verifier::new(role, &offer, provider.signature_verification_algorithms.all)
        .with_issuers(issuers, &[])
        .verify_own_name(credential, certificate, now)
        .map(|verified| verified.expiry())
        .map_err(Error::Credential)
}

/// Fails with [`Error::CertificateTooLong`] if the end entity and its credential have more than `max` bytes together.
pub(crate) fn check_size(
    end_entity: &CertificateDer<'_>,
    credential: &[u8],
    max: usize,
) -> Result<(), Error> {
    let length = end_entity.len() + credential.len();
    match length <= max {
        true => Ok(()),
        false => Err(Error::CertificateTooLong { length, max }),
    }
}

/// The bytes that are sure to be in the first record of a flight: 2^14, less 1 KiB for EncryptedExtensions, an otherwise
/// empty CertificateRequest, and headers.
pub(crate) const FIRST_RECORD: usize = 15 * 1024;
