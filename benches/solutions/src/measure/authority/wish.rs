//! Requests (PKCS #10) for what the solutions need of a CA.

use dc_pki::test_ca::delegation_usage;
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair, KeyUsagePurpose,
};

use crate::Result;

/// What a request asks for beyond its name.
#[derive(Default)]
pub(super) struct Wish {
    subject: Vec<(DnType, &'static str)>,
    extensions: Vec<CustomExtension>,
}

impl Wish {
    pub(super) fn delegation() -> Self {
        Self {
            extensions: vec![delegation_usage()],
            ..Self::default()
        }
    }

    pub(super) fn authority() -> Self {
        // RFC 5280 §4.2.1.10: a sequence of permitted subtrees [0], each a sequence of a dNSName [2].
        let mut constraints = vec![0x30, 21, 0xa0, 19, 0x30, 17, 0x82, 15];
        constraints.extend_from_slice(ZONE.as_bytes());
        let extensions = [
            ([2, 5, 29, 19], vec![0x30, 3, 1, 1, 0xff]),
            ([2, 5, 29, 30], constraints),
        ];
        let critical = extensions.map(|(oid, content)| {
            let mut extension = CustomExtension::from_oid_content(&oid, content);
            extension.set_criticality(true);
            extension
        });
        Self {
            extensions: critical.into(),
            ..Self::default()
        }
    }

    pub(super) fn matter() -> Self {
        let subject = MATTER.map(|(arc, value)| {
            let oid = [1, 3, 6, 1, 4, 1, 37244, 2, arc];
            (DnType::CustomDnType(oid.into()), value)
        });
        Self {
            subject: subject.into(),
            ..Self::default()
        }
    }

    pub(super) fn request(&self, name: &str) -> Result<Vec<u8>> {
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in &self.subject {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.custom_extensions.clone_from(&self.extensions);
        let request = params.serialize_request(&KeyPair::generate()?)?;
        Ok(request.der().to_vec())
    }
}

/// The vendor's zone.
pub(super) const ZONE: &str = "cpe.example.com";
/// The last number of the identifier, and a value: a vendor and a product for tests.
pub(super) const MATTER: [(u64, &str); 2] = [(1, "FFF1"), (2, "8000")];
