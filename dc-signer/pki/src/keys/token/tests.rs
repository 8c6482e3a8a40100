//! Keys in a SoftHSM, which has them in files: its folder can be taken away and brought back like a token.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use apparatus::SoftHsm;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::Attribute;
use rustls::crypto::ring::default_provider;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::*;
use crate::files::{self, Access, NewFile};
use crate::keys::{KeyType, TokenState, generate_in_token, import_into_token, list_tokens};
use crate::keys::{NotSigned, OpenKey};
use crate::names::ZoneName;
use crate::sealing::{Label, SealError, Sealed, SealingKey, SealingKeys, SealingSource, Which};
use crate::secret::SecretSource;
use crate::test_ca::{self, TestRoot};
use crate::token_fault::Tries;
use crate::{Delegation, Wanted};

/// A SoftHSM, with the PIN of its token in a file. The module reads where it is from the environment, so that a test with it is a
/// process of its own.
struct Hsm {
    folder: PathBuf,
    tokens: SoftHsm,
}

impl Hsm {
    /// Runs a test in a process of its own; `None` in any other.
    fn of(test: &str) -> Option<Self> {
        if let Some(folder) = std::env::var_os("DC_TOKEN_FOLDER") {
            let folder = PathBuf::from(folder);
            let tokens = SoftHsm::of(folder.clone());
            let hsm = Self { folder, tokens };
            hsm.set_pin("pin-of-hsm\n");
            return Some(hsm);
        }
        let folder = tempfile::tempdir().unwrap();
        let tokens = SoftHsm::new(folder.path())?;
        let output = Command::new(std::env::current_exe().unwrap())
            .args([&format!("keys::token::tests::{test}"), "--exact", "--quiet"])
            .env("DC_TOKEN_FOLDER", folder.path())
            .env(SoftHsm::VARIABLE, tokens.settings())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        None
    }

    fn set_pin(&self, pin: &str) {
        let file = NewFile {
            name: "pin",
            contents: pin.as_bytes(),
            access: Access::Owner,
        };
        files::stage(&self.folder, &file)
            .unwrap()
            .replace()
            .unwrap();
    }

    /// Makes a key, puts it into the token, and returns its public half.
    fn import(&self, label: &str, id: &str, pair: &str) -> Vec<u8> {
        fs::write(self.folder.join("key.pem"), pair).unwrap();
        self.tokens.util(&format!(
            "--import key.pem --token hsm --label {label} --id {id} --pin pin-of-hsm"
        ));
        let key = crate::keys::PemKey::read(&self.folder.join("key.pem")).unwrap();
        key.spki().to_vec()
    }

    fn uri(&self, object: &str) -> TokenUri {
        let (module, pin) = (SoftHsm::module(), self.folder.join("pin"));
        let (module, pin) = (module.display(), pin.display());
        format!("pkcs11:token=hsm;{object}?module-path={module}&pin-source=file:{pin}")
            .parse()
            .unwrap()
    }

    fn open(&self, object: &str) -> Result<OpenKey, Error> {
        self.open_with(object, &Unlock::default())
    }

    fn open_with(&self, object: &str, unlock: &Unlock) -> Result<OpenKey, Error> {
        OpenKey::open(KeyLocation::Token(Box::new(self.uri(object))), unlock)
    }
}

fn pair(algorithm: &'static rcgen::SignatureAlgorithm) -> String {
    let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
    pair.serialize_pem()
}

impl Hsm {
    /// The URI of a key that seals.
    fn secret_uri(&self, object: &str) -> TokenUri {
        let uri = self
            .uri(&format!("object={object};type=private"))
            .to_string();
        TokenUri::of_secret_key(&uri.replace("private", "secret-key")).unwrap()
    }

    fn keys(&self, object: &str, next: Option<&str>) -> Result<SealingKeys, SealError> {
        let source = |object| SealingSource::Token(Box::new(self.secret_uri(object)));
        let next = next.map(source);
        SealingKeys::read(&source(object), next.as_ref(), &Unlock::default())
    }
}

const LABEL: Label<'_> = Label {
    what: "secret/names",
    tenant: "default",
    version: 1,
};

/// Seals with a key in use.
fn seal(keys: &SealingKeys) -> Result<Vec<u8>, SealError> {
    keys.key(Which::Current, &[])?.seal(&LABEL, b"secret")
}

fn is_opened(keys: &SealingKeys, sealed: &[u8]) {
    assert_eq!(keys.open(&LABEL, sealed).unwrap().as_slice(), b"secret");
}

/// Without its public half, which SoftHSM's program does not take.
fn ed25519() -> String {
    let der = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let der = der.serialize_der();
    // OneAsymmetricKey: version, algorithm, and the key in two OCTET STRINGs (RFC 8410 §7).
    let at = der
        .windows(4)
        .position(|part| part == [4, 34, 4, 32])
        .unwrap();
    let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70";
    crate::pem::encode("PRIVATE KEY", &[head, &der[at..at + 36]].concat())
}

fn fault(opened: Result<OpenKey, Error>) -> TokenFault {
    match opened.unwrap_err() {
        Error::Token { fault, .. } => fault,
        error => panic!("{error}"),
    }
}

/// Signs, and verifies as a peer does.
fn sign(key: &OpenKey) -> Result<(), NotSigned> {
    let message = [7; 500];
    let signature = key.sign(&message)?;
    let spki = SubjectPublicKeyInfoRef::try_from(key.spki()).unwrap();
    let public = spki.subject_public_key.as_bytes().unwrap();
    let scheme = rustls::SignatureScheme::from(key.scheme().0);
    let known = default_provider().signature_verification_algorithms.mapping;
    let (_, algorithms) = known.iter().find(|(known, _)| *known == scheme).unwrap();
    let verifies = |algorithm: &&dyn pki_types::SignatureVerificationAlgorithm| {
        algorithm
            .verify_signature(public, &message, &signature)
            .is_ok()
    };
    assert!(algorithms.iter().any(verifies), "{scheme:?}");
    Ok(())
}

#[test]
fn keys_of_every_type_sign_in_the_token() {
    let Some(hsm) = Hsm::of("keys_of_every_type_sign_in_the_token") else {
        return;
    };
    let rsa = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/keys/rsa-2048.pem");
    for (label, id, pem) in [
        ("p256", "01", pair(&rcgen::PKCS_ECDSA_P256_SHA256)),
        ("p384", "02", pair(&rcgen::PKCS_ECDSA_P384_SHA384)),
        ("ed25519", "03", ed25519()),
        ("rsa", "04", fs::read_to_string(rsa).unwrap()),
    ] {
        let spki = hsm.import(label, id, &pem);
        for object in [format!("object={label}"), format!("id=%{id}")] {
            let key = hsm.open(&object).unwrap();
            assert_eq!(key.spki(), spki, "{label}");
            sign(&key).unwrap();
        }
    }
}

#[test]
fn several_threads_sign_at_once() {
    let Some(hsm) = Hsm::of("several_threads_sign_at_once") else {
        return;
    };
    hsm.import("key", "01", &pair(&rcgen::PKCS_ECDSA_P256_SHA256));
    let key = hsm.open("object=key").unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    sign(&key).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_wrong_pin_is_said_and_not_tried_again_until_it_is_another_one() {
    let test = "a_wrong_pin_is_said_and_not_tried_again_until_it_is_another_one";
    let Some(hsm) = Hsm::of(test) else {
        return;
    };
    hsm.import("key", "01", &pair(&rcgen::PKCS_ECDSA_P256_SHA256));
    let unlock = Unlock::default();
    hsm.set_pin("4321");
    for _ in 0..2 {
        let tries = Tries::Few;
        assert_eq!(
            fault(hsm.open_with("object=key", &unlock)),
            TokenFault::PinWrong { tries }
        );
    }
    // Had it been tried, the token would have taken it.
    assert!(unlock.was_refused(&refused_by(&hsm), b"4321"));
    hsm.set_pin("pin-of-hsm");
    sign(&hsm.open_with("object=key", &unlock).unwrap()).unwrap();
    // Without pin-source it is where passphrases are.
    let uri = hsm.uri("object=key").to_string();
    let (uri, _) = uri.split_once("&pin-source").unwrap();
    let location = KeyLocation::Token(Box::new(uri.parse().unwrap()));
    let file = Unlock::with(SecretSource::File(hsm.folder.join("pin")));
    sign(&OpenKey::open(location, &file).unwrap()).unwrap();
}

/// As the module names the token.
fn refused_by(hsm: &Hsm) -> String {
    let module = Module::load(
        &hsm.uri("object=key"),
        ObjectClass::PRIVATE_KEY,
        &Unlock::default(),
    )
    .unwrap();
    module.token_name().unwrap()
}

#[test]
fn what_is_not_there_or_there_twice_is_named() {
    let Some(hsm) = Hsm::of("what_is_not_there_or_there_twice_is_named") else {
        return;
    };
    hsm.import("key", "01", &pair(&rcgen::PKCS_ECDSA_P256_SHA256));
    hsm.import("key", "02", &pair(&rcgen::PKCS_ECDSA_P256_SHA256));
    assert_eq!(fault(hsm.open("object=other")), TokenFault::NoKey);
    assert_eq!(
        fault(hsm.open("object=key")),
        TokenFault::Several { what: "key" }
    );
    sign(&hsm.open("object=key;id=%02").unwrap()).unwrap();
    let other = |from: &str, to: &str| {
        let uri = hsm.uri("id=%01").to_string().replace(from, to);
        let location = KeyLocation::Token(Box::new(uri.parse().unwrap()));
        fault(OpenKey::open(location, &Unlock::default()))
    };
    let away = other("token=hsm", "token=other");
    assert!(away == TokenFault::Away && away.is_temporary());
    let broken = other("libsofthsm2", "libnothing");
    assert!(matches!(broken, TokenFault::Module { .. }), "{broken}");
}

#[test]
fn a_pin_that_is_locked_or_would_be_is_not_tried() {
    let Some(hsm) = Hsm::of("a_pin_that_is_locked_or_would_be_is_not_tried") else {
        return;
    };
    hsm.import("key", "01", &pair(&rcgen::PKCS_ECDSA_P256_SHA256));
    // CKF_USER_PIN_FINAL_TRY and CKF_USER_PIN_LOCKED.
    for (flags, expected) in [
        (0x2_0000, TokenFault::LastTry),
        (0x4_0000, TokenFault::PinLocked),
    ] {
        hsm.tokens.set_flags(flags);
        let key = hsm.open("object=key");
        assert_eq!(fault(key), expected);
        hsm.tokens.set_flags(0);
    }
    sign(&hsm.open("object=key").unwrap()).unwrap();
}

#[test]
fn a_token_that_is_pulled_signs_again_when_it_is_back() {
    let Some(hsm) = Hsm::of("a_token_that_is_pulled_signs_again_when_it_is_back") else {
        return;
    };
    hsm.import("key", "01", &pair(&rcgen::PKCS_ECDSA_P256_SHA256));
    let key = hsm.open("object=key").unwrap();
    sign(&key).unwrap();
    for _ in 0..2 {
        hsm.tokens.pull();
        // Whoever only looks notices it too.
        for error in [key.check().unwrap_err(), sign(&key).unwrap_err()] {
            assert!(error.fault.is_temporary(), "{error}");
            assert!(error.to_string().starts_with("pkcs11:token=hsm"), "{error}");
        }
        hsm.tokens.plug();
        // The module is not begun anew all the time.
        thread::sleep(Duration::from_millis(1100));
        key.check().unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| sign(&key).unwrap());
            }
        });
    }
}

#[test]
fn a_folder_with_the_uri_of_its_key_issues() {
    let Some(hsm) = Hsm::of("a_folder_with_the_uri_of_its_key_issues") else {
        return;
    };
    let now = crate::clock::now().unwrap();
    let root = TestRoot::generate(now).unwrap();
    let zone = ZoneName::parse("cpe.example.com").unwrap();
    let made = root.delegate(&zone, now).unwrap();
    let folder = hsm.folder.join("vendor");
    test_ca::write(&folder, &root, &made).unwrap();
    let pem = fs::read_to_string(folder.join("key.pem")).unwrap();
    hsm.import("key", "01", &pem);
    fs::write(
        folder.join("key.uri"),
        format!("{}\n", hsm.uri("object=key")),
    )
    .unwrap();
    let error = Delegation::load(&folder).unwrap_err();
    assert!(matches!(error, Error::TwoKeys(_)), "{error}");
    fs::remove_file(folder.join("key.pem")).unwrap();
    let delegation = Delegation::load(&folder).unwrap();
    assert!(delegation.warnings(now).unwrap().is_empty());
    let device = rcgen::KeyPair::generate().unwrap();
    let spki = rcgen::PublicKeyData::subject_public_key_info(&device);
    let wanted = Wanted::Both(zone.fresh_name().unwrap());
    let algorithms = default_provider().signature_verification_algorithms.all;
    // It verifies what was signed.
    let issued = crate::sign(&delegation, &spki, &wanted, None, algorithms, now).unwrap();
    assert_eq!(issued.len(), 2);
    fs::write(folder.join("key.uri"), "pkcs11:token=hsm").unwrap();
    let error = Delegation::load(&folder).unwrap_err();
    assert!(matches!(error, Error::BadTokenUri { .. }), "{error}");
}

#[test]
fn keys_are_made_in_the_token_and_cannot_leave_it() {
    let Some(hsm) = Hsm::of("keys_are_made_in_the_token_and_cannot_leave_it") else {
        return;
    };
    let unlock = Unlock::default();
    for (kind, name) in [
        (KeyType::P256, "p256"),
        (KeyType::P384, "p384"),
        (KeyType::Ed25519, "ed25519"),
        (KeyType::Rsa2048, "rsa"),
    ] {
        let uri = hsm.uri(&format!("object={name}"));
        let spki = generate_in_token(&uri, kind, &unlock).unwrap();
        let key = hsm.open(&format!("object={name}")).unwrap();
        assert_eq!(key.spki(), spki);
        sign(&key).unwrap();
        // Never a second one of the same name.
        let error = generate_in_token(&uri, kind, &unlock).unwrap_err();
        let fault = TokenFault::Taken;
        assert!(
            matches!(error, Error::Token { fault: f, .. } if f == fault),
            "{name}"
        );
    }
    let pin = Unlock::with(SecretSource::File(hsm.folder.join("pin")));
    let tokens = list_tokens(&SoftHsm::module(), Some("hsm"), Some(&pin)).unwrap();
    let [token] = &tokens[..] else {
        panic!("{tokens:?}")
    };
    assert_eq!(token.state, TokenState::Usable);
    let mut names: Vec<_> = token.keys.iter().map(|key| key.label.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["ed25519", "p256", "p384", "rsa"]);
    for key in &token.keys {
        assert_eq!(
            (key.extractable, key.always_inside),
            (Some(false), Some(true))
        );
        let uri = key.uri.as_ref().unwrap();
        let location = KeyLocation::Token(Box::new(uri.clone()));
        let opened = OpenKey::open(location, &pin).unwrap();
        assert_eq!(Some(opened.spki()), key.spki.as_deref());
    }
    // Nobody who is not logged in sees them, and what was never initialised is shown as that.
    let tokens = list_tokens(&SoftHsm::module(), None, None).unwrap();
    let state = |label: &str| {
        let mut tokens = tokens.iter();
        tokens.find(|token| token.label == label).unwrap().state
    };
    assert_eq!(
        (state("hsm"), state("")),
        (TokenState::Usable, TokenState::NotInitialised)
    );
    let error = list_tokens(&SoftHsm::module(), Some("other"), None).unwrap_err();
    assert!(
        matches!(
            error,
            Error::TokenModule {
                fault: TokenFault::Away,
                ..
            }
        ),
        "{error}"
    );
    let error = list_tokens(&SoftHsm::module(), None, Some(&pin)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::TokenModule {
                fault: TokenFault::Several { .. },
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn keys_of_files_are_put_into_the_token_in_every_encoding() {
    let Some(hsm) = Hsm::of("keys_of_files_are_put_into_the_token_in_every_encoding") else {
        return;
    };
    let rsa = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/keys/rsa-2048.pem");
    let path = hsm.folder.join("given.pem");
    for (name, pem) in [
        ("p256", pair(&rcgen::PKCS_ECDSA_P256_SHA256)),
        ("p384", pair(&rcgen::PKCS_ECDSA_P384_SHA384)),
        ("ed25519", pair(&rcgen::PKCS_ED25519)),
        ("rsa", fs::read_to_string(rsa).unwrap()),
    ] {
        fs::write(&path, pem).unwrap();
        let key = crate::keys::read(&path).unwrap();
        let expected = crate::keys::PemKey::read(&path).unwrap();
        let uri = hsm.uri(&format!("object={name}"));
        let spki = import_into_token(&uri, &key, &Unlock::default()).unwrap();
        assert_eq!(spki, expected.spki(), "{name}");
        sign(&hsm.open(&format!("object={name}")).unwrap()).unwrap();
        let error = import_into_token(&uri, &key, &Unlock::default()).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Token {
                    fault: TokenFault::Taken,
                    ..
                }
            ),
            "{error}"
        );
    }
    let pin = Unlock::with(SecretSource::File(hsm.folder.join("pin")));
    let tokens = list_tokens(&SoftHsm::module(), Some("hsm"), Some(&pin)).unwrap();
    for key in &tokens[0].keys {
        assert_eq!(
            (key.extractable, key.always_inside),
            (Some(false), Some(false))
        );
    }
    assert_eq!(tokens[0].keys.len(), 4);
}

#[test]
fn what_a_key_in_a_token_has_sealed_it_opens_alone() {
    let Some(hsm) = Hsm::of("what_a_key_in_a_token_has_sealed_it_opens_alone") else {
        return;
    };
    let unlock = Unlock::default();
    let uri = hsm.secret_uri("one");
    let missing = hsm.keys("one", None).unwrap_err();
    assert!(missing.to_string().contains("no such key"), "{missing}");
    let made = SealingKey::generate_in_token(&uri, &unlock).unwrap();
    let taken = SealingKey::generate_in_token(&uri, &unlock).unwrap_err();
    assert!(taken.to_string().contains("never overwritten"), "{taken}");
    let keys = hsm.keys("one", None).unwrap();
    let [one, two] = [(); 2].map(|()| seal(&keys).unwrap());
    // Each has a key of its own, and all are found by the token's.
    assert_ne!(one[2..18], two[2..18]);
    assert_eq!(Sealed::parse(&one).unwrap().key(), made.id());
    for sealed in [&one, &two] {
        is_opened(&keys, sealed);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(keys.open(&LABEL, &changed).is_err(), "{at}");
        }
    }
    SealingKey::generate_in_token(&hsm.secret_uri("two"), &unlock).unwrap();
    let other = hsm.keys("two", None).unwrap();
    let error = other.open(&LABEL, &one).unwrap_err();
    assert!(matches!(&error, SealError::OtherKey { .. }), "{error}");
    assert!(error.to_string().contains("exchanged"), "{error}");
    is_opened(&hsm.keys("two", Some("one")).unwrap(), &one);
}

#[test]
fn a_token_that_is_pulled_opens_again_when_it_is_back_unless_it_is_another() {
    let test = "a_token_that_is_pulled_opens_again_when_it_is_back_unless_it_is_another";
    let Some(hsm) = Hsm::of(test) else {
        return;
    };
    SealingKey::generate_in_token(&hsm.secret_uri("one"), &Unlock::default()).unwrap();
    let keys = hsm.keys("one", None).unwrap();
    let sealed = seal(&keys).unwrap();
    hsm.tokens.pull();
    for error in [
        keys.open(&LABEL, &sealed).unwrap_err(),
        seal(&keys).unwrap_err(),
        hsm.keys("one", None).unwrap_err(),
    ] {
        assert!(error.is_temporary(), "{error}");
        assert!(
            error.to_string().contains("its token is not there"),
            "{error}"
        );
    }
    hsm.tokens.plug();
    thread::sleep(Duration::from_millis(1100));
    is_opened(&keys, &sealed);
    // The same names, and another key.
    hsm.tokens.util("--delete-token --token hsm");
    hsm.tokens
        .util("--init-token --free --label hsm --pin pin-of-hsm --so-pin 5678");
    // Whoever asks first finds that the token is gone; then the module is begun anew, at most once a second.
    let made = (0..5).any(|_| {
        thread::sleep(Duration::from_millis(1100));
        keys.open(&LABEL, &sealed).unwrap_err();
        SealingKey::generate_in_token(&hsm.secret_uri("one"), &Unlock::default()).is_ok()
    });
    assert!(made);
    let error = keys.open(&LABEL, &sealed).unwrap_err();
    assert!(error.to_string().contains("no such key"), "{error}");
}

#[test]
fn a_key_that_is_put_into_two_tokens_is_one() {
    let Some(hsm) = Hsm::of("a_key_that_is_put_into_two_tokens_is_one") else {
        return;
    };
    let digits = "0123456789abcdef".repeat(4);
    let unlock = Unlock::default();
    for name in ["one", "two"] {
        let uri = hsm.secret_uri(name);
        SealingKey::import_into_token(&uri, digits.as_bytes(), &unlock).unwrap();
    }
    let sealed = seal(&hsm.keys("one", None).unwrap()).unwrap();
    is_opened(&hsm.keys("two", None).unwrap(), &sealed);
    // Whoever has the digits in a file has another key.
    let file = SealingKey::from_hex(digits.as_bytes()).unwrap();
    assert_ne!(file.id(), Sealed::parse(&sealed).unwrap().key());
    let short = SealingKey::import_into_token(&hsm.secret_uri("three"), b"abcd", &unlock);
    assert_eq!(short.unwrap_err(), SealError::BadKey);
}

#[test]
fn a_key_that_can_leave_its_token_seals_nothing() {
    let Some(hsm) = Hsm::of("a_key_that_can_leave_its_token_seals_nothing") else {
        return;
    };
    for (name, sensitive, extractable, len, words) in [
        ("leaves", true, true, 32, "it can leave its token"),
        ("shows", false, false, 32, "it can leave its token"),
        ("short", true, false, 31, "shorter than 32 bytes"),
    ] {
        let uri = hsm.secret_uri(name);
        let module = Module::load(&uri, ObjectClass::SECRET_KEY, &Unlock::default()).unwrap();
        let key = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(cryptoki::object::KeyType::GENERIC_SECRET),
            Attribute::Token(true),
            Attribute::Label(name.into()),
            Attribute::ValueLen(cryptoki::types::Ulong::from(len)),
            Attribute::Sensitive(sensitive),
            Attribute::Extractable(extractable),
            Attribute::Sign(true),
        ];
        let made = module.change(|session, _| {
            let made = session.generate_key(&Mechanism::GenericSecretKeyGen, &key);
            made.map(|_| ()).map_err(|error| failed(&error))
        });
        assert!(made.is_ok(), "{name}");
        let error = hsm.keys(name, None).unwrap_err().to_string();
        assert!(
            error.contains(words) && error.contains("make-key"),
            "{error}"
        );
    }
}
