//! A key that was opened, wherever it is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dc_core::{DelegationCertificate, Role, SignatureScheme, Signer};

use super::key::Key;
use super::pem_file::PemKey;
use super::process::ProcessKey;
use super::timing::Timing;
use super::token;
use super::unlock::Unlock;
use crate::error::Error;
use crate::key_error::KeyError;
use crate::keyd::Pause;
use crate::lock_fault::LockFault;
use crate::process_fault::{ProcessFault, Refusal};
use crate::sha256::Sha256;
use crate::signing::{KeyFault, KeyLocation, NotSigned};

/// A key that was opened, with its place, which its errors name.
#[derive(Debug)]
pub struct OpenKey {
    held: Held,
    location: KeyLocation,
    timing: Timing,
}

/// By whom a key is held.
#[derive(Clone, Debug)]
enum Held {
    /// By this process, or a token that it uses: it signs any message.
    Here(Arc<dyn Key>),
    /// By a signing process: it issues credentials, and signs no messages.
    Elsewhere(ProcessKey),
}

impl OpenKey {
    /// Opens the key at a place that is no signing process.
    ///
    /// Fails with [`Error::Process`] for one, with [`Error::LockedKey`] if it is encrypted and `unlock` has no passphrase, with [`Error::Token`], and as
    /// [`PemKey::read_with`] does.
    pub fn open(location: KeyLocation, unlock: &Unlock) -> Result<Self, Error> {
        let key: Box<dyn Key> = match &location {
            KeyLocation::File(path) => Box::new(of_file(path, unlock)?),
            KeyLocation::Process(_) => {
                let (key, fault) = (location, ProcessFault::NoMessages);
                return Err(Error::Process { key, fault });
            }
            KeyLocation::Token(uri) => token::open(uri, unlock)?,
        };
        Ok(Self::new(Held::Here(key.into()), location))
    }

    /// Opens the key of a certificate for this end of connections, wherever it is; a signing process is asked to try it.
    ///
    /// Fails as [`open`](Self::open) does, and with [`Error::UnsupportedKey`] and [`Error::Process`].
    pub fn open_for(
        location: KeyLocation,
        certificate: &DelegationCertificate<'_>,
        role: Role,
        unlock: &Unlock,
    ) -> Result<Self, Error> {
        let KeyLocation::Process(socket) = &location else {
            return Self::open(location, unlock);
        };
        let (spki, of) = (certificate.spki(), Sha256::of(certificate.der()));
        let key = ProcessKey::new(unlock.process(socket), (of, role), spki);
        let key = key.ok_or_else(|| Error::UnsupportedKey {
            path: socket.clone(),
            fault: KeyError::of_public(spki).unwrap_or(KeyError::Type),
        })?;
        Self::of_process(key.for_lifetime(unlock.lifetime()), location)
    }

    fn of_process(key: ProcessKey, location: KeyLocation) -> Result<Self, Error> {
        match key.try_key() {
            Ok(()) => Ok(Self::new(Held::Elsewhere(key), location)),
            Err(fault) => {
                let key = location;
                Err(Error::Process { key, fault })
            }
        }
    }

    /// Opens the key in the contents of a PEM file.
    ///
    /// Fails as [`Self::open`] does, with the path in its errors.
    pub fn in_file(path: &Path, file: &[u8], unlock: &Unlock) -> Result<Self, Error> {
        let key = super::signer_in(path, file, unlock, PemKey::from_der);
        let key = key.map_err(ask_for_passphrase)?;
        Ok(Self::new(
            Held::Here(Arc::new(key)),
            path.to_path_buf().into(),
        ))
    }

    fn new(held: Held, location: KeyLocation) -> Self {
        Self {
            held,
            location,
            timing: Timing::default(),
        }
    }

    /// The same key once more for this end of connections, without opening it again; a signing process is asked.
    ///
    /// Fails with [`Error::Process`].
    pub(crate) fn share_for(&self, role: Role) -> Result<Self, Error> {
        let location = self.location.clone();
        let shared = match &self.held {
            Held::Here(_) => Self::new(self.held.clone(), location),
            Held::Elsewhere(key) => Self::of_process(key.for_role(role), location)?,
        };
        Ok(shared.timed(&self.timing))
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
        match &self.held {
            Held::Here(key) => key.spki(),
            Held::Elsewhere(key) => key.spki(),
        }
    }

    /// True if the key is used by another process, which issues credentials itself: then [`sign`](Signer::sign) fails.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        matches!(self.held, Held::Elsewhere(_))
    }

    /// Lets the process that uses the key issue a credential; none if no other process does.
    ///
    /// Fails with [`NotSigned`].
    pub(crate) fn issue(
        &self,
        spki: &[u8],
        name: Option<&str>,
        lifetime: Option<Duration>,
    ) -> Option<Result<Vec<u8>, NotSigned>> {
        let Held::Elsewhere(key) = &self.held else {
            return None;
        };
        let issued = self.timing.time(|| key.issue(spki, name, lifetime));
        Some(issued.map_err(|fault| self.not_signed(KeyFault::Process { fault })))
    }

    /// Looks whether the key can sign now, without a signature of it; a signing process tries it.
    ///
    /// Takes as long as a signature may. Fails with [`NotSigned`] if its token, its machine, or its process is away.
    pub fn check(&self) -> Result<(), NotSigned> {
        let checked = match &self.held {
            Held::Here(key) => key.check(),
            Held::Elsewhere(key) => match key.try_key() {
                Err(fault) if !is_busy(&fault) => Err(KeyFault::Process { fault }),
                // Whoever says that there is too much to do is there.
                _ => Ok(()),
            },
        };
        checked.map_err(|fault| self.not_signed(fault))
    }

    /// The time in which the signing process that has the key issues nothing, as it said when the key was last opened or
    /// [checked](Self::check); it may be over.
    #[must_use]
    pub fn pause(&self) -> Option<Pause> {
        match &self.held {
            Held::Here(_) => None,
            Held::Elsewhere(key) => key.pause(),
        }
    }

    /// Asks the signing process that uses the key whether it would issue a credential with this name, or one without; nobody else
    /// is asked.
    ///
    /// Takes as long as a signature may. Fails with [`NotSigned`] if the process is away, or refuses.
    pub fn try_issue(&self, name: Option<&str>) -> Result<(), NotSigned> {
        let Held::Elsewhere(key) = &self.held else {
            return Ok(());
        };
        match key.try_issue(name) {
            Err(fault) if !is_busy(&fault) => Err(self.not_signed(KeyFault::Process { fault })),
            _ => Ok(()),
        }
    }

    /// Signs a certificate request, as CAs want it: with RSA by PKCS#1 v1.5, and otherwise as credentials are signed.
    ///
    /// Fails with [`NotSigned`].
    pub fn sign_request(&self, message: &[u8]) -> Result<Vec<u8>, NotSigned> {
        let signed = match &self.held {
            Held::Here(key) => key.sign_request(message),
            Held::Elsewhere(_) => Err(NO_MESSAGES),
        };
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

/// The answer of a signing process to whoever wants more than credentials.
const NO_MESSAGES: KeyFault = KeyFault::Process {
    fault: ProcessFault::NoMessages,
};

fn is_busy(fault: &ProcessFault) -> bool {
    let busy = Refusal::Busy;
    matches!(fault, ProcessFault::Refused { reason, .. } if *reason == busy)
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
        match &self.held {
            Held::Here(key) => key.scheme(),
            Held::Elsewhere(key) => key.scheme(),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NotSigned> {
        let signed = match &self.held {
            Held::Here(key) => self.timing.time(|| key.sign(message)),
            Held::Elsewhere(_) => Err(NO_MESSAGES),
        };
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
        let key = OpenKey::new(Held::Here(Arc::new(Away)), location.clone());
        let error = key.sign(b"message").unwrap_err();
        assert_eq!(error.key, location);
        assert_eq!(
            error.to_string(),
            "vendor/key.pem: the key is loaded and does not sign: unexpected error: unplugged: replace it"
        );
    }
}
