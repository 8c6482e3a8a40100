//! The credentials that a client presents to servers that ask: checked before they are installed, swapped as one.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use dc_core::{
    DelegatedCredential, DelegationCertificate, Form, Offer, Requirements, Role, SchemeList,
};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};

use crate::identity::{Decoded, Identity};
use crate::installing::{
    FIRST_RECORD, cannot_delegate, check_key, check_size, check_usable, verify_own,
};
use crate::signing::CredentialKey;
use crate::view::presented::pack_entry;
use crate::view::request::Request;
use crate::watch::Watch;
use crate::{Error, events, handover};

/// The credentials that a client has now (RFC 9345 §4.1.2).
///
/// Installing checks everything and then swaps, while connections are being made. What cannot be installed leaves
/// the last good one in place.
///
/// ```no_run
/// use std::sync::Arc;
/// use dc_rustls::client::{Config, Identity, IdentityStore};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let roots = rustls::RootCertStore::empty();
/// let provider = Arc::new(rustls::crypto::ring::default_provider());
/// let identities = IdentityStore::new(provider.clone());
/// identities.install(Identity::load("/etc/dc-client")?)?;
/// let tls = Config::builder(provider)
///     .roots(roots)
///     .or_certificate()
///     .client_identity(identities)
///     .build()?;
/// # Ok(())
/// # }
/// ```
pub struct IdentityStore {
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn TimeProvider>,
    entries: ArcSwap<Vec<Presentable>>,
    presented: AtomicUsize,
}

/// A credential that is ready to be presented.
#[derive(Debug)]
struct Presentable {
    requirements: Requirements,
    expires: UnixTime,
    certified: Arc<CertifiedKey>,
}

impl IdentityStore {
    /// An empty store that uses this provider for all cryptography, and the system's clock.
    #[must_use]
    pub fn new(provider: Arc<CryptoProvider>) -> Arc<Self> {
        Self::with_time_provider(provider, Arc::new(DefaultTimeProvider))
    }

    /// An empty store with another clock than the system's.
    #[must_use]
    pub fn with_time_provider(
        provider: Arc<CryptoProvider>,
        clock: Arc<dyn TimeProvider>,
    ) -> Arc<Self> {
        Arc::new(Self {
            provider,
            clock,
            entries: ArcSwap::default(),
            presented: AtomicUsize::new(0),
        })
    }

    /// Checks an identity as a server will, and presents it, and nothing else, from now on.
    ///
    /// Fails with [`Error::MissingCertificate`] or [`Error::MissingCredential`] if there is none, with
    /// [`Error::ChainOrder`] if the delegation certificate is not the first, with
    /// [`Error::CertificateUnusable`] if no server takes it, with [`Error::Credential`] if a
    /// credential is not valid now, not of this certificate, not for a client or not for a name of the certificate,
    /// with [`Error::KeyMismatch`] if the key is another's, with [`Error::CertificateTooLong`] or
    /// [`Error::CredentialDoesNotFit`] if it cannot be sent, and with [`Error::Tls`] if the provider cannot use
    /// the key.
    pub fn install(&self, identity: Identity) -> Result<(), Error> {
        let clock = self.clock.current_time();
        let now = clock.ok_or(rustls::Error::FailedToGetCurrentTime)?;
        let entries = self.check(identity, Some(now))?;
        let first_end = entries.iter().map(|entry| entry.expires).min();
        events::installed(entries.len(), first_end);
        self.entries.store(Arc::new(entries));
        Ok(())
    }

    /// Reads an identity folder again whenever it changes, and installs it; see [`Watch`].
    ///
    /// Installs what is there before it returns, and looks at the folder's files every `interval` from then on.
    /// `report` is told of every installation and of what could not be installed; a folder that is bad from the
    /// start is reported, not an error. If it panics later on, the folder is followed all the same.
    ///
    /// The folder is followed until the [`Watch`] is dropped.
    ///
    /// Fails with [`Error::Io`] if no thread can be started.
    pub fn watch(
        self: &Arc<Self>,
        folder: impl Into<PathBuf>,
        interval: Duration,
        report: impl FnMut(Result<(), Error>) + Send + 'static,
    ) -> Result<Watch, Error> {
        let store = Arc::clone(self);
        let install = move |identity| store.install(identity);
        Watch::start(folder.into(), interval, install, report)
    }

    /// The number of handshakes in which a server asked for a credential and was given one, accepted or not. On machines of
    /// 32 bits it begins anew after four thousand million.
    #[must_use]
    pub fn presented(&self) -> u64 {
        u64::try_from(self.presented.load(Ordering::Relaxed)).unwrap_or(u64::MAX)
    }

    /// Installs without looking, for tests that servers refuse.
    pub(super) fn install_unchecked(&self, identity: Identity) -> Result<(), Error> {
        let entries = self.check(identity, None)?;
        self.entries.store(Arc::new(entries));
        Ok(())
    }

    /// The credentials of an identity; it is verified if there is a time to verify it at.
    fn check(&self, identity: Identity, now: Option<UnixTime>) -> Result<Vec<Presentable>, Error> {
        let Identity {
            chain,
            credentials,
            key,
        } = identity;
        let key = self.provider.key_provider.load_private_key(key)?;
        let present = |stored| {
            let decoded = Decoded::new(stored)?;
            let expires = match now {
                Some(now) => self.verify(&chain, &decoded.credential, key.as_ref(), now)?,
                None => UnixTime::since_unix_epoch(Duration::MAX),
            };
            // Both have to be in one record: what was sent cannot be changed any more.
            let end_entity = chain.first().ok_or(Error::MissingCertificate)?;
            check_size(end_entity, decoded.bytes, FIRST_RECORD)?;
            presentable(&chain, &decoded, &key, expires)
        };
        let entries: Vec<_> = credentials.iter().map(present).collect::<Result<_, _>>()?;
        match entries.is_empty() {
            true => Err(Error::MissingCredential),
            false => Ok(entries),
        }
    }

    /// Verifies as a server would that takes whatever this credential is.
    fn verify(
        &self,
        chain: &[CertificateDer<'static>],
        credential: &DelegatedCredential<'_>,
        key: &dyn SigningKey,
        now: UnixTime,
    ) -> Result<UnixTime, Error> {
        let (end_entity, issuers) = chain.split_first().ok_or(Error::MissingCertificate)?;
        let certificate = DelegationCertificate::parse(end_entity.clone())
            .map_err(|error| cannot_delegate(error, chain))?;
        check_usable(Role::Client, end_entity, &self.provider, now)?;
        check_key(key, credential)?;
        verify_own(
            Role::Client,
            &certificate,
            issuers,
            credential,
            &self.provider,
            now,
        )
    }

    /// The credential that suits a server now; one with a name before one without.
    fn pick(&self, request: &Request) -> Option<Arc<CertifiedKey>> {
        let offer = offer(request)?;
        let now = self.clock.current_time()?;
        let entries = self.entries.load();
        let suits = |entry: &&Presentable| {
            now.as_secs() <= entry.expires.as_secs().saturating_sub(EXPIRY_MARGIN)
                && offer.meets(entry.requirements).is_ok()
        };
        let picked = entries
            .iter()
            .filter(suits)
            .min_by_key(|entry| entry.requirements.form != Form::Named)?;
        self.presented.fetch_add(1, Ordering::Relaxed);
        Some(Arc::clone(&picked.certified))
    }
}

/// The credentials that a server takes. A list that is malformed offers nothing.
fn offer(request: &Request) -> Option<Offer> {
    let schemes = SchemeList::decode(&request.signature_algorithms).ok()?;
    let mut offer = Offer::new(schemes);
    for (form, list) in [
        (Form::Named, &request.named),
        (Form::Rfc9345, &request.rfc9345),
    ] {
        if let Some(list) = list {
            offer = offer.with(form, SchemeList::decode(list).ok()?);
        }
    }
    Some(offer)
}

fn presentable(
    chain: &[CertificateDer<'static>],
    decoded: &Decoded<'_>,
    key: &Arc<dyn SigningKey>,
    expires: UnixTime,
) -> Result<Presentable, Error> {
    let Decoded { credential, bytes } = decoded;
    let entry = pack_entry(credential.form(), bytes).ok_or(Error::CredentialDoesNotFit)?;
    let (end_entity, issuers) = chain.split_first().ok_or(Error::MissingCertificate)?;
    let mut cert = vec![end_entity.clone(), CertificateDer::from(entry)];
    cert.extend_from_slice(issuers);
    let scheme = credential.credential().dc_cert_verify_algorithm;
    let key = CredentialKey {
        inner: Arc::clone(key),
        scheme: scheme.0.into(),
    };
    Ok(Presentable {
        requirements: credential.into(),
        expires,
        certified: Arc::new(CertifiedKey::new(cert, Arc::new(key))),
    })
}

impl fmt::Debug for IdentityStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            provider: _,
            clock: _,
            entries,
            presented: _,
        } = self;
        f.debug_struct("IdentityStore")
            .field("credentials", &entries.load().len())
            .finish_non_exhaustive()
    }
}

/// `rustls::client::ResolvesClientCert`: a credential if the server takes one, else what else there is.
#[derive(Debug)]
pub(super) struct CredentialResolver {
    pub(super) identities: Arc<IdentityStore>,
    pub(super) otherwise: Arc<dyn ResolvesClientCert>,
}

impl ResolvesClientCert for CredentialResolver {
    /// rustls asks in the step in which the CertificateRequest has arrived.
    fn resolve(
        &self,
        root_hint_subjects: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let request = handover::take_request();
        request
            .and_then(|request| self.identities.pick(&request))
            .or_else(|| self.otherwise.resolve(root_hint_subjects, schemes))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The seconds before its end in which a credential is not presented any more: a server's clock may be fast.
const EXPIRY_MARGIN: u64 = 300;
