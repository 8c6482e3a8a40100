//! `rustls::client::danger::ServerVerifier`: one for each connection, which remembers the credential between the two calls.

use std::hash::Hasher;
use std::sync::{Arc, OnceLock};

use dc_core::{
    Alert, DelegatedCredential, DelegationCertificate, Form, Offer, Role, SignatureScheme,
    VerifiedCredential, Verifier,
};
use rustls::SignerPublicKey;
use rustls::client::danger::{
    HandshakeSignatureValid, ServerIdentity, ServerVerifier, SignatureVerificationInput,
};
use rustls::crypto::{Identity, VerifiedIdentity};
use rustls::error::{CertificateError, Error, InvalidMessage, PeerMisbehaved};
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm};

use crate::view::certificate::unpack;

/// What all connections of a client have in common.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) inner: Arc<dyn ServerVerifier>,
    pub(crate) offer: Offer,
    /// The extensions that make the offer.
    pub(crate) extensions: &'static [u8],
    pub(crate) algorithms: Vec<&'static dyn SignatureVerificationAlgorithm>,
    /// True if an OCSP response is asked for too.
    pub(crate) wants_status: bool,
}

/// The verifier of one connection.
#[derive(Debug)]
pub(crate) struct CredentialVerifier {
    pub(crate) rules: Arc<Rules>,
    /// The accepted credential and the certificate that it was accepted under.
    pub(crate) accepted: OnceLock<(VerifiedCredential, CertificateDer<'static>)>,
    /// Why it was refused, which rustls's errors cannot say.
    pub(crate) refusal: OnceLock<dc_core::Error>,
}

impl CredentialVerifier {
    pub(crate) fn new(rules: Arc<Rules>) -> Self {
        Self {
            rules,
            accepted: OnceLock::new(),
            refusal: OnceLock::new(),
        }
    }

    fn verify_credential(
        &self,
        form: Form,
        bytes: &[u8],
        end_entity: &CertificateDer<'_>,
        identity: &ServerIdentity<'_, '_>,
    ) -> Result<VerifiedCredential, dc_core::Error> {
        let Rules {
            offer, algorithms, ..
        } = &*self.rules;
        if offer.schemes(form).is_none() {
            return Err(dc_core::Error::FormNotOffered { form });
        }
        let credential = DelegatedCredential::decode(form, bytes)?;
        let certificate = DelegationCertificate::parse(CertificateDer::from(&**end_entity))?;
        Verifier::new(Role::Server, offer, algorithms).verify(
            &credential,
            &certificate,
            Some(identity.server_name),
            identity.now,
        )
    }

    fn refuse(&self, error: dc_core::Error) -> Error {
        let alert = error.alert();
        let _ = self.refusal.set(error);
        match alert {
            Alert::DecodeError => InvalidMessage::TrailingData("DelegatedCredential").into(),
            Alert::DecryptError => CertificateError::BadSignature.into(),
            Alert::UnexpectedMessage => PeerMisbehaved::IllegalTls13ContentType.into(),
            _ => PeerMisbehaved::BadCertChainExtensions.into(),
        }
    }
}

impl ServerVerifier for CredentialVerifier {
    /// What rustls takes for an OCSP response is the entry's extensions in the rustls view.
    fn verify_identity<'a>(
        &self,
        identity: &ServerIdentity<'a, '_>,
    ) -> Result<VerifiedIdentity<'a>, Error> {
        let unpacked = unpack(identity.ocsp_response)
            .map_err(|_| InvalidMessage::TrailingData("DelegatedCredential"))?;
        let mut plain = ServerIdentity::new(identity.identity, identity.server_name, identity.now);
        plain.ocsp_response = unpacked.ocsp;
        let verified = self.rules.inner.verify_identity(&plain)?;
        let (Some((form, bytes)), Identity::X509(chain)) = (unpacked.credential, identity.identity)
        else {
            return Ok(verified);
        };
        let credential = self
            .verify_credential(form, &bytes, &chain.end_entity, identity)
            .map_err(|error| self.refuse(error))?;
        let certificate = chain.end_entity.clone().into_owned();
        match self.accepted.set((credential, certificate)) {
            Ok(()) => Ok(verified),
            Err(_) => Err(Error::Unreachable("one verifier, two connections")),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::Unreachable("only suites of TLS 1.3 are offered"))
    }

    fn verify_tls13_signature(
        &self,
        input: &SignatureVerificationInput<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some((credential, certificate)) = self.accepted.get() else {
            return self.rules.inner.verify_tls13_signature(input);
        };
        match input.signer {
            SignerPublicKey::X509(signer) if *signer == certificate => {}
            _ => return Err(Error::Unreachable("another certificate than was verified")),
        }
        let scheme = SignatureScheme(input.signature.scheme.into());
        credential
            .verify_handshake(scheme, input.message, input.signature.signature())
            .map_err(|error| self.refuse(error))?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::crypto::SignatureScheme> {
        self.rules.inner.supported_verify_schemes()
    }

    /// rustls takes the blob whether it has asked for a status or not.
    fn request_ocsp_response(&self) -> bool {
        self.rules.wants_status
    }

    /// Sessions may be shared by connections that offer the same and ask the same.
    fn hash_config(&self, h: &mut dyn Hasher) {
        h.write(self.rules.extensions);
        h.write_u8(self.rules.wants_status.into());
        self.rules.inner.hash_config(h);
    }
}
