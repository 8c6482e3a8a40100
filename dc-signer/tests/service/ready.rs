//! Ready means that it can issue: what the service, its metrics, its log and `check` say of a key, a certificate or a clock
//! that is not in order, and that all of them say the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::json;

use crate::client::{Answer, Client};
use crate::disk::with_postgres;
use crate::postgres::Own;
use crate::rig::{Rig, as_operator};

/// A service with a configuration of its own, as a service manager starts it.
pub(crate) struct Service {
    process: Child,
    log: PathBuf,
    pub(crate) client: Client,
}

impl Service {
    fn start(config: &Path, root: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-signer"));
        command.args(["serve", "--config"]).arg(config);
        Self::start_by(command, config, root)
    }

    /// By a command that ends up as `dc-signer serve` with this configuration.
    pub(crate) fn start_by(mut command: Command, config: &Path, root: &Path) -> Self {
        let log = config.with_extension("log");
        let process = command
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut service = Self {
            process,
            log,
            client: Client::new(0, root),
        };
        service.wait_until("it listens", |service| service.port().is_some());
        service.client.port = service.port().unwrap();
        service
    }

    fn port(&self) -> Option<u16> {
        let log = self.log();
        let rest = log.split("\"address\":\"127.0.0.1:").nth(1)?;
        rest.split('"').next()?.parse().ok()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn ready(&self) -> Answer {
        self.client.get("/readyz")
    }

    pub(crate) fn metric(&self, line: &str) -> bool {
        let metrics = self.client.get("/metrics").body;
        metrics.lines().any(|found| found == line)
    }

    fn hang_up(&self) {
        let status = Command::new("kill")
            .args(["-HUP", &self.process.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            let log = self.log();
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "not so: {what}\n{log}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a command says, and whether it succeeded.
pub(crate) fn command(arguments: &[&str], config: &Path) -> (bool, String) {
    let output = as_operator(config)
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.success(), said)
}

pub(crate) fn stop(rig: &mut Rig) -> PathBuf {
    rig.signal("TERM");
    assert!(rig.ended());
    rig.data().join("config.toml")
}

/// The one key in a data folder.
pub(crate) fn key(data: &Path) -> PathBuf {
    let folders = fs::read_dir(data.join("delegations")).unwrap();
    let keys = folders.map(|folder| folder.unwrap().path().join("key.pem"));
    let keys: Vec<PathBuf> = keys.collect();
    assert_eq!(keys.len(), 1);
    keys[0].clone()
}

#[test]
fn a_zone_without_its_key_is_named_everywhere_and_comes_back_by_itself() {
    let mut rig = Rig::start();
    let config = stop(&mut rig);
    let key = key(&rig.data().join("data"));
    let away = rig.data().join("away.pem");
    fs::rename(&key, &away).unwrap();
    let service = Service::start(&config, &rig.root());
    let answer = service.ready();
    let problem = answer.refused(503, "zone-not-ready");
    assert!(!answer.head.contains("retry-after"), "{answer:?}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("zone cpe.example.com: "), "{detail}");
    let can_issue = "dc_zone_can_issue{zone=\"cpe.example.com\"}";
    let usable = "dc_delegation_key_usable{zone=\"cpe.example.com\",slot=\"1\",state=\"active\"}";
    for line in [
        &format!("{can_issue} 0"),
        &format!("{usable} 0"),
        "dc_ready 0",
    ] {
        assert!(service.metric(line), "{line}");
    }
    let log = service.log();
    assert!(
        log.contains("nothing is issued: zone cpe.example.com"),
        "{log}"
    );
    assert!(
        !log.contains("Missing {") && !log.contains("Zone("),
        "{log}"
    );
    let (fine, said) = command(&["check"], &config);
    assert!(
        !fine && said.contains("error: zone cpe.example.com: "),
        "{said}"
    );
    let missed = |service: &Service| service.log().matches("slot 1 of cpe.example.com").count();
    let before = missed(&service);
    service.hang_up();
    service.wait_until("a reload says so too", |service| missed(service) > before);

    fs::rename(&away, &key).unwrap();
    service.wait_until("it is ready", |service| service.ready().status == 200);
    assert!(service.metric(&format!("{can_issue} 1")) && service.metric("dc_ready 1"));
    assert!(service.log().contains("ready again"));
    let (fine, said) = command(&["check"], &config);
    assert!(fine, "{said}");
}

/// Gives it another certificate to show.
fn show(rig: &Rig, date: impl FnOnce(&mut rcgen::CertificateParams)) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    date(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    let tls = rig.data().join("tls");
    fs::write(tls.join("key.pem"), key.serialize_pem()).unwrap();
    fs::write(tls.join("chain.pem"), certificate.pem()).unwrap();
    rig.reload();
}

#[test]
fn the_end_of_its_own_certificate_is_seen() {
    let rig = Rig::start();
    let config = rig.data().join("config.toml");
    for (begin, end, words) in [
        (2020, 2021, "ended at 2021-01-01"),
        (2099, 2100, "not valid yet: it begins at 2099-01-01"),
    ] {
        let date = |year| rcgen::date_time_ymd(year, 1, 1);
        show(&rig, |params| {
            (params.not_before, params.not_after) = (date(begin), date(end));
        });
        let mut client = rig.client();
        client.config = anybody();
        let problem = client.get("/readyz").refused(503, "not-ready");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.contains(words) && !detail.contains("chain.pem"),
            "{detail}"
        );
        let metrics = client.get("/metrics").body;
        assert!(metrics.contains("\ndc_ready 0\n"), "{metrics}");
        assert!(
            metrics.contains("\ndc_server_certificate_not_after_seconds "),
            "{metrics}"
        );
        let year = words.split(' ').next_back().unwrap();
        assert!(rig.log().contains(year), "{}", rig.log());
        let (fine, said) = command(&["check"], &config);
        assert!(!fine && said.contains(year), "{said}");
    }
    // One that ends soon is announced.
    let now = crate::rig::now().as_secs();
    let days = |days: u64| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(days * 86_400);
    show(&rig, |params| {
        params.not_before = days(now / 86_400 - 80);
        params.not_after = days(now / 86_400 + 10);
    });
    let mut client = rig.client();
    client.config = anybody();
    client.get("/readyz").ok();
    let (fine, said) = command(&["check"], &config);
    assert!(fine && said.contains("own certificate, ends at"), "{said}");
    assert!(rig.log().contains("own certificate, ends at"));
    // What is over does not keep it from starting.
    show(&rig, |params| {
        (params.not_before, params.not_after) = (days(0), days(365));
    });
    let mut rig = rig;
    let config = stop(&mut rig);
    let service = Service::start(&config, &rig.root());
    assert!(service.log().contains("ended at 1971-01-01"));
}

#[test]
fn a_start_long_after_everything_on_record_is_doubted_until_somebody_says_that_it_is_right() {
    let mut rig = Rig::start();
    let config = stop(&mut rig);
    let database = rig.data().join("data/dc-signer.db");
    // It has said that it stops.
    execute(
        &database,
        "UPDATE replicas SET clock = clock - 90000 WHERE stopped = 1",
    );
    let service = Service::start(&config, &rig.root());
    let problem = service.ready().refused(503, "clock-wrong");
    let detail = problem["detail"].as_str().unwrap();
    assert!(
        detail.contains("1 d 1 h after") && detail.contains("reload"),
        "{detail}"
    );
    assert!(service.metric("dc_zone_can_issue{zone=\"cpe.example.com\"} 0"));
    let (fine, said) = command(&["check"], &config);
    assert!(
        fine && said.contains("warning: the signer's clock says"),
        "{said}"
    );
    service.hang_up();
    service.wait_until("it is ready", |service| service.ready().status == 200);
    assert!(service.metric("dc_zone_can_issue{zone=\"cpe.example.com\"} 1"));
}

#[test]
fn a_clock_behind_what_it_believed_before_is_not_ready() {
    let mut rig = Rig::start();
    let config = stop(&mut rig);
    let database = rig.data().join("data/dc-signer.db");
    execute(&database, "UPDATE replicas SET clock = clock + 3600");
    execute(
        &database,
        "INSERT INTO refused (hour, reason, requests) VALUES (1, 'old', 1)",
    );
    let service = Service::start(&config, &rig.root());
    service.ready().refused(503, "clock-wrong");
    let (fine, said) = command(&["check"], &config);
    assert!(
        !fine && said.contains("before something that is on record"),
        "{said}"
    );
    // By such a clock nothing has had its time.
    service.wait_until("it has looked", |service| {
        service.log().contains("nothing is removed")
    });
    execute(&database, "UPDATE refused SET requests = 2 WHERE hour = 1");
}

#[test]
fn a_zone_moves_on_when_every_replica_has_the_key() {
    let Some((server, mut rig)) = with_postgres(Own::start) else {
        return;
    };
    let config = rig.data().join("config.toml");
    let second = second_signer(&config);
    let replica = Service::start(&second, &rig.root());
    assert_eq!(replica.ready().status, 200);
    rig.import_next_certificate();
    let rollover = || {
        let path = "/v1/admin/zones/cpe.example.com/rollover";
        rig.admin().act(path, &json!({}))
    };
    let problem = rollover().refused(409, "conflict");
    assert!(
        problem["detail"].as_str().unwrap().contains("(second)"),
        "{problem}"
    );
    let next = "dc_delegation_key_usable{zone=\"cpe.example.com\",slot=\"2\",state=\"next\"}";
    assert!(replica.metric(&format!("{next} 0")));
    // On the machine itself, all in one go.
    let vendor = rig.data().join("next");
    let import = [
        "zones",
        "rollover",
        "cpe.example.com",
        "--reason",
        "a test",
        "--now",
        "--import",
    ];
    let import = [&import[..], &[vendor.to_str().unwrap()]].concat();
    let (done, said) = command(&import, &second);
    assert!(done && said.contains("active"), "{said}");
    for service in [&replica.client, &rig.client()] {
        assert_eq!(service.get("/readyz").status, 200);
    }
    drop(replica);
    stop(&mut rig);
    drop(server);
}

pub(crate) fn execute(database: &Path, sql: &'static str) {
    use sqlx::{ConnectOptions, Executor};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    runtime.block_on(async {
        let mut connection = options.connect().await.unwrap();
        assert!(connection.execute(sql).await.unwrap().rows_affected() > 0);
    });
}

/// The configuration of another signer with the same database, and with a data folder that has what this one's has.
pub(crate) fn second_signer(config: &Path) -> PathBuf {
    let second = config.with_file_name("second.toml");
    copy(
        &config.with_file_name("data"),
        &config.with_file_name("data2"),
    );
    let text = fs::read_to_string(config).unwrap();
    let text = text
        .replace("data = \"data\"", "data = \"data2\"")
        .replace("node = \"dev\"", "node = \"second\"");
    fs::write(&second, text).unwrap();
    second
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(done.unwrap().success());
}

/// TLS with whoever is there: to read what a service says that nobody believes any more.
fn anybody() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.unwrap().dangerous();
    let verified = builder.with_custom_certificate_verifier(Arc::new(Anybody));
    Arc::new(verified.with_no_client_auth())
}

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = rustls::crypto::ring::default_provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
