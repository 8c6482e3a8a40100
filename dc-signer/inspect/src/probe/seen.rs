//! The certificates and the credential that a server presented, accepted or not.

use std::sync::{Arc, Mutex, PoisonError};

use dc_core::Form;
use pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

/// The contents of the server's Certificate message.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Seen {
    /// The certificates, the end-entity certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The credential next to the first one, as it was sent.
    pub credential: Option<(Form, Vec<u8>)>,
}

/// Where the parts of a client put what they see; the first connection counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Arc<Mutex<Option<Seen>>>);

impl Shared {
    pub(super) fn put(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        credential: Option<(Form, &[u8])>,
    ) {
        let all = [end_entity].into_iter().chain(intermediates);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get_or_insert_with(|| Seen {
            chain: all
                .map(|certificate| certificate.clone().into_owned())
                .collect(),
            credential: credential.map(|(form, bytes)| (form, bytes.to_vec())),
        });
    }

    pub(super) fn take(&self) -> Option<Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Judges chains with the roots there are, or takes every chain so that the rest can be seen.
#[derive(Debug)]
pub(super) struct Onlooker {
    pub(super) roots: Option<Arc<dyn ServerCertVerifier>>,
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) seen: Shared,
}

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.seen.put(end_entity, intermediates, None);
        match &self.roots {
            Some(roots) => {
                roots.verify_server_cert(end_entity, intermediates, server_name, ocsp, now)
            }
            // Nothing is sent over such a connection, and the chain is reported as unknown.
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
