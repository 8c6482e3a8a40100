//! Certificate signing requests: a device's, or a vendor's to its CA.

use der::oid::AssociatedOid;
use der::{Decode, Encode};
use serde_json::{Value, json};
use x509_cert::attr::Attribute;
use x509_cert::ext::Extension;
use x509_cert::request::{CertReq, ExtensionReq};

use super::certificate::{merge, some};
use super::key::PublicKey;
use super::sheet::Sheet;
use dc_pki::extensions::Extensions;

/// The contents of a PKCS#10 request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// The subject that it would like (RFC 4514).
    pub subject: String,
    /// Its key.
    pub key: PublicKey,
    /// Its key: a DER SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// The extensions that it would like.
    pub extensions: Extensions,
}

impl Request {
    /// Reads a DER request. Whether its signature is right is for
    /// [`DeviceKey`](dc_pki::DeviceKey) to say.
    ///
    /// Fails with what is wrong with the DER.
    pub fn read(der: &[u8]) -> der::Result<Self> {
        let info = CertReq::from_der(der)?.info;
        let wanted: Vec<Extension> = info.attributes.iter().flat_map(extensions).collect();
        let spki = info.public_key.to_der()?;
        Ok(Self {
            subject: info.subject.to_string(),
            key: PublicKey::of(&spki),
            spki,
            extensions: Extensions::of(&wanted),
        })
    }

    /// For people.
    #[must_use]
    pub fn sheet(&self, title: impl Into<String>) -> Sheet {
        Sheet::new(title)
            .row_if("subject", some(&self.subject))
            .row_if("names", self.extensions.names())
            .row("key", &self.key)
            .row_if("asks for", self.extensions.usage())
            .row("key sha256", self.key.fingerprint())
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut object = self.extensions.to_json();
        let more = json!({
            "type": "request",
            "subject": self.subject,
            "key": self.key.to_json(),
        });
        merge(&mut object, more);
        object
    }
}

/// The extensions in one attribute, if it is an extensionRequest (RFC 2985 §5.4.2).
fn extensions(attribute: &Attribute) -> Vec<Extension> {
    if attribute.oid != ExtensionReq::OID {
        return Vec::new();
    }
    let lists = attribute.values.iter().map(der::Any::decode_as);
    lists
        .filter_map(Result::<ExtensionReq, _>::ok)
        .flat_map(|list| list.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn der() -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["*.cpe.example.com".to_owned()]).unwrap();
        params.serialize_request(&key).unwrap().der().to_vec()
    }

    #[test]
    fn says_what_is_asked_for() {
        let request = Request::read(&der()).unwrap();
        assert_eq!(request.extensions.dns_names, ["*.cpe.example.com"]);
        assert_eq!(request.key.to_string(), "ECDSA P-256");
    }

    proptest! {
        #[test]
        fn never_panics(bytes: Vec<u8>, at in 0usize..300, with: u8) {
            let _ = Request::read(&bytes);
            let mut changed = der();
            if let Some(byte) = changed.get_mut(at) { *byte = with; }
            if let Ok(request) = Request::read(&changed) {
                let _ = request.sheet("").to_string();
            }
        }
    }
}
