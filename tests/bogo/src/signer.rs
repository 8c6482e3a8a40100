//! Keys that say when they have signed: that tells which credential a handshake was made with.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::crypto::{KeyProvider, ring};
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

/// Loads the keys of credentials as ring does, and has them say when they sign.
#[derive(Debug)]
pub(crate) struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(&self, der: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        let key = ring::default_provider()
            .key_provider
            .load_private_key(der)?;
        Ok(Arc::new(Key(key)))
    }
}

/// Who has made the last CertificateVerify or ServerKeyExchange.
#[derive(Clone, Debug)]
pub(crate) enum By {
    /// The certificate with this number.
    Certificate(i32),
    /// The credential with this public key, a SubjectPublicKeyInfo.
    Delegated(Vec<u8>),
}

/// `None` as long as nobody has signed.
pub(crate) fn last() -> Option<By> {
    LAST.with_borrow(Clone::clone)
}

/// The key of a credential.
#[derive(Debug)]
struct Key(Arc<dyn SigningKey>);

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let public_key = self.public_key()?.to_vec();
        Some(Box::new(Chosen {
            signer: self.0.choose_scheme(offered)?,
            by: By::Delegated(public_key),
        }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.0.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

/// The key of a certificate.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) key: Arc<dyn SigningKey>,
    pub(crate) number: i32,
    /// What it signs with, the favourite first; everything if this is empty.
    pub(crate) schemes: Vec<SignatureScheme>,
}

impl SigningKey for Numbered {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let mut wanted = self.schemes.iter().filter(|s| offered.contains(s));
        let signer = match self.schemes.is_empty() {
            true => self.key.choose_scheme(offered),
            false => wanted.find_map(|scheme| self.key.choose_scheme(&[*scheme])),
        };
        Some(Box::new(Chosen {
            signer: signer?,
            by: By::Certificate(self.number),
        }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.key.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }
}

/// A key with the scheme that it signs with.
#[derive(Debug)]
struct Chosen {
    signer: Box<dyn Signer>,
    by: By,
}

impl Signer for Chosen {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        LAST.set(Some(self.by.clone()));
        self.signer.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.signer.scheme()
    }
}

thread_local! {
    /// The shim has one connection at a time, on one thread.
    static LAST: RefCell<Option<By>> = const { RefCell::new(None) };
}
