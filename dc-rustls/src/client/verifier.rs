//! `rustls::client::danger::ServerCertVerifier`: an inner verifier for the certificate, and dc-core for
//! the credential.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dc_core::{
    DelegatedCredential, DelegationCertificate, Form, Offer, Role, SignatureScheme, Validity,
    VerifiedCredential, Verifier,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore};

use super::authorization::Authorization;
use super::observer::Observer;
use super::remembered::{Claim, Memory, Proved};
use super::{Peer, Presented};
use crate::handover;
use crate::refusal::Refusal;
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
    pub(super) memory: Memory,
}

impl CredentialVerifier {
    /// Verifies the credential of a claim whose certificates `inner` has accepted, and remembers that.
    fn verify_credential(
        &self,
        claim: &Claim<'_>,
        now: UnixTime,
    ) -> Result<Arc<Proved>, dc_core::Error> {
        let Claim {
            wanted,
            end_entity,
            intermediates,
            form,
            credential,
        } = *claim;
        self.check_offered(form)?;
        let credential = DelegatedCredential::decode(form, credential)?;
        let certificate = DelegationCertificate::parse(CertificateDer::from(&**end_entity))?;
        let credential = Verifier::new(Role::Server, &self.offer, self.algorithms)
            .with_max_validity(self.max_validity)?
            .with_issuers(intermediates, &self.roots.roots)
            .verify(&credential, &certificate, Some(wanted), now)?;
        let peer = Arc::new(Peer::from(&credential));
        let holds = self.validity(&certificate, intermediates, &credential);
        let credential = Arc::new(credential);
        let proved = Arc::new(Proved { peer, credential });
        // What cannot be read may be valid at any time.
        if let Ok(holds) = holds {
            self.memory.remember(claim, &proved, holds, now);
        }
        Ok(proved)
    }

    /// The seconds at which all of these pass: at which the credential is valid, and for no longer than it may.
    fn validity(
        &self,
        certificate: &DelegationCertificate<'_>,
        intermediates: &[CertificateDer<'_>],
        credential: &VerifiedCredential,
    ) -> Result<Validity, dc_core::Error> {
        let end = credential.expiry();
        let start = end.as_secs().saturating_sub(self.max_validity.as_secs());
        let start = UnixTime::since_unix_epoch(Duration::from_secs(start));
        let own = Validity::new(start, end).and(certificate.into());
        intermediates
            .iter()
            .try_fold(own, |all, der| Ok(all.and(Validity::of(der)?)))
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
            UnpackError::MalformedCredential { form } => match self.check_offered(form) {
                Ok(()) => error.into(),
                Err(error) => Refusal::Credential(error),
            },
            _ => error.into(),
        }
    }

    /// Accepts a server that has proved its claim but for CertificateVerify, unless the application does not want it.
    fn accept_credential(
        &self,
        claim: &Claim<'_>,
        proved: &Proved,
        now: UnixTime,
    ) -> Result<(), Error> {
        let Proved { peer, credential } = proved;
        let accepted = (
            Arc::clone(credential),
            claim.end_entity.clone().into_owned(),
        );
        if handover::is_public_name(claim.wanted) {
            handover::leave_credential(accepted);
            return Ok(());
        }
        self.authorize(claim.wanted, peer, now)
            .inspect_err(|_| self.memory.forget(claim.wanted))?;
        handover::leave_peer(Arc::clone(peer), Some(accepted));
        Ok(())
    }

    /// Accepts a server with the certificate's own key, if the policy does.
    ///
    /// Whatever the policy is, the public name needs nothing more (RFC 9849 §6.1.7): all that such a server can do is to
    /// say which ECHConfigs it wants. rustls ends the connection then, and here is no peer left that it could be with.
    fn accept_certificate(&self, wanted: &ServerName<'_>, now: UnixTime) -> Result<(), Error> {
        if handover::is_public_name(wanted) {
            return Ok(());
        }
        if !self.certificate_is_enough {
            return Err(refuse(Refusal::CredentialRequired));
        }
        self.authorize(wanted, &Peer::Certificate, now)?;
        handover::leave_peer(Peer::Certificate, None);
        Ok(())
    }

    fn authorize(&self, wanted: &ServerName<'_>, peer: &Peer, now: UnixTime) -> Result<(), Error> {
        let checked = self.authorization.check(wanted, peer, now);
        checked.map_err(refuse)
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
        let claim = unpacked.credential.as_ref().map(|(form, bytes)| Claim {
            wanted: server_name,
            end_entity,
            intermediates,
            form: *form,
            credential: bytes,
        });
        self.observer.show(&Presented {
            offer: &self.offer,
            end_entity,
            intermediates,
            credential: claim.map(|claim| (claim.form, claim.credential)),
        });
        if let Some(claim) = &claim
            && let Some(proved) = self.memory.recall(claim, now)
        {
            self.accept_credential(claim, &proved, now)?;
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            unpacked.ocsp,
            now,
        )?;
        match &claim {
            None => self.accept_certificate(server_name, now)?,
            Some(claim) => {
                let proved = self
                    .verify_credential(claim, now)
                    .map_err(|error| refuse(Refusal::Credential(error)))?;
                self.accept_credential(claim, &proved, now)?;
            }
        }
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
            memory: _,
        } = self;
        f.debug_struct("CredentialVerifier")
            .field("inner", inner)
            .field("certificate_is_enough", certificate_is_enough)
            .field("offer", offer)
            .field("max_validity", max_validity)
            .finish_non_exhaustive()
    }
}
