//! The runner's credentials, each behind an acceptor of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dc_core::pem::{self, StoredCredential};
use dc_core::{DelegatedCredential, Form};
use dc_rustls::server::danger::install_unchecked;
use dc_rustls::server::{Acceptor, Identity, Settings, Store};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ProtocolVersion, ServerConfig, SupportedProtocolVersion};

use crate::Failure;
use crate::options::{Credential, Kind, Options};
use crate::trial::Sessions;

/// One credential, and what serves with it and nothing else.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// What the runner calls it.
    pub(crate) number: i32,
    pub(crate) acceptor: Acceptor,
}

/// All credentials in the order in which they are to be tried: the default one last.
pub(crate) fn all(options: &Options) -> Result<Vec<Candidate>, Failure> {
    let provider = provider(options)?;
    let versions = versions(options);
    let mut candidates = Vec::new();
    for (number, credential) in (0..).zip(&options.credentials) {
        // One that cannot be used in any handshake still has to be in order.
        let acceptor = acceptor(&provider, &versions, credential)?;
        candidates.extend(acceptor.map(|acceptor| Candidate { number, acceptor }));
    }
    if options.default_credential.certificate.is_some() {
        let acceptor = acceptor(&provider, &versions, &options.default_credential)?;
        candidates.extend(acceptor.map(|acceptor| Candidate {
            number: -1,
            acceptor,
        }));
    }
    match candidates.is_empty() {
        true => Err(Failure::Failed(":NO_CERTIFICATE_SET:".to_owned())),
        false => Ok(candidates),
    }
}

/// `None` if it is good for no version that is on.
fn acceptor(
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    credential: &Credential,
) -> Result<Option<Acceptor>, Failure> {
    let chain = read_chain(given(&credential.certificate, "-cert-file")?)?;
    let key = read_key(given(&credential.key, "-key-file")?)?;
    let settings = Settings::new(Arc::clone(provider)).session_storage(Sessions::new());
    let store = Store::with_settings(settings);
    match credential.kind {
        Kind::X509 => {
            let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
                .with_protocol_versions(versions)
                .map_err(Failure::because)?
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .map_err(key_mismatch)?;
            config.session_storage = Sessions::new();
            Ok(Some(Acceptor::new(store).fallback(Arc::new(config))))
        }
        Kind::Delegated => {
            let bytes = credential.delegated.as_deref().unwrap_or_default();
            check(provider, bytes, &key)?;
            let identity = Identity::new(chain, vec![stored(bytes)?], key);
            // The runner signs as draft-02 had it, which no client accepts any more.
            install_unchecked(&store, identity).map_err(Failure::because)?;
            let is_on = versions
                .iter()
                .any(|v| v.version == ProtocolVersion::TLSv1_3);
            Ok(is_on.then(|| Acceptor::new(store)))
        }
    }
}

/// What BoringSSL finds wrong when a credential is configured, under the names that it has for that.
fn check(
    provider: &CryptoProvider,
    bytes: &[u8],
    key: &PrivateKeyDer<'static>,
) -> Result<(), Failure> {
    let credential = DelegatedCredential::decode(Form::Rfc9345, bytes).map_err(Failure::because)?;
    let claim = credential.credential();
    if !claim.dc_cert_verify_algorithm.fits_credential_keys() {
        return Err(Failure::Failed(":INVALID_SIGNATURE_ALGORITHM:".to_owned()));
    }
    let key = provider
        .key_provider
        .load_private_key(key.clone_key())
        .map_err(Failure::because)?;
    match key.public_key() {
        Some(spki) if *spki == *claim.spki => Ok(()),
        _ => Err(Failure::Failed(":KEY_VALUES_MISMATCH:".to_owned())),
    }
}

fn stored(bytes: &[u8]) -> Result<StoredCredential, Failure> {
    let file = pem::write(Form::Rfc9345, bytes);
    let mut credentials = pem::read(file.as_bytes()).map_err(Failure::because)?;
    Ok(credentials.remove(0))
}

fn key_mismatch(error: rustls::Error) -> Failure {
    match error {
        rustls::Error::InconsistentKeys(_) => Failure::Failed(":KEY_VALUES_MISMATCH:".to_owned()),
        error => Failure::because(error),
    }
}

fn provider(options: &Options) -> Result<Arc<CryptoProvider>, Failure> {
    let mut provider = ring::default_provider();
    if !options.curves.is_empty() {
        let group = |curve: &u16| {
            let mut groups = ring::ALL_KX_GROUPS.iter().copied();
            let found = groups.find(|group| u16::from(group.name()) == *curve);
            found.ok_or_else(|| Failure::Unimplemented(format!("curve {curve}")))
        };
        provider.kx_groups = options.curves.iter().map(group).collect::<Result<_, _>>()?;
    }
    Ok(Arc::new(provider))
}

fn versions(options: &Options) -> Vec<&'static SupportedProtocolVersion> {
    let is_on = |version: &&&SupportedProtocolVersion| {
        let number = u16::from(version.version);
        options.min_version.is_none_or(|min| min <= number)
            && options.max_version.is_none_or(|max| number <= max)
            && !options.without.contains(&version.version)
    };
    rustls::ALL_VERSIONS.iter().filter(is_on).copied().collect()
}

fn given<'a>(path: &'a Option<PathBuf>, flag: &str) -> Result<&'a Path, Failure> {
    path.as_deref()
        .ok_or_else(|| Failure::Failed(format!("a credential has no {flag}")))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}
