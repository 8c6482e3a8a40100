//! Files and folders taken to pieces, whatever they are.

use std::path::{Path, PathBuf};

use pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use super::piece::{Key, Piece, Request, What};
use crate::ParsedCertificate;
use crate::delegation_csr::REQUEST;
use crate::display;
use crate::error::Error;
use dc_pki::delegation::{CHAIN, KEY};
use dc_pki::identity::CREDENTIAL;
use dc_pki::keys::{PemKey, Unlock};
use dc_pki::trust::MAX_ROOTS_LEN;
use dc_pki::{files, pem};

/// One file or folder that was named.
#[derive(Debug)]
pub(super) struct Argument {
    pub(super) path: PathBuf,
    pub(super) kind: &'static str,
    pub(super) pieces: Vec<Piece>,
}

/// An encrypted key is opened with what `unlock` has.
pub(super) fn argument(path: &Path, unlock: &Unlock) -> Result<Argument, Error> {
    let (kind, pieces) = match path.is_dir() {
        true => folder(path, unlock)?,
        false => {
            let pieces = file(path, unlock)?;
            (kind_of_file(&pieces), pieces)
        }
    };
    let path = path.into();
    Ok(Argument { path, kind, pieces })
}

fn kind_of_file(pieces: &[Piece]) -> &'static str {
    let mut names: Vec<_> = pieces.iter().map(|piece| piece.what.name()).collect();
    let count = names.len();
    names.dedup();
    match (&names[..], count) {
        (["certificate"], 1) => "certificate",
        (["certificate"], _) => "certificate chain",
        (["credential"], 1) => "credential",
        (["credential"], _) => "credentials",
        (["request"], _) => "certificate signing request",
        (["public key"], _) => "public key",
        (["private key"], _) => "private key",
        _ => "several things",
    }
}

fn folder(path: &Path, unlock: &Unlock) -> Result<(&'static str, Vec<Piece>), Error> {
    let mut pieces = Vec::new();
    for name in [ROOT, CHAIN, CREDENTIAL, REQUEST, KEY] {
        let path = path.join(name);
        if files::exists(&path) {
            pieces.extend(member(&path, name, unlock)?);
        }
    }
    let has = |name| files::exists(&path.join(name));
    let kind = match (has(CREDENTIAL), has(CHAIN), has(KEY)) {
        (true, _, _) => "identity folder of a device",
        (false, true, true) => "folder of a vendor",
        (false, false, true) if has(REQUEST) => "folder of a vendor that waits for its certificate",
        _ if pieces.is_empty() => return Err(Error::UnknownFolder { path: path.into() }),
        _ => "folder",
    };
    Ok((kind, pieces))
}

/// A file by whose name servers and signers take it out of its folder, and only as PEM.
///
/// Fails as they do; an error of a key is said beside the rest.
fn member(path: &Path, name: &str, unlock: &Unlock) -> Result<Vec<Piece>, Error> {
    let contents = match name {
        KEY => {
            let contents = files::read(path);
            let key = contents.and_then(|file| pem::private_key(path, &file).map(|_| file));
            match key {
                Ok(contents) => contents,
                // Its bytes are PEM all the same, and there may be a passphrase.
                Err(dc_pki::Error::EncryptedKey { .. }) => read(path)?,
                Err(error) => return Ok(vec![piece(path, What::PrivateKey(unusable(&error)))]),
            }
        }
        CHAIN => {
            let contents = files::read(path)?;
            pem::certificates(path, &contents)?;
            contents
        }
        ROOT => {
            let contents = read(path)?;
            pem::certificates(path, &contents)?;
            contents
        }
        _ => read(path)?,
    };
    pieces(path, &contents, unlock)
}

/// As much as a list of roots may have.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, dc_pki::Error> {
    files::read_up_to(path, MAX_ROOTS_LEN)
}

fn file(path: &Path, unlock: &Unlock) -> Result<Vec<Piece>, Error> {
    match read(path) {
        // A key that others cannot read is as it should be; the rest of the folder is worth a look.
        Err(error) if path.file_name() == Some(KEY.as_ref()) => {
            Ok(vec![piece(path, What::PrivateKey(unusable(&error)))])
        }
        contents => pieces(path, &contents?, unlock),
    }
}

fn pieces(path: &Path, contents: &[u8], unlock: &Unlock) -> Result<Vec<Piece>, Error> {
    let found = match pem::is_pem(contents) {
        true => from_pem(path, contents, unlock)?,
        false => from_der(path, contents),
    };
    match found.is_empty() {
        true => Err(Error::UnknownFile { path: path.into() }),
        false => Ok(found.into_iter().map(|what| piece(path, what)).collect()),
    }
}

fn piece(path: &Path, what: What) -> Piece {
    let file = path.into();
    Piece { file, what }
}

fn from_pem(path: &Path, file: &[u8], unlock: &Unlock) -> Result<Vec<What>, Error> {
    let mut found = Vec::new();
    let at = pem::at(path);
    let certificates = or_none(dc_core::pem::certificates(file)).map_err(&at)?;
    found.extend(
        ParsedCertificate::chain(certificates)
            .into_iter()
            .map(What::Certificate),
    );
    match dc_core::pem::read(file) {
        Ok(credentials) => found.extend(credentials.into_iter().map(What::Credential)),
        Err(dc_core::Error::MissingCredential) => {}
        Err(source @ dc_core::Error::MalformedPem { .. }) => return Err(at(source).into()),
        Err(source) => {
            let path = path.into();
            return Err(dc_pki::Error::BadCredential { path, source }.into());
        }
    }
    let requests = or_none(dc_core::pem::requests(file)).map_err(&at)?;
    found.extend(
        requests
            .iter()
            .map(|der| What::Request(Request::new(der.to_vec()))),
    );
    let keys = or_none(dc_core::pem::public_keys(file)).map_err(&at)?;
    found.extend(keys.iter().map(|der| What::PublicKey(der.to_vec())));
    if pem::has_private_key(file) {
        found.push(What::PrivateKey(
            match PemKey::in_file_with(path, file, unlock) {
                Ok(key) => Key {
                    spki: Some(key.spki().to_vec()),
                    error: None,
                    stops_servers: false,
                    encrypted: pem::is_encrypted(path, file),
                    warning: files::check_private(path)?,
                },
                Err(error) if is_without_passphrase(&error) => Key {
                    error: Some(LOCKED.to_owned()),
                    encrypted: true,
                    ..unusable(&error)
                },
                Err(error) => unusable(&error),
            },
        ));
    }
    Ok(found)
}

/// A file need not have blocks of a kind.
fn or_none<T>(found: Result<Vec<T>, dc_core::Error>) -> Result<Vec<T>, dc_core::Error> {
    match found {
        Err(dc_core::Error::MissingPem { .. }) => Ok(Vec::new()),
        found => found,
    }
}

fn unusable(error: &dc_pki::Error) -> Key {
    Key {
        spki: None,
        error: Some(error.to_string()),
        // One that only its owner may read is as it should be.
        stops_servers: !matches!(error, dc_pki::Error::Read { .. }),
        encrypted: false,
        warning: None,
    }
}

/// True if a key is encrypted, and nobody has said where the passphrase is.
fn is_without_passphrase(error: &dc_pki::Error) -> bool {
    matches!(error, dc_pki::Error::EncryptedKey { .. })
}

/// DER and the bare structure of a credential say what they are only by parsing.
fn from_der(path: &Path, file: &[u8]) -> Vec<What> {
    let certificate = ParsedCertificate::new(file.to_vec().into());
    if certificate.shown().is_ok() {
        return vec![What::Certificate(certificate)];
    }
    let request = Request::new(file.to_vec());
    if request.shown.is_ok() {
        return vec![What::Request(request)];
    }
    if display::PublicKey::of(file).is_readable() {
        return vec![What::PublicKey(file.to_vec())];
    }
    if let Ok(key) = PrivateKeyDer::try_from(file.to_vec()) {
        return private_der(path, key).into_iter().collect();
    }
    let credentials = dc_core::pem::read(file).unwrap_or_default();
    credentials.into_iter().map(What::Credential).collect()
}

fn private_der(path: &Path, key: PrivateKeyDer<'static>) -> Option<What> {
    let key = PemKey::from_der(&Zeroizing::new(key))?;
    Some(What::PrivateKey(Key {
        spki: Some(key.spki().to_vec()),
        error: None,
        stops_servers: false,
        encrypted: false,
        warning: files::check_private(path).ok().flatten(),
    }))
}

const LOCKED: &str = "it is encrypted: --passphrase-file, --passphrase-fd, --passphrase-credential or --passphrase-command says where the passphrase is, to see which key it is";
/// The name that `init` gives the certificate that clients trust.
const ROOT: &str = "root.pem";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_a_file_after_all_that_is_in_it() {
        let piece = |what| piece("f".as_ref(), what);
        let certificate = || {
            piece(What::Certificate(ParsedCertificate::new(
                b"c".to_vec().into(),
            )))
        };
        let key = || piece(What::PublicKey(b"k".to_vec()));
        assert_eq!(kind_of_file(&[certificate()]), "certificate");
        assert_eq!(
            kind_of_file(&[certificate(), certificate()]),
            "certificate chain"
        );
        assert_eq!(kind_of_file(&[certificate(), key()]), "several things");
    }

    proptest! {
        #[test]
        fn any_bytes_are_something_or_nothing(bytes: Vec<u8>) {
            for what in from_der("f".as_ref(), &bytes) {
                let _ = piece("f".as_ref(), what).has_key(b"key");
            }
        }

        #[test]
        fn any_pem_is_something_or_an_error(label in "(NAMED )?(DELEGATED CREDENTIAL|CERTIFICATE|CERTIFICATE REQUEST|PUBLIC KEY)", bytes: Vec<u8>) {
            let text = der::pem::encode_string(&label, der::pem::LineEnding::LF, &bytes).unwrap();
            let found = from_pem("f".as_ref(), text.as_bytes(), &Unlock::default());
            for what in found.into_iter().flatten() {
                let _ = piece("f".as_ref(), what).has_key(b"key");
            }
        }
    }
}
