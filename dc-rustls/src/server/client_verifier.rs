//! `rustls::server::danger::ClientCertVerifier`: an inner verifier for the certificate, and dc-core for the
//! credential.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dc_core::{
    DelegatedCredential, DelegationCertificate, Form, Role, SignatureScheme, VerifiedCredential,
    Verifier,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, HandshakeKind, ServerConnection};

use super::Peer;
use super::client_credentials::{ClientCredentials, Question};
use crate::handover;
use crate::refusal::Refusal;
use crate::view::certificate::UnpackError;
use crate::view::presented::{check_ignored, is_extension_entry, unpack_entry};

/// The verifier of one connection, and what it has found out about the client.
///
/// rustls calls it in two steps, which may be on two threads, so the credential is kept here between them.
#[derive(Debug)]
pub(crate) struct ConnectionVerifier {
    policy: Arc<ClientCredentials>,
    question: Arc<Question>,
    client: Mutex<Client>,
}

/// The client of one connection, as far as it is known.
#[derive(Debug, Default)]
struct Client {
    /// The peer that somebody has claimed to be, before the handshake is signed, and its credential.
    claimed: Option<(Arc<Peer>, Option<VerifiedCredential>)>,
    /// The peer that has signed the handshake.
    proved: Option<Arc<Peer>>,
    /// The peer that made the session that was found, which may yet not be resumed.
    offered: Option<Arc<Peer>>,
}

impl Client {
    /// The peer of such a handshake. A session that was found proves nothing in a full one.
    fn of(&self, kind: Option<HandshakeKind>) -> Option<Arc<Peer>> {
        match kind? {
            HandshakeKind::Resumed => self.offered.clone(),
            HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest => self.proved.clone(),
        }
    }
}

impl ConnectionVerifier {
    pub(super) fn new(policy: Arc<ClientCredentials>, question: Arc<Question>) -> Self {
        Self {
            policy,
            question,
            client: Mutex::default(),
        }
    }

    /// The client for whose handshake a session is stored, and over QUIC the client, whose kind of handshake nobody says;
    /// `None` if it has presented nothing.
    pub(crate) fn peer(&self) -> Option<Arc<Peer>> {
        let client = self.client();
        client.proved.clone().or_else(|| client.offered.clone())
    }

    /// The extensions of the CertificateRequest, for which a stand-in is among the names that are announced.
    pub(crate) fn extensions(&self) -> &[u8] {
        &self.question.extensions
    }

    /// Takes the client to be the one that a session was made with, if the session is resumed.
    pub(super) fn resume(&self, peer: Option<Arc<Peer>>) {
        self.client().offered = peer;
    }

    pub(super) fn policy(&self) -> &ClientCredentials {
        &self.policy
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Verifies the certificate, with what was next to it in `entries`.
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        entries: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(ClientCertVerified, Peer, Option<VerifiedCredential>), Error> {
        let (credential, issuers) = self.sort(entries).map_err(refuse)?;
        let inner = self.policy.inner();
        let verified = inner.verify_client_cert(end_entity, &issuers, now)?;
        let Some((form, bytes)) = credential else {
            return match self.policy.takes_certificates() {
                true => Ok((verified, Peer::Certificate, None)),
                false => Err(refuse(Refusal::CredentialRequired)),
            };
        };
        let credential = self
            .verify_credential(form, &bytes, end_entity, &issuers, now)
            .map_err(|error| refuse(Refusal::Credential(error)))?;
        Ok((verified, Peer::from(&credential), Some(credential)))
    }

    /// The end entity's credential, and the certificates without what was next to them.
    ///
    /// RFC 9345 §4.1.2: a credential next to another certificate is ignored.
    fn sort<'a>(&self, entries: &[CertificateDer<'a>]) -> Result<Sorted<'a>, Refusal> {
        let mut own = None;
        let mut issuers = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            if !is_extension_entry(entry) {
                issuers.push(entry.clone());
                continue;
            }
            let refused = |error| self.not_unpacked(error);
            match at {
                0 => own = Some(unpack_entry(entry).map_err(refused)?),
                _ => check_ignored(entry).map_err(refused)?,
            }
        }
        Ok((own, issuers))
    }

    fn verify_credential(
        &self,
        form: Form,
        bytes: &[u8],
        end_entity: &CertificateDer<'_>,
        issuers: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<VerifiedCredential, dc_core::Error> {
        self.check_offered(form)?;
        let credential = DelegatedCredential::decode(form, bytes)?;
        let certificate = DelegationCertificate::parse(CertificateDer::from(&**end_entity))?;
        let policy = &self.policy;
        Verifier::new(Role::Client, &self.question.offer, policy.algorithms())
            .with_max_validity(policy.longest_validity())?
            .with_issuers(issuers, &policy.trust_anchors().roots)
            .verify(&credential, &certificate, None, now)
    }

    /// A form that was not offered is refused as that, whatever is in it.
    fn check_offered(&self, form: Form) -> Result<(), dc_core::Error> {
        match self.question.offer.schemes(form) {
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
}

/// A credential in its form, and certificates.
type Sorted<'a> = (Option<(Form, Vec<u8>)>, Vec<CertificateDer<'a>>);

impl ClientCertVerifier for ConnectionVerifier {
    fn client_auth_mandatory(&self) -> bool {
        !self.policy.is_optional()
    }

    /// rustls asks this of a full handshake alone. So a session that was offered, and found, was not resumed, and who
    /// offered it has not proved to have it: its name or cipher suite may be another's.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.resume(None);
        &self.question.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        entries: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let (verified, peer, credential) = self.verify(end_entity, entries, now)?;
        self.policy.check(&peer, now).map_err(refuse)?;
        self.client().claimed = Some((Arc::new(peer), credential));
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // The configuration has no TLS 1.2.
        Err(refuse(Refusal::VersionTooOld))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let claimed = self.client().claimed.take();
        let Some((peer, credential)) = claimed else {
            return Err(Error::General("nothing was presented".to_owned()));
        };
        match credential {
            None => {
                let inner = self.policy.inner();
                inner.verify_tls13_signature(message, certificate, signature)?;
            }
            Some(credential) => {
                let scheme = SignatureScheme(signature.scheme.into());
                credential
                    .verify_handshake(scheme, message, signature.signature())
                    .map_err(|error| refuse(Refusal::Credential(error)))?;
            }
        }
        self.client().proved = Some(peer);
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.policy.inner().supported_verify_schemes()
    }
}

/// The client, as it was found out, or as the holder of a certificate where no more was asked for.
pub(super) fn client_of(
    verifier: Option<&ConnectionVerifier>,
    connection: &ServerConnection,
) -> Option<Arc<Peer>> {
    match verifier {
        Some(verifier) => verifier.client().of(connection.handshake_kind()),
        None => connection
            .peer_certificates()
            .map(|_| Arc::new(Peer::Certificate)),
    }
}

/// Makes the record layer send the refusal's own alert, and gives rustls the refusal to carry.
fn refuse(refusal: Refusal) -> Error {
    handover::leave_alert(refusal.alert());
    refusal.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_handshake_has_a_proof_of_its_own() {
        let mut client = Client {
            offered: Some(Arc::new(Peer::Certificate)),
            ..Client::default()
        };
        let (full, retried) = (
            HandshakeKind::Full,
            HandshakeKind::FullWithHelloRetryRequest,
        );
        assert!(client.of(Some(HandshakeKind::Resumed)).is_some());
        for kind in [None, Some(full), Some(retried)] {
            assert_eq!(client.of(kind), None);
        }
        client.proved = client.offered.take();
        for kind in [full, retried] {
            assert!(client.of(Some(kind)).is_some());
        }
        assert_eq!(client.of(Some(HandshakeKind::Resumed)), None);
    }
}
