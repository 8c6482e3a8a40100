//! The pieces of files, parsed, before anything is made of them.

use std::path::PathBuf;

use dc_core::DelegatedCredential;
use dc_core::pem::StoredCredential;

use crate::{ParsedCertificate, display};
use dc_pki::Warning;

/// One thing in one file.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) file: PathBuf,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Certificate(ParsedCertificate),
    Credential(StoredCredential),
    Request(Request),
    /// A SubjectPublicKeyInfo, in DER.
    PublicKey(Vec<u8>),
    PrivateKey(Key),
}

/// A PKCS#10 request, in DER, and its contents.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) der: Vec<u8>,
    pub(super) shown: der::Result<display::Request>,
}

impl Request {
    pub(super) fn new(der: Vec<u8>) -> Self {
        Self {
            shown: display::Request::read(&der),
            der,
        }
    }
}

/// The public half of a private key, or the reason that it cannot be used.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// Its public half, if it can be used here.
    pub(super) spki: Option<Vec<u8>>,
    /// The reason that it cannot.
    pub(super) error: Option<String>,
    /// True if that would stop a server.
    pub(super) stops_servers: bool,
    /// True if it takes a passphrase, which a signer has and no device.
    pub(super) encrypted: bool,
    pub(super) warning: Option<Warning>,
}

impl What {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Certificate(_) => "certificate",
            Self::Credential(_) => "credential",
            Self::Request(_) => "request",
            Self::PublicKey(_) => "public key",
            Self::PrivateKey(_) => "private key",
        }
    }
}

impl Piece {
    pub(super) fn certificate(&self) -> Option<&ParsedCertificate> {
        match &self.what {
            What::Certificate(certificate) => Some(certificate),
            _ => None,
        }
    }

    /// True if it is about this public key; a private key is not.
    pub(super) fn has_key(&self, spki: &[u8]) -> bool {
        match &self.what {
            What::Certificate(certificate) => {
                certificate.shown().is_ok_and(|shown| shown.spki == spki)
            }
            What::Credential(stored) => {
                decoded(stored).is_ok_and(|credential| credential.credential().spki == spki)
            }
            What::Request(request) => {
                let shown = request.shown.as_ref();
                shown.is_ok_and(|shown| shown.spki == spki)
            }
            What::PublicKey(own) => own == spki,
            What::PrivateKey(_) => false,
        }
    }
}

/// A credential, borrowed from its file: nothing is copied.
pub(super) fn decoded(
    stored: &StoredCredential,
) -> Result<DelegatedCredential<'_>, dc_core::Error> {
    DelegatedCredential::decode(stored.form, &stored.bytes)
}

/// The reason that stops a server that has a device's identity.
pub(super) const NO_PASSPHRASES: &str = "it is encrypted, and a server asks for no passphrase: make a key for the device that only its user may read";
