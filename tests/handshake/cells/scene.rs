//! Vendors, devices and the ends that have their credentials.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dc_core::{Form, Role as CredentialRole};
use dc_rustls::client::{Config, Identity, IdentityStore, NamePolicy};
use dc_rustls::quinn::{self as quic, EarlyData};
use dc_rustls::server::{Acceptor, ClientCredentials, Settings, Store};
use dc_tests::vendor::{Device, Vendor};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

use super::Cell;

/// The vendor and the device of each end.
pub(super) struct Scene {
    servers: Vendor,
    clients: Vendor,
    pub(super) router: Device,
    pub(super) camera: Device,
}

/// A client, with the sessions that it has over each transport.
pub(super) struct Client {
    pub(super) tcp: Config,
    pub(super) quic: quinn::ClientConfig,
    /// How many full handshakes it has made.
    pub(super) full: Arc<AtomicUsize>,
}

/// A server's sessions, which outlive its configuration.
pub(super) type Sessions = Arc<dyn StoresServerSessions>;

pub(super) fn sessions() -> Sessions {
    ServerSessionMemoryCache::new(64)
}

impl Scene {
    pub(super) fn new() -> Self {
        Self {
            servers: Vendor::default(),
            clients: Vendor::default(),
            router: Device::new("router"),
            camera: Device::new("camera"),
        }
    }

    pub(super) fn name(&self) -> ServerName<'static> {
        ServerName::try_from(self.router.name.clone()).unwrap()
    }
}

fn policy_for(form: Form) -> NamePolicy {
    match form {
        Form::Named => NamePolicy::Required,
        Form::Rfc9345 => NamePolicy::Ignored,
    }
}

impl Cell {
    /// A client that begins with a share for P-384.
    pub(super) fn client(&self, scene: &Scene) -> Client {
        let full = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&full);
        let provider = self.near.prefers_p384();
        let builder = Config::builder(Arc::clone(&provider))
            .roots(scene.servers.roots())
            .unique_name(policy_for(self.form))
            .alpn_protocols([ALPN.to_vec()])
            .observe(move |_| _ = counter.fetch_add(1, Ordering::Relaxed))
            .early_data();
        let builder = match self.role.has_server() {
            true => builder,
            false => builder.or_certificate(),
        };
        let builder = match self.role.has_client() {
            true => builder.client_identity(self.identities(scene, provider)),
            false => builder,
        };
        let tcp = builder.build().unwrap();
        Client {
            quic: quic::client_config(&tcp, EarlyData::Allowed).unwrap(),
            tcp,
            full,
        }
    }

    fn identities(&self, scene: &Scene, provider: Arc<CryptoProvider>) -> Arc<IdentityStore> {
        let Scene {
            clients, camera, ..
        } = scene;
        let (role, day) = (CredentialRole::Client, Duration::from_secs(24 * 3600));
        let stored = clients.issue_as(role, camera, self.form, UnixTime::now(), day);
        let store = IdentityStore::new(provider);
        let identity = Identity::new(clients.chain(), vec![stored], camera.key.private_key());
        store.install(identity).unwrap();
        store
    }

    pub(super) fn server(
        &self,
        scene: &Scene,
        sessions: &Sessions,
        retries: bool,
        takes_early: bool,
    ) -> Acceptor {
        let provider = match retries {
            true => self.far.x25519_only(),
            false => self.far.provider(),
        };
        let limit = if takes_early { EARLY_LIMIT } else { 0 };
        let settings = Settings::new(Arc::clone(&provider))
            .session_storage(Arc::clone(sessions))
            .alpn_protocols([ALPN.to_vec()])
            .max_early_data(limit);
        let settings = match self.role.has_client() {
            true => {
                let clients = ClientCredentials::roots(&provider, scene.clients.roots()).unwrap();
                let clients = clients.unique_name(policy_for(self.form));
                settings.client_credentials(clients).unwrap()
            }
            false => settings,
        };
        let store = Store::with_settings(settings);
        if self.role.has_server() {
            store
                .install(scene.servers.enrol(&scene.router, &[self.form]))
                .unwrap();
            return Acceptor::new(store);
        }
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(scene.servers.chain(), scene.servers.private_key())
            .unwrap();
        config.session_storage = Arc::clone(sessions);
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.max_early_data_size = limit;
        Acceptor::new(store).fallback(Arc::new(config))
    }
}

/// The early data of every cell that has some.
pub(super) const EARLY: &[u8] = b"early";
/// Its line in each direction, behind the handshake.
pub(super) const LINE: &[u8] = b"line";
const EARLY_LIMIT: u32 = 1000;
pub(super) const ALPN: &[u8] = b"cells";
