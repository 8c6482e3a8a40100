//! Client certificates, accepted by possession of their key alone.

use std::fmt;
use std::sync::Arc;

use pki_types::{CertificateDer, UnixTime};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};

/// Checks the signature of CertificateVerify, and nothing else.
///
/// Devices sign their certificates themselves, and are known by their keys. Whether a key may do
/// what a request asks for is decided with the request.
#[derive(Debug)]
pub(super) struct Possession(pub(super) WebPkiSupportedAlgorithms);

impl ClientCertVerifier for Possession {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain = [end_entity].into_iter().chain(intermediates);
        TooMuch::check(chain.map(|certificate| certificate.len()))
            .map_err(|error| CertificateError::Other(OtherError(Arc::new(error))))?;
        // Only so that its key can be found, here and later.
        ParsedCertificate::try_from(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// A chain that no device has: it is kept as long as its connection, and somebody may look for a path in it.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct TooMuch {
    count: usize,
    bytes: usize,
}

impl TooMuch {
    /// Fails if certificates of so many bytes are one.
    pub(super) fn check(certificates: impl Iterator<Item = usize>) -> Result<(), Self> {
        let (count, bytes) =
            certificates.fold((0, 0), |(count, bytes), one| (count + 1, bytes + one));
        match count > MAX_CHAIN || bytes > MAX_CHAIN_BYTES {
            true => Err(Self { count, bytes }),
            false => Ok(()),
        }
    }
}

impl std::error::Error for TooMuch {}

/// The part of it that rustls shows in its own error.
impl fmt::Debug for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, bytes } = self;
        write!(
            f,
            "the client sent {count} certificates of {bytes} bytes: send {MAX_CHAIN} of {MAX_CHAIN_BYTES} bytes at most"
        )
    }
}

/// A device's certificate, two of its manufacturer's, and a root that nobody needs.
const MAX_CHAIN: usize = 4;
const MAX_CHAIN_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn verify(chain: &[CertificateDer<'static>]) -> Result<ClientCertVerified, Error> {
        let provider = rustls::crypto::ring::default_provider();
        let possession = Possession(provider.signature_verification_algorithms);
        let (first, others) = chain.split_first().unwrap();
        possession.verify_client_cert(first, others, UnixTime::now())
    }

    #[test]
    fn a_chain_has_four_certificates_and_not_many_bytes() {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        let small: CertificateDer<'static> = params.self_signed(&key).unwrap().into();
        let name = "a".repeat(2000);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let large: CertificateDer<'static> = params.self_signed(&key).unwrap().into();
        let chain = |certificate: &CertificateDer<'static>, count| vec![certificate.clone(); count];
        verify(&chain(&small, 4)).unwrap();
        verify(&chain(&large, 3)).unwrap();
        for (certificate, count) in [(&small, 5), (&large, 4)] {
            let error = verify(&chain(certificate, count)).unwrap_err();
            assert!(
                error.to_string().contains("send 4 of 16384 bytes at most"),
                "{error}"
            );
        }
    }
}
