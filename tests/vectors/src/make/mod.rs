//! Makes the vectors. Every key is an Ed25519 seed of one repeated byte, and Ed25519 signs the same
//! message to the same bytes, so the result is always the same.
//!
//! Nothing of dc-core is used: the bytes are put together here a second time.

use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Map, Value, json};

use super::der;

/// 2026-01-01 00:00:00 UTC.
const NOW: u64 = 1_767_225_600;
const DAY: u64 = 86_400;
const NOT_BEFORE: u64 = NOW - 30 * DAY;
const NOT_AFTER: u64 = NOW + 335 * DAY;
const VALIDITY: [&str; 2] = ["251202000000Z", "261202000000Z"];
const WEEK: u64 = 7 * DAY;

const DELEGATION_SEED: [u8; 32] = [0xde; 32];
const DEVICE_SEED: [u8; 32] = [0xdc; 32];
const ZONE: &str = "*.cpe.example.com";
const NAME: &str = "k3v.cpe.example.com";
const ED25519: u16 = 0x0807;

pub(crate) fn all() -> Value {
    json!({
        "description": "Delegated credentials (RFC 9345) and named delegated credentials; see vectors.md",
        "certificates": certificates(),
        "credentials": credentials(),
    })
}

fn key(seed: &[u8; 32]) -> (Ed25519KeyPair, Vec<u8>) {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).unwrap();
    let spki = der::ed25519_spki(pair.public_key().as_ref());
    (pair, spki)
}

/// The certificates by name: a good one, one that was issued again, and ones that may not delegate.
fn certificate(id: &str) -> Vec<u8> {
    let usage = der::extension(der::DELEGATION_USAGE, false, &[5, 0]);
    let key_usage = |bits| der::extension(der::KEY_USAGE, true, &[3, 2, 7, bits]);
    let digital_signature = key_usage(0x80);
    let name = der::tlv(0x82, &[ZONE.as_bytes()]);
    let names = der::extension(der::SUBJECT_ALT_NAME, false, &der::sequence(&[&name]));
    let (serial, extensions) = match id {
        "good" => (1, vec![names, digital_signature, usage]),
        "reissued" => (2, vec![names, digital_signature, usage]),
        "no-usage" => (3, vec![names, digital_signature]),
        "empty-usage" => {
            let empty = der::extension(der::DELEGATION_USAGE, false, &[]);
            (4, vec![names, digital_signature, empty])
        }
        "critical-usage" => {
            let critical = der::extension(der::DELEGATION_USAGE, true, &[5, 0]);
            (5, vec![names, digital_signature, critical])
        }
        "no-key-usage" => (6, vec![names, usage]),
        "key-agreement-only" => (7, vec![names, key_usage(0x08), usage]),
        "duplicate-usage" => (8, vec![names, digital_signature, usage.clone(), usage]),
        other => panic!("{other}"),
    };
    let (pair, spki) = key(&DELEGATION_SEED);
    der::certificate(&pair, &spki, serial, VALIDITY, &extensions)
}

fn certificates() -> Value {
    let ids = [
        "good",
        "reissued",
        "no-usage",
        "empty-usage",
        "critical-usage",
        "no-key-usage",
        "key-agreement-only",
        "duplicate-usage",
    ];
    let one = |id: &str| {
        let value = json!({
            "der": hex(&certificate(id)),
            "private_key": hex(&der::ed25519_pkcs8(&DELEGATION_SEED)),
            "not_before": NOT_BEFORE,
            "not_after": NOT_AFTER,
            "dns_names": [ZONE],
        });
        (id.to_owned(), value)
    };
    Value::Object(ids.into_iter().map(one).collect())
}

/// A credential to be signed, every part of which can be wrong.
#[derive(Clone)]
struct Draft {
    note: &'static str,
    role: &'static str,
    form: &'static str,
    certificate: &'static str,
    valid_time: u64,
    scheme: u16,
    spki: Vec<u8>,
    name: Option<&'static str>,
    algorithm: u16,
    context: String,
    wanted: Option<&'static str>,
    now: u64,
    error: Option<(&'static str, u8)>,
    lenient_usage: bool,
}

impl Draft {
    fn new(role: &'static str, form: &'static str) -> Self {
        let named = form == "named";
        let kind = if named {
            "named delegated"
        } else {
            "delegated"
        };
        Self {
            note: "valid",
            role,
            form,
            certificate: "good",
            valid_time: NOW + DAY - NOT_BEFORE,
            scheme: ED25519,
            spki: key(&DEVICE_SEED).1,
            name: named.then_some(NAME),
            algorithm: ED25519,
            context: format!("TLS, {role} {kind} credentials"),
            wanted: (named && role == "server").then_some(NAME),
            now: NOW,
            error: None,
            lenient_usage: false,
        }
    }

    fn bad(mut self, note: &'static str, error: &'static str, alert: u8) -> Self {
        self.note = note;
        self.error = Some((error, alert));
        self
    }

    fn body(&self) -> Vec<u8> {
        let mut body = u32::try_from(self.valid_time)
            .unwrap()
            .to_be_bytes()
            .to_vec();
        body.extend(self.scheme.to_be_bytes());
        body.extend(&u32::try_from(self.spki.len()).unwrap().to_be_bytes()[1..]);
        body.extend(&self.spki);
        if let Some(name) = self.name {
            body.push(name.len().try_into().unwrap());
            body.extend(name.as_bytes());
        }
        body
    }

    fn message(&self) -> Vec<u8> {
        [
            &[b' '; 64][..],
            self.context.as_bytes(),
            &[0],
            &certificate(self.certificate),
            &self.body(),
            &self.algorithm.to_be_bytes(),
        ]
        .concat()
    }

    fn signed(&self) -> Vec<u8> {
        self.with_signature_over(&self.message())
    }

    fn with_signature_over(&self, message: &[u8]) -> Vec<u8> {
        self.with_signature(key(&DELEGATION_SEED).0.sign(message).as_ref())
    }

    fn with_signature(&self, signature: &[u8]) -> Vec<u8> {
        let mut credential = self.body();
        credential.extend(self.algorithm.to_be_bytes());
        credential.extend(u16::try_from(signature.len()).unwrap().to_be_bytes());
        credential.extend(signature);
        credential
    }

    fn vector(&self, credential: &[u8]) -> Value {
        let expiry = NOT_BEFORE + self.valid_time;
        let mut vector = json!({
            "note": self.note,
            "role": self.role,
            "form": self.form,
            "certificate": self.certificate,
            "credential": hex(credential),
            "wanted_name": self.wanted,
            "now_first": self.now,
            "now_last": self.now,
        });
        let fields = vector.as_object_mut().unwrap();
        if self.lenient_usage {
            fields.insert("lenient_usage".into(), true.into());
        }
        if let Some((error, alert)) = self.error {
            fields.insert("error".into(), error.into());
            fields.insert("alert".into(), alert.into());
            return vector;
        }
        let message = self.message();
        let sha256 = digest(&SHA256, &message);
        for (field, value) in [
            ("now_first", json!(expiry - WEEK)),
            ("now_last", json!(expiry)),
            ("valid_time", json!(self.valid_time)),
            ("unique_name", json!(self.name)),
            (
                "credential_private_key",
                json!(hex(&der::ed25519_pkcs8(&DEVICE_SEED))),
            ),
            ("signed_message_length", json!(message.len())),
            ("signed_message_sha256", json!(hex(sha256.as_ref()))),
        ] {
            fields.insert(field.into(), value);
        }
        vector
    }
}

fn credentials() -> Value {
    let mut all = Map::new();
    for role in ["server", "client"] {
        for form in ["rfc9345", "named"] {
            let good = Draft::new(role, form);
            let mut add = |id: &str, draft: &Draft, bytes: &[u8]| {
                let id = format!("{role}-{form}-{id}");
                assert!(all.insert(id, draft.vector(bytes)).is_none());
            };
            add("valid", &good, &good.signed());
            of_every_kind(&good, &mut add);
            if form == "named" {
                of_names(&good, &mut add);
            }
        }
    }
    Value::Object(all)
}

/// Errors of credentials of any kind.
fn of_every_kind(good: &Draft, add: &mut dyn FnMut(&str, &Draft, &[u8])) {
    let bytes = good.signed();
    let bad = |note, error, alert| good.clone().bad(note, error, alert);

    let malformed = bad("one byte behind the structure", "TrailingData", 50);
    add("trailing-byte", &malformed, &[&bytes[..], &[0]].concat());
    let malformed = bad("the last byte is missing", "Truncated", 50);
    add("truncated", &malformed, &bytes[..bytes.len() - 1]);
    let malformed = bad("a signature of no bytes", "LengthOutOfRange", 50);
    add("empty-signature", &malformed, &good.with_signature(&[]));

    of_changes(good, add);
    of_contexts(good, add);
    of_times(good, add);
    of_schemes(good, add);
    of_certificates(good, add);
}

/// Errors of bytes that are not those that were signed.
fn of_changes(good: &Draft, add: &mut dyn FnMut(&str, &Draft, &[u8])) {
    let bytes = good.signed();
    let bad = |note, error, alert| good.clone().bad(note, error, alert);

    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    add(
        "flipped-bit",
        &bad("the last bit is flipped", "BadSignature", 47),
        &flipped,
    );
    let mut later = good.clone();
    later.valid_time += 1;
    let changed = later.with_signature_over(&good.message());
    let draft = bad(
        "valid_time is one more than what was signed",
        "BadSignature",
        47,
    );
    add("changed-valid-time", &draft, &changed);
    let draft = bad(
        "algorithm before the credential, as in draft-02",
        "BadSignature",
        47,
    );
    let (body, algorithm) = (good.body(), good.algorithm.to_be_bytes());
    let message = good.message();
    let head = &message[..message.len() - body.len() - 2];
    let swapped = [head, &algorithm, &body].concat();
    add(
        "draft-02-order",
        &draft,
        &good.with_signature_over(&swapped),
    );
}

/// Errors of signatures in another context, or of another certificate.
fn of_contexts(good: &Draft, add: &mut dyn FnMut(&str, &Draft, &[u8])) {
    let bad = |note, error, alert| good.clone().bad(note, error, alert);

    let mut other = bad("signed for the other role", "BadSignature", 47);
    other.context = match other.context.contains("server") {
        true => other.context.replace("server", "client"),
        false => other.context.replace("client", "server"),
    };
    add("other-role", &other, &other.signed());
    let mut other = bad(
        "signed with the context of the other form",
        "BadSignature",
        47,
    );
    other.context = match other.context.contains("named ") {
        true => other.context.replace("named ", ""),
        false => other.context.replace("delegated", "named delegated"),
    };
    add("other-form", &other, &other.signed());
    let mut reissued = bad(
        "sent with a new certificate for the same key",
        "BadSignature",
        47,
    );
    reissued.certificate = "reissued";
    add("other-certificate", &reissued, &good.signed());
}

/// Errors of `valid_time`.
fn of_times(good: &Draft, add: &mut dyn FnMut(&str, &Draft, &[u8])) {
    let bad = |note, error, alert| good.clone().bad(note, error, alert);

    for (id, note, valid_time, error) in [
        (
            "expired",
            "ended a second ago",
            NOW - 1 - NOT_BEFORE,
            "Expired",
        ),
        (
            "lifetime-in-valid-time",
            "valid_time is 604800",
            WEEK,
            "Expired",
        ),
        (
            "eight-days",
            "valid for eight days",
            NOW + 8 * DAY - NOT_BEFORE,
            "ValidityTooLong",
        ),
        (
            "greatest-valid-time",
            "valid_time is 2^32-1",
            u64::from(u32::MAX),
            "ValidityTooLong",
        ),
    ] {
        let mut draft = bad(note, error, 47);
        draft.valid_time = valid_time;
        add(id, &draft, &draft.signed());
    }
}

/// Errors of keys and schemes.
fn of_schemes(good: &Draft, add: &mut dyn FnMut(&str, &Draft, &[u8])) {
    let bad = |note, error, alert| good.clone().bad(note, error, alert);

    for (id, note, scheme, error) in [
        (
            "rsae-scheme",
            "rsa_pss_rsae_sha256 for the credential's key",
            0x0804,
            "ForbiddenScheme",
        ),
        (
            "other-scheme",
            "ecdsa_secp256r1_sha256 for an Ed25519 key",
            0x0403,
            "SchemeKeyMismatch",
        ),
    ] {
        let mut draft = bad(note, error, 47);
        draft.scheme = scheme;
        add(id, &draft, &draft.signed());
    }
    let mut draft = bad(
        "algorithm is for ECDSA, the certificate's key is not",
        "SchemeKeyMismatch",
        47,
    );
    draft.algorithm = 0x0403;
    add("other-algorithm", &draft, &draft.signed());
    let mut draft = bad("the key is not DER", "BadPublicKey", 47);
    draft.spki = b"pubkey".to_vec();
    add("bad-key", &draft, &draft.signed());
}

fn of_certificates(good: &Draft, add: &mut dyn FnMut(&str, &Draft, &[u8])) {
    for (certificate, error) in [
        ("no-usage", "MissingDelegationUsage"),
        ("empty-usage", "UnusableDelegationUsage"),
        ("critical-usage", "CriticalDelegationUsage"),
        ("duplicate-usage", "DuplicateExtension"),
        ("no-key-usage", "MissingDigitalSignature"),
        ("key-agreement-only", "MissingDigitalSignature"),
    ] {
        let mut draft = good
            .clone()
            .bad("the certificate may not delegate", error, 47);
        draft.certificate = certificate;
        add(
            &format!("certificate-{certificate}"),
            &draft,
            &draft.signed(),
        );
    }
    let mut draft = good.clone();
    draft.note = "valid for a verifier that accepts an empty DelegationUsage";
    draft.certificate = "empty-usage";
    draft.lenient_usage = true;
    add("certificate-empty-usage-leniently", &draft, &draft.signed());
}

/// Errors of names.
fn of_names(good: &Draft, add: &mut dyn FnMut(&str, &Draft, &[u8])) {
    for (id, name) in [
        ("upper-case", "K3V.cpe.example.com"),
        ("final-dot", "k3v.cpe.example.com."),
        ("wildcard", "*.cpe.example.com"),
        ("underscore", "k_v.cpe.example.com"),
        ("empty-label", "k3v..example.com"),
        ("hyphen-first", "-3v.cpe.example.com"),
        ("address", "192.0.2.1"),
    ] {
        let mut draft = good.clone().bad("not a unique name", "MalformedName", 50);
        draft.name = Some(name);
        add(&format!("name-{id}"), &draft, &draft.signed());
    }
    let mut draft = good
        .clone()
        .bad("a name of no bytes", "LengthOutOfRange", 50);
    draft.name = Some("");
    add("name-empty", &draft, &draft.signed());
    let mut draft = good.clone().bad("the name was changed", "BadSignature", 47);
    draft.name = Some("k3w.cpe.example.com");
    add(
        "name-changed",
        &draft,
        &draft.with_signature_over(&good.message()),
    );
    let mut draft = good.clone().bad(
        "the certificate's names do not cover it",
        "NameNotCovered",
        47,
    );
    draft.name = Some("k3v.example.com");
    draft.wanted = draft.wanted.and(draft.name);
    add("name-not-covered", &draft, &draft.signed());
    if good.role == "server" {
        of_reference_identities(good, add);
    }
}

/// A client that wanted another name than it got.
fn of_reference_identities(good: &Draft, add: &mut dyn FnMut(&str, &Draft, &[u8])) {
    for (id, wanted) in [
        ("evil-twin", "neighbour.cpe.example.com"),
        ("wanted-address", "192.0.2.1"),
    ] {
        let mut draft = good
            .clone()
            .bad("not the name that was wanted", "NameMismatch", 47);
        draft.wanted = Some(wanted);
        add(id, &draft, &draft.signed());
    }
    let mut draft = good
        .clone()
        .bad("no name was wanted", "MissingReferenceIdentity", 47);
    draft.wanted = None;
    add("nothing-wanted", &draft, &draft.signed());
    let mut draft = good.clone();
    draft.note = "valid: case and a final dot do not matter in what is wanted";
    draft.wanted = Some("K3V.CPE.example.com.");
    add("wanted-in-upper-case", &draft, &draft.signed());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
