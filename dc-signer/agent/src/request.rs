//! The device's requests, and the certificate it shows in TLS.

use pki_types::CertificateDer;

use super::keys::{Key, NewKeys};
use super::state::Pending;
use crate::error::Error;
use dc_pki::Sha256;
use dc_protocol::{EnrollRequest, RenewRequest};

/// A certificate that the enrolment key signs itself. The signer looks at nothing but the key in it,
/// and at the proof that the device has it.
///
/// Fails with [`Error::RequestNotMade`] if it cannot be made.
pub fn self_signed(key: &Key) -> Result<CertificateDer<'static>, Error> {
    key.with_params(|params, pair| params.self_signed(pair).map(Into::into))
}

/// A request for credentials for new keys, which is to be on the disk before it is sent: then it can
/// be sent again, the same to the byte, and the answer to the first one is not lost.
///
/// Fails with [`Error::RequestNotMade`] if it cannot be made.
pub fn pending(
    keys: &NewKeys,
    previous_sha256: Option<String>,
    next_enrolment_csr: Option<String>,
) -> Result<Pending, Error> {
    let idempotency_key = idempotency_key(keys, previous_sha256.as_deref());
    Ok(Pending {
        csr: csr(&keys.server)?,
        client_csr: keys.client.as_ref().map(csr).transpose()?,
        idempotency_key,
        previous_sha256,
        next_enrolment_csr,
    })
}

/// A request for this key, which shows that the device has it.
///
/// Fails with [`Error::RequestNotMade`] if it cannot be made.
pub fn csr(key: &Key) -> Result<String, Error> {
    key.with_params(|params, pair| params.serialize_request(pair)?.pem())
}

/// The same for the same keys and predecessor, and for nothing else.
#[must_use]
pub fn idempotency_key(keys: &NewKeys, previous: Option<&str>) -> String {
    let client = keys.client.as_ref().map(Key::spki).unwrap_or_default();
    let previous = previous.unwrap_or_default().as_bytes();
    Sha256::of(&[&keys.server.spki(), &client, previous].concat()).to_string()
}

/// Asks for the first credentials.
#[must_use]
pub fn enroll(pending: &Pending, code: Option<&str>) -> EnrollRequest {
    EnrollRequest {
        csr: pending.csr.clone(),
        client_csr: pending.client_csr.clone(),
        code: code.map(ToOwned::to_owned),
        previous_sha256: pending.previous_sha256.clone(),
    }
}

/// Asks for the next credentials.
#[must_use]
pub fn renew(pending: &Pending) -> RenewRequest {
    RenewRequest {
        csr: pending.csr.clone(),
        client_csr: pending.client_csr.clone(),
        previous_sha256: pending.previous_sha256.clone(),
        idempotency_key: pending.idempotency_key.clone(),
        next_enrolment_csr: pending.next_enrolment_csr.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use dc_pki::device_csr::DeviceKey;

    #[test]
    fn a_request_proves_possession_of_its_key_and_says_nothing_else() {
        let keys = NewKeys::generate(false).unwrap();
        let pending = pending(&keys, None, None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("csr.pem");
        fs::write(&path, &pending.csr).unwrap();
        let algorithms = rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .all;
        let read = DeviceKey::from_csr(&path, algorithms).unwrap();
        assert_eq!(read.spki(), keys.server.spki());
        assert_eq!(pending.client_csr, None);
    }

    #[test]
    fn an_idempotency_key_is_of_one_key_and_one_predecessor() {
        let keys = || NewKeys::generate(false).unwrap();
        let (one, other) = (keys(), keys());
        let key = |keys: &NewKeys, previous: Option<&str>| {
            pending(keys, previous.map(ToOwned::to_owned), None)
                .unwrap()
                .idempotency_key
        };
        assert_eq!(key(&one, Some("a")), key(&one, Some("a")));
        assert_ne!(key(&one, Some("a")), key(&one, Some("b")));
        assert_ne!(key(&one, None), key(&other, None));
        assert_eq!(key(&one, None).len(), 64);
        let alone = key(&one, None);
        let both = NewKeys {
            client: Some(other.server),
            ..one
        };
        assert_ne!(key(&both, None), alone);
    }
}
