//! Delegation keys: URIs of those in tokens (RFC 7512), and encrypted ones (RFC 5958 §3, RFC 8018 §6.2).
#![no_main]

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::LazyLock;

use dc_pki::keys::{PemKey, TokenUri, Unlock};
use dc_pki::pem;
use dc_pki::secret::SecretSource;
use der::asn1::{Any, OctetStringRef};
use der::{Encode, Reader, SliceReader, Tag};
use libfuzzer_sys::fuzz_target;
use pkcs5::EncryptionScheme;
use pkcs5::pbes2::{Kdf, Parameters};

fuzz_target!(|input: &[u8]| {
    uri(input);
    named(input);
    if is_cheap(input) == Some(true) {
        let _ = open(input).map_err(|error| error.to_string());
    }
    encrypted(input);
});

/// A URI is shown as it was read; a PIN in it is refused, and never shown.
fn uri(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    match text.parse::<TokenUri>() {
        Ok(uri) => {
            assert_eq!(uri.to_string(), text);
            assert!(!text.contains("pin-value="));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A URI that is made of names is read as one of them.
fn named(input: &[u8]) {
    let mut parts = input.splitn(4, |byte| *byte == 0);
    let mut next = || parts.next().unwrap_or_default();
    let [module, token, object, id] = [next(), next(), next(), next()];
    let (Ok(module), Ok(token)) = (str::from_utf8(module), str::from_utf8(token)) else {
        return;
    };
    let made = TokenUri::of(Path::new(module), token, object, id);
    let is_whole = !module.is_empty() && !token.is_empty() && !(object.is_empty() && id.is_empty());
    assert_eq!(made.is_some(), is_whole);
    let Some(made) = made else { return };
    assert_eq!(made.token(), token);
    assert_eq!(made.to_string().parse(), Ok(made));
}

/// A key is opened with its passphrase exactly if it is taken without one, and is the same key.
fn encrypted(input: &[u8]) {
    let parameters = Parameters::generate_pbkdf2_sha256_aes256cbc(1, &[7; 16], [7; 16]);
    let parameters = parameters.expect("one iteration");
    let data = parameters.encrypt(WORD, input).expect("of any length");
    let parts = [
        EncryptionScheme::Pbes2(parameters).to_der().expect("short"),
        OctetStringRef::new(&data).and_then(|data| data.to_der()).expect("short"),
    ];
    let info = Any::new(Tag::Sequence, parts.concat()).and_then(|info| info.to_der());
    let opened = open(&info.expect("short"));
    let plain = PemKey::in_file(PATH.as_ref(), pem::encode("PRIVATE KEY", input).as_bytes());
    match (opened, plain) {
        (Ok(opened), Ok(plain)) => assert_eq!(opened.spki(), plain.spki()),
        (Err(_), Err(_)) => {}
        (opened, plain) => panic!("{opened:?}, {plain:?}"),
    }
}

fn open(info: &[u8]) -> Result<PemKey, dc_pki::Error> {
    let file = pem::encode("ENCRYPTED PRIVATE KEY", info);
    PemKey::in_file_with(PATH.as_ref(), file.as_bytes(), &UNLOCK)
}

/// True if a passphrase is tried in no time; what may take seconds, and is allowed to, is not for a fuzzer.
fn is_cheap(info: &[u8]) -> Option<bool> {
    let mut reader = SliceReader::new(info).ok()?;
    let scheme: EncryptionScheme = reader
        .sequence(|fields| {
            let scheme = fields.decode()?;
            fields.drain(fields.remaining_len())?;
            Ok::<_, der::Error>(scheme)
        })
        .ok()?;
    Some(match &scheme.pbes2()?.kdf {
        Kdf::Pbkdf2(kdf) => kdf.iteration_count <= 1000,
        Kdf::Scrypt(kdf) => {
            let memory = kdf.cost_parameter.saturating_mul(u64::from(kdf.block_size));
            memory <= 1 << 12 && kdf.parallelization <= 4
        }
        _ => false,
    })
}

/// From a descriptor, which is read once.
static UNLOCK: LazyLock<Unlock> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("dc-fuzz-keys-{}", std::process::id()));
    let mut file = File::create_new(&path).expect("nobody else has this number");
    file.write_all(WORD).and_then(|()| file.rewind()).expect("a new file");
    let descriptor = File::open(&path).expect("it is there");
    let unlock = Unlock::with(SecretSource::Descriptor(
        descriptor.as_raw_fd().unsigned_abs(),
    ));
    std::fs::remove_file(path).expect("it is there");
    unlock
});

const WORD: &[u8] = b"word";
const PATH: &str = "key.pem";
