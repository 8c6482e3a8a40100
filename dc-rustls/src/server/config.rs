//! The rustls configuration that serves with one credential.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dc_core::UniqueName;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    NoClientAuth, ResolvesServerCertUsingSni, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{KeyLog, NoKeyLog, ServerConfig};

use super::asking::Asking;
use super::scope::Scope;
use super::selection::Entry;
use super::sessions::CredentialSessions;
use super::{ClientCredentials, Served};
use crate::identity::Decoded;
use crate::installing::FIRST_RECORD;
use crate::provider::wrap;
use crate::side::Side;
use crate::signing::CredentialKey;
use crate::view::certificate::pack;
use crate::{Error, compress};

/// Settings of all connections that are served with a credential.
#[derive(Debug)]
pub struct Settings {
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) time_provider: Arc<dyn TimeProvider>,
    alpn_protocols: Vec<Vec<u8>>,
    key_log: Arc<dyn KeyLog>,
    pub(super) expiry_margin: Duration,
    pub(super) spares_nss: bool,
    pub(super) names_to_nameless: bool,
    client_auth: Arc<dyn ClientCertVerifier>,
    /// Where sessions are resumed whose clients `client_auth` has judged; made when it is first needed.
    judged: OnceLock<Scope>,
    pub(super) asking: Option<Asking>,
    secret_extraction: bool,
    sessions: Arc<dyn StoresServerSessions>,
    compresses: bool,
    max_early_data: u32,
}

impl Settings {
    /// The system's clock, no application protocols, no key log, an expiry margin of 5 minutes, 256
    /// sessions in memory.
    #[must_use]
    pub fn new(provider: Arc<CryptoProvider>) -> Self {
        Self {
            provider,
            time_provider: Arc::new(DefaultTimeProvider),
            alpn_protocols: Vec::new(),
            key_log: Arc::new(NoKeyLog),
            expiry_margin: EXPIRY_MARGIN,
            spares_nss: true,
            names_to_nameless: false,
            client_auth: Arc::new(NoClientAuth),
            judged: OnceLock::new(),
            asking: None,
            secret_extraction: false,
            sessions: ServerSessionMemoryCache::new(256),
            compresses: true,
            max_early_data: 0,
        }
    }

    /// The application protocols to accept, the favourite first (RFC 7301).
    #[must_use]
    pub fn alpn_protocols(mut self, protocols: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.alpn_protocols = protocols.into_iter().collect();
        self
    }

    /// Another clock than the system's.
    #[must_use]
    pub fn time_provider(mut self, clock: Arc<dyn TimeProvider>) -> Self {
        self.time_provider = clock;
        self
    }

    /// Where to log the secrets of connections, for debugging.
    #[must_use]
    pub fn key_log(mut self, key_log: Arc<dyn KeyLog>) -> Self {
        self.key_log = key_log;
        self
    }

    /// The time before its end in which a credential is not sent any more, 5 minutes unless this is called:
    /// clients whose clock is fast would refuse it.
    #[must_use]
    pub fn expiry_margin(mut self, margin: Duration) -> Self {
        self.expiry_margin = margin;
        self
    }

    /// Follows RFC 9345 also where NSS, and so Firefox, does not: **they abort the handshake then.**
    ///
    /// That is where an RFC 9345 credential is signed with a scheme that the client has in signature_algorithms
    /// but not in extension 34: one that an RSA certificate delegates, as a rule. Without this, such a client
    /// is served as if it had not offered to take a credential. Named credentials are not concerned.
    #[must_use]
    pub fn without_nss_workaround(mut self) -> Self {
        self.spares_nss = false;
        self
    }

    /// Sends a named credential also to clients that offer to take one and send no server_name at all.
    ///
    /// **Whoever scans addresses can then read the device's name**, which else goes only to clients that know it
    /// already. For devices whose name is no secret and whose clients cannot send a server_name. A client that
    /// sends another name, or an address in the place of one, never gets a named credential.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use dc_rustls::server::{Settings, Store};
    ///
    /// let provider = Arc::new(rustls::crypto::ring::default_provider());
    /// let store = Store::with_settings(Settings::new(provider).named_without_server_name());
    /// ```
    #[must_use]
    pub fn named_without_server_name(mut self) -> Self {
        self.names_to_nameless = true;
        self
    }

    /// Asks clients for a certificate, which this verifies.
    ///
    /// The names of the roots that it announces take room that the delegation certificate and the
    /// credential need in the same record.
    #[must_use]
    pub fn client_auth(mut self, verifier: Arc<dyn ClientCertVerifier>) -> Self {
        self.client_auth = verifier;
        self.judged = OnceLock::new();
        self
    }

    /// Asks clients for a credential (RFC 9345 §4.1.2), in all connections of TLS 1.3 that an
    /// [`Acceptor`](super::Acceptor) makes, also in those that it answers with its fallback.
    ///
    /// Takes the place of [`client_auth`](Self::client_auth), and of the verifier of the fallback. Below TLS 1.3, which only an
    /// [`optional`](ClientCredentials::optional) policy allows, nobody is asked for a credential and
    /// [`Stream::peer`](super::Stream::peer) is `None`; a verifier of the fallback is asked there, in vain.
    ///
    /// Fails with [`Error::NothingAsked`] if the policy's verifier asks clients for nothing, with
    /// [`Error::NothingToOffer`] if it knows no scheme that the key of a credential may use, with
    /// [`Error::TooManyAuthorities`] if the names of the roots take more room than there is, and with [`Error::Tls`] if the
    /// provider has no random numbers.
    pub fn client_credentials(mut self, policy: ClientCredentials) -> Result<Self, Error> {
        self.asking = Some(Asking::new(policy)?);
        Ok(self)
    }

    /// Lets [`Stream::into_parts`](super::Stream::into_parts) give connections whose traffic secrets can be
    /// extracted, for kTLS.
    #[must_use]
    pub fn enable_secret_extraction(mut self) -> Self {
        self.secret_extraction = true;
        self
    }

    /// Takes up to so many bytes of early data in each connection over TCP, for
    /// [`Acceptor::accept_early`](super::Acceptor::accept_early); none, and says so, unless this is called.
    ///
    /// **Early data may be a replay.** Against that (RFC 8446 §8): a session is used once (§8.1); early data is taken only
    /// within 60 seconds of when the client says that it was sent (§8.3), in the application protocol of the session, never after
    /// a HelloRetryRequest, and not after the end of the credential that the session was made under, or of the client's if
    /// [`client_credentials`](Self::client_credentials) asked for one. With the sessions of one process in its memory, as
    /// they are unless [`session_storage`](Self::session_storage) is called, none is taken twice. Processes that do not
    /// share sessions keep that: a session means nothing to another process. Those that share them keep it only if
    /// `StoresServerSessions::take` gives a session to one of them and removes it for all, and neither a copy nor a
    /// backup gives it once more.
    ///
    /// Still, a client whose early data was refused, or whose connection broke, sends the same request again, and an
    /// attacker can make that happen: a request must be one that may happen twice.
    ///
    /// Clients keep to the limit of their session, so one that gets lower has to come with other sessions: a client
    /// that sends more than is taken now gets unexpected_message. A client may send that much to a server that has lost
    /// its sessions as well, which skips it.
    #[must_use]
    pub fn max_early_data(mut self, bytes: u32) -> Self {
        self.max_early_data = bytes;
        self
    }

    /// Another place for sessions; a session ends with the credential it was made under.
    ///
    /// Several settings may have one place in common. Where clients are asked for credentials, a session is resumed only
    /// where the same roots and the same longest validity judge clients; see
    /// [`ClientCredentials::verifier`] for those that judge otherwise. Where [`client_auth`](Self::client_auth) judges them, it
    /// is resumed under the same settings alone.
    #[must_use]
    pub fn session_storage(mut self, sessions: Arc<dyn StoresServerSessions>) -> Self {
        self.sessions = sessions;
        self
    }

    /// Compresses no certificates (RFC 8879), whatever the features `brotli` and `zlib` of rustls compiled in.
    ///
    /// The first connections after each renewal compress the new credential, with brotli in several megabytes of
    /// memory.
    #[must_use]
    pub fn without_certificate_compression(mut self) -> Self {
        self.compresses = false;
        self
    }

    /// The most bytes that the delegation certificate and a credential may have together.
    ///
    /// The end-entity's extensions must be in the first record of the server's flight: what is in a record
    /// that was sent cannot be changed any more.
    pub(super) fn max_length(&self) -> usize {
        if let Some(asking) = &self.asking {
            return FIRST_RECORD.saturating_sub(asking.length());
        }
        // rustls's `NoClientAuth` panics when it is asked for its roots.
        if !self.client_auth.offer_client_auth() {
            return FIRST_RECORD;
        }
        let roots = self.client_auth.root_hint_subjects();
        let announced = roots.iter().map(|name| name.as_ref().len() + 2).sum();
        FIRST_RECORD.saturating_sub(announced)
    }

    /// The configuration for one credential, which belongs to `chain` and `key`.
    pub(super) fn serve(
        &self,
        chain: &[CertificateDer<'static>],
        decoded: &Decoded<'_>,
        expires: UnixTime,
        key: &Arc<dyn SigningKey>,
        zone: Option<Vec<String>>,
    ) -> Result<Entry, Error> {
        let Decoded { credential, bytes } = decoded;
        let (form, claim) = (credential.form(), credential.credential());
        let certified = CertifiedKey {
            cert: chain.to_vec(),
            key: Arc::new(CredentialKey {
                inner: Arc::clone(key),
                scheme: claim.dc_cert_verify_algorithm.0.into(),
            }),
            // Not a response, but the place where rustls carries what becomes the credential.
            ocsp: Some(pack(form, bytes, None).map_err(|_| Error::CredentialDoesNotFit)?),
        };
        Ok(Entry {
            served: Served::Delegated {
                form,
                unique_name: claim.unique_name.as_ref().map(UniqueName::from),
                expires,
            },
            expires,
            config: self.rustls_config(certified, expires)?,
            requirements: credential.into(),
            zone,
        })
    }

    /// A configuration that has nothing to serve, for peers that are no clients.
    pub(super) fn empty(&self) -> Result<Arc<ServerConfig>, Error> {
        let provider = Arc::clone(&self.provider);
        let clock = Arc::clone(&self.time_provider);
        let config = ServerConfig::builder_with_details(provider, clock)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
        Ok(Arc::new(config))
    }

    /// The configuration of this entry for one connection, whose sessions end no later than the one that it resumes.
    pub(super) fn resuming(&self, entry: &Entry) -> Arc<ServerConfig> {
        let mut config = ServerConfig::clone(&entry.config);
        let sessions = self.sessions(entry.expires, self.judged.get());
        config.session_storage = Arc::new(sessions.of_one_connection());
        Arc::new(config)
    }

    fn sessions(&self, expiry: UnixTime, judged: Option<&Scope>) -> CredentialSessions {
        let (shared, clock) = (Arc::clone(&self.sessions), Arc::clone(&self.time_provider));
        let sessions = CredentialSessions::new(shared, clock, expiry);
        match judged {
            Some(scope) => sessions.within(*scope),
            None => sessions,
        }
    }

    /// The scope of sessions with clients that `client_auth` judges, if it does.
    fn judged(&self) -> Result<Option<&Scope>, Error> {
        if !self.client_auth.offer_client_auth() {
            return Ok(None);
        }
        let scope = Scope::unique(&self.provider)?;
        Ok(Some(self.judged.get_or_init(|| scope)))
    }

    fn rustls_config(
        &self,
        certified: CertifiedKey,
        expiry: UnixTime,
    ) -> Result<Arc<ServerConfig>, Error> {
        let provider = match &self.asking {
            None => Arc::new(wrap(&self.provider, Side::Server)),
            Some(asking) => asking.provider(&self.provider, true),
        };
        let clock = Arc::clone(&self.time_provider);
        let mut config = ServerConfig::builder_with_details(provider, clock)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(Arc::clone(&self.client_auth))
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = self.alpn_protocols.clone();
        config.enable_secret_extraction = self.secret_extraction;
        config.max_early_data_size = self.max_early_data;
        config.send_half_rtt_data = self.max_early_data > 0;
        config.key_log = Arc::clone(&self.key_log);
        config.session_storage = Arc::new(self.sessions(expiry, self.judged()?));
        config.cert_compressors = match self.compresses {
            true => compress::compressors(&config.cert_compressors),
            false => Vec::new(),
        };
        Ok(Arc::new(config))
    }
}

const EXPIRY_MARGIN: Duration = Duration::from_secs(300);
