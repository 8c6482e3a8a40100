//! A key that was opened, wherever it is.

use std::path::Path;
use std::sync::Arc;

use dc_core::{SignatureScheme, Signer};

use super::key::Key;
use super::pem_file::PemKey;
use super::timing::Timing;
use super::token;
use super::unlock::Unlock;
use crate::error::Error;
use crate::lock_fault::LockFault;
use crate::signing::{KeyFault, KeyLocation, NotSigned};

/// A key that was opened, with its place, which its errors name.
#[derive(Debug)]
pub struct OpenKey {
    key: Arc<dyn Key>,
    location: KeyLocation,
    timing: Timing,
}

impl OpenKey {
    /// Opens the key at a place.
    ///
    /// Fails with [`Error::LockedKey`] if it is encrypted and `unlock` has no passphrase, with [`Error::Token`], and as
    /// [`PemKey::read_with`] does.
    pub fn open(location: KeyLocation, unlock: &Unlock) -> Result<Self, Error> {
        let key: Box<dyn Key> = match &location {
            KeyLocation::File(path) => Box::new(of_file(path, unlock)?),
            KeyLocation::Token(uri) => token::open(uri, unlock)?,
        };
        Ok(Self::new(key, location))
    }

    fn new(key: Box<dyn Key>, location: KeyLocation) -> Self {
        Self {
            key: key.into(),
            location,
            timing: Timing::default(),
        }
    }

    /// The same key once more, without opening it again.
    pub(crate) fn share(&self) -> Self {
        Self {
            key: self.key.clone(),
            location: self.location.clone(),
            timing: self.timing.clone(),
        }
    }

    /// Tells how long each signature takes.
    #[must_use]
    pub fn timed(mut self, timing: &Timing) -> Self {
        self.timing = timing.clone();
        self
    }

    /// The public half: a DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        self.key.spki()
    }

    /// Looks whether the key can sign now, without a signature of it.
    ///
    /// Takes as long as a signature may. Fails with [`NotSigned`] if its token, or its machine, is away.
    pub fn check(&self) -> Result<(), NotSigned> {
        self.key.check().map_err(|fault| self.not_signed(fault))
    }

    /// Signs a certificate request, as CAs want it: with RSA by PKCS#1 v1.5, and otherwise as credentials are signed.
    ///
    /// Fails with [`NotSigned`].
    pub fn sign_request(&self, message: &[u8]) -> Result<Vec<u8>, NotSigned> {
        let signed = self.key.sign_request(message);
        signed.map_err(|fault| self.not_signed(fault))
    }

    /// The place of the key.
    #[must_use]
    pub fn location(&self) -> &KeyLocation {
        &self.location
    }

    fn not_signed(&self, fault: KeyFault) -> NotSigned {
        let key = self.location.clone();
        NotSigned { key, fault }
    }
}

/// The same error, but for a key that is encrypted with how to say its passphrase, where that can be said.
#[must_use]
pub fn ask_for_passphrase(error: Error) -> Error {
    match error {
        Error::EncryptedKey { path } => Error::LockedKey {
            path,
            fault: LockFault::NoPassphrase,
        },
        error => error,
    }
}

fn of_file(path: &Path, unlock: &Unlock) -> Result<PemKey, Error> {
    PemKey::read_with(path, unlock).map_err(ask_for_passphrase)
}

impl Signer for OpenKey {
    type Error = NotSigned;

    fn scheme(&self) -> SignatureScheme {
        self.key.scheme()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NotSigned> {
        let signed = self.timing.time(|| self.key.sign(message));
        signed.map_err(|fault| self.not_signed(fault))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn whoever_wants_to_know_is_told_how_long_each_signature_took() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let pair = rcgen::KeyPair::generate().unwrap();
        fs::write(&path, pair.serialize_pem()).unwrap();
        let timing = Timing::default();
        let key = OpenKey::open(path.clone().into(), &Unlock::default())
            .unwrap()
            .timed(&timing);
        assert_eq!(key.location().file(), Some(path.as_path()));
        key.sign(b"nobody listens").unwrap();
        let told = Arc::<AtomicUsize>::default();
        let telling = told.clone();
        timing.tell(move |took| {
            assert!(took > Duration::ZERO);
            telling.fetch_add(1, Ordering::Relaxed);
        });
        for _ in 0..3 {
            key.sign(b"somebody listens").unwrap();
        }
        assert_eq!(told.load(Ordering::Relaxed), 3);
    }

    /// Refuses to sign, as a token that was pulled does.
    #[derive(Debug)]
    struct Away;

    impl Signer for Away {
        type Error = KeyFault;

        fn scheme(&self) -> SignatureScheme {
            SignatureScheme::ED25519
        }

        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, KeyFault> {
            let source = rustls::Error::General("unplugged".to_owned());
            Err(KeyFault::Library { source })
        }
    }

    impl Key for Away {
        fn spki(&self) -> &[u8] {
            b"none"
        }
    }

    #[test]
    fn a_key_that_does_not_sign_is_named() {
        let location = KeyLocation::File("vendor/key.pem".into());
        let key = OpenKey::new(Box::new(Away), location.clone());
        let error = key.sign(b"message").unwrap_err();
        assert_eq!(error.key, location);
        assert_eq!(
            error.to_string(),
            "vendor/key.pem: the key is loaded and does not sign: unexpected error: unplugged: replace it"
        );
    }
}
