//! A device's public key, from a certificate signing request or bare.

use std::path::{Path, PathBuf};

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Reader, SliceReader};
use pki_types::{
    CertificateSigningRequestDer, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer,
};
use x509_cert::request::CertReq;

use crate::error::Error;
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
    /// [`Error::PrivateKeyGiven`], [`Error::BadCsr`], [`Error::UnsupportedCsrSignature`] or
    /// [`Error::BadCsrSignature`].
    pub fn from_csr(
        path: &Path,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<Self, Error> {
        let file = public_file(path)?;
        let der = match pem::is_pem(&file) {
            true => pem::first(path, &file, "CERTIFICATE REQUEST")?,
            false => CertificateSigningRequestDer::from(file),
        };
        Self::from_csr_der(path, &der, algorithms)
    }

    /// The same of a request that was read already.
    pub(crate) fn from_csr_der(
        path: &Path,
        der: &[u8],
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<Self, Error> {
        let csr = Csr::parse(der).map_err(|source| Error::BadCsr {
            path: path.into(),
            source,
        })?;
        csr.verify(path, algorithms)?;
        Ok(Self {
            spki: csr.spki,
            path: path.into(),
        })
    }

    /// Takes a bare SubjectPublicKeyInfo in PEM (`PUBLIC KEY`) or DER, without any proof that the
    /// device holds the private key.
    ///
    /// Whether it is a public key at all shows when a credential is issued. Fails with
    /// [`Error::Read`], [`Error::TooLarge`], [`Error::BadPem`], [`Error::MissingPem`] or
    /// [`Error::PrivateKeyGiven`].
    pub fn from_spki(path: &Path) -> Result<Self, Error> {
        let file = public_file(path)?;
        let spki = match pem::is_pem(&file) {
            true => pem::first::<SubjectPublicKeyInfoDer<'_>>(path, &file, "PUBLIC KEY")?.to_vec(),
            false => file,
        };
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

fn public_file(path: &Path) -> Result<Vec<u8>, Error> {
    let file = files::read(path)?;
    match pem::has_private_key(&file) {
        true => Err(Error::PrivateKeyGiven { path: path.into() }),
        false => Ok(file.to_vec()),
    }
}

/// What is needed of a request to check its signature.
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
        path: &Path,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<(), Error> {
        let (key_type, key) = &self.key;
        let (signature_type, signature) = &self.signature;
        algorithms
            .iter()
            .find(|algorithm| {
                algorithm.public_key_alg_id().as_ref() == key_type
                    && algorithm.signature_alg_id().as_ref() == signature_type
            })
            .ok_or_else(|| Error::UnsupportedCsrSignature { path: path.into() })?
            .verify_signature(key, self.signed, signature)
            .map_err(|_| Error::BadCsrSignature { path: path.into() })
    }
}

fn first_of_sequence(der: &[u8]) -> der::Result<&[u8]> {
    let mut outer = SliceReader::new(der)?;
    outer.sequence(|fields| {
        let first = fields.tlv_bytes()?;
        fields.drain(fields.remaining_len())?;
        Ok(first)
    })
}

/// The contents of an AlgorithmIdentifier, as signature verifiers compare them.
fn contents(algorithm: &impl Encode) -> der::Result<Vec<u8>> {
    let der = algorithm.to_der()?;
    Ok(AnyRef::from_der(&der)?.value().to_vec())
}

/// Keys and signatures are whole octets in BIT STRINGs.
fn whole_bytes(bits: BitStringRef<'_>) -> der::Result<Vec<u8>> {
    bits.as_bytes()
        .map(<[u8]>::to_vec)
        .ok_or_else(|| der::Tag::BitString.value_error().into())
}
