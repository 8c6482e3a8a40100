//! Sessions with clients that presented a credential.

use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use dc_core::{Form, Role};
use dc_rustls::Refusal;
use dc_rustls::client::{Config, IdentityStore, Peer};
use dc_rustls::server::{Acceptor, ClientCredentials, Settings};
use dc_tests::pipe::pipe;
use dc_tests::vendor::{Vendor, provider};
use rustls::client::{
    ClientSessionStore, ResolvesClientCert, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    AlertDescription, CipherSuite, ClientConfig, ClientConnection, NamedGroup, ServerConfig,
    SignatureScheme, StreamOwned,
};

use crate::clients::{FRONTS, Front, Site};
use crate::setup::{ALL, Clock, HOUR, stock_server};

const CAMERA: &str = "camera.cpe.example.com";

/// A server whose own credential lasts for a day, and whose time is `clock`'s.
fn acceptor(site: &Site, front: Front, clock: &Clock, policy: ClientCredentials) -> Acceptor {
    let clock = Arc::new(clock.clone());
    let settings = Settings::new(provider()).time_provider(clock.clone());
    let mut config = (*stock_server(&site.vendor)).clone();
    config.time_provider = clock;
    let acceptor = site.acceptor_with(front, settings, policy);
    acceptor.fallback(Arc::new(config))
}

/// A client whose credential lasts for so long.
fn client(site: &Site, clock: &Clock, lifetime: Duration) -> Config {
    use rustls::time_provider::TimeProvider;
    let now = clock.current_time().unwrap();
    let camera = &site.camera;
    let stored = site
        .clients
        .issue_as(Role::Client, camera, Form::Named, now, lifetime);
    let clock = Arc::new(clock.clone());
    let identities = IdentityStore::with_time_provider(provider(), clock.clone());
    identities.install(site.identity(vec![stored])).unwrap();
    let builder = site.builder().client_identity(identities);
    builder.time_provider(clock).build().unwrap()
}

#[test]
fn a_resumed_connection_still_knows_its_client() {
    let site = Site::new();
    for front in FRONTS {
        for chunk in [1, ALL] {
            let acceptor = site.acceptor(front, site.policy());
            let client = site.client(&Form::ALL);
            for is_resumed in [false, true, true] {
                let meeting = site.meet(&client, &acceptor, chunk);
                assert_eq!(meeting.delegated().1.as_deref(), Some(CAMERA));
                assert_eq!(meeting.known().is_resumed, is_resumed, "{front:?}");
                assert_eq!(meeting.known().certificates, 1);
            }
        }
    }
}

#[test]
fn a_session_ends_with_the_credential_of_the_client() {
    let site = Site::new();
    for front in FRONTS {
        let clock = Clock::now();
        let acceptor = acceptor(&site, front, &clock, site.policy().optional());
        let client = client(&site, &clock, HOUR);
        assert_eq!(
            site.meet(&client, &acceptor, ALL).delegated().0,
            Form::Named
        );
        clock.forward(HOUR - Duration::from_secs(60));
        let meeting = site.meet(&client, &acceptor, ALL);
        assert!(meeting.known().is_resumed);
        assert_eq!(meeting.delegated().0, Form::Named);
        clock.forward(Duration::from_secs(120));
        // Its credential has ended, and so it presents none.
        let meeting = site.meet(&client, &acceptor, ALL);
        assert!(!meeting.known().is_resumed);
        assert_eq!(meeting.peer(), None);
    }
}

#[test]
fn a_client_is_asked_about_again_before_a_session_is_resumed() {
    let site = Site::new();
    for front in FRONTS {
        let is_wanted = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&is_wanted);
        let policy = site.policy();
        let policy = policy.authorize(move |_| asked.load(Ordering::Relaxed));
        let acceptor = site.acceptor(front, policy);
        let client = site.client(&Form::ALL);
        assert!(!site.meet(&client, &acceptor, ALL).known().is_resumed);
        assert!(site.meet(&client, &acceptor, ALL).known().is_resumed);
        is_wanted.store(false, Ordering::Relaxed);
        let meeting = site.meet(&client, &acceptor, ALL);
        let alert = AlertDescription::AccessDenied;
        assert_eq!(meeting.refused(), (&Refusal::NotAuthorized, alert));
    }
}

/// What is kept in one place for two policies is not taken for the other's.
#[test]
fn a_session_without_a_client_is_none_where_one_is_required() {
    let site = Site::new();
    for front in FRONTS {
        let shared = ServerSessionMemoryCache::new(32);
        let acceptor = |policy| {
            let settings = Settings::new(provider()).session_storage(shared.clone());
            let mut config = (*stock_server(&site.vendor)).clone();
            config.session_storage = shared.clone();
            let acceptor = site.acceptor_with(front, settings, policy);
            acceptor.fallback(Arc::new(config))
        };
        let nobody = site.builder().build().unwrap();
        let lax = acceptor(site.policy().optional());
        assert_eq!(site.meet(&nobody, &lax, ALL).peer(), None);
        assert!(site.meet(&nobody, &lax, ALL).known().is_resumed);
        let strict = acceptor(site.policy());
        let meeting = site.meet(&nobody, &strict, ALL);
        assert_eq!(meeting.alert(), AlertDescription::CertificateRequired);
    }
}

/// One place for the sessions of these policies, and one certificate.
fn sharing(
    site: &Site,
    front: Front,
    policies: Vec<ClientCredentials>,
) -> impl Iterator<Item = Acceptor> {
    let shared = ServerSessionMemoryCache::new(32);
    let mut config = (*stock_server(&site.vendor)).clone();
    config.session_storage = shared.clone();
    let config = Arc::new(config);
    policies.into_iter().map(move |policy| {
        let settings = Settings::new(provider()).session_storage(shared.clone());
        let acceptor = site.acceptor_with(front, settings, policy);
        acceptor.fallback(config.clone())
    })
}

fn known_issuers(site: &Site) -> Arc<dyn ClientCertVerifier> {
    let roots = Arc::new(site.clients.roots());
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider());
    builder.build().unwrap()
}

/// Who was accepted by one policy has not been judged by another.
#[test]
fn a_session_is_not_resumed_where_others_are_trusted() {
    let (site, other) = (Site::new(), Vendor::default());
    let trusts = |roots| ClientCredentials::roots(&provider(), roots).unwrap();
    let strict = trusts(other.roots());
    for front in FRONTS {
        for strict in [strict.clone(), strict.clone().optional().or_certificate()] {
            let mut acceptors = sharing(&site, front, vec![site.policy(), strict]);
            let (lax, strict) = (acceptors.next().unwrap(), acceptors.next().unwrap());
            let client = site.client(&Form::ALL);
            assert!(!site.meet(&client, &lax, ALL).known().is_resumed);
            let meeting = site.meet(&client, &strict, ALL);
            assert_eq!(meeting.alert(), AlertDescription::UnknownCA);
        }
    }
}

#[test]
fn a_session_is_not_resumed_where_credentials_must_be_shorter() {
    let site = Site::new();
    let strict = site.policy().max_validity(HOUR);
    for front in FRONTS {
        let mut acceptors = sharing(&site, front, vec![site.policy(), strict.clone()]);
        let (lax, strict) = (acceptors.next().unwrap(), acceptors.next().unwrap());
        let client = site.client(&Form::ALL);
        assert!(!site.meet(&client, &lax, ALL).known().is_resumed);
        let meeting = site.meet(&client, &strict, ALL);
        assert!(matches!(
            meeting.refused().0,
            Refusal::Credential(dc_core::Error::ValidityTooLong { .. })
        ));
    }
}

/// A process that was started anew, and a replica.
#[test]
fn a_session_is_resumed_where_the_same_are_trusted() {
    let (site, other) = (Site::new(), Vendor::default());
    let mut both = site.clients.roots();
    both.extend(other.roots().roots);
    let mut turned = other.roots();
    turned.extend(site.clients.roots().roots);
    let [both, turned] =
        [both, turned].map(|roots| ClientCredentials::roots(&provider(), roots).unwrap());
    for front in FRONTS {
        let client = site.client(&Form::ALL);
        let policies = vec![both.clone(), both.clone().or_certificate(), turned.clone()];
        for (at, acceptor) in sharing(&site, front, policies).enumerate() {
            let meeting = site.meet(&client, &acceptor, ALL);
            assert_eq!(meeting.known().is_resumed, at > 0, "{front:?} {at}");
            assert_eq!(meeting.delegated().1.as_deref(), Some(CAMERA));
        }
    }
}

/// Nobody knows whether two verifiers judge alike.
#[test]
fn a_session_is_resumed_under_the_same_verifier_alone() {
    let site = Site::new();
    let policy = || ClientCredentials::verifier(&provider(), known_issuers(&site));
    for front in FRONTS {
        let client = site.client(&Form::ALL);
        let policies = vec![policy(), policy(), site.policy()];
        for acceptor in sharing(&site, front, policies) {
            assert!(!site.meet(&client, &acceptor, ALL).known().is_resumed);
            let again = acceptor.clone();
            assert!(site.meet(&client, &again, ALL).known().is_resumed);
        }
    }
}

/// Whoever has heard a ticket can offer it, for a name at which it is not resumed, and present nothing.
#[test]
fn a_session_that_is_offered_but_not_resumed_says_nothing_about_its_client() {
    let site = Site::new();
    let acceptor = site.acceptor(
        Front::Certificate,
        site.policy().or_certificate().optional(),
    );
    let certificate = Arc::new(Sometimes::new(&site));
    let config = any_ticket(&site, certificate.clone());
    let connect = |name: &str| {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let (near, far) = pipe(ALL);
        thread::scope(|scope| {
            let server = scope.spawn(|| {
                let tls = acceptor.accept(far).unwrap();
                (tls.peer().cloned(), tls.connection().handshake_kind())
            });
            let connection = ClientConnection::new(Arc::new(config.clone()), name).unwrap();
            let mut tls = StreamOwned::new(connection, near);
            let _ = tls.read(&mut [0]);
            server.join().unwrap()
        })
    };
    let (full, resumed) = (
        Some(rustls::HandshakeKind::Full),
        Some(rustls::HandshakeKind::Resumed),
    );
    let known = Some(Peer::Certificate);
    assert_eq!(connect("router.cpe.example.com"), (known.clone(), full));
    certificate.presents.store(false, Ordering::Relaxed);
    assert_eq!(connect("router.cpe.example.com"), (known, resumed));
    assert_eq!(connect("other.cpe.example.com"), (None, full));
    // Nor does the session that this has made.
    assert_eq!(connect("other.cpe.example.com"), (None, resumed));
}

/// A session that is found, and is then not what the handshake needs.
#[derive(Clone, Copy, Debug)]
enum Misfit {
    /// The server has another cipher suite by now.
    Suite,
    /// rustls cannot read what is left of it.
    Cut,
}

/// A storage that loses the last byte of each session, if it is told to.
#[derive(Debug)]
struct Cutting {
    inner: Arc<dyn StoresServerSessions>,
    cuts: bool,
}

impl StoresServerSessions for Cutting {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.inner.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.inner.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut value = self.inner.take(key)?;
        if self.cuts {
            value.pop();
        }
        Some(value)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl Misfit {
    /// The acceptor with these sessions; `later`, the one that cannot use them.
    fn acceptor(
        self,
        (site, front): (&Site, Front),
        sessions: &Arc<dyn StoresServerSessions>,
        policy: ClientCredentials,
        later: bool,
    ) -> Acceptor {
        let mut provider = (*provider()).clone();
        if later && matches!(self, Self::Suite) {
            let favourite = CipherSuite::TLS13_AES_256_GCM_SHA384;
            provider
                .cipher_suites
                .retain(|suite| suite.suite() != favourite);
        }
        let provider = Arc::new(provider);
        let sessions = Arc::new(Cutting {
            inner: Arc::clone(sessions),
            cuts: later && matches!(self, Self::Cut),
        });
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(site.vendor.chain(), site.vendor.private_key())
            .unwrap();
        config.session_storage = sessions.clone();
        let settings = Settings::new(provider).session_storage(sessions);
        let acceptor = site.acceptor_with(front, settings, policy);
        acceptor.fallback(Arc::new(config))
    }
}

/// A client that has made a session, and has no credential any more by its own clock.
#[test]
fn a_session_that_does_not_fit_says_nothing_about_its_client() {
    let site = Site::new();
    for front in FRONTS {
        for misfit in [Misfit::Suite, Misfit::Cut] {
            for policy in [site.policy(), site.policy().optional()] {
                let sessions: Arc<dyn StoresServerSessions> = ServerSessionMemoryCache::new(32);
                let acceptor =
                    |later| misfit.acceptor((&site, front), &sessions, policy.clone(), later);
                let clock = Clock::now();
                let client = client(&site, &clock, HOUR);
                for is_resumed in [false, true] {
                    let meeting = site.meet(&client, &acceptor(false), ALL);
                    assert_eq!(meeting.delegated().1.as_deref(), Some(CAMERA));
                    assert_eq!(meeting.known().is_resumed, is_resumed);
                }
                clock.forward(2 * HOUR);
                let meeting = site.meet(&client, &acceptor(true), ALL);
                if meeting.client.is_err() {
                    assert_eq!(meeting.alert(), AlertDescription::CertificateRequired);
                    continue;
                }
                assert_eq!(meeting.peer(), None, "{front:?} {misfit:?}");
                assert!(!meeting.known().is_resumed);
                // Nor does the session that this has made.
                let meeting = site.meet(&client, &acceptor(true), ALL);
                assert_eq!(meeting.peer(), None);
            }
        }
    }
}

/// A client that offers its last ticket to every name.
fn any_ticket(site: &Site, certificate: Arc<dyn ResolvesClientCert>) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(site.vendor.roots())
        .with_client_cert_resolver(certificate);
    config.resumption = Resumption::store(Arc::new(LastTicket::default()));
    config
}

/// A certificate that is presented for some time.
#[derive(Debug)]
struct Sometimes {
    presents: AtomicBool,
    certificate: SingleCertAndKey,
}

impl Sometimes {
    fn new(site: &Site) -> Self {
        let key = provider().key_provider;
        let key = key.load_private_key(site.clients.private_key()).unwrap();
        Self {
            presents: AtomicBool::new(true),
            certificate: CertifiedKey::new(site.clients.chain(), key).into(),
        }
    }
}

impl ResolvesClientCert for Sometimes {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let presents = self.presents.load(Ordering::Relaxed);
        presents
            .then(|| ResolvesClientCert::resolve(&self.certificate, hints, schemes))
            .flatten()
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[derive(Debug, Default)]
struct LastTicket(Mutex<Option<Tls13ClientSessionValue>>);

impl ClientSessionStore for LastTicket {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        *self.0.lock().unwrap() = Some(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap().take()
    }
}
