//! Private keys that are encrypted in PKCS#8's way (RFC 5958 §3) with PBES2 (RFC 8018 §6.2).

mod encrypt;

use std::path::Path;

use der::asn1::OctetStringRef;
use der::{Reader, SliceReader};
use pkcs5::EncryptionScheme;
use pkcs5::pbes2::Kdf;
use pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use super::unlock::Unlock;
use crate::error::Error;
use crate::lock_fault::LockFault;
use crate::pem;

pub(super) use encrypt::encrypt;

/// The one private key of a PEM file, which is encrypted.
pub(super) fn private_key(
    path: &Path,
    file: &[u8],
    unlock: &Unlock,
) -> Result<Zeroizing<PrivateKeyDer<'static>>, Error> {
    let encrypted = || Error::EncryptedKey { path: path.into() };
    let from = unlock.source().ok_or_else(encrypted)?;
    let passphrase = unlock.passphrase().ok_or_else(encrypted)??;
    let locked = |fault| Error::LockedKey {
        path: path.into(),
        fault,
    };
    let der =
        dc_core::pem::encrypted_private_key(file).map_err(|error| match pem::at(path)(error) {
            Error::EncryptedKey { .. } => locked(LockFault::Unsupported),
            error => error,
        })?;
    let (scheme, mut data) = parse(&der).map_err(|_| locked(LockFault::Unsupported))?;
    if !is_affordable(&scheme) {
        return Err(locked(LockFault::Costly));
    }
    let decrypted = scheme.decrypt_in_place(&passphrase, &mut data);
    let wrong = || LockFault::WrongPassphrase { from: from.clone() };
    match decrypted {
        // The padding of one wrong key in 256 is right.
        Ok(key) if is_key(key) => Ok(Zeroizing::new(PrivateKeyDer::Pkcs8(key.to_vec().into()))),
        Ok(_) | Err(pkcs5::Error::DecryptFailed) => Err(locked(wrong())),
        Err(_) => Err(locked(LockFault::Unsupported)),
    }
}

/// EncryptedPrivateKeyInfo: how it is encrypted, and the key.
fn parse(der: &[u8]) -> der::Result<(EncryptionScheme, Zeroizing<Vec<u8>>)> {
    let mut reader = SliceReader::new(der)?;
    let parts = reader.sequence(|fields| {
        let scheme = fields.decode()?;
        let data = fields.decode::<&OctetStringRef>()?;
        Ok::<_, der::Error>((scheme, Zeroizing::new(data.as_bytes().to_vec())))
    })?;
    reader.finish()?;
    Ok(parts)
}

/// True if trying a passphrase takes a few seconds and a gibibyte at most.
fn is_affordable(scheme: &EncryptionScheme) -> bool {
    match scheme.pbes2().map(|parameters| &parameters.kdf) {
        Some(Kdf::Pbkdf2(kdf)) => kdf.iteration_count <= MAX_ITERATIONS,
        Some(Kdf::Scrypt(kdf)) => {
            let memory = kdf
                .cost_parameter
                .saturating_mul(128 * u64::from(kdf.block_size));
            memory <= MAX_MEMORY && kdf.parallelization <= MAX_PARALLEL
        }
        _ => true,
    }
}

/// OneAsymmetricKey begins with its version (RFC 5958 §2).
fn is_key(der: &[u8]) -> bool {
    let version = || {
        let mut reader = SliceReader::new(der)?;
        let version = reader.sequence(|fields| {
            let version = fields.decode::<u8>()?;
            fields.drain(fields.remaining_len())?;
            Ok::<_, der::Error>(version)
        })?;
        reader.finish()?;
        Ok::<_, der::Error>(version)
    };
    matches!(version(), Ok(0 | 1))
}

const MAX_ITERATIONS: u32 = 10_000_000;
const MAX_MEMORY: u64 = 1 << 30;
const MAX_PARALLEL: u16 = 16;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use apparatus::Part;
    use dc_core::Signer;
    use der::asn1::{Any, OctetString};
    use der::{Encode, Tag};
    use pkcs5::pbes2::Parameters;
    use proptest::prelude::*;

    use super::*;
    use crate::keys::{Key, KeyLocation, KeyType, OpenKey, PemKey, generate_in_file};
    use crate::secret::SecretSource;

    /// A folder with a key that OpenSSL has encrypted with `word`, in each way that it does.
    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            folder.openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out plain.pem");
            folder
        }

        fn openssl(&self, arguments: &str) {
            let output = Command::new("openssl")
                .current_dir(self.0.path())
                .args(arguments.split(' '))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "openssl {arguments}: {said}");
        }

        fn encrypt(&self, how: &str) {
            let files = "-topk8 -in plain.pem -out key.pem -passout pass:word";
            self.openssl(&format!("pkcs8 {files} {how}"));
        }

        fn open(&self, word: &str) -> Result<PemKey, Error> {
            let command = ["printf", "%s", word].map(str::to_owned).to_vec();
            let unlock = Unlock::with(SecretSource::Command(command));
            PemKey::read_with(&self.0.path().join("key.pem"), &unlock)
        }
    }

    #[test]
    fn openssl_decrypts_what_was_made_here_with_its_passphrase_and_no_other() {
        if !apparatus::have(Part::Tools) {
            return;
        }
        let folder = Folder::new();
        let path = folder.0.path().join("made.pem");
        let word = ["printf", "word"].map(str::to_owned).to_vec();
        let unlock = Unlock::with(SecretSource::Command(word));
        let made = generate_in_file(&path, KeyType::P384, &unlock).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        folder.openssl("pkey -in made.pem -passin pass:word -out plain.pem");
        let plain = PemKey::read(&folder.0.path().join("plain.pem")).unwrap();
        assert_eq!(plain.spki(), made);
        assert_eq!(PemKey::read_with(&path, &unlock).unwrap().spki(), made);
        let again = generate_in_file(&path, KeyType::P384, &unlock).unwrap_err();
        assert!(matches!(again, Error::Exists { .. }), "{again}");
        let other = folder.0.path().join("other.pem");
        let error = generate_in_file(&other, KeyType::P256, &Unlock::default()).unwrap_err();
        assert!(
            matches!(error, Error::LockedKey { .. }) && !other.exists(),
            "{error}"
        );
    }

    #[test]
    fn what_openssl_encrypts_is_decrypted_with_its_passphrase_and_no_other() {
        if !apparatus::have(Part::Tools) {
            return;
        }
        let folder = Folder::new();
        let plain = PemKey::read(&folder.0.path().join("plain.pem")).unwrap();
        for how in [
            "-v2 aes-256-cbc",
            "-v2 aes-128-cbc -v2prf hmacWithSHA512 -iter 100000",
            "-v2 aes-192-cbc",
            "-scrypt",
            "-scrypt -v2 aes-128-cbc -scrypt_N 1024 -scrypt_r 8 -scrypt_p 4",
        ] {
            folder.encrypt(how);
            let key = folder.open("word").unwrap();
            assert_eq!(Key::spki(&key), plain.spki(), "{how}");
            key.sign(b"message").unwrap();
            for other in ["Word", "word ", "w"] {
                let error = folder.open(other).unwrap_err();
                assert!(
                    matches!(
                        error,
                        Error::LockedKey {
                            fault: LockFault::WrongPassphrase { .. },
                            ..
                        }
                    ),
                    "{error}"
                );
                assert!(error.to_string().contains("the command printf"), "{error}");
            }
        }
        folder.openssl("genpkey -algorithm ED25519 -aes-256-cbc -pass pass:word -out key.pem");
        folder.open("word").unwrap();
        folder.openssl("genrsa -aes256 -passout pass:word -out key.pem 2048");
        folder.open("word").unwrap();
    }

    #[test]
    fn other_encryptions_and_costly_ones_are_named() {
        if !apparatus::have(Part::Tools) {
            return;
        }
        let folder = Folder::new();
        for how in ["-v2 des3", "-v1 PBE-SHA1-3DES", "-v2prf hmacWithSHA1"] {
            folder.encrypt(how);
            let error = folder.open("word").unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::LockedKey {
                        fault: LockFault::Unsupported,
                        ..
                    }
                ),
                "{how}: {error}"
            );
        }
        folder.openssl("ec -in plain.pem -aes256 -passout pass:word -out key.pem");
        let error = folder.open("word").unwrap_err();
        assert!(
            matches!(
                error,
                Error::LockedKey {
                    fault: LockFault::Unsupported,
                    ..
                }
            ),
            "{error}"
        );
        folder.encrypt("-v2 aes-256-cbc -iter 10000001");
        let error = folder.open("word").unwrap_err();
        assert!(
            matches!(
                error,
                Error::LockedKey {
                    fault: LockFault::Costly,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_passphrase_from_a_pipe_opens_one_key_after_another() {
        if !apparatus::have(Part::Tools) {
            return;
        }
        let folder = Folder::new();
        folder.encrypt("-v2 aes-256-cbc");
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"word\n").unwrap();
        drop(writer);
        let number = u32::try_from(reader.as_raw_fd()).unwrap();
        let unlock = Unlock::with(SecretSource::Descriptor(number));
        // Whatever has the number from now on.
        drop(reader);
        let location = KeyLocation::File(folder.0.path().join("key.pem"));
        for unlock in [unlock.clone(), unlock] {
            OpenKey::open(location.clone(), &unlock).unwrap();
        }
        let error = OpenKey::open(location, &Unlock::default()).unwrap_err();
        assert!(
            matches!(
                error,
                Error::LockedKey {
                    fault: LockFault::NoPassphrase,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_file_with_two_keys_is_not_guessed_about() {
        if !apparatus::have(Part::Tools) {
            return;
        }
        let folder = Folder::new();
        folder.encrypt("-v2 aes-256-cbc");
        let path = folder.0.path().join("key.pem");
        let both = ["key.pem", "plain.pem"].map(|n| fs::read(folder.0.path().join(n)).unwrap());
        fs::write(&path, both.concat()).unwrap();
        let error = folder.open("word").unwrap_err();
        assert!(matches!(error, Error::BadPem { .. }), "{error}");
    }

    /// A key that is encrypted with `word`, fast to try.
    fn encrypted() -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap().serialize_der();
        let scheme = Parameters::generate_pbkdf2_sha256_aes256cbc(1, &[7; 8], [9; 16]).unwrap();
        let data = scheme.encrypt("word", &key).unwrap();
        let fields = [
            EncryptionScheme::from(scheme).to_der().unwrap(),
            OctetString::new(data).unwrap().to_der().unwrap(),
        ];
        let contents = Any::new(Tag::Sequence, fields.concat()).unwrap();
        contents.to_der().unwrap()
    }

    fn decrypted(der: &[u8]) -> Result<Zeroizing<PrivateKeyDer<'static>>, Error> {
        let file = pem::encode("ENCRYPTED PRIVATE KEY", der);
        let command = ["printf", "word"].map(str::to_owned).to_vec();
        let unlock = Unlock::with(SecretSource::Command(command));
        private_key("key.pem".as_ref(), file.as_bytes(), &unlock)
    }

    #[test]
    fn what_stands_behind_a_key_is_not_passed_over() {
        let der = encrypted();
        decrypted(&der).unwrap();
        let error = decrypted(&[&der[..], b"\x05\x00"].concat()).unwrap_err();
        assert!(
            matches!(
                error,
                Error::LockedKey {
                    fault: LockFault::Unsupported,
                    ..
                }
            ),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn no_key_panics(at in 0..encrypted().len(), byte: u8, cut: bool) {
            let mut der = encrypted();
            match cut {
                true => der.truncate(at.max(1)),
                false => der[at] = byte,
            }
            // Others may take seconds.
            let is_fast = parse(&der).is_ok_and(|(scheme, _)| scheme == parse(&encrypted()).unwrap().0);
            match is_fast {
                true => drop(decrypted(&der)),
                false => drop(parse(&der).map(|(scheme, _)| is_affordable(&scheme))),
            }
        }

        #[test]
        fn no_plaintext_panics(der in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = (is_key(&der), parse(&der).is_ok());
        }
    }
}
