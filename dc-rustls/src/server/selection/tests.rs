use dc_core::{DelegatedCredential, SchemeList, SignatureScheme};
use proptest::prelude::*;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::*;
use crate::server::entries::Entries;
use crate::testing::backend;

const P256: SignatureScheme = SignatureScheme::ECDSA_SECP256R1_SHA256;
const RSA: SignatureScheme = SignatureScheme::RSA_PSS_RSAE_SHA256;
const NOW: u64 = 1000;
const OWN: &str = "a.cpe.example.com";

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn list(schemes: &[SignatureScheme]) -> SchemeList {
    SchemeList::new(schemes.iter().copied()).unwrap()
}

/// An entry for a P-256 key whose certificate signed with `algorithm`; a name makes it the named form.
fn entry(name: Option<&str>, algorithm: SignatureScheme, expires: u64) -> Arc<Entry> {
    Arc::new(entry_with(&config(), name, algorithm, expires))
}

fn entry_with(
    config: &Arc<ServerConfig>,
    name: Option<&str>,
    algorithm: SignatureScheme,
    expires: u64,
) -> Entry {
    let mut bytes = b"\0\0\0\0\x04\x03\0\0\x01k".to_vec();
    if let Some(name) = name {
        bytes.push(u8::try_from(name.len()).unwrap());
        bytes.extend(name.as_bytes());
    }
    bytes.extend(algorithm.0.to_be_bytes());
    bytes.extend(b"\0\x01s");
    let form = name.map_or(Form::Rfc9345, |_| Form::Named);
    let credential = DelegatedCredential::decode(form, &bytes).unwrap();
    Entry {
        served: Served::Delegated {
            form,
            unique_name: name.map(|name| UniqueName::try_from(name).unwrap().into_owned()),
            expires: at(expires),
        },
        expires: at(expires),
        config: Arc::clone(config),
        requirements: Requirements::from(&credential),
        zone: Some(vec!["*.cpe.example.com".to_owned()]),
    }
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

/// A client's offer of both forms.
fn offer(schemes: &[SignatureScheme]) -> Offer {
    Offer::new(list(&[P256, RSA]))
        .with(Form::Rfc9345, list(schemes))
        .with(Form::Named, list(schemes))
}

fn wanted<'a>(offer: &'a Offer, server_name: Option<&str>) -> Wanted<'a> {
    Wanted {
        offer,
        name: server_name.into(),
        now: at(NOW),
        margin: Duration::from_secs(10),
        spares_nss: true,
        names_to_nameless: false,
    }
}

/// The position of what is picked for a client that offers both forms.
fn pick(entries: &[Arc<Entry>], schemes: &[SignatureScheme], name: Option<&str>) -> Option<usize> {
    position(entries, &wanted(&offer(schemes), name))
}

fn position(entries: &[Arc<Entry>], wanted: &Wanted<'_>) -> Option<usize> {
    let indexed = Entries::new(entries.to_vec());
    let picked = indexed.pick(wanted)?;
    entries.iter().position(|entry| Arc::ptr_eq(entry, picked))
}

/// As it is installed without checks.
fn unchecked(name: &str) -> Arc<Entry> {
    let entry = Arc::into_inner(entry(Some(name), P256, 2000)).unwrap();
    Arc::new(Entry {
        zone: None,
        ..entry
    })
}

#[test]
fn the_credential_for_the_very_name_before_one_without_a_name() {
    let entries = [
        entry(None, P256, 2000),
        entry(Some("b.cpe.example.com"), P256, 2000),
        entry(Some(OWN), P256, 2000),
    ];
    for name in [OWN, "A.cpe.EXAMPLE.com", "a.cpe.example.com."] {
        assert_eq!(pick(&entries, &[P256], Some(name)), Some(2), "{name}");
    }
    assert_eq!(pick(&entries[..1], &[P256], Some(OWN)), Some(0));
}

#[test]
fn a_named_credential_goes_to_nobody_who_wants_another_name() {
    let entries = [entry(Some(OWN), P256, 2000), entry(None, P256, 2000)];
    let other = "c.cpe.example.com";
    assert_eq!(pick(&entries, &[P256], Some(other)), Some(1));
    assert_eq!(pick(&entries[..1], &[P256], Some(other)), None);
    let offer = offer(&[P256]);
    let lenient = Wanted {
        names_to_nameless: true,
        ..wanted(&offer, Some(other))
    };
    assert_eq!(position(&entries, &lenient), Some(1));
}

#[test]
fn a_named_credential_goes_to_a_client_without_a_name_only_if_the_operator_says_so() {
    let entries = [entry(Some(OWN), P256, 2000), entry(None, P256, 2000)];
    let offer = offer(&[P256]);
    assert_eq!(position(&entries, &wanted(&offer, None)), Some(1));
    let lenient = Wanted {
        names_to_nameless: true,
        ..wanted(&offer, None)
    };
    assert_eq!(position(&entries, &lenient), Some(0));
}

#[test]
fn what_is_installed_unchecked_goes_to_everybody() {
    let entries = [unchecked(OWN)];
    for name in [Some(OWN), Some("c.cpe.example.com"), Some("a.net"), None] {
        assert_eq!(pick(&entries, &[P256], name), Some(0), "{name:?}");
    }
}

#[test]
fn the_name_that_was_kept_is_known_to_the_server() {
    let entries = [entry(Some(OWN), P256, 2000), entry(None, P256, 2000)];
    let (fits, other) = (offer(&[P256]), offer(&[RSA]));
    let indexed = Entries::new(entries.to_vec());
    let kept = |offer, name| indexed.kept_name(&wanted(offer, name));
    let own = UniqueName::try_from(OWN).ok();
    assert_eq!(kept(&fits, Some("c.cpe.example.com")), own);
    assert_eq!(kept(&fits, None), own);
    assert_eq!(kept(&fits, Some(OWN)), None);
    assert_eq!(kept(&other, None), None);
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
    let named = [entry(Some(OWN), RSA, 2000)];
    assert_eq!(pick(&named, &[P256], Some(OWN)), Some(0));
}

#[test]
fn only_the_rules_of_rfc_9345_without_the_workaround_for_nss() {
    let rsa = [entry(None, RSA, 2000)];
    let pick = |schemes| {
        let offer = offer(schemes);
        let wanted = Wanted {
            spares_nss: false,
            ..wanted(&offer, None)
        };
        position(&rsa, &wanted)
    };
    assert_eq!(pick(&[P256]), Some(0));
    // The credential's own scheme still has to be in extension 34.
    assert_eq!(pick(&[RSA]), None);
}

/// Looks at each entry, as the rules say.
fn position_one_by_one(entries: &[Arc<Entry>], wanted: &Wanted<'_>) -> Option<usize> {
    let suits = |entry: &Entry| wanted.takes(entry.requirements) && wanted.may_have(entry);
    let suiting = entries.iter().enumerate().filter(|(_, entry)| suits(entry));
    suiting
        .min_by_key(|(_, entry)| wanted.rank(entry))
        .map(|(at, _)| at)
}

fn kept_one_by_one(entries: &[Arc<Entry>], wanted: &Wanted<'_>) -> Option<UniqueName<'static>> {
    let is_kept = |entry: &&Arc<Entry>| wanted.takes(entry.requirements) && wanted.is_kept(entry);
    entries.iter().find(is_kept)?.unique_name().cloned()
}

prop_compose! {
    /// Of few names, zones and times, so that they meet.
    fn any_entry()(
        name in proptest::option::of(0..NAMES.len()),
        algorithm in prop_oneof![Just(P256), Just(RSA)],
        expires in NOW..NOW + 20,
        zone in proptest::option::of(proptest::collection::vec(0..ZONES.len(), 0..3)),
    ) -> (Option<usize>, SignatureScheme, u64, Option<Vec<usize>>) {
        (name, algorithm, expires, zone)
    }
}

proptest! {
    #[test]
    fn the_index_finds_what_looking_at_each_finds(
        entries in proptest::collection::vec(any_entry(), 0..8),
        name in proptest::option::of(0..NAMES.len() + 1),
        schemes in proptest::sample::select(vec![&[P256][..], &[RSA], &[P256, RSA]]),
        named_only: bool,
        names_to_nameless: bool,
        spares_nss: bool,
    ) {
        let config = config();
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(name, algorithm, expires, zone_of)| {
                let entry = entry_with(&config, name.map(|at| NAMES[at]), algorithm, expires);
                let zone = |zone: Vec<usize>| zone.iter().map(|&at| ZONES[at].to_owned()).collect();
                Arc::new(Entry { zone: zone_of.map(zone), ..entry })
            })
            .collect();
        let offer = match named_only {
            true => Offer::new(list(&[P256, RSA])).with(Form::Named, list(schemes)),
            false => offer(schemes),
        };
        let server_name = name.map(|at| NAMES.get(at).copied().unwrap_or("192.0.2.1"));
        let wanted = Wanted {
            names_to_nameless,
            spares_nss,
            ..wanted(&offer, server_name)
        };
        prop_assert_eq!(position(&entries, &wanted), position_one_by_one(&entries, &wanted));
        let indexed = Entries::new(entries.clone());
        prop_assert_eq!(indexed.kept_name(&wanted), kept_one_by_one(&entries, &wanted));
    }
}

const NAMES: [&str; 4] = [OWN, "b.cpe.example.com", "a.example.net", "example.com"];
const ZONES: [&str; 5] = [
    "*.cpe.example.com",
    "*.CPE.example.com",
    "*.example.net",
    OWN,
    "*.",
];
