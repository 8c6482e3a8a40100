//! Our server with all of the runner's credentials.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dc_core::pem::{self, StoredCredential};
use dc_core::{DelegatedCredential, Form};
use dc_rustls::server::danger::install_all_unchecked;
use dc_rustls::server::{Acceptor, Identity, Settings, Store};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ProtocolVersion, ServerConfig, SupportedProtocolVersion};

use crate::Failure;
use crate::options::{Credential, Kind, Options};
use crate::signer::{self, By, Keys, Numbered};

/// What serves, and what the runner calls the credentials.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) acceptor: Acceptor,
    /// For each delegated credential its public key and its number.
    delegated: Vec<(Vec<u8>, i32)>,
}

impl Server {
    /// Fails with [`Failure::Failed`] if BoringSSL would not take one of the credentials.
    pub(crate) fn new(options: &Options) -> Result<Self, Failure> {
        let provider = provider(options)?;
        let mut loaded = Loaded::default();
        for (number, credential) in (0..).zip(&options.credentials) {
            loaded.add(&provider, number, credential)?;
        }
        if options.default_credential.certificate.is_some() {
            loaded.add(&provider, DEFAULT, &options.default_credential)?;
        }
        let delegated = std::mem::take(&mut loaded.delegated);
        let acceptor = loaded.acceptor(&provider, &versions(options)?)?;
        Ok(Self {
            acceptor,
            delegated,
        })
    }

    /// The number of the credential that the last connection was made with, or its session was.
    pub(crate) fn selected(&self) -> Option<i32> {
        match signer::last()? {
            By::Certificate(number) => Some(number),
            By::Delegated(key) => {
                let found = self.delegated.iter().find(|(other, _)| *other == key);
                found.map(|(_, number)| *number)
            }
        }
    }
}

/// Credentials in the order in which they are to be tried.
#[derive(Default)]
struct Loaded {
    identities: Vec<Identity>,
    certificates: Vec<Arc<CertifiedKey>>,
    delegated: Vec<(Vec<u8>, i32)>,
}

impl Loaded {
    fn add(
        &mut self,
        provider: &CryptoProvider,
        number: i32,
        credential: &Credential,
    ) -> Result<(), Failure> {
        let chain = read_chain(given(&credential.certificate, "-cert-file")?)?;
        let key = read_key(given(&credential.key, "-key-file")?)?;
        match credential.kind {
            Kind::X509 => {
                let mut certified =
                    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(named)?;
                certified.key = Arc::new(Numbered {
                    key: certified.key,
                    number,
                    schemes: credential.signing_prefs.clone(),
                });
                self.certificates.push(Arc::new(certified));
            }
            Kind::Delegated => {
                self.check_order(credential)?;
                let bytes = credential.delegated.as_deref().unwrap_or_default();
                self.delegated.push((check(provider, bytes, &key)?, number));
                let credentials = vec![stored(bytes)?];
                self.identities.push(Identity::new(chain, credentials, key));
            }
        }
        Ok(())
    }

    /// Our server always tries credentials first, and their key has one scheme.
    fn check_order(&self, credential: &Credential) -> Result<(), Failure> {
        let what = match (self.certificates.is_empty(), &credential.signing_prefs[..]) {
            (false, _) => "a delegated credential behind a certificate",
            (true, [_, ..]) => "-signing-prefs of a delegated credential",
            (true, []) => return Ok(()),
        };
        Err(Failure::Unimplemented(what.to_owned()))
    }

    fn acceptor(
        self,
        provider: &Arc<CryptoProvider>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Acceptor, Failure> {
        if self.identities.is_empty() && self.certificates.is_empty() {
            return Err(Failure::Failed(":NO_CERTIFICATE_SET:".to_owned()));
        }
        // The runner's certificates are RSA, and its clients do not offer that in extension 34.
        let settings = Settings::new(Arc::clone(provider)).without_nss_workaround();
        let store = Store::with_settings(settings);
        let is_on = |v: &&SupportedProtocolVersion| v.version == ProtocolVersion::TLSv1_3;
        if !self.identities.is_empty() && versions.iter().any(is_on) {
            // The runner signs as draft-02 had it, which no client accepts any more.
            install_all_unchecked(&store, self.identities).map_err(Failure::because)?;
        }
        let acceptor = Acceptor::new(store);
        if self.certificates.is_empty() {
            return Ok(acceptor);
        }
        let config = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(versions)
            .map_err(Failure::because)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(InOrder(self.certificates)));
        Ok(acceptor.fallback(Arc::new(config)))
    }
}

/// Picks the first certificate whose key signs with something that the client verifies.
#[derive(Debug)]
struct InOrder(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for InOrder {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let suits = |c: &&Arc<CertifiedKey>| c.key.choose_scheme(schemes).is_some();
        // If none does, rustls says so to the client.
        let mut all = self.0.iter();
        all.clone().find(suits).or_else(|| all.next()).cloned()
    }
}

/// The credential's key, if BoringSSL finds nothing wrong; else the error has the name that it has for that.
fn check(
    provider: &CryptoProvider,
    bytes: &[u8],
    key: &PrivateKeyDer<'static>,
) -> Result<Vec<u8>, Failure> {
    let credential = DelegatedCredential::decode(Form::Rfc9345, bytes).map_err(Failure::because)?;
    let claim = credential.credential();
    if !claim.dc_cert_verify_algorithm.fits_credential_keys() {
        return Err(Failure::Failed(":INVALID_SIGNATURE_ALGORITHM:".to_owned()));
    }
    let key = provider
        .key_provider
        .load_private_key(key.clone_key())
        .map_err(named)?;
    match key.public_key() {
        Some(spki) if *spki == *claim.spki => Ok(spki.to_vec()),
        _ => Err(Failure::Failed(":KEY_VALUES_MISMATCH:".to_owned())),
    }
}

fn stored(bytes: &[u8]) -> Result<StoredCredential, Failure> {
    let file = pem::write(Form::Rfc9345, bytes);
    let mut credentials = pem::read(file.as_bytes()).map_err(Failure::because)?;
    Ok(credentials.remove(0))
}

/// What BoringSSL calls this.
fn named(error: rustls::Error) -> Failure {
    match error {
        rustls::Error::InconsistentKeys(_) => Failure::Failed(":KEY_VALUES_MISMATCH:".to_owned()),
        // Not an error of ours if ring has no such keys.
        error => Failure::Unimplemented(error.to_string()),
    }
}

fn provider(options: &Options) -> Result<Arc<CryptoProvider>, Failure> {
    let mut provider = CryptoProvider {
        key_provider: &Keys,
        ..ring::default_provider()
    };
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

fn versions(options: &Options) -> Result<Vec<&'static SupportedProtocolVersion>, Failure> {
    let is_on = |version: &&&SupportedProtocolVersion| {
        let number = u16::from(version.version);
        options.min_version.is_none_or(|min| min <= number)
            && options.max_version.is_none_or(|max| number <= max)
            && !options.without.contains(&version.version)
    };
    let versions: Vec<_> = rustls::ALL_VERSIONS.iter().filter(is_on).copied().collect();
    match versions.is_empty() {
        true => Err(Failure::Unimplemented(
            "other than TLS 1.2 and 1.3".to_owned(),
        )),
        false => Ok(versions),
    }
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

/// What the runner calls the credential that is given before any `-new-…`.
const DEFAULT: i32 = -1;
