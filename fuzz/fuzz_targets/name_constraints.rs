//! Name constraints of a trust anchor, and certificates that come with a chain: a unique name is refused
//! because of what they say, or it is not, and never by chance.
#![no_main]

use std::time::Duration;

use dc_core::{
    Credential, DelegatedCredential, DelegationCertificate, Error, Field, Form, Offer, Role,
    SchemeList, SignatureScheme, UniqueName, VerifiedCredential, Verifier, signed_bytes,
};
use dc_fuzz::Checksum;
use libfuzzer_sys::fuzz_target;
use pki_types::{
    CertificateDer, Der, ServerName, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
};

/// `certificates/good` of docs/vectors.json.
const CERTIFICATE: &[u8] = include_bytes!("../seeds/certificate/good");
/// An Ed25519 SubjectPublicKeyInfo, but for its 32 bytes of key.
const SPKI_HEAD: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
const NAME: &str = "k3v.cpe.example.com";
const ED25519: SignatureScheme = SignatureScheme(0x0807);

fuzz_target!(|input: &[u8]| {
    let issuer = issuer(CERTIFICATE);
    let anchor = |subject: &[u8], constraints: Option<&[u8]>| TrustAnchor {
        subject: Der::from(subject.to_vec()),
        subject_public_key_info: Der::from(Vec::new()),
        name_constraints: constraints.map(|der| Der::from(der.to_vec())),
    };
    let verdict = verify(&[], &[anchor(issuer, Some(input))]);
    check(input, verdict.err(), Field::NameConstraints);
    // Of an anchor that no certificate names, nothing counts.
    assert!(verify(&[], &[anchor(input, None), anchor(&[], Some(input))]).is_ok());
    let verdict = verify(&[input.into()], &[]);
    check(input, verdict.err(), Field::Certificate);
});

/// What is refused is in the input, or the input cannot be read.
fn check(input: &[u8], error: Option<Error>, field: Field) {
    match error {
        None | Some(Error::DuplicateExtension { .. }) => {}
        Some(Error::NameExcluded { name, subtree }) => {
            assert_eq!(name.as_str(), NAME);
            assert!(name.is_within(&subtree), "{subtree:?}");
            let length = u8::try_from(subtree.len()).expect("no longer than the name and two dots");
            let general_name = [&[0x82, length], subtree.as_bytes()].concat();
            let mut windows = input.windows(general_name.len());
            assert!(windows.any(|window| window == general_name));
        }
        Some(Error::MalformedCertificate { field: found }) => {
            assert!(found == field || found == Field::NameConstraints);
        }
        Some(other) => panic!("{other:?}"),
    }
}

/// Verifies a good credential under these issuers.
fn verify(
    intermediates: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
) -> Result<VerifiedCredential, Error> {
    let certificate = DelegationCertificate::parse(CERTIFICATE.into()).expect("a good one");
    let name = UniqueName::try_from(NAME).expect("a good one");
    let device = [SPKI_HEAD, &[7; 32]].concat();
    let claim = Credential::new(1, ED25519, &device, Some(name));
    let mut bytes = Vec::new();
    claim.encode(&mut bytes).expect("a small key");
    let message = signed_bytes(Role::Server, Form::Named, CERTIFICATE, &bytes, ED25519);
    let key = &certificate.spki()[SPKI_HEAD.len()..];
    bytes.extend(ED25519.0.to_be_bytes());
    bytes.extend([0, 8]);
    bytes.extend(Checksum::sign(key, &message));
    let credential = DelegatedCredential::decode(Form::Named, &bytes).expect("a good one");
    let list = || SchemeList::new([ED25519]).expect("one");
    let offer = Offer::new(list()).with(Form::Named, list());
    let algorithms: [&'static dyn SignatureVerificationAlgorithm; 1] = [&Checksum];
    let wanted = ServerName::try_from(NAME).expect("a good one");
    let now = UnixTime::since_unix_epoch(Duration::from_secs(certificate.not_before().as_secs()));
    Verifier::new(Role::Server, &offer, &algorithms)
        .with_issuers(intermediates, anchors)
        .verify(&credential, &certificate, Some(&wanted), now)
}

/// The contents of the issuer's Name.
fn issuer(certificate: &[u8]) -> &[u8] {
    let tbs = contents(contents(certificate));
    // Behind the version, the serial number and the signature's algorithm.
    contents((0..3).fold(tbs, |fields, _| &fields[whole(fields)..]))
}

fn contents(der: &[u8]) -> &[u8] {
    &der[header(der)..whole(der)]
}

/// How long the first structure is.
fn whole(der: &[u8]) -> usize {
    let header = header(der);
    let length = match header {
        2 => &der[1..2],
        _ => &der[2..header],
    };
    let number = |number, &byte| number << 8 | usize::from(byte);
    header + length.iter().fold(0, number)
}

/// How long its tag and length are.
fn header(der: &[u8]) -> usize {
    match der[1] {
        0..0x80 => 2,
        long => 2 + usize::from(long & 0x7f),
    }
}
