//! A device as it stands on the other side: with its keys, and checking what it gets.

use dc_core::{DelegatedCredential, DelegationCertificate, Form, Role};
use pki_types::pem::PemObject;
use pki_types::{CertificateDer, UnixTime};
use rcgen::{CertificateParams, KeyPair, PublicKeyData};

use crate::authority::algorithms::algorithms;
use crate::authority::{Authority, Error};
use dc_protocol::{Credential, Credentials, EnrollRequest, RenewRequest};
use dc_store::registry::Sha256;

/// A device with an enrolment key.
pub(crate) struct Cpe {
    key: KeyPair,
    chain: Vec<CertificateDer<'static>>,
}

impl Cpe {
    /// With a certificate that it has signed itself.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        Self {
            key,
            chain: vec![certificate.into()],
        }
    }

    /// With a certificate that somebody else has signed.
    pub(crate) fn with_chain(key: KeyPair, chain: Vec<CertificateDer<'static>>) -> Self {
        Self { key, chain }
    }

    /// SHA-256 of its enrolment key.
    pub(crate) fn key(&self) -> Sha256 {
        Sha256::of(&self.key.subject_public_key_info())
    }

    /// A request signed by the enrolment key itself.
    pub(crate) fn enrolment_csr(&self) -> String {
        csr_of(&self.key)
    }

    pub(crate) async fn enrol(
        &self,
        authority: &Authority,
        csr: &str,
        code: Option<&str>,
        now: UnixTime,
    ) -> Result<Credentials, Error> {
        let request = EnrollRequest {
            csr: csr.to_owned(),
            client_csr: None,
            code: code.map(str::to_owned),
            previous_sha256: None,
        };
        let answer = authority.enrol(&request, &self.chain, now).await?;
        Ok(parse(&answer.json))
    }

    /// Enrols with a code and a fresh credential key.
    pub(crate) async fn enrol_with(
        &self,
        authority: &Authority,
        code: &str,
        now: UnixTime,
    ) -> Result<Credentials, Error> {
        self.enrol(authority, &csr(), Some(code), now).await
    }

    pub(crate) async fn renew(
        &self,
        authority: &Authority,
        request: &RenewRequest,
        now: UnixTime,
    ) -> Result<Credentials, Error> {
        let answer = authority.renew(request, self.key(), now).await?;
        Ok(parse(&answer.json))
    }
}

/// A request for a credential for a key that was just made.
pub(crate) fn csr() -> String {
    csr_of(&KeyPair::generate().unwrap())
}

pub(crate) fn csr_of(key: &KeyPair) -> String {
    // The name in it is somebody else's: nothing but the key may be taken.
    let params = CertificateParams::new(vec!["admin.cpe.example.com".to_owned()]).unwrap();
    params.serialize_request(key).unwrap().pem().unwrap()
}

/// A renewal that shows what the device holds.
pub(crate) fn renewal(previous: &Credentials, idempotency_key: &str) -> RenewRequest {
    RenewRequest {
        csr: csr(),
        client_csr: None,
        previous_sha256: Some(previous.credentials[0].sha256.clone()),
        idempotency_key: idempotency_key.to_owned(),
        next_enrolment_csr: None,
    }
}

fn parse(answer: &[u8]) -> Credentials {
    serde_json::from_slice(answer).unwrap()
}

/// The end of a connection that a credential of an answer is for.
pub(crate) fn role(answer: &Credentials, credential: &Credential) -> Role {
    let stored = dc_core::pem::read(credential.pem.as_bytes()).unwrap();
    let stored = stored.into_iter().next().unwrap();
    let credential = DelegatedCredential::decode(stored.form, &stored.bytes).unwrap();
    dc_core::find_role(&credential, &delegation(answer), algorithms()).unwrap()
}

/// The delegation certificate of an answer.
pub(crate) fn delegation(answer: &Credentials) -> DelegationCertificate<'static> {
    let certificate = CertificateDer::from_pem_slice(answer.chain.as_bytes()).unwrap();
    DelegationCertificate::parse(certificate).unwrap()
}

/// Checks that every credential of an answer is for the name and the chain in it, and says which forms there are.
pub(crate) fn forms(answer: &Credentials) -> Vec<Form> {
    let delegation = delegation(answer);
    let read = |pem: &str| dc_core::pem::read(pem.as_bytes()).unwrap().pop().unwrap();
    answer
        .credentials
        .iter()
        .map(|one| {
            let stored = read(&one.pem);
            assert_eq!(Sha256::of(&stored.bytes).to_string(), one.sha256);
            let credential = DelegatedCredential::decode(stored.form, &stored.bytes).unwrap();
            let claim = credential.credential();
            let expiry = delegation.expiry(claim.valid_time);
            assert!(expiry.as_secs() >= answer.expires && expiry < delegation.not_after());
            let name = claim.unique_name.as_ref().map(ToString::to_string);
            let named = (stored.form == Form::Named).then(|| answer.name.clone());
            assert_eq!(name, named);
            stored.form
        })
        .collect()
}
