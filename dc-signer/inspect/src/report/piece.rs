//! The pieces of files, before anything is made of them.

use std::path::PathBuf;

use dc_core::DelegatedCredential;
use dc_core::pem::StoredCredential;
use pki_types::CertificateDer;

use crate::display;
use dc_pki::Warning;

/// One thing in one file.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) file: PathBuf,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Certificate(CertificateDer<'static>),
    Credential(StoredCredential),
    /// A PKCS#10 request, in DER.
    Request(Vec<u8>),
    /// A SubjectPublicKeyInfo, in DER.
    PublicKey(Vec<u8>),
    PrivateKey(Key),
}

/// What may be known of a private key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// Its public half, if it can be used here.
    pub(super) spki: Option<Vec<u8>>,
    /// Why it cannot.
    pub(super) problem: Option<String>,
    /// Whether that would stop a server.
    pub(super) is_fault: bool,
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
    pub(super) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        match &self.what {
            What::Certificate(certificate) => Some(certificate),
            _ => None,
        }
    }

    /// The public key that it is about; none of a private key.
    pub(super) fn spki(&self) -> Option<Vec<u8>> {
        match &self.what {
            What::Certificate(der) => Some(display::Certificate::read(der).ok()?.spki),
            What::Credential(stored) => {
                let credential = DelegatedCredential::decode(stored.form, &stored.bytes).ok()?;
                Some(credential.credential().spki.to_vec())
            }
            What::Request(der) => Some(display::Request::read(der).ok()?.spki),
            What::PublicKey(spki) => Some(spki.clone()),
            What::PrivateKey(_) => None,
        }
    }
}
