//! What a delegate may ask for: the CSR template of RFC 9115 §4.

use std::collections::BTreeMap;

use der::asn1::ObjectIdentifier;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Result;
use crate::acme::csr::{Csr, KeyKind};
use crate::acme::problem::Problem;

/// A template. A CSR has what it says, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Template {
    #[serde(rename = "keyTypes")]
    key_types: Vec<KeyType>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    subject: BTreeMap<SubjectPart, Slot>,
    extensions: Extensions,
}

/// A kind of key; one of them has to fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum KeyType {
    Curve(CurveType),
    /// RSA and others, which no key fits to that we make.
    Other(Value),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CurveType {
    #[serde(rename = "PublicKeyType")]
    key: String,
    #[serde(rename = "namedCurve")]
    curve: String,
    #[serde(rename = "SignatureType")]
    signature: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extensions {
    #[serde(rename = "subjectAltName")]
    names: Names,
    #[serde(rename = "keyUsage", default, skip_serializing_if = "Vec::is_empty")]
    key_usage: Vec<Usage>,
    #[serde(
        rename = "extendedKeyUsage",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    extended_key_usage: Vec<ExtendedUsage>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    #[serde(rename = "DNS")]
    dns: Vec<Slot>,
}

/// What a field may be: RFC 9115 §4.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
enum Slot {
    /// `**`: the delegate has to say what.
    Required,
    /// `*`: the delegate may say what.
    Optional,
    Literal(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SubjectPart {
    Country,
    StateOrProvince,
    Locality,
    Organization,
    OrganizationalUnit,
    CommonName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Usage {
    DigitalSignature,
    KeyEncipherment,
    KeyAgreement,
    KeyCertSign,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum ExtendedUsage {
    ServerAuth,
    ClientAuth,
}

/// A CSR that a template allows; only [`Template::approve`] makes one.
#[derive(Debug)]
pub(super) struct Approved(Csr);

impl Approved {
    /// To be signed as it is: RFC 9115 §2.4.
    pub(super) fn der(&self) -> &[u8] {
        self.0.der()
    }
}

impl Template {
    /// A TLS server with a key on P-256 and this name, and no other.
    pub(crate) fn server(name: &str) -> Self {
        Self {
            key_types: vec![KeyType::Curve(CurveType {
                key: "id-ecPublicKey".to_owned(),
                curve: "secp256r1".to_owned(),
                signature: "ecdsa-with-SHA256".to_owned(),
            })],
            subject: BTreeMap::new(),
            extensions: Extensions {
                names: Names {
                    dns: vec![Slot::Literal(name.to_owned())],
                },
                key_usage: vec![Usage::DigitalSignature],
                extended_key_usage: vec![ExtendedUsage::ServerAuth],
            },
        }
    }

    /// The names that it says itself.
    pub(crate) fn names(&self) -> Vec<String> {
        self.extensions
            .names
            .dns
            .iter()
            .filter_map(Slot::literal)
            .collect()
    }

    /// The CSR of a delegate that has nothing to add. Fails if the template leaves something for it to say.
    pub(crate) fn fill(&self, key: &KeyPair) -> Result<Vec<u8>> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (part, slot) in &self.subject {
            if let Some(text) = slot.fill("the subject")? {
                params.distinguished_name.push(part.kind(), text);
            }
        }
        for slot in &self.extensions.names.dns {
            if let Some(name) = slot.fill("a name")? {
                params
                    .subject_alt_names
                    .push(SanType::DnsName(name.try_into()?));
            }
        }
        params.key_usages = self.extensions.key_usages();
        params.extended_key_usages = self.extensions.extended_key_usages();
        Ok(params.serialize_request(key)?.der().to_vec())
    }

    /// Fails for a CSR that is not as the template says: RFC 9115 §2.3.2 and §4.1.
    pub(super) fn approve(&self, csr: Csr) -> std::result::Result<Approved, Problem> {
        let bad = |detail: String| Err(Problem::new(403, "badCSR", detail));
        if !self.key_types.iter().any(|kind| kind.fits(csr.key_kind())) {
            return bad(format!(
                "{:?} is none of the template's keyTypes",
                csr.key_kind()
            ));
        }
        self.expect_subject(&csr)?;
        self.expect_names(&csr)?;
        if !same(csr.key_usages(), &self.extensions.key_usages()) {
            return bad(format!("keyUsage is {:?}", csr.key_usages()));
        }
        if !same(
            csr.extended_key_usages(),
            &self.extensions.extended_key_usages(),
        ) {
            return bad(format!(
                "extendedKeyUsage is {:?}",
                csr.extended_key_usages()
            ));
        }
        if csr.has_basic_constraints() {
            return bad("the template has no basicConstraints".to_owned());
        }
        Ok(Approved(csr))
    }

    fn expect_subject(&self, csr: &Csr) -> std::result::Result<(), Problem> {
        let refuse = |detail: String| Err(Problem::new(403, "badCSR", detail));
        let subject = csr.subject();
        for (kind, text) in &subject {
            let slot = self.subject.iter().find(|(part, _)| part.kind() == *kind);
            match slot {
                Some((_, Slot::Literal(literal))) if text.as_ref() != Some(literal) => {
                    return refuse(format!("the subject's {kind:?} has to be {literal}"));
                }
                Some(_) => {}
                None => return refuse(format!("the template's subject has no {kind:?}")),
            }
        }
        for (part, slot) in &self.subject {
            let is_there = subject.iter().any(|(kind, _)| *kind == part.kind());
            if !is_there && *slot != Slot::Optional {
                return refuse(format!("the subject has no {part:?}"));
            }
        }
        Ok(())
    }

    fn expect_names(&self, csr: &Csr) -> std::result::Result<(), Problem> {
        let refuse = |detail: String| Err(Problem::new(403, "rejectedIdentifier", detail));
        let slots = &self.extensions.names.dns;
        let literals = self.names();
        if let Some(missing) = literals.iter().find(|name| !csr.names().contains(name)) {
            return refuse(format!("the name {missing} is missing"));
        }
        let own: Vec<&String> = { csr.names().iter() }
            .filter(|name| !literals.contains(name))
            .collect();
        let count = |wanted: &Slot| slots.iter().filter(|slot| *slot == wanted).count();
        let least = count(&Slot::Required);
        if !(least..=least + count(&Slot::Optional)).contains(&own.len()) {
            return refuse(format!("the template does not have the names {own:?}"));
        }
        Ok(())
    }
}

impl Extensions {
    fn key_usages(&self) -> Vec<KeyUsagePurpose> {
        let usages = self.key_usage.iter();
        usages.map(|usage| usage.purpose()).collect()
    }

    fn extended_key_usages(&self) -> Vec<ExtendedKeyUsagePurpose> {
        let usages = self.extended_key_usage.iter();
        usages.map(|usage| usage.purpose()).collect()
    }
}

impl KeyType {
    fn fits(&self, kind: &KeyKind) -> bool {
        let Self::Curve(CurveType {
            key,
            curve,
            signature,
        }) = self
        else {
            return false;
        };
        let known = |name: &str| {
            let found = OBJECTS.iter().find(|(known, _)| *known == name);
            found.map(|(_, object)| *object)
        };
        known(key) == Some(kind.algorithm)
            && known(curve).is_some_and(|curve| kind.curve == Some(curve))
            && known(signature) == Some(kind.signature)
    }
}

impl Slot {
    fn literal(&self) -> Option<String> {
        match self {
            Self::Literal(text) => Some(text.clone()),
            Self::Required | Self::Optional => None,
        }
    }

    fn fill(&self, what: &str) -> Result<Option<String>> {
        match self {
            Self::Required => {
                Err(format!("the CSR template wants the device to say {what}").into())
            }
            Self::Optional => Ok(None),
            Self::Literal(text) => Ok(Some(text.clone())),
        }
    }
}

impl From<String> for Slot {
    fn from(text: String) -> Self {
        match text.as_str() {
            "**" => Self::Required,
            "*" => Self::Optional,
            _ => Self::Literal(text),
        }
    }
}

impl From<Slot> for String {
    fn from(slot: Slot) -> Self {
        match slot {
            Slot::Required => "**".to_owned(),
            Slot::Optional => "*".to_owned(),
            Slot::Literal(text) => text,
        }
    }
}

impl SubjectPart {
    fn kind(self) -> DnType {
        match self {
            Self::Country => DnType::CountryName,
            Self::StateOrProvince => DnType::StateOrProvinceName,
            Self::Locality => DnType::LocalityName,
            Self::Organization => DnType::OrganizationName,
            Self::OrganizationalUnit => DnType::OrganizationalUnitName,
            Self::CommonName => DnType::CommonName,
        }
    }
}

impl Usage {
    fn purpose(self) -> KeyUsagePurpose {
        match self {
            Self::DigitalSignature => KeyUsagePurpose::DigitalSignature,
            Self::KeyEncipherment => KeyUsagePurpose::KeyEncipherment,
            Self::KeyAgreement => KeyUsagePurpose::KeyAgreement,
            Self::KeyCertSign => KeyUsagePurpose::KeyCertSign,
        }
    }
}

impl ExtendedUsage {
    fn purpose(self) -> ExtendedKeyUsagePurpose {
        match self {
            Self::ServerAuth => ExtendedKeyUsagePurpose::ServerAuth,
            Self::ClientAuth => ExtendedKeyUsagePurpose::ClientAuth,
        }
    }
}

/// Whether both have the same values, in any order.
fn same<T: PartialEq>(some: &[T], others: &[T]) -> bool {
    some.len() == others.len() && some.iter().all(|one| others.contains(one))
}

/// The names of a template's key types: RFC 9115 appendix A.
const OBJECTS: [(&str, ObjectIdentifier); 7] = [
    (
        "id-ecPublicKey",
        ObjectIdentifier::new_unwrap("1.2.840.10045.2.1"),
    ),
    (
        "secp256r1",
        ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
    ),
    ("secp384r1", ObjectIdentifier::new_unwrap("1.3.132.0.34")),
    ("secp521r1", ObjectIdentifier::new_unwrap("1.3.132.0.35")),
    (
        "ecdsa-with-SHA256",
        ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"),
    ),
    (
        "ecdsa-with-SHA384",
        ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"),
    ),
    (
        "ecdsa-with-SHA512",
        ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4"),
    ),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::*;

    const NAME: &str = "a.cpe.example.com";

    fn key() -> KeyPair {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
    }

    fn params() -> CertificateParams {
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params
    }

    /// The name of the problem, if there is one.
    fn judge(template: &Template, params: &CertificateParams, key: &KeyPair) -> Option<String> {
        let der = params.serialize_request(key).unwrap().der().to_vec();
        let approved = Csr::read(&der).and_then(|csr| template.approve(csr));
        approved.err().map(|problem| problem.name().to_owned())
    }

    fn template(json: &str) -> Template {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn approves_what_it_was_filled_to() {
        let template = Template::server(NAME);
        let csr = Csr::read(&template.fill(&key()).unwrap()).unwrap();
        template.approve(csr).unwrap();
        assert_eq!(judge(&template, &params(), &key()), None);
    }

    #[test]
    fn refuses_other_names() {
        let template = Template::server(NAME);
        for names in [
            vec![],
            vec!["b.cpe.example.com"],
            vec![NAME, "b.cpe.example.com"],
        ] {
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            let mut params = CertificateParams::new(names).unwrap();
            params.distinguished_name = DistinguishedName::new();
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            let refused = judge(&template, &params, &key());
            assert_eq!(refused.as_deref(), Some("rejectedIdentifier"));
        }
    }

    #[test]
    fn refuses_other_usages_subjects_and_extensions() {
        let template = Template::server(NAME);
        let change = |change: &dyn Fn(&mut CertificateParams)| {
            let mut params = params();
            change(&mut params);
            assert_eq!(judge(&template, &params, &key()).as_deref(), Some("badCSR"));
        };
        change(&|params| params.key_usages.clear());
        change(&|params| params.key_usages.push(KeyUsagePurpose::KeyCertSign));
        change(&|params| params.extended_key_usages.clear());
        change(&|params| {
            params
                .extended_key_usages
                .push(ExtendedKeyUsagePurpose::ClientAuth);
        });
        change(&|params| params.distinguished_name.push(DnType::CommonName, NAME));
        change(&|params| params.is_ca = rcgen::IsCa::ExplicitNoCa);
        change(&|params| {
            let extension = rcgen::CustomExtension::from_oid_content(&[1, 2, 3], vec![5, 0]);
            params.custom_extensions.push(extension);
        });
    }

    #[test]
    fn refuses_other_keys() {
        let template = Template::server(NAME);
        for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            assert_eq!(judge(&template, &params(), &key).as_deref(), Some("badCSR"));
        }
    }

    #[test]
    fn refuses_a_csr_that_is_signed_with_another_key() {
        let der = params().serialize_request(&key()).unwrap().der().to_vec();
        let mut changed = der.clone();
        *changed.last_mut().unwrap() ^= 1;
        Csr::read(&der).unwrap();
        assert_eq!(Csr::read(&changed).unwrap_err().name(), "badCSR");
    }

    #[test]
    fn stars_stand_for_what_the_delegate_says() {
        let template = template(
            r#"{
                "keyTypes": [{
                    "PublicKeyType": "rsaEncryption", "PublicKeyLength": 2048,
                    "SignatureType": "sha256WithRSAEncryption"
                }, {
                    "PublicKeyType": "id-ecPublicKey", "namedCurve": "secp256r1",
                    "SignatureType": "ecdsa-with-SHA256"
                }],
                "subject": { "country": "CA", "commonName": "**", "locality": "*" },
                "extensions": {
                    "subjectAltName": { "DNS": ["a.cpe.example.com", "*"] },
                    "keyUsage": ["digitalSignature"],
                    "extendedKeyUsage": ["serverAuth"]
                }
            }"#,
        );
        let mut asked = params();
        assert_eq!(judge(&template, &asked, &key()).as_deref(), Some("badCSR"));
        asked.distinguished_name.push(DnType::CommonName, "mine");
        asked.distinguished_name.push(DnType::CountryName, "CA");
        assert_eq!(judge(&template, &asked, &key()), None);
        let other = "b.cpe.example.com".try_into().unwrap();
        asked.subject_alt_names.push(SanType::DnsName(other));
        assert_eq!(judge(&template, &asked, &key()), None);
        asked.distinguished_name.push(DnType::CountryName, "DE");
        assert_eq!(judge(&template, &asked, &key()).as_deref(), Some("badCSR"));
        template.fill(&key()).unwrap_err();
    }

    #[test]
    fn refuses_a_template_with_fields_that_it_does_not_know() {
        let mut json = serde_json::to_value(Template::server(NAME)).unwrap();
        json["extensions"]["tlsFeature"] = "*".into();
        serde_json::from_value::<Template>(json).unwrap_err();
    }

    proptest! {
        #[test]
        fn reads_any_text_as_a_template_without_panic(text in ".*") {
            let _ = serde_json::from_str::<Template>(&text);
        }

        #[test]
        fn reads_any_bytes_as_a_csr_without_panic(bytes in any::<Vec<u8>>()) {
            prop_assert!(Csr::read(&bytes).is_err());
        }

        #[test]
        fn reads_any_changed_csr_without_panic(at in 0usize..200, value in any::<u8>()) {
            let mut der = params().serialize_request(&key()).unwrap().der().to_vec();
            if let Some(byte) = der.get_mut(at) {
                *byte = value;
            }
            let _ = Csr::read(&der).map(|csr| Template::server(NAME).approve(csr));
        }

        #[test]
        fn reads_the_templates_that_it_writes(name in "[a-z*]{1,20}") {
            let template = Template::server(&name);
            let json = serde_json::to_string(&template).unwrap();
            let read: Template = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), json);
        }
    }
}
