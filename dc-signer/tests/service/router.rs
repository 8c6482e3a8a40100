//! A device: its keys, and what it asks the service for.

use std::path::Path;

use pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rcgen::{
    CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType, KeyPair,
};
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::rig::Rig;

/// A device with an enrolment key.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) client: Client,
    pub(crate) enrolment_key: KeyPair,
}

impl Router {
    /// One that nobody knows.
    pub(crate) fn new(rig: &Rig) -> Self {
        Self::at(rig.port, &rig.root())
    }

    /// One that nobody knows, of a service at this port.
    pub(crate) fn at(port: u16, root: &Path) -> Self {
        let enrolment_key = KeyPair::generate().unwrap();
        Self {
            client: client_at(port, root, &enrolment_key),
            enrolment_key,
        }
    }

    /// One that has enrolled with a code.
    pub(crate) fn enrolled(rig: &Rig, external_id: &str) -> (Self, Value) {
        let added = rig.add(external_id);
        let router = Self::new(rig);
        let answer = router.enroll(&csr(), added["code"]["code"].as_str().unwrap());
        (router, answer.ok())
    }

    pub(crate) fn enroll(&self, csr: &str, code: &str) -> Answer {
        let request = json!({"csr": csr, "code": code});
        self.client.post("/v1/enroll", &request)
    }

    pub(crate) fn renew(&self, csr: &str, idempotency_key: &str) -> Answer {
        let request = json!({"csr": csr, "idempotency_key": idempotency_key});
        self.client.post("/v1/renew", &request)
    }
}

/// One with a certificate of its manufacturer, whose subject has a serial number.
pub(crate) fn manufactured(rig: &Rig, ca: &CertifiedIssuer<'_, KeyPair>, serial: &str) -> Router {
    let mut params = CertificateParams::default();
    let serial_number = DnType::CustomDnType(vec![2, 5, 4, 5]);
    params.distinguished_name.push(serial_number, serial);
    certified(rig, ca, &params)
}

/// One whose serial number is that of a hardwareModuleName (RFC 4108 §5), as IEEE 802.1AR has it.
pub(crate) fn hardware_module(
    rig: &Rig,
    ca: &CertifiedIssuer<'_, KeyPair>,
    serial: &str,
) -> Router {
    // The type, of an arc for examples (2.999), and the number.
    let module = [&der(0x06, &[0x88, 0x37])[..], &der(0x04, serial.as_bytes())].concat();
    let module = der(0xa0, &der(0x30, &module));
    let kind = der(0x06, &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x04]);
    let name = der(0xa0, &[kind, module].concat());
    let names = der(0x30, &name);
    let extension = CustomExtension::from_oid_content(&[2, 5, 29, 17], names);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions.push(extension);
    certified(rig, ca, &params)
}

/// Tag, length and contents of something short.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u8::try_from(contents.len()).unwrap();
    assert!(length < 128);
    [&[tag, length], contents].concat()
}

fn certified(rig: &Rig, ca: &CertifiedIssuer<'_, KeyPair>, params: &CertificateParams) -> Router {
    let enrolment_key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&enrolment_key, ca).unwrap();
    let key: PrivateKeyDer<'static> =
        PrivatePkcs8KeyDer::from(enrolment_key.serialize_der()).into();
    let client = Client::with(rig.port, &rig.root(), Some((certificate.into(), key)));
    Router {
        client,
        enrolment_key,
    }
}

pub(crate) fn client(rig: &Rig, key: &KeyPair) -> Client {
    client_at(rig.port, &rig.root(), key)
}

/// The client of a device with this enrolment key, of a service at this port.
pub(crate) fn client_at(port: u16, root: &Path, key: &KeyPair) -> Client {
    let params = CertificateParams::default();
    let certificate = params.self_signed(key).unwrap();
    let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    Client::with(port, root, Some((certificate.into(), key)))
}

/// A request for a new key, which also asks for a name that it must not get.
pub(crate) fn csr() -> String {
    csr_of(&KeyPair::generate().unwrap())
}

pub(crate) fn csr_of(key: &KeyPair) -> String {
    let mut params = CertificateParams::new(["admin.cpe.example.com".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(DnType::CommonName, "admin.cpe.example.com");
    params.serialize_request(key).unwrap().pem().unwrap()
}
