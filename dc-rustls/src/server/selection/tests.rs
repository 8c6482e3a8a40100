use dc_core::{DelegatedCredential, SchemeList, SignatureScheme};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::*;
use crate::testing::backend;

const P256: SignatureScheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
const RSA: SignatureScheme = SignatureScheme::RSA_PSS_RSAE_SHA256;
const NOW: u64 = 1000;

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn list(schemes: &[SignatureScheme]) -> SchemeList {
    SchemeList::new(schemes.iter().copied()).unwrap()
}

/// An entry for a P-256 key whose certificate signed with `algorithm`; a name makes it the named form.
fn entry(name: Option<&str>, algorithm: SignatureScheme, expires: u64) -> Arc<Entry> {
    let mut bytes = b"\0\0\0\0\x04\x03\0\0\x01k".to_vec();
    if let Some(name) = name {
        bytes.push(u8::try_from(name.len()).unwrap());
        bytes.extend(name.as_bytes());
    }
    bytes.extend(algorithm.0.to_be_bytes());
    bytes.extend(b"\0\x01s");
    let form = name.map_or(Form::Rfc9345, |_| Form::Named);
    let credential = DelegatedCredential::decode(form, &bytes).unwrap();
    Arc::new(Entry {
        served: Served::Delegated {
            form,
            unique_name: name.map(|name| UniqueName::try_from(name).unwrap().into_owned()),
            expires: at(expires),
        },
        expires: at(expires),
        config: config(),
        requirements: Requirements::from(&credential),
        zone: Some(vec!["*.cpe.example.com".to_owned()]),
    })
}

/// It is never used, only carried.
fn config() -> Arc<ServerConfig> {
    let provider = Arc::new(backend::default_provider());
    let key = rcgen::KeyPair::generate().unwrap().serialize_der();
    let key = provider
        .key_provider
        .load_private_key(rustls::pki_types::PrivatePkcs8KeyDer::from(key).into())
        .unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(
            Vec::new(),
            key,
        ))));
    Arc::new(config)
}

/// The position of what is picked for a client that offers both forms.
fn pick(entries: &[Arc<Entry>], schemes: &[SignatureScheme], name: Option<&str>) -> Option<usize> {
    pick_with(true, entries, schemes, name)
}

fn pick_with(
    spares_nss: bool,
    entries: &[Arc<Entry>],
    schemes: &[SignatureScheme],
    name: Option<&str>,
) -> Option<usize> {
    let offer = Offer::new(list(&[P256, RSA]))
        .with(Form::Rfc9345, list(schemes))
        .with(Form::Named, list(schemes));
    let wanted = Wanted {
        offer: &offer,
        server_name: name,
        now: at(NOW),
        margin: Duration::from_secs(10),
        spares_nss,
    };
    let picked = wanted.pick(entries)?;
    entries.iter().position(|entry| Arc::ptr_eq(entry, picked))
}

#[test]
fn the_very_name_then_any_name_then_none() {
    let [own, other] = ["a.cpe.example.com", "b.cpe.example.com"];
    let entries = [
        entry(None, P256, 2000),
        entry(Some(other), P256, 2000),
        entry(Some(own), P256, 2000),
    ];
    assert_eq!(pick(&entries, &[P256], Some(own)), Some(2));
    assert_eq!(pick(&entries, &[P256], Some("A.cpe.EXAMPLE.com")), Some(2));
    assert_eq!(pick(&entries, &[P256], Some("c.cpe.example.com")), Some(1));
    assert_eq!(pick(&entries, &[P256], None), Some(1));
    assert_eq!(pick(&entries[..1], &[P256], Some(own)), Some(0));
}

#[test]
fn nothing_of_another_zone() {
    let entries = [entry(None, P256, 2000)];
    for name in ["a.example.com", "x.a.cpe.example.com", "not a name"] {
        assert_eq!(pick(&entries, &[P256], Some(name)), None, "{name}");
    }
}

#[test]
fn nothing_within_the_margin_of_its_end() {
    for (expires, fine) in [(NOW + 10, true), (NOW + 9, false), (NOW - 1, false)] {
        assert_eq!(
            pick(&[entry(None, P256, expires)], &[P256], None).is_some(),
            fine
        );
    }
}

#[test]
fn nothing_whose_scheme_the_client_does_not_verify() {
    assert_eq!(pick(&[entry(None, P256, 2000)], &[RSA], None), None);
}

#[test]
fn nothing_delegated_by_rsa_in_the_form_that_nss_refuses() {
    let rsa = [entry(None, RSA, 2000)];
    assert_eq!(pick(&rsa, &[P256], None), None);
    assert_eq!(pick(&rsa, &[P256, RSA], None), Some(0));
    // NSS does not know the named form.
    let named = [entry(Some("a.cpe.example.com"), RSA, 2000)];
    assert_eq!(pick(&named, &[P256], None), Some(0));
}

#[test]
fn only_the_rules_of_rfc_9345_without_the_workaround_for_nss() {
    let rsa = [entry(None, RSA, 2000)];
    assert_eq!(pick_with(false, &rsa, &[P256], None), Some(0));
    // The credential's own scheme still has to be in extension 34.
    assert_eq!(pick_with(false, &rsa, &[RSA], None), None);
}
