//! Devices that are known to the signer, and what they send.

use std::sync::{Arc, Mutex};

use dc_protocol::{Credentials, RenewRequest};
use rcgen::{CertificateParams, DistinguishedName, KeyPair, PublicKeyData};
use ring::digest;
use rustls::ClientConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::client;

/// One device.
pub(crate) struct Device {
    pub(crate) external_id: String,
    /// The SHA-256 of its enrolment key, in hexadecimal.
    pub(crate) enrolment_key: String,
    /// Shows its enrolment key.
    pub(crate) client: Arc<ClientConfig>,
    /// A certificate signing request in PEM. Real devices make a new key each time; for the signer that is the same.
    csr: String,
    /// The SHA-256 of the credential that it holds.
    held: Mutex<Option<String>>,
}

pub(crate) fn make(count: usize) -> Vec<Device> {
    (0..count).map(device).collect()
}

fn device(number: usize) -> Device {
    let enrolment = KeyPair::generate().unwrap();
    let params = CertificateParams::new([]).unwrap();
    let certificate = params.self_signed(&enrolment).unwrap();
    let spki = enrolment.subject_public_key_info();
    let key = PrivatePkcs8KeyDer::from(enrolment.serialize_der()).into();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let certified = CertifiedKey::new(vec![certificate.der().clone()], key);
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name = DistinguishedName::new();
    let csr = params.serialize_request(&KeyPair::generate().unwrap());
    Device {
        external_id: format!("device-{number}"),
        enrolment_key: digest::digest(&digest::SHA256, &spki)
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
        client: client::config(Arc::new(SingleCertAndKey::from(certified))),
        csr: csr.unwrap().pem().unwrap(),
        held: Mutex::new(None),
    }
}

impl Device {
    /// The body of a request, which no other has been.
    pub(crate) fn request(&self, number: usize) -> String {
        let request = RenewRequest {
            csr: self.csr.clone(),
            client_csr: None,
            previous_sha256: self.held.lock().unwrap().clone(),
            idempotency_key: number.to_string(),
            next_enrolment_csr: None,
        };
        serde_json::to_string(&request).unwrap()
    }

    /// Takes an answer as a device does.
    pub(crate) fn take(&self, body: &[u8]) -> Result<(), serde_json::Error> {
        let mut answer: Credentials = serde_json::from_slice(body)?;
        let credential = answer.credentials.pop();
        *self.held.lock().unwrap() = credential.map(|credential| credential.sha256);
        Ok(())
    }
}
