//! A vendor's request to its CA: for a certificate that may delegate (RFC 9345 §4.2).

mod elsewhere;

use std::path::{Path, PathBuf};

use dc_core::{Role, SignatureScheme};
use der::Decode;
use pki_types::PrivateKeyDer;
use rcgen::{
    CertificateParams, CertificateSigningRequest, DistinguishedName, ExtendedKeyUsagePurpose,
    KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SignatureAlgorithm, SigningKey,
};
use rustls::crypto::ring::sign::any_supported_type;
use x509_cert::spki::SubjectPublicKeyInfoRef;
use zeroize::Zeroizing;

use crate::error::Error;
use dc_pki::delegation::KEY;
use dc_pki::files::{self, Access, NewFile};
use dc_pki::keys::{KeyLocation, Unlock};
use dc_pki::names::ZoneName;
use dc_pki::test_ca::delegation_usage;
use dc_pki::{keys, pem};

/// A type of key that can be made here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NewKey {
    /// ECDSA with P-256.
    P256,
    /// ECDSA with P-384.
    P384,
    /// Ed25519, which public CAs do not take.
    Ed25519,
}

/// Where the delegation key is to come from.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum KeySource<'a> {
    /// A new key, in the folder's `key.pem`.
    New(NewKey),
    /// One that is in a PEM file already, and stays there.
    File {
        /// The file.
        path: &'a Path,
        /// The passphrase, if it is encrypted.
        unlock: &'a Unlock,
    },
    /// One that is in no file, in a token for example; the folder gets a `key.uri` that says where.
    Elsewhere {
        /// Its place.
        location: &'a KeyLocation,
        /// The secret that opens it, if its place does not say where that is.
        unlock: &'a Unlock,
    },
}

/// The files that were written.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Written {
    /// The request.
    pub request: PathBuf,
    /// The private key that it is signed with, or the file that says where it is.
    pub key: PathBuf,
    /// The scheme that the key signs with.
    pub scheme: SignatureScheme,
}

/// Writes `request.csr` into a folder, and a new key, readable by its owner only, beside it.
///
/// The certificate is to be for credentials of these roles (RFC 5280 §4.2.1.12).
///
/// The folder is made if there is none. A key is never overwritten; a request is, as it can be made
/// again.
///
/// Fails with [`Error::Exists`](dc_pki::Error::Exists) if there is a key, with what reading a given key fails with, with
/// what opening one that is elsewhere fails with, and its not signing, with [`Error::RequestNotMade`] and with [`Error::Write`](dc_pki::Error::Write).
pub fn write(
    folder: &Path,
    zone: &ZoneName,
    roles: &[Role],
    source: KeySource<'_>,
) -> Result<Written, Error> {
    let wanted = params(zone, roles)?;
    match source {
        KeySource::New(kind) => with_new_key(folder, &wanted, kind),
        KeySource::File { path, unlock } => with_key_of(folder, &wanted, path, unlock),
        KeySource::Elsewhere { location, unlock } => {
            elsewhere::write(folder, &wanted, location, unlock)
        }
    }
}

fn with_new_key(folder: &Path, wanted: &CertificateParams, kind: NewKey) -> Result<Written, Error> {
    let path = folder.join(KEY);
    // Before any work; the key's file is created such that it cannot overwrite one either.
    if files::exists(&path) {
        return Err(dc_pki::Error::Exists { path }.into());
    }
    let key = KeyPair::generate_for(kind.algorithm()).map(Zeroizing::new);
    let key = key.map_err(not_made)?;
    let request = request(wanted, &*key)?;
    let key_pem = Zeroizing::new(pem::encode("PRIVATE KEY", key.serialized_der()));
    let key_file = NewFile {
        name: KEY,
        contents: key_pem.as_bytes(),
        access: Access::Owner,
    };
    let request_file = request_file(&request);
    match files::exists(folder) {
        false => files::create_folder(folder, Access::Owner, &[key_file, request_file])?,
        true => {
            let staged = files::stage(folder, &request_file)?;
            files::stage(folder, &key_file)?.create()?;
            staged.replace()?;
            files::sync(folder)?;
        }
    }
    Ok(Written {
        request: folder.join(REQUEST),
        key: path,
        scheme: kind.scheme(),
    })
}

fn with_key_of(
    folder: &Path,
    wanted: &CertificateParams,
    path: &Path,
    unlock: &Unlock,
) -> Result<Written, Error> {
    let key = ExistingKey::read(path, unlock)?;
    let request = request(wanted, &key)?;
    let request_file = request_file(&request);
    match files::exists(folder) {
        false => files::create_folder(folder, Access::Owner, &[request_file])?,
        true => {
            files::stage(folder, &request_file)?.replace()?;
            files::sync(folder)?;
        }
    }
    Ok(Written {
        request: folder.join(REQUEST),
        key: path.into(),
        scheme: key.scheme(),
    })
}

fn request_file(request: &str) -> NewFile<'_> {
    NewFile {
        name: REQUEST,
        contents: request.as_bytes(),
        access: Access::Everyone,
    }
}

/// All that the certificate is to say, but its key.
fn params(zone: &ZoneName, roles: &[Role]) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    // The names are in subjectAltName; a common name would only repeat them.
    params.distinguished_name = DistinguishedName::new();
    let wildcard = zone.wildcard().try_into().map_err(not_made)?;
    params.subject_alt_names = vec![SanType::DnsName(wildcard)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = roles.iter().copied().map(purpose).collect();
    params.custom_extensions = vec![delegation_usage()];
    Ok(params)
}

fn purpose(role: Role) -> ExtendedKeyUsagePurpose {
    match role {
        Role::Server => ExtendedKeyUsagePurpose::ServerAuth,
        Role::Client => ExtendedKeyUsagePurpose::ClientAuth,
    }
}

/// The request in PEM.
fn request(wanted: &CertificateParams, key: &impl SigningKey) -> Result<String, Error> {
    let request: CertificateSigningRequest = wanted.serialize_request(key).map_err(not_made)?;
    Ok(pem::encode("CERTIFICATE REQUEST", request.der()))
}

fn not_made(source: rcgen::Error) -> Error {
    Error::RequestNotMade { source }
}

impl NewKey {
    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Self::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
        }
    }

    fn scheme(self) -> SignatureScheme {
        match self {
            Self::P256 => SignatureScheme::ECDSA_SECP256R1_SHA256,
            Self::P384 => SignatureScheme::ECDSA_SECP384R1_SHA384,
            Self::Ed25519 => SignatureScheme::ED25519,
        }
    }
}

/// A key in any of the encodings that keys come in, as rcgen wants it.
struct ExistingKey {
    signer: Box<dyn rustls::sign::Signer>,
    algorithm: &'static SignatureAlgorithm,
    /// The contents of the SubjectPublicKeyInfo's BIT STRING.
    public: Vec<u8>,
}

impl ExistingKey {
    fn read(path: &Path, unlock: &Unlock) -> Result<Self, Error> {
        let read = keys::read_signer_with(path, unlock, Self::from_der);
        Ok(read.map_err(keys::ask_for_passphrase)?)
    }

    fn from_der(key: &PrivateKeyDer<'_>) -> Option<Self> {
        let key = any_supported_type(key).ok()?;
        let signer = key.choose_scheme(&SCHEMES.map(|(scheme, _)| scheme))?;
        let (_, algorithm) = SCHEMES
            .into_iter()
            .find(|(scheme, _)| *scheme == signer.scheme())?;
        let spki = key.public_key()?;
        let spki = SubjectPublicKeyInfoRef::from_der(&spki).ok()?;
        Some(Self {
            signer,
            algorithm,
            public: spki.subject_public_key.as_bytes()?.to_vec(),
        })
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme(self.signer.scheme().into())
    }
}

impl PublicKeyData for ExistingKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningKey for ExistingKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.signer
            .sign(message)
            .map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// The scheme that each type of key signs a request with. RSA does it with PKCS#1 v1.5, which every CA takes.
const SCHEMES: [(rustls::SignatureScheme, &SignatureAlgorithm); 4] = [
    (
        rustls::SignatureScheme::ECDSA_NISTP256_SHA256,
        &rcgen::PKCS_ECDSA_P256_SHA256,
    ),
    (
        rustls::SignatureScheme::ECDSA_NISTP384_SHA384,
        &rcgen::PKCS_ECDSA_P384_SHA384,
    ),
    (rustls::SignatureScheme::ED25519, &rcgen::PKCS_ED25519),
    (
        rustls::SignatureScheme::RSA_PKCS1_SHA256,
        &rcgen::PKCS_RSA_SHA256,
    ),
];

/// The vendor's request, beside its key.
pub(crate) const REQUEST: &str = "request.csr";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display;
    use dc_pki::DeviceKey;

    fn read(path: &Path) -> display::Request {
        let algorithms = rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .all;
        // Checks the signature too.
        DeviceKey::from_csr(path, algorithms).unwrap();
        let file = files::read(path).unwrap();
        let der = pem::request(path, &file).unwrap();
        display::Request::read(&der).unwrap()
    }

    #[test]
    fn asks_for_what_rfc_9345_wants_with_every_type_of_key() {
        let folder = tempfile::tempdir().unwrap();
        let zone = ZoneName::parse("cpe.example.com").unwrap();
        for (kind, name) in [
            (NewKey::P256, "ECDSA P-256"),
            (NewKey::P384, "ECDSA P-384"),
            (NewKey::Ed25519, "Ed25519"),
        ] {
            let folder = folder.path().join(name);
            let written = write(&folder, &zone, &[Role::Server], KeySource::New(kind)).unwrap();
            let request = read(&written.request);
            assert_eq!(request.key.to_string(), name);
            let extensions = &request.extensions;
            assert_eq!(extensions.dns_names, ["*.cpe.example.com"]);
            assert_eq!(extensions.key_usage, ["digitalSignature"]);
            assert_eq!(
                extensions.delegation_usage,
                dc_pki::extensions::DelegationUsage::Present
            );
            let key = keys::PemKey::read(&written.key).unwrap();
            assert_eq!(key.spki(), request.spki);
        }
    }

    #[test]
    fn asks_for_the_purposes_of_the_roles() {
        let folder = tempfile::tempdir().unwrap();
        let zone = ZoneName::parse("cpe.example.com").unwrap();
        for (roles, purposes) in [
            (&[Role::Server][..], &["serverAuth"][..]),
            (&[Role::Client], &["clientAuth"]),
            (&[Role::Server, Role::Client], &["serverAuth", "clientAuth"]),
        ] {
            let folder = folder.path().join(purposes.join("-"));
            let written = write(&folder, &zone, roles, KeySource::New(NewKey::P256)).unwrap();
            let request = read(&written.request);
            assert_eq!(request.extensions.extended_key_usage, purposes);
        }
    }

    #[test]
    fn an_rsa_key_that_is_there_already_stays_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let zone = ZoneName::parse("cpe.example.com").unwrap();
        let key = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/keys/rsa-2048.pem");
        let source = KeySource::File {
            path: key.as_ref(),
            unlock: &Unlock::default(),
        };
        let written = write(folder.path(), &zone, &[Role::Server], source).unwrap();
        assert_eq!(read(&written.request).key.to_string(), "RSA 2048");
        assert!(!files::exists(&folder.path().join(KEY)));
    }

    #[test]
    fn a_key_is_never_overwritten_and_a_request_is() {
        let folder = tempfile::tempdir().unwrap();
        let zone = ZoneName::parse("cpe.example.com").unwrap();
        let new = KeySource::New(NewKey::P256);
        let first = write(folder.path(), &zone, &[Role::Server], new).unwrap();
        let key = files::read(&first.key).unwrap();
        let error = write(folder.path(), &zone, &[Role::Server], new).unwrap_err();
        assert!(
            matches!(error, Error::Pki(dc_pki::Error::Exists { .. })),
            "{error}"
        );
        assert_eq!(files::read(&first.key).unwrap(), key);
        let again = write(
            folder.path(),
            &zone,
            &[Role::Server],
            KeySource::File {
                path: &first.key,
                unlock: &Unlock::default(),
            },
        )
        .unwrap();
        assert_eq!(again, first);
    }
}
