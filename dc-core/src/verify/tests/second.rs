//! A second verifier, slow and obvious, that shares nothing with the first: it slices bytes, asks ring
//! directly, and says yes or no. The two must agree on whatever is thrown at them.

use std::format;
use std::string::String;
use std::vec;

use ring::signature::{self, UnparsedPublicKey};

use super::*;

/// Everything a verifier is told.
#[derive(Clone, Debug)]
struct Input {
    role: Role,
    form: Form,
    certificate: Vec<u8>,
    credential: Vec<u8>,
    wanted: Option<&'static str>,
    now: u64,
    schemes: Vec<u16>,
    signature_algorithms: Vec<u16>,
}

/// The end of the credential, if it is to be accepted.
fn second(input: &Input) -> Option<u64> {
    let dc = &input.credential;
    // Where each part begins.
    let spki_end = 9 + number(dc.get(6..9)?);
    let spki = dc.get(9..spki_end)?;
    let (name, end) = match input.form {
        Form::Rfc9345 => (None, spki_end),
        Form::Named => {
            let end = spki_end + 1 + usize::from(*dc.get(spki_end)?);
            (Some(dc.get(spki_end + 1..end)?), end)
        }
    };
    let scheme = u16::try_from(number(&dc[4..6])).unwrap();
    let algorithm = u16::try_from(number(dc.get(end..end + 2)?)).unwrap();
    let signature_len = number(dc.get(end + 2..end + 4)?);
    let signature = dc.get(end + 4..)?;
    if spki.is_empty() || signature.is_empty() || signature.len() != signature_len {
        return None;
    }

    let certificate = Certificate::read(&input.certificate)?;
    let expiry = certificate.not_before + number(&dc[..4]) as u64;
    let in_time = input.now <= expiry && expiry <= input.now + 604_800;
    let offered =
        input.schemes.contains(&scheme) && input.signature_algorithms.contains(&algorithm);
    let named = match name {
        None => true,
        Some(name) => name_is_right(name, &certificate.dns_names, input.wanted, input.role),
    };
    let context = match (input.role, input.form) {
        (Role::Server, Form::Rfc9345) => "TLS, server delegated credentials\0",
        (Role::Client, Form::Rfc9345) => "TLS, client delegated credentials\0",
        (Role::Server, Form::Named) => "TLS, server named delegated credentials\0",
        (Role::Client, Form::Named) => "TLS, client named delegated credentials\0",
    };
    let message = [
        " ".repeat(64).as_bytes(),
        context.as_bytes(),
        &input.certificate,
        &dc[..end + 2],
    ]
    .concat();
    let signed = verifies(&certificate.spki, algorithm, &message, signature);
    let usable = scheme < 0x0804 || scheme == 0x0807;
    let key = usable && key_of(spki, scheme).is_some();
    (in_time && offered && named && signed && key).then_some(expiry)
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |n, &byte| n << 8 | usize::from(byte))
}

fn name_is_right(name: &[u8], dns_names: &[String], wanted: Option<&str>, role: Role) -> bool {
    let Ok(name) = core::str::from_utf8(name) else {
        return false;
    };
    let labels: Vec<&str> = name.split('.').collect();
    let well_formed = name.len() <= 253
        && name
            .chars()
            .all(|c| "abcdefghijklmnopqrstuvwxyz0123456789-.".contains(c))
        && labels.iter().all(|l| !l.is_empty() && l.len() < 64)
        && labels
            .iter()
            .all(|l| !l.starts_with('-') && !l.ends_with('-'))
        && labels.last().is_some_and(|l| l.parse::<u128>().is_err());
    let same = match wanted {
        None => role == Role::Client,
        Some(wanted) => wanted.to_lowercase().trim_end_matches('.') == name,
    };
    let covered = dns_names.iter().any(|dns| {
        let star = format!("*.{}", labels[1..].join("."));
        dns.to_lowercase() == name || dns.to_lowercase() == star
    });
    well_formed && same && covered
}

/// The key's bits, if the key is what the scheme is for.
fn key_of(spki: &[u8], scheme: u16) -> Option<&[u8]> {
    let (head, len): (&[u8], usize) = match scheme {
        0x0403 => (b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\0", 91),
        0x0503 => (b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\0\x22\x03\x62\0", 120),
        0x0807 => (b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\0", 44),
        0x0804 => (b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\0\x03\x82\x01\x0f\0", 294),
        _ => return None,
    };
    // A changed length inside would be found by a parser; here only whole known shapes pass.
    (spki.len() == len)
        .then(|| spki.strip_prefix(head))
        .flatten()
}

fn verifies(spki: &[u8], algorithm: u16, message: &[u8], signature: &[u8]) -> bool {
    let how: &'static dyn signature::VerificationAlgorithm = match algorithm {
        0x0403 => &signature::ECDSA_P256_SHA256_ASN1,
        0x0503 => &signature::ECDSA_P384_SHA384_ASN1,
        0x0807 => &signature::ED25519,
        0x0804 => &signature::RSA_PSS_2048_8192_SHA256,
        _ => return false,
    };
    key_of(spki, algorithm).is_some_and(|key| {
        UnparsedPublicKey::new(how, key)
            .verify(message, signature)
            .is_ok()
    })
}

struct Certificate {
    not_before: u64,
    spki: Vec<u8>,
    dns_names: Vec<String>,
}

impl Certificate {
    /// Looks for what it needs among all elements, whichever way they are nested. Only for
    /// certificates that the templates make.
    fn read(der: &[u8]) -> Option<Self> {
        let mut all = Vec::new();
        flatten(der, &mut all);
        let time = all.iter().find(|(tag, ..)| *tag == 0x17).unwrap();
        let delegates = all.windows(2).filter(|w| w[0].1 == DELEGATION_USAGE_DER);
        let usages: Vec<_> = delegates.map(|w| (w[1].0, w[1].1)).collect();
        let key_usage = all.windows(3).find(|w| w[0].1 == [0x55, 0x1d, 0x0f])?;
        // The value follows, behind `critical` if that is written.
        let value = if key_usage[1].0 == 1 {
            key_usage[2].1
        } else {
            key_usage[1].1
        };
        let signs = value.get(3).is_some_and(|bits| bits & 0x80 != 0);
        if usages != [(0x04, &[5, 0][..])] || !signs {
            return None;
        }
        let dns_names = all.iter().filter(|(tag, ..)| *tag == 0x82);
        let spki = all.iter().find(|(tag, _, whole)| {
            *tag == 0x30
                && [0x0403, 0x0503, 0x0807, 0x0804]
                    .iter()
                    .any(|&s| key_of(whole, s).is_some())
        });
        Some(Self {
            not_before: unix(core::str::from_utf8(time.1).unwrap()),
            spki: spki?.2.to_vec(),
            dns_names: dns_names
                .map(|(_, value, _)| String::from_utf8(value.to_vec()).unwrap())
                .collect(),
        })
    }
}

const DELEGATION_USAGE_DER: &[u8] = b"\x2b\x06\x01\x04\x01\x82\xda\x4b\x2c";

/// Tag, contents and whole of every element, outer before inner, also of those in OCTET STRINGs.
fn flatten<'a>(mut der: &'a [u8], all: &mut Vec<(u8, &'a [u8], &'a [u8])>) {
    while let [tag, first, rest @ ..] = der {
        let long = if *first < 0x80 {
            0
        } else {
            usize::from(first & 0x7f)
        };
        let length = if long == 0 {
            usize::from(*first)
        } else {
            number(&rest[..long])
        };
        let Some(value) = rest.get(long..).and_then(|value| value.get(..length)) else {
            return;
        };
        let size = 2 + long + length;
        all.push((*tag, value, &der[..size]));
        if tag & 0x20 != 0 || (*tag == 0x04 && value.first() == Some(&0x30)) {
            flatten(value, all);
        }
        der = &der[size..];
    }
}

/// `YYMMDDhhmmssZ`, counted day by day.
fn unix(time: &str) -> u64 {
    let part = |at: usize| time[at..at + 2].parse::<u64>().unwrap();
    let leap = |year: u64| year.is_multiple_of(4);
    let (year, month) = (2000 + part(0), part(2));
    let years: u64 = (1970..year).map(|y| 365 + u64::from(leap(y))).sum();
    let lengths = [
        31,
        28 + u64::from(leap(year)),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let months: u64 = (1..month).map(|m| lengths[m as usize - 1]).sum();
    let days = years + months + part(4) - 1;
    ((days * 24 + part(6)) * 60 + part(8)) * 60 + part(10)
}

fn first(input: &Input) -> Result<u64, Error> {
    let certificate = DelegationCertificate::parse(input.certificate.as_slice().into())?;
    let credential = DelegatedCredential::decode(input.form, &input.credential)?;
    let list = |codes: &[u16]| SchemeList::new(codes.iter().copied().map(SignatureScheme)).unwrap();
    let offer =
        Offer::new(list(&input.signature_algorithms)).with(input.form, list(&input.schemes));
    let wanted = input.wanted.map(|name| name.try_into().unwrap());
    Verifier::new(input.role, &offer, algorithms())
        .verify(&credential, &certificate, wanted.as_ref(), at(input.now))
        .map(|verified| verified.expiry().as_secs())
}

fn key(index: usize) -> TestKey {
    match index {
        0 => TestKey::p256(),
        1 => TestKey::p384(),
        2 => TestKey::ed25519(),
        _ => TestKey::rsa(SignatureScheme(0x0804)),
    }
}

fn template(kind: usize, key: TestKey) -> CertificateTemplate {
    let mut template = CertificateTemplate {
        key,
        ..CertificateTemplate::default()
    };
    match kind {
        0 => template.usage = vec![],
        1 => template.usage = vec![(true, vec![5, 0])],
        2 => template.usage = vec![(false, vec![])],
        3 => template.usage.push((false, vec![5, 0])),
        4 => template.key_usage = vec![rcgen::KeyUsagePurpose::KeyAgreement],
        5 => template.key_usage = vec![],
        6 => template.dns_names = vec!["k3v.cpe.example.com", "*.EXAMPLE.com"],
        _ => {}
    }
    template
}

/// A change of the bytes after signing.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Flip(prop::sample::Index),
    Set(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Append(u8),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        let index = any::<prop::sample::Index>;
        prop_oneof![
            6 => Just(Self::None),
            1 => index().prop_map(Self::Flip),
            1 => (index(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            1 => index().prop_map(Self::Cut),
            1 => any::<u8>().prop_map(Self::Append),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        match self {
            Self::None => {}
            Self::Flip(bit) => bytes[bit.index(length)] ^= 1 << (bit.index(length * 8) % 8),
            Self::Set(at, byte) => bytes[at.index(length)] = *byte,
            Self::Cut(at) => bytes.truncate(at.index(length)),
            Self::Append(byte) => bytes.push(*byte),
        }
    }
}

/// Mostly right, so that a single thing that is wrong shows.
fn mostly<T: Clone + fmt::Debug + 'static>(right: T, others: Vec<T>) -> impl Strategy<Value = T> {
    prop_oneof![8 => Just(right), 1 => prop::sample::select(others)]
}

prop_compose! {
    fn any_input()(
        kind in 0..4_usize,
        other_role in mostly(false, vec![true]),
        delegation in 0..4_usize,
        device in 0..3_usize,
        certificate in mostly(9, (0..8).collect()),
        damage in Damage::any(),
        remaining in mostly(86_400_i64, vec![-1, 0, 1, 604_800, 604_801, 2_000_000, -25_315_200]),
        scheme in mostly(None, vec![Some(0x0403_u16), Some(0x0807), Some(0x0804), Some(0x0904)]),
        algorithm in mostly(None, vec![Some(0x0403_u16), Some(0x0807), Some(0x0804), Some(0x0809)]),
        name in mostly(NAME, vec!["k3w.cpe.example.com", "cpe.example.com", "a.b.cpe.example.com"]),
        wanted in mostly(Some(NAME), vec![
            None, Some("K3V.cpe.example.com"), Some("k3v.cpe.example.com."), Some("cpe.example.com"),
            Some("192.0.2.1"),
        ]),
        lists in mostly((None, None), vec![
            (Some(0x0403_u16), None), (None, Some(0x0403_u16)), (Some(0x0807), Some(0x0804)),
        ]),
    ) -> Input {
        let (role, form) = KINDS[kind];
        let (delegation, device) = (template(certificate, key(delegation)).build(), key(device));
        let spki = device.spki();
        let own = crate::Signer::scheme(&device);
        let by = crate::Signer::scheme(&delegation.key);
        let claim = Claim {
            valid_time: u32::try_from(i64::from(valid_until(NOW)) + remaining).unwrap(),
            scheme: scheme.map_or(own, SignatureScheme),
            spki: &spki,
            name: (form == Form::Named).then_some(name),
            algorithm: algorithm.map_or(by, SignatureScheme),
        };
        let mut credential = delegation.sign_anything(role, &claim);
        damage.apply(&mut credential);
        let all = || vec![0x0403, 0x0503, 0x0807, 0x0804, 0x0809, 0x0904];
        Input {
            role: if other_role { KINDS[(kind + 2) % 4].0 } else { role },
            form,
            certificate: delegation.der.to_vec(),
            credential,
            wanted,
            now: NOW,
            schemes: lists.0.map_or_else(all, |only| vec![only]),
            signature_algorithms: lists.1.map_or_else(all, |only| vec![only]),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn both_verifiers_agree(input in any_input()) {
        prop_assert_eq!(first(&input).ok(), second(&input), "{:?}", first(&input));
    }
}

/// Agreement would mean little if nothing were ever accepted.
#[test]
fn the_second_verifier_accepts_every_kind() {
    for delegation in 0..4 {
        let make = || CertificateTemplate {
            key: key(delegation),
            ..CertificateTemplate::default()
        };
        for scene in Scene::all_with(make, TestKey::p384) {
            let input = Input {
                role: scene.role,
                form: scene.form,
                certificate: scene.delegation.der.to_vec(),
                credential: scene.sign(|_| {}),
                wanted: Some(NAME),
                now: NOW,
                schemes: vec![0x0503],
                signature_algorithms: vec![0x0403, 0x0503, 0x0807, 0x0804],
            };
            assert_eq!(second(&input), Some(NOW + DAY));
            assert_eq!(first(&input), Ok(NOW + DAY));
        }
    }
}
