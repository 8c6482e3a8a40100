//! The credentials that a server has now: checked before they are installed, swapped as one.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use dc_core::{DelegationCertificate, Role};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;

use super::asking::Asking;
use super::config::Settings;
use super::entries::Entries;
use super::offer::Asked;
use super::selection::{Entry, Wanted};
use crate::identity::{Decoded, Identity};
use crate::installing::{cannot_delegate, check_key, check_size, check_usable, verify_own};
use crate::{Error, events};

/// The credentials that a server has now.
///
/// Installing checks everything and then swaps; connections that are being made keep what they
/// started with, and readers never wait. What cannot be installed leaves the last good one in place.
#[derive(Debug)]
pub struct Store {
    settings: Settings,
    entries: ArcSwap<Entries>,
    /// Made when it is first needed.
    empty: OnceLock<Arc<ServerConfig>>,
    /// The reason why a folder that is followed was last refused.
    pub(super) failure: ArcSwapOption<String>,
}

impl Store {
    /// An empty store that uses this provider for all cryptography, with the settings that
    /// [`Settings::new`] has.
    #[must_use]
    pub fn new(provider: Arc<CryptoProvider>) -> Arc<Self> {
        Self::with_settings(Settings::new(provider))
    }

    /// An empty store with these settings.
    #[must_use]
    pub fn with_settings(settings: Settings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            entries: ArcSwap::default(),
            empty: OnceLock::new(),
            failure: ArcSwapOption::empty(),
        })
    }

    /// Checks an identity as a client will, and serves new connections with it, and with nothing else,
    /// from now on.
    ///
    /// A named credential is served only to clients that send its name in server_name; see
    /// [`Settings::named_without_server_name`].
    ///
    /// Fails with [`Error::MissingCertificate`] or [`Error::MissingCredential`] if there is none, with
    /// [`Error::ChainOrder`] if the delegation certificate is not the first, with
    /// [`Error::CertificateUnusable`] if no client takes it, with [`Error::Credential`] if a credential is not
    /// valid now, not of this certificate, not for a server or not for a name of the certificate, with
    /// [`Error::KeyMismatch`] if the key is another's, with [`Error::CertificateTooLong`] or
    /// [`Error::CredentialDoesNotFit`] if it cannot be sent, and with [`Error::Tls`] if the provider cannot use
    /// the key.
    pub fn install(&self, identity: Identity) -> Result<(), Error> {
        self.install_all([identity])
    }

    /// Installs several identities as one, for a device that has names in several zones.
    ///
    /// A client is served with a named credential if that is for the very name it sends, else with one without
    /// a name of the zone that it names. Fails as
    /// [`install`](Self::install) does, and then installs none.
    pub fn install_all(&self, identities: impl IntoIterator<Item = Identity>) -> Result<(), Error> {
        let now = self.now()?;
        let mut entries = Vec::new();
        for identity in identities {
            self.check(identity, now, &mut entries)?;
        }
        self.swap(entries)
    }

    fn check(
        &self,
        identity: Identity,
        now: UnixTime,
        entries: &mut Vec<Arc<Entry>>,
    ) -> Result<(), Error> {
        let Identity {
            chain,
            credentials,
            key,
        } = identity;
        let end_entity = chain.first().ok_or(Error::MissingCertificate)?;
        let certificate = DelegationCertificate::parse(end_entity.clone())
            .map_err(|error| cannot_delegate(error, &chain))?;
        check_usable(Role::Server, end_entity, &self.settings.provider, now)?;
        let key = self.settings.provider.key_provider.load_private_key(key)?;
        for stored in &credentials {
            let decoded = Decoded::new(stored)?;
            check_key(key.as_ref(), &decoded.credential)?;
            let issuers = chain.get(1..).unwrap_or_default();
            let (credential, provider) = (&decoded.credential, &self.settings.provider);
            let expires = verify_own(
                Role::Server,
                &certificate,
                issuers,
                credential,
                provider,
                now,
            )?;
            check_size(end_entity, decoded.bytes, self.settings.max_length())?;
            let zone = Some(certificate.dns_names().to_vec());
            let entry = self.settings.serve(&chain, &decoded, expires, &key, zone)?;
            entries.push(Arc::new(entry));
        }
        Ok(())
    }

    /// Installs without looking: for tests of clients.
    pub(super) fn install_all_unchecked(
        &self,
        identities: impl IntoIterator<Item = Identity>,
    ) -> Result<(), Error> {
        let forever = UnixTime::since_unix_epoch(Duration::MAX);
        let mut entries = Vec::new();
        for Identity {
            chain,
            credentials,
            key,
        } in identities
        {
            let key = self.settings.provider.key_provider.load_private_key(key)?;
            for stored in &credentials {
                let decoded = Decoded::new(stored)?;
                let entry = self.settings.serve(&chain, &decoded, forever, &key, None)?;
                entries.push(Arc::new(entry));
            }
        }
        self.swap(entries)
    }

    /// The credential that suits this client now.
    ///
    /// Fails with [`Error::NothingForName`] if one would if the client had named another device, and else with
    /// [`Error::NothingSuits`].
    pub(super) fn pick(
        &self,
        asked: &Asked,
        server_name: Option<&str>,
    ) -> Result<Arc<Entry>, Error> {
        let wanted = Wanted {
            offer: &asked.offer,
            name: server_name.into(),
            now: self.now()?,
            margin: self.settings.expiry_margin,
            spares_nss: self.settings.spares_nss,
            names_to_nameless: self.settings.names_to_nameless && !asked.has_server_name,
        };
        let entries = self.entries.load();
        let picked = entries.pick(&wanted).cloned();
        picked.ok_or_else(|| match entries.kept_name(&wanted) {
            Some(held) => Error::NothingForName {
                wanted: server_name.map(Into::into),
                held,
            },
            None => Error::NothingSuits,
        })
    }

    /// The reason why nobody is served, where nothing is installed.
    pub(super) fn nothing_installed(&self) -> Option<Error> {
        let failure = || self.failure.load().as_deref().cloned();
        let is_empty = self.entries.load().is_empty();
        is_empty.then(|| Error::NothingInstalled { failure: failure() })
    }

    /// The configuration for a peer that is no client, where there is no other.
    pub(super) fn empty_config(&self) -> Result<Arc<ServerConfig>, Error> {
        if let Some(config) = self.empty.get() {
            return Ok(Arc::clone(config));
        }
        let config = self.settings.empty()?;
        Ok(Arc::clone(self.empty.get_or_init(|| config)))
    }

    fn swap(&self, entries: Vec<Arc<Entry>>) -> Result<(), Error> {
        if entries.is_empty() {
            return Err(Error::MissingCredential);
        }
        let first_end = entries.iter().map(|entry| entry.expires).min();
        events::installed(entries.len(), first_end);
        self.entries.store(Arc::new(Entries::new(entries)));
        Ok(())
    }

    /// The configuration of this entry for a client that offers a session.
    pub(super) fn resuming(&self, entry: &Entry) -> Arc<ServerConfig> {
        self.settings.resuming(entry)
    }

    /// The policy for clients, if they are asked for credentials.
    pub(super) fn asking(&self) -> Option<&Asking> {
        self.settings.asking.as_ref()
    }

    fn now(&self) -> Result<UnixTime, Error> {
        let clock = &self.settings.time_provider;
        Ok(clock
            .current_time()
            .ok_or(rustls::Error::FailedToGetCurrentTime)?)
    }
}
