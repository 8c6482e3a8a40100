//! Certificates for requests, as a CA makes them: for a key that it never sees.

use std::time::Duration;

use der::Decode;
use der::oid::ObjectIdentifier;
use pki_types::{CertificateDer, UnixTime};
use rcgen::{CertificateParams, CustomExtension, PublicKeyData, SignatureAlgorithm, date_time_ymd};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::{TestRoot, both_purposes, delegation_usage, new_serial, not_made, subject};
use crate::error::Error;

/// The terms of a certificate that a [`TestRoot`] makes for a request.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Its dNSNames.
    pub names: Vec<String>,
    /// It has the extension DelegationUsage.
    pub delegates: bool,
    /// Its first second.
    pub not_before: UnixTime,
    /// Its last second.
    pub not_after: UnixTime,
}

impl TestRoot {
    /// Makes a certificate for servers and clients, for a key of P-256 of which the public half is known: a DER
    /// SubjectPublicKeyInfo.
    ///
    /// Fails with [`Error::Randomness`] and [`Error::TestCertificate`].
    pub fn certify_key(
        &self,
        spki: &[u8],
        terms: &Terms,
    ) -> Result<CertificateDer<'static>, Error> {
        let key =
            Key::read(spki).ok_or_else(|| not_made(rcgen::Error::UnsupportedSignatureAlgorithm))?;
        let mut params = CertificateParams::default();
        let date = |time: UnixTime| date_time_ymd(1970, 1, 1) + Duration::from_secs(time.as_secs());
        params.not_before = date(terms.not_before);
        params.not_after = date(terms.not_after);
        params.serial_number = Some(new_serial()?);
        params.distinguished_name = subject("dc-signer test certificate for a request");
        let extensions: Vec<CustomExtension> = match terms.delegates {
            true => vec![delegation_usage()],
            false => Vec::new(),
        };
        let signed = self.sign(params, &terms.names, both_purposes(), extensions, &key);
        signed.map_err(not_made)
    }
}

/// A public key of P-256.
struct Key(Vec<u8>);

impl Key {
    fn read(spki: &[u8]) -> Option<Self> {
        let spki = SubjectPublicKeyInfoRef::from_der(spki).ok()?;
        let curve: ObjectIdentifier = spki.algorithm.parameters?.decode_as().ok()?;
        let bytes = spki.subject_public_key.as_bytes()?;
        (curve == P256).then(|| Self(bytes.to_vec()))
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// secp256r1 (RFC 5480 §2.1.1.1).
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
