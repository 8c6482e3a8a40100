//! A request that is signed by a key that is in no file: in a token, for example.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use dc_core::{SignatureScheme, Signer};
use der::Decode;
use rcgen::{CertificateParams, PublicKeyData, SignatureAlgorithm, SigningKey};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::{REQUEST, Written, request, request_file};
use crate::error::Error;
use dc_pki::delegation::{KEY, KEY_URI};
use dc_pki::files::{self, Access, NewFile};
use dc_pki::keys::{KeyLocation, NotSigned, OpenKey, Unlock};

/// Writes the request, and beside it where the key is.
pub(super) fn write(
    folder: &Path,
    wanted: &CertificateParams,
    location: &KeyLocation,
    unlock: &Unlock,
) -> Result<Written, Error> {
    let place = format!("{location}\n");
    let path = folder.join(KEY_URI);
    let is_new = !is_there_already(folder, &path, &place)?;
    let key = Elsewhere::open(location, unlock)?;
    let request = request(wanted, &key).map_err(|error| key.explain(error))?;
    let request_file = request_file(&request);
    let place_file = NewFile {
        name: KEY_URI,
        contents: place.as_bytes(),
        access: Access::Owner,
    };
    match files::exists(folder) {
        false => files::create_folder(folder, Access::Owner, &[place_file, request_file])?,
        true => {
            let staged = files::stage(folder, &request_file)?;
            if is_new {
                files::stage(folder, &place_file)?.create()?;
            }
            staged.replace()?;
            files::sync(folder)?;
        }
    }
    Ok(Written {
        request: folder.join(REQUEST),
        key: path,
        scheme: key.key.scheme(),
    })
}

/// True if the folder says already that the key is there; no folder is made to have two keys.
fn is_there_already(folder: &Path, path: &Path, place: &str) -> Result<bool, Error> {
    if files::exists(&folder.join(KEY)) {
        let path = folder.join(KEY);
        return Err(dc_pki::Error::Exists { path }.into());
    }
    if !files::exists(path) {
        return Ok(false);
    }
    match files::read(path)?.trim_ascii() == place.trim_ascii().as_bytes() {
        true => Ok(true),
        false => Err(dc_pki::Error::Exists { path: path.into() }.into()),
    }
}

/// An opened key, as rcgen wants it.
struct Elsewhere {
    key: OpenKey,
    algorithm: &'static SignatureAlgorithm,
    /// The contents of the SubjectPublicKeyInfo's BIT STRING.
    public: Vec<u8>,
    /// The reason that it did not sign, for which rcgen has no room.
    fault: Mutex<Option<NotSigned>>,
}

impl Elsewhere {
    fn open(location: &KeyLocation, unlock: &Unlock) -> Result<Self, Error> {
        let key = OpenKey::open(location.clone(), unlock)?;
        let algorithm = match key.scheme() {
            SignatureScheme::ECDSA_SECP256R1_SHA256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            SignatureScheme::ECDSA_SECP384R1_SHA384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            SignatureScheme::ED25519 => &rcgen::PKCS_ED25519,
            _ => &rcgen::PKCS_RSA_SHA256,
        };
        let spki = SubjectPublicKeyInfoRef::from_der(key.spki()).ok();
        let public = spki.and_then(|spki| Some(spki.subject_public_key.as_bytes()?.to_vec()));
        Ok(Self {
            algorithm,
            public: public.unwrap_or_default(),
            key,
            fault: Mutex::default(),
        })
    }

    /// The error that rcgen could not tell.
    fn explain(&self, error: Error) -> Error {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match fault.take() {
            Some(source) => dc_pki::Error::Sign { source }.into(),
            None => error,
        }
    }
}

impl PublicKeyData for Elsewhere {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningKey for Elsewhere {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.key.sign_request(message).map_err(|fault| {
            let mut kept = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
            *kept = Some(fault);
            rcgen::Error::RemoteKeyError
        })
    }
}
