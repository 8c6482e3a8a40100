//! The settings of a client's configuration, checked once.

use std::sync::Arc;
use std::time::Duration;

use dc_core::{Form, MAX_VALIDITY};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, KeyLog, NoKeyLog, RootCertStore};

use super::authorization::Authorization;
use super::config::Config;
use super::identities::{CredentialResolver, IdentityStore};
use super::no_certificate::NoClientCert;
use super::observer::Observer;
use super::offering::Offering;
use super::remembered::Memory;
use super::verifier::CredentialVerifier;
use super::{EchMode, NamePolicy, Peer, Presented};
use crate::provider::{intern_offer, wrap};
use crate::side::Side;
use crate::withdrawn::Withdrawals;
use crate::{Error, compress, offer};

impl Config {
    /// Begins a configuration that uses this provider for all cryptography.
    #[must_use]
    pub fn builder(provider: Arc<CryptoProvider>) -> WantsVerifier {
        WantsVerifier { provider }
    }
}

/// A configuration that does not know yet whom to trust.
#[derive(Debug)]
pub struct WantsVerifier {
    provider: Arc<CryptoProvider>,
}

impl WantsVerifier {
    /// Trusts certificates under these roots.
    #[must_use]
    pub fn roots(self, roots: impl Into<Arc<RootCertStore>>) -> Builder {
        Builder::new(self.provider, Trust::Roots(roots.into()))
    }

    /// Trusts certificates that this verifier does: the platform's, or one with CRLs.
    ///
    /// It judges chain, validity and name of the delegation certificate as of any other; the credential
    /// is judged on top of that. Name constraints of the roots that it trusts, and
    /// of intermediates that the server does not send, are known to it alone: a unique name that those exclude below a
    /// wildcard is not refused.
    #[must_use]
    pub fn verifier(self, verifier: Arc<dyn ServerCertVerifier>) -> Builder {
        Builder::new(self.provider, Trust::Verifier(verifier))
    }
}

#[derive(Debug)]
enum Trust {
    Roots(Arc<RootCertStore>),
    Verifier(Arc<dyn ServerCertVerifier>),
}

/// A configuration that can be built.
#[derive(Debug)]
pub struct Builder {
    provider: Arc<CryptoProvider>,
    trust: Trust,
    unique_name: NamePolicy,
    or_certificate: bool,
    tls12: bool,
    max_validity: Duration,
    resumes: bool,
    remembers: bool,
    early_data: bool,
    authorization: Authorization,
    observer: Observer,
    client_auth: Arc<dyn ResolvesClientCert>,
    identities: Option<Arc<IdentityStore>>,
    secret_extraction: bool,
    alpn_protocols: Vec<Vec<u8>>,
    ech: Option<EchMode>,
    time_provider: Arc<dyn TimeProvider>,
    key_log: Arc<dyn KeyLog>,
}

impl Builder {
    fn new(provider: Arc<CryptoProvider>, trust: Trust) -> Self {
        Self {
            provider,
            trust,
            unique_name: NamePolicy::default(),
            or_certificate: false,
            tls12: false,
            max_validity: MAX_VALIDITY,
            resumes: true,
            remembers: true,
            early_data: false,
            authorization: Authorization::default(),
            observer: Observer::default(),
            client_auth: Arc::new(NoClientCert),
            identities: None,
            secret_extraction: false,
            alpn_protocols: Vec::new(),
            ech: None,
            time_provider: Arc::new(DefaultTimeProvider),
            key_log: Arc::new(NoKeyLog),
        }
    }

    /// The policy for the unique name; [`NamePolicy::Required`] unless this is called.
    ///
    /// A server that is named by its IP address is never asked for a unique name: see [`Config::connect`].
    #[must_use]
    pub fn unique_name(mut self, policy: NamePolicy) -> Self {
        self.unique_name = policy;
        self
    }

    /// Under [`NamePolicy::Required`], also accepts a server that has a plain certificate for the wanted
    /// name and its key; the other policies always do.
    ///
    /// The holder of a key whose certificate has many names can then pose as each of them.
    #[must_use]
    pub fn or_certificate(mut self) -> Self {
        self.or_certificate = true;
        self
    }

    /// Also talks to servers that have TLS 1.2 only, which never have a credential.
    #[must_use]
    pub fn allow_tls12(mut self) -> Self {
        self.tls12 = true;
        self
    }

    /// Accepts less than 7 days of remaining validity at most (RFC 9345 §3).
    ///
    /// [`build`](Self::build) fails if this is more.
    #[must_use]
    pub fn max_validity(mut self, max: Duration) -> Self {
        self.max_validity = max;
        self
    }

    /// Asks the application about each peer, after all checks have passed: whether it wants to talk to
    /// this name and key. This is how a stolen device is dropped at once.
    ///
    /// Asked again before a session is resumed, which is discarded for good if the answer is no, and when the
    /// application calls [`Stream::recheck`](super::Stream::recheck) on an open connection. A peer that is not wanted gets access_denied, and the
    /// connection fails with [`Refusal::NotAuthorized`](crate::Refusal::NotAuthorized). It runs inside the
    /// handshake, so it should answer from memory.
    #[must_use]
    pub fn authorize(
        mut self,
        allows: impl Fn(&ServerName<'_>, &Peer) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.authorization.ask(allows);
        self
    }

    /// Refuses names that their signer has withdrawn, whatever proves them; asked where `authorize` is, and before it.
    #[must_use]
    pub fn withdrawals(mut self, lists: Arc<Withdrawals>) -> Self {
        self.authorization.withdrawals = Some(lists);
        self
    }

    /// Shows the application what a server presents, before anything of it is judged: for tools that
    /// explain a refusal, and for logs.
    ///
    /// Called once in every full handshake in which a certificate arrives, and not when a session is
    /// resumed or when what came next to the certificate is malformed. It runs inside the handshake, so
    /// it should be quick.
    #[must_use]
    pub fn observe(mut self, observe: impl Fn(&Presented<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Observer::new(observe);
        self
    }

    /// The certificate to present to servers that ask for one, in TLS 1.3.
    ///
    /// [`build`](Self::build) fails if [`allow_tls12`](Self::allow_tls12) is called too.
    #[must_use]
    pub fn client_auth(mut self, resolver: Arc<dyn ResolvesClientCert>) -> Self {
        self.client_auth = resolver;
        self
    }

    /// The credentials to present to servers that ask for one (RFC 9345 §4.1.2), in TLS 1.3.
    ///
    /// One goes to each server of this configuration that has proved who it is and that takes the credential's form
    /// and schemes: of the named form, the client's unique name with it. A server that asks and takes none of them
    /// gets the certificate of [`client_auth`](Self::client_auth) if there is one, and else an empty Certificate.
    ///
    /// [`build`](Self::build) fails if [`allow_tls12`](Self::allow_tls12) is called too.
    #[must_use]
    pub fn client_identity(mut self, identities: Arc<IdentityStore>) -> Self {
        self.identities = Some(identities);
        self
    }

    /// Lets [`Stream::into_parts`](super::Stream::into_parts) give connections whose traffic secrets can be extracted, for kTLS.
    #[must_use]
    pub fn enable_secret_extraction(mut self) -> Self {
        self.secret_extraction = true;
        self
    }

    /// Does a full handshake for every connection, so that connections cannot be linked by a session.
    #[must_use]
    pub fn without_resumption(mut self) -> Self {
        self.resumes = false;
        self
    }

    /// Verifies chain and credential of every full handshake, also of a server that had the same a moment ago.
    ///
    /// Without this, the last credential of up to 64 names is remembered with its chain, where
    /// [`roots`](WantsVerifier::roots) says whom to trust: as long as all of them are valid, the same bytes for the
    /// same name pass again without their signatures being verified. The server still proves to have the key, and
    /// [`authorize`](Self::authorize) is still asked. Nothing on the wire says so, but whoever measures how quickly a client
    /// answers may learn that it has been there before.
    #[must_use]
    pub fn without_remembering(mut self) -> Self {
        self.remembers = false;
        self
    }

    /// Lets [`Config::connect_early`] send early data over TCP, which nobody does unless this is called.
    ///
    /// Needs sessions, so it has no effect beside [`without_resumption`](Self::without_resumption). QUIC has a switch of its
    /// own: see `quinn::EarlyData`.
    #[must_use]
    pub fn early_data(mut self) -> Self {
        self.early_data = true;
        self
    }

    /// The application protocols to offer, the favourite first (RFC 7301).
    #[must_use]
    pub fn alpn_protocols(mut self, protocols: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.alpn_protocols = protocols.into_iter().collect();
        self
    }

    /// Uses Encrypted ClientHello (RFC 9849); [`Config::with_ech`] changes the mode for a name or a retry.
    ///
    /// [`build`](Self::build) fails if [`allow_tls12`](Self::allow_tls12) is called too.
    #[must_use]
    pub fn ech(mut self, mode: EchMode) -> Self {
        self.ech = Some(mode);
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

    /// Checks everything and builds the configuration.
    ///
    /// Fails with [`Error::Roots`] if there are no roots, with [`Error::NothingToOffer`] if the verifier
    /// knows no scheme that credentials may use, with [`Error::Credential`] if the maximum validity is
    /// above 7 days, with [`Error::ClientAuthBelowTls13`] if there is a client certificate and TLS 1.2 is
    /// allowed, with [`Error::EchBelowTls13`] if there is a mode of Encrypted ClientHello and it is, and with [`Error::Tls`] if the provider lacks what TLS 1.3 needs.
    pub fn build(self) -> Result<Config, Error> {
        // rustls signs its own view of the transcript there, which is not what the server hashed.
        let presents = self.client_auth.has_certs() || self.identities.is_some();
        if self.tls12 && presents {
            return Err(Error::ClientAuthBelowTls13);
        }
        let (inner, roots) = self.trust()?;
        let max_validity = check_max_validity(self.max_validity)?;
        let offering = |forms: &[Form]| -> Result<Offering, Error> {
            let offer = offer::offer(forms, &inner.supported_verify_schemes())?;
            let extensions = intern_offer(offer::extensions(forms, &offer)?);
            let verifier = CredentialVerifier {
                inner: Arc::clone(&inner),
                roots: Arc::clone(&roots),
                certificate_is_enough: self.takes_certificates(),
                presents: self.identities.is_some(),
                offer,
                algorithms: self.provider.signature_verification_algorithms.all,
                max_validity,
                authorization: self.authorization.clone(),
                observer: self.observer.clone(),
                memory: self.memory(),
            };
            let verifier = Arc::new(verifier);
            Ok(Offering {
                rustls: self.rustls_config(Arc::clone(&verifier), extensions)?,
                extensions,
                verifier,
                tls12: self.tls12,
            })
        };
        let forms = self.unique_name.forms();
        let unnamed = self.unique_name.forms_without_name();
        let by_name = offering(forms)?;
        let without_name = match self.takes_certificates() {
            true if unnamed == forms => Some(by_name.clone()),
            true => Some(offering(unnamed)?),
            false => None,
        };
        let config = Config::new(by_name, without_name, self.resumes, self.authorization)
            .with_early_data(self.early_data);
        match &self.ech {
            Some(mode) => config.with_ech(mode),
            None => Ok(config),
        }
    }

    fn takes_certificates(&self) -> bool {
        self.or_certificate || self.unique_name != NamePolicy::Required
    }

    /// Only under roots is the same always accepted again: another verifier may change its mind.
    fn memory(&self) -> Memory {
        match (&self.trust, self.remembers) {
            (Trust::Roots(_), true) => Memory::new(),
            (Trust::Verifier(_), _) | (_, false) => Memory::none(),
        }
    }

    /// The verifier of certificates, and the roots as far as they are known.
    fn trust(&self) -> Result<(Arc<dyn ServerCertVerifier>, Arc<RootCertStore>), Error> {
        match &self.trust {
            Trust::Verifier(verifier) => {
                Ok((Arc::clone(verifier), Arc::new(RootCertStore::empty())))
            }
            Trust::Roots(roots) => {
                let provider = Arc::clone(&self.provider);
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider)
                        .build()
                        .map_err(Error::Roots)?;
                Ok((verifier, Arc::clone(roots)))
            }
        }
    }

    fn rustls_config(
        &self,
        verifier: Arc<CredentialVerifier>,
        offer: &'static [u8],
    ) -> Result<Arc<ClientConfig>, Error> {
        let (side, client_auth): (_, Arc<dyn ResolvesClientCert>) = match &self.identities {
            None => (Side::Client { offer }, Arc::clone(&self.client_auth)),
            Some(identities) => {
                let resolver = CredentialResolver {
                    identities: Arc::clone(identities),
                    otherwise: Arc::clone(&self.client_auth),
                };
                (Side::Presenting { offer }, Arc::new(resolver))
            }
        };
        let provider = Arc::new(wrap(&self.provider, side));
        let versions: &[_] = match self.tls12 {
            true => &[&rustls::version::TLS13, &rustls::version::TLS12],
            false => &[&rustls::version::TLS13],
        };
        let clock = Arc::clone(&self.time_provider);
        let mut rustls = ClientConfig::builder_with_details(provider, clock)
            .with_protocol_versions(versions)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(client_auth);
        rustls.enable_secret_extraction = self.secret_extraction;
        rustls.alpn_protocols = self.alpn_protocols.clone();
        rustls.key_log = Arc::clone(&self.key_log);
        rustls.cert_decompressors = compress::decompressors(&rustls.cert_decompressors);
        if self.identities.is_some() {
            rustls.cert_compressors = compress::client_compressors(&rustls.cert_compressors);
        }
        Ok(Arc::new(rustls))
    }
}

fn check_max_validity(max: Duration) -> Result<Duration, Error> {
    match max <= MAX_VALIDITY {
        true => Ok(max),
        false => Err(Error::Credential(dc_core::Error::ValidityLimitTooLong {
            wanted: max,
            max: MAX_VALIDITY,
        })),
    }
}
