//! The device's agent with the service that it is made for.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use apparatus::{Part, have};
use dc_agent::{Agent, Clock, Config, Level, SystemClock};
use dc_pki::trust::read_roots;
use dc_rustls::client;
use dc_rustls::server::{Acceptor, ClientCredentials, Identity, Settings, Store};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::RootCertStore;
use serde_json::json;
use tempfile::TempDir;

use crate::rig::Rig;

/// The system's clock, so many days ahead.
struct Ahead(SystemClock, u64);

impl Clock for Ahead {
    fn wall(&self) -> u64 {
        self.0.wall() + self.1 * 86_400
    }

    fn uptime(&self) -> Duration {
        self.0.uptime()
    }
}

pub(crate) struct Device(TempDir);

impl Device {
    /// With lines that say how it gets in.
    fn new(rig: &Rig, more: &str) -> Self {
        let device = Self(tempfile::tempdir().unwrap());
        fs::copy(rig.root(), device.path("root.pem")).unwrap();
        let text = format!(
            "signer = 'https://localhost:{}'\nsigner_roots = 'root.pem'\nroots = 'root.pem'\n\
             identity = 'identity'\nstate = 'state'\nstart_delay = '0s'\n{more}",
            rig.port
        );
        fs::write(device.path("agent.toml"), text).unwrap();
        device
    }

    pub(crate) fn with_code(rig: &Rig) -> Self {
        Self::with_code_and(rig, "")
    }

    fn with_code_and(rig: &Rig, more: &str) -> Self {
        Self::added(rig, "one", more).0
    }

    /// The same, with its id at the service.
    pub(crate) fn added(rig: &Rig, external_id: &str, more: &str) -> (Self, String) {
        let device = Self::new(rig, &format!("code_file = 'code'\n{more}"));
        let added = rig.add(external_id);
        fs::write(device.path("code"), added["code"]["code"].as_str().unwrap()).unwrap();
        (device, added["id"].as_str().unwrap().to_owned())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// With a clock so many days ahead; then a renewal is due, also for an agent that knows better what time it is.
    pub(crate) fn boot(&self, days_ahead: u64) -> Agent {
        if days_ahead > 0 {
            self.let_renewal_be_due();
        }
        let config = Config::load(&self.path("agent.toml")).unwrap();
        let clock = Box::new(Ahead(SystemClock::new(), days_ahead));
        Agent::open(config, clock, Box::new(|event| eprintln!("{event}"))).unwrap()
    }

    fn let_renewal_be_due(&self) {
        let place = self.path("identity/current/meta.json");
        let Ok(text) = fs::read(&place) else { return };
        let mut meta: serde_json::Value = serde_json::from_slice(&text).unwrap();
        meta["renew_at"] = 0.into();
        fs::write(&place, meta.to_string()).unwrap();
    }

    /// Its chain and its credential, after a server has installed them.
    fn served(&self) -> [Vec<u8>; 2] {
        let current = self.path("identity/current");
        let store = Store::new(Arc::new(rustls::crypto::ring::default_provider()));
        store.install(Identity::load(&current).unwrap()).unwrap();
        ["chain.pem", "credential.pem"].map(|name| fs::read(current.join(name)).unwrap())
    }
}

#[test]
fn the_agent_enrols_and_renews_and_follows_a_rollover() {
    let rig = Rig::start();
    let device = Device::with_code(&rig);
    let mut agent = device.boot(0);
    agent.turn();
    assert_eq!(agent.status().level, Level::Fine);
    let first = device.served();
    drop(agent);
    device.boot(4).turn();
    let second = device.served();
    assert!(first[0] == second[0] && first[1] != second[1]);
    rig.import_next_certificate();
    // The new root is another one, which this device's clients have to know first.
    let mut roots = fs::read(device.path("root.pem")).unwrap();
    roots.extend(fs::read(rig.data().join("next/root.pem")).unwrap());
    fs::write(device.path("root.pem"), roots).unwrap();
    let rollover = "/v1/admin/zones/cpe.example.com/rollover";
    rig.admin().act(rollover, &json!({})).ok();
    device.boot(4).turn();
    assert!(device.served()[0] != second[0]);
}

/// A service with an ordinary certificate, for devices of the rig's vendor; says whom it has met.
fn cloud(rig: &Rig) -> (Arc<Acceptor>, RootCertStore) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["cloud.example.com".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            key.serialize_der().try_into().unwrap(),
        )
        .unwrap();
    let policy = ClientCredentials::roots(&provider, read_roots(&rig.root()).unwrap()).unwrap();
    let settings = Settings::new(provider).client_credentials(policy).unwrap();
    let store = Store::with_settings(settings);
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    (
        Arc::new(Acceptor::new(store).fallback(config.into())),
        roots,
    )
}

/// The name by which a service knows the client that has this identity.
fn known_as(acceptor: &Arc<Acceptor>, roots: &RootCertStore, identity: &Path) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let identities = client::IdentityStore::new(provider.clone());
    identities
        .install(Identity::load(identity).unwrap())
        .unwrap();
    let config = client::Config::builder(provider)
        .roots(roots.clone())
        .or_certificate()
        .client_identity(identities)
        .build()
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, _) = listener.accept().unwrap();
    let acceptor = acceptor.clone();
    let server = thread::spawn(move || acceptor.accept(far).unwrap().peer().cloned());
    config
        .connect("cloud.example.com".try_into().unwrap(), near)
        .unwrap();
    match server.join().unwrap() {
        Some(client::Peer::Delegated {
            unique_name: Some(name),
            ..
        }) => name.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cloud_service_knows_the_device_by_its_other_credential() {
    let rig = Rig::start();
    let device = Device::with_code_and(&rig, "[client]\n");
    let mut agent = device.boot(0);
    agent.turn();
    // The zone issues none.
    assert_eq!(agent.status().level, Level::AtRisk);
    device.served();
    drop(agent);
    let roles = "/v1/admin/zones/cpe.example.com/roles";
    rig.admin().act(roles, &json!({"roles": "both"})).ok();
    let (acceptor, roots) = cloud(&rig);
    let mut before = Vec::new();
    for _ in 0..2 {
        let mut agent = device.boot(4);
        agent.turn();
        assert_eq!(agent.status().level, Level::Fine, "{}", agent.status());
        let name = agent.status().identity.unwrap().name;
        let folder = device.path("identity/current/client");
        assert_eq!(known_as(&acceptor, &roots, &folder), name);
        let credential = fs::read(folder.join("credential.pem")).unwrap();
        assert_ne!(credential, before);
        before = credential;
        device.served();
    }
    let metrics = rig.client().get("/metrics").body;
    for (result, count) in [("left-out", 1), ("ok", 2)] {
        let line = format!(
            "dc_issued_as_client_total{{zone=\"cpe.example.com\",result=\"{result}\"}} {count}"
        );
        assert!(metrics.contains(&line), "{line} not in {metrics}");
    }
}

#[test]
fn the_agent_changes_its_enrolment_key_and_the_old_one_is_refused() {
    let rig = Rig::start();
    let device = Device::with_code_and(&rig, "enrolment_key_lifetime = '1d'\n");
    let key = |agent: &Agent| agent.status().enrolment_key.unwrap();
    let mut agent = device.boot(0);
    agent.turn();
    let first = key(&agent);
    drop(agent);
    let old = fs::read(device.path("state/enrolment-key.pem")).unwrap();
    // Offered, and then used.
    for changed in [false, true] {
        let mut agent = device.boot(4);
        agent.turn();
        assert_eq!(agent.status().level, Level::Fine);
        assert_eq!(key(&agent) != first, changed);
    }
    let served = device.served();
    // Whoever has a copy of the old key has nothing.
    let new = fs::read(device.path("state/enrolment-key.pem")).unwrap();
    fs::write(device.path("state/enrolment-key.pem"), old).unwrap();
    let mut agent = device.boot(4);
    agent.turn();
    let failure = agent.status().last_failure.unwrap();
    assert_eq!(failure.kind, "unknown-device");
    drop(agent);
    fs::write(device.path("state/enrolment-key.pem"), new).unwrap();
    fs::remove_file(device.path("state/state.json")).unwrap();
    device.boot(4).turn();
    assert!(device.served() != served);
}

#[test]
fn the_agent_enrols_with_what_its_manufacturer_gave_it() {
    enrols_with_manufacturers_key(|_| "key = 'made-key.pem'".to_owned());
}

#[test]
fn the_agent_enrols_with_a_key_that_only_a_program_can_use() {
    if !have(Part::Tools) {
        return;
    }
    enrols_with_manufacturers_key(|key| {
        let key = key.display();
        format!("sign_command = ['openssl', 'dgst', '-sha256', '-sign', '{key}']")
    });
}

/// With lines that say where the key is, which lies at the path.
fn enrols_with_manufacturers_key(lines: impl FnOnce(&Path) -> String) {
    let rig = Rig::start();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "acme");
    let acme = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    fs::write(rig.data().join("acme.pem"), acme.pem()).unwrap();
    rig.configure("[[manufacturers]]\nname = \"acme\"\nanchors = \"acme.pem\"");
    let new = json!({"external_id": "one", "manufacturer": "acme", "serial": "SN1"});
    rig.admin().post("/v1/admin/devices", &new).ok();
    let kept = tempfile::tempdir().unwrap();
    let kept = kept.path().join("made-key.pem");
    let lines = lines(&kept);
    let more = format!("[manufacturer]\nchain = 'made.pem'\n{lines}\n");
    let device = Device::new(&rig, &more);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    let serial = DnType::CustomDnType(vec![2, 5, 4, 5]);
    params.distinguished_name.push(serial, "SN1");
    let made = params.signed_by(&key, &acme).unwrap();
    fs::write(device.path("made.pem"), made.pem()).unwrap();
    for path in [&kept, &device.path("made-key.pem")] {
        fs::write(path, key.serialize_pem()).unwrap();
    }
    device.boot(0).turn();
    let first = device.served();
    device.boot(4).turn();
    assert!(device.served() != first);
}

#[test]
fn the_agent_of_a_device_that_the_operator_knows_needs_no_code() {
    let rig = Rig::start();
    let device = Device::new(&rig, "");
    let mut agent = device.boot(0);
    let enrolment_key = agent.status().enrolment_key.unwrap();
    let new = json!({"external_id": "one", "enrolment_key": enrolment_key});
    rig.admin().post("/v1/admin/devices", &new).ok();
    agent.turn();
    assert_eq!(agent.status().level, Level::Fine);
    device.served();
}

#[test]
fn the_agent_of_a_suspended_device_is_at_risk_and_serves_on() {
    let rig = Rig::start();
    let device = Device::with_code(&rig);
    let mut agent = device.boot(0);
    agent.turn();
    let id = agent.status().identity.unwrap().device;
    drop(agent);
    let before = device.served();
    rig.admin()
        .act(&format!("/v1/admin/devices/{id}/suspend"), &json!({}))
        .ok();
    let mut agent = device.boot(4);
    agent.turn();
    let status = agent.status();
    assert_eq!(status.level, Level::AtRisk);
    assert_eq!(status.last_failure.unwrap().kind, "device-suspended");
    assert!(device.served() == before);
}

#[test]
fn the_agent_of_a_replacement_waits_for_its_name_and_says_until_when() {
    let rig = Rig::start();
    let (_, first) = crate::router::Router::enrolled(&rig, "two");
    let id = first["device"].as_str().unwrap();
    let path = format!("/v1/admin/devices/{id}/replace");
    let replaced = rig.admin().act(&path, &json!({})).ok();
    let code = replaced["code"]["code"].as_str().unwrap();
    rig.keep_secret(code);
    let device = Device::with_code(&rig);
    fs::write(device.path("code"), code).unwrap();
    let mut agent = device.boot(0);
    agent.turn();
    let failure = agent.status().last_failure.unwrap();
    assert_eq!(
        (failure.kind.as_str(), failure.permanent),
        ("name-held", false)
    );
    assert!(
        failure.detail.contains("this one gets its own from"),
        "{failure:?}"
    );
    drop(agent);
    // Nothing was used up by that.
    let how = json!({"at_once": true});
    let replaced = rig.admin().act(&path, &how).ok();
    let code = replaced["code"]["code"].as_str().unwrap();
    rig.keep_secret(code);
    fs::write(device.path("code"), code).unwrap();
    let mut agent = device.boot(2);
    agent.turn();
    assert_eq!(
        agent.status().identity.unwrap().name,
        first["name"].as_str().unwrap()
    );
}
