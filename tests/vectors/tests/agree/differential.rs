//! The reference beside dc-core, with credentials that are published in no file: each is a published one with something
//! changed, and half of them are signed again, so that more is looked at than the signature.

use dc_vectors::format::credentials::{
    Certificate, Certificates, CredentialVector, Credentials, KeyType,
};
use dc_vectors::format::{self, Assumed, Form, Needs};
use dc_vectors::reference::{Reference, Signatures};
use ring::signature::Ed25519KeyPair;

use super::algorithms::with_ring;
use super::credentials::Case;

/// A generator of numbers that are the same each time (Marsaglia's xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit
    }
}

#[test]
fn ten_thousand_changed_credentials_are_decided_as_dc_core_does() {
    let files = super::published();
    let algorithms = with_ring();
    let signatures = Signatures::default();
    let reference = Reference::new(None, &signatures);
    let originals: Vec<&CredentialVector> =
        files.credentials.values().filter(|v| suits(v)).collect();
    let mut numbers = Numbers(0x9345_ff22);
    let mut accepted = 0;
    for number in 0..10_000 {
        let mut vector = originals[numbers.below(originals.len())].clone();
        change(&mut vector, &files, &mut numbers);
        let now = vector.now_first;
        let ours = reference.judge(&vector, &files, now);
        let theirs = Case::of(&vector, &files, &algorithms).verify(now);
        assert_eq!(
            ours.is_ok(),
            theirs.is_ok(),
            "{number}: {ours:?}, dc-core {theirs:?}: {}",
            serde_json::to_string(&vector).unwrap()
        );
        accepted += usize::from(ours.is_ok());
    }
    // Neither refuses everything.
    assert!((500..9_500).contains(&accepted), "{accepted}");
}

/// What dc-core can be asked by itself: without the path, and with ring's algorithms.
fn suits(vector: &CredentialVector) -> bool {
    let lacks = |need: &Needs| matches!(need, Needs::Ed448 | Needs::P521 | Needs::RsaPssPss);
    vector.assumes.contains(&Assumed::Path)
        && vector.assumes.contains(&Assumed::CertificateName)
        && !vector.needs.iter().any(lacks)
}

/// Changes one or two things of a vector.
fn change(vector: &mut CredentialVector, files: &Credentials, numbers: &mut Numbers) {
    for _ in 0..=numbers.below(2) {
        let length = vector.credential.0.len();
        if length == 0 {
            return;
        }
        match numbers.below(9) {
            0 => vector.credential.0[numbers.below(length)] ^= 1 << numbers.below(8),
            1 => {
                vector.credential.0[numbers.below(length)] =
                    u8::try_from(numbers.below(256)).unwrap();
            }
            2 => vector.credential.0.truncate(numbers.below(length).max(1)),
            3 => vector.credential.0.insert(numbers.below(length), b'a'),
            4 => vector.certificate = any_of(&files.certificates, numbers),
            5 => vector.wanted_name = Some(changed_name(vector, numbers)),
            6 => vector.now_first = changed_time(vector, files, numbers),
            7 => {
                vector.role = match vector.role {
                    format::Role::Server => format::Role::Client,
                    format::Role::Client => format::Role::Server,
                }
            }
            _ => {}
        }
    }
    if numbers.below(2) == 0 {
        sign_again(vector, &files.certificates[&vector.certificate]);
    }
}

fn any_of(certificates: &Certificates, numbers: &mut Numbers) -> String {
    let mut names = certificates.keys();
    let number = numbers.below(names.len());
    names.nth(number).unwrap().clone()
}

fn changed_name(vector: &CredentialVector, numbers: &mut Numbers) -> String {
    let name = vector
        .wanted_name
        .as_deref()
        .unwrap_or("k3v.cpe.example.com");
    match numbers.below(8) {
        0 => name.to_ascii_uppercase(),
        1 => format!("{name}."),
        2 => format!("{name}.."),
        3 => format!("x{name}"),
        4 => name.get(1..).unwrap_or_default().to_owned(),
        5 => "192.0.2.1".to_owned(),
        6 => name.replacen('k', "\u{212a}", 1),
        _ => name
            .split_once('.')
            .map_or(name, |(_, parent)| parent)
            .to_owned(),
    }
}

/// A time at one of the ends, or a second beside it.
fn changed_time(vector: &CredentialVector, files: &Credentials, numbers: &mut Numbers) -> u64 {
    let certificate = &files.certificates[&vector.certificate];
    let valid_time = vector
        .credential
        .0
        .first_chunk()
        .map_or(0, |octets| u32::from_be_bytes(*octets));
    let end = certificate.not_before + u64::from(valid_time);
    let near = [
        end,
        end.saturating_sub(604_800),
        certificate.not_before,
        certificate.not_after,
    ];
    (near[numbers.below(near.len())] + 1).saturating_sub(numbers.below(3) as u64)
}

/// Puts a signature by the certificate's key, if that is an Ed25519 key, in the place of the last 64 octets.
fn sign_again(vector: &mut CredentialVector, certificate: &Certificate) {
    let octets = &mut vector.credential.0;
    let Some(end) = octets.len().checked_sub(64 + 2 + 2) else {
        return;
    };
    if certificate.key != KeyType::Ed25519 {
        return;
    }
    let kind = match vector.form {
        Form::Named => "named delegated",
        Form::Rfc9345 => "delegated",
    };
    let role = match vector.role {
        format::Role::Server => "server",
        format::Role::Client => "client",
    };
    let context = format!("TLS, {role} {kind} credentials\0");
    let (signed, _) = octets.split_at(end + 2);
    let message = [
        &[b' '; 64][..],
        context.as_bytes(),
        &certificate.der.0,
        signed,
    ]
    .concat();
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&certificate.private_key.0).unwrap();
    octets.splice(end + 4.., key.sign(&message).as_ref().to_vec());
}
