//! A device's public key, from a certificate signing request or bare.

use std::fmt;
use std::path::{Path, PathBuf};

use der::{Decode, Encode};
use pki_types::{CertificateSigningRequestDer, SignatureVerificationAlgorithm};
use x509_cert::request::CertReq;

use crate::asn1::{contents, first_of_sequence, whole_bytes};
use crate::error::Error;
use crate::keys::KeyError;
use crate::{files, pem};

/// The public key for which a device wants a credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceKey {
    spki: Vec<u8>,
    path: PathBuf,
}

impl DeviceKey {
    /// Takes the public key, and nothing else, of a PKCS#10 request in PEM or DER.
    ///
    /// Its signature shows that whoever made it holds the private key; `algorithms` check it. Fails
    /// with [`Error::Read`], [`Error::TooLarge`], [`Error::BadPem`], [`Error::MissingPem`],
    /// [`Error::PrivateKeyGiven`], [`Error::BadCsr`], [`Error::UnsupportedCsrSignature`],
    /// [`Error::UnsupportedKey`] or [`Error::BadCsrSignature`].
    pub fn from_csr(
        path: &Path,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<Self, Error> {
        let file = public_file(path)?;
        let der = match pem::is_pem(&file) {
            true => pem::request(path, &file)?,
            false => CertificateSigningRequestDer::from(file),
        };
        Self::from_csr_der(path, &der, algorithms)
    }

    /// The same of a request that was read already.
    pub fn from_csr_der(
        path: &Path,
        der: &[u8],
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<Self, Error> {
        let spki = checked(der, algorithms).map_err(|error| error.at(path))?;
        Ok(Self {
            spki,
            path: path.into(),
        })
    }

    /// Takes a bare SubjectPublicKeyInfo in PEM (`PUBLIC KEY`) or DER, without any proof that the
    /// device holds the private key.
    ///
    /// A text that is no public key at all shows as such when a credential is issued. Fails with
    /// [`Error::Read`], [`Error::TooLarge`], [`Error::BadPem`], [`Error::MissingPem`],
    /// [`Error::UnsupportedKey`] or [`Error::PrivateKeyGiven`].
    pub fn from_spki(path: &Path) -> Result<Self, Error> {
        let file = public_file(path)?;
        let spki = match pem::is_pem(&file) {
            true => pem::public_key(path, &file)?.to_vec(),
            false => file,
        };
        if let Some(fault) = KeyError::of_public(&spki) {
            let path = path.into();
            return Err(Error::UnsupportedKey { path, fault });
        }
        Ok(Self {
            spki,
            path: path.into(),
        })
    }

    /// The key: a DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The file that it came from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Takes the public key, and nothing else, of a PKCS#10 request in PEM or DER that came over the network: a
/// DER SubjectPublicKeyInfo.
///
/// Its signature shows that whoever made it holds the private key; `algorithms` check it. Fails with
/// [`CsrError`].
pub fn public_key(
    request: &[u8],
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
) -> Result<Vec<u8>, CsrError> {
    if pem::has_private_key(request) {
        return Err(CsrError::PrivateKey);
    }
    match pem::is_pem(request) {
        true => {
            let der = dc_core::pem::request(request);
            checked(&der.map_err(CsrError::BadPem)?, algorithms)
        }
        false => checked(request, algorithms),
    }
}

fn checked(
    der: &[u8],
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
) -> Result<Vec<u8>, CsrError> {
    let csr = Csr::parse(der).map_err(CsrError::Malformed)?;
    if let Some(fault) = KeyError::of_public(&csr.spki) {
        return Err(CsrError::Key(fault));
    }
    csr.verify(algorithms)?;
    Ok(csr.spki)
}

/// The reason that a certificate signing request proves nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum CsrError {
    /// It is PEM that is damaged, or has no block `CERTIFICATE REQUEST`.
    BadPem(dc_core::Error),
    /// It is not signed by the key in it.
    BadSignature,
    /// It is no PKCS#10 request (RFC 2986).
    Malformed(der::Error),
    /// There is a private key with it, which is not secret any more.
    PrivateKey,
    /// The key in it is not taken.
    Key(KeyError),
    /// It is signed in a way that cannot be checked.
    Unsupported,
}

impl CsrError {
    fn at(self, path: &Path) -> Error {
        let owned = || path.into();
        match self {
            Self::BadSignature => Error::BadCsrSignature { path: owned() },
            Self::Malformed(source) => Error::BadCsr {
                path: owned(),
                source,
            },
            Self::PrivateKey => Error::PrivateKeyGiven { path: owned() },
            Self::Key(fault) => Error::UnsupportedKey {
                path: owned(),
                fault,
            },
            Self::Unsupported => Error::UnsupportedCsrSignature { path: owned() },
            Self::BadPem(source) => pem::at(path)(source),
        }
    }
}

impl std::error::Error for CsrError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::BadPem(source) => Some(source),
            Self::Malformed(source) => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for CsrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadPem(source) => write!(
                f,
                "the certificate signing request is not one whole PEM block CERTIFICATE REQUEST: {source}"
            ),
            Self::BadSignature => f.write_str(
                "the certificate signing request is not signed by the key in it: make a new one on the device",
            ),
            Self::Malformed(source) => write!(
                f,
                "this is not a certificate signing request (PKCS#10): {source}"
            ),
            Self::PrivateKey => f.write_str(
                "a private key came with the certificate signing request, so it is not secret any more: make a new one and send only the request",
            ),
            Self::Key(fault) => write!(f, "the certificate signing request: {fault}, and make a new request"),
            Self::Unsupported => f.write_str(
                "the certificate signing request is signed with an algorithm that does not fit its key or is not supported: use ECDSA P-256 with SHA-256, P-384 with SHA-384, or Ed25519",
            ),
        }
    }
}

fn public_file(path: &Path) -> Result<Vec<u8>, Error> {
    let file = files::read(path)?;
    match pem::has_private_key(&file) {
        true => Err(Error::PrivateKeyGiven { path: path.into() }),
        false => Ok(file.to_vec()),
    }
}

/// The parts of a request that are needed to check its signature.
struct Csr<'a> {
    /// CertificationRequestInfo exactly as it was received: the signature is over these bytes.
    signed: &'a [u8],
    /// The public key in it, whole.
    spki: Vec<u8>,
    /// The contents of the AlgorithmIdentifier of the key, and the key itself.
    key: (Vec<u8>, Vec<u8>),
    /// The contents of the AlgorithmIdentifier of the signature, and the signature itself.
    signature: (Vec<u8>, Vec<u8>),
}

impl<'a> Csr<'a> {
    fn parse(der: &'a [u8]) -> der::Result<Self> {
        let CertReq {
            info,
            algorithm,
            signature,
        } = CertReq::from_der(der)?;
        let key = &info.public_key;
        Ok(Self {
            signed: first_of_sequence(der)?,
            spki: key.to_der()?,
            key: (
                contents(&key.algorithm)?,
                whole_bytes((&key.subject_public_key).into())?,
            ),
            signature: (contents(&algorithm)?, whole_bytes((&signature).into())?),
        })
    }

    fn verify(
        &self,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<(), CsrError> {
        let (key_type, key) = &self.key;
        let (signature_type, signature) = &self.signature;
        algorithms
            .iter()
            .find(|algorithm| {
                algorithm.public_key_alg_id().as_ref() == key_type
                    && algorithm.signature_alg_id().as_ref() == signature_type
            })
            .ok_or(CsrError::Unsupported)?
            .verify_signature(key, self.signed, signature)
            .map_err(|_| CsrError::BadSignature)
    }
}
