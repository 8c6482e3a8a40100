//! `rustls::client::danger::ServerCertVerifier`: an inner verifier for the certificate, and dc-core for
//! the credential.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dc_core::{
    DelegatedCredential, DelegationCertificate, Form, Offer, Role, SignatureScheme,
    VerifiedCredential, Verifier,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore};

use super::authorization::Authorization;
use super::observer::Observer;
use super::{Peer, Presented};
use crate::error::Refusal;
use crate::handover;
use crate::view::certificate::{UnpackError, unpack};
use crate::view::presented::is_extension_entry;

pub(super) struct CredentialVerifier {
    pub(super) inner: Arc<dyn ServerCertVerifier>,
    /// The roots that `inner` trusts, as far as they are known.
    pub(super) roots: Arc<RootCertStore>,
    pub(super) certificate_is_enough: bool,
    /// True if the client may present a credential of its own.
    pub(super) presents: bool,
    pub(super) offer: Offer,
    pub(super) algorithms: &'static [&'static dyn SignatureVerificationAlgorithm],
    pub(super) max_validity: Duration,
    pub(super) authorization: Authorization,
    pub(super) observer: Observer,
}

impl CredentialVerifier {
    fn verify_credential(
        &self,
        form: Form,
        bytes: &[u8],
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        wanted: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<VerifiedCredential, dc_core::Error> {
        self.check_offered(form)?;
        let credential = DelegatedCredential::decode(form, bytes)?;
        let certificate = DelegationCertificate::parse(CertificateDer::from(&**end_entity))?;
        Verifier::new(Role::Server, &self.offer, self.algorithms)
            .with_max_validity(self.max_validity)?
            .with_issuers(intermediates, &self.roots.roots)
            .verify(&credential, &certificate, Some(wanted), now)
    }

    /// A form that was not offered is refused as that, whatever is in it.
    fn check_offered(&self, form: Form) -> Result<(), dc_core::Error> {
        match self.offer.schemes(form) {
            Some(_) => Ok(()),
            None => Err(dc_core::Error::FormNotOffered { form }),
        }
    }

    fn not_unpacked(&self, error: UnpackError) -> Refusal {
        match error {
            UnpackError::DuplicateExtension => Refusal::DuplicateExtension,
            UnpackError::Malformed => Refusal::MalformedExtensions,
            UnpackError::MalformedCredential { form } => match self.check_offered(form) {
                Ok(()) => Refusal::MalformedExtensions,
                Err(error) => Refusal::Credential(error),
            },
            UnpackError::UnexpectedExtension => Refusal::UnexpectedExtension,
        }
    }

    fn accept_certificate(&self, wanted: &ServerName<'_>) -> Result<(), Error> {
        if !self.certificate_is_enough {
            return Err(refuse(Refusal::CredentialRequired));
        }
        self.authorize(wanted, &Peer::Certificate)?;
        handover::leave_peer(Peer::Certificate, None);
        Ok(())
    }

    fn authorize(&self, wanted: &ServerName<'_>, peer: &Peer) -> Result<(), Error> {
        match self.authorization.allows(wanted, peer) {
            true => Ok(()),
            false => Err(refuse(Refusal::NotAuthorized)),
        }
    }
}

impl ServerCertVerifier for CredentialVerifier {
    /// `blob` is what rustls takes for an OCSP response: the entry's extensions in the rustls view.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        blob: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let unpacked = unpack(blob).map_err(|error| refuse(self.not_unpacked(error)))?;
        // To the transcript of a client that presents credentials, this is one of them.
        if self.presents && intermediates.iter().any(|der| is_extension_entry(der)) {
            return Err(refuse(Refusal::MalformedExtensions));
        }
        let credential = unpacked.credential.as_ref();
        self.observer.show(&Presented {
            offer: &self.offer,
            end_entity,
            intermediates,
            credential: credential.map(|(form, bytes)| (*form, &**bytes)),
        });
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            unpacked.ocsp,
            now,
        )?;
        let Some((form, bytes)) = unpacked.credential else {
            self.accept_certificate(server_name)?;
            return Ok(verified);
        };
        let credential = self
            .verify_credential(form, &bytes, end_entity, intermediates, server_name, now)
            .map_err(|error| refuse(Refusal::Credential(error)))?;
        let peer = Peer::from(&credential);
        self.authorize(server_name, &peer)?;
        handover::leave_peer(peer, Some((credential, end_entity.clone().into_owned())));
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // Below TLS 1.3 nothing maps the views, so this came as an OCSP response made to look like a
        // credential.
        if handover::take_credential(certificate).is_some() {
            return Err(refuse(Refusal::VersionTooOld));
        }
        self.inner
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(credential) = handover::take_credential(certificate) else {
            return self
                .inner
                .verify_tls13_signature(message, certificate, signature);
        };
        let scheme = SignatureScheme(signature.scheme.into());
        credential
            .verify_handshake(scheme, message, signature.signature())
            .map_err(|error| refuse(Refusal::Credential(error)))?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.inner.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.inner.root_hint_subjects()
    }
}

/// Makes the record layer send the refusal's own alert, and gives rustls the refusal to carry.
fn refuse(refusal: Refusal) -> Error {
    handover::leave_alert(refusal.alert());
    refusal.into()
}

impl fmt::Debug for CredentialVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            inner,
            roots: _,
            certificate_is_enough,
            presents: _,
            offer,
            algorithms: _,
            max_validity,
            authorization: _,
            observer: _,
        } = self;
        f.debug_struct("CredentialVerifier")
            .field("inner", inner)
            .field("certificate_is_enough", certificate_is_enough)
            .field("offer", offer)
            .field("max_validity", max_validity)
            .finish_non_exhaustive()
    }
}
