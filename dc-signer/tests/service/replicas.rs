//! Several services on one database, each a process with a folder of its own.

mod in_token;
mod rolling;

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use apparatus::{Part, SoftHsm, have};
use dc_signer::server::dev::Dev;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Answer, Client};
use crate::postgres::Own;
use crate::reasons::reason_of;
use crate::rig::{as_operator_of, now};
use crate::router::{Router, client_at, csr};

/// A service on a database that others use as well.
struct Node {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
    /// The settings of the SoftHSM that it sees.
    hsm: Option<PathBuf>,
    /// The program of another version, if it is not this one's.
    program: Option<PathBuf>,
}

impl Node {
    /// A fresh folder, with this key-encryption key if there is one.
    fn prepare(url: &str, name: &str, key: Option<&str>) -> Self {
        Self::prepare_with(url, name, |folder| {
            let Some(key) = key else { return String::new() };
            let path = folder.join("secrets.key");
            fs::write(&path, key).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            format!("[secrets]\nkey = {{ file = {path:?} }}\n")
        })
    }

    /// A fresh folder, with a table of secrets.
    fn prepare_with(url: &str, name: &str, secrets: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dev = Dev::open(&folder.path().join("dev"), now()).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        let secrets = secrets(folder.path());
        let tables = format!("[database]\npostgres = {url:?}\n{secrets}");
        let config = fs::read_to_string(dev.config()).unwrap();
        let config = config
            .replace("127.0.0.1:8443", &format!("127.0.0.1:{port}"))
            .replace("\"dev\"", &format!("{name:?}"))
            .replace("[limits]", &format!("{tables}[limits]"));
        fs::write(dev.config(), config).unwrap();
        Self {
            folder,
            port,
            process: None,
            hsm: None,
            program: None,
        }
    }

    /// The same operator works at this one.
    fn operated_as(self, other: &Self) -> Self {
        let token = "dev/operator.token";
        fs::copy(other.path(token), self.path(token)).unwrap();
        self
    }

    fn start(url: &str, name: &str, key: Option<&str>) -> Self {
        Self::prepare(url, name, key).started()
    }

    /// With other limits.
    fn limited(&self, limits: &str) {
        let path = self.path("dev/config.toml");
        let config = fs::read_to_string(&path).unwrap();
        let (before, behind) = config.split_once("[limits]\n").unwrap();
        let behind = behind.split_once("\n[").unwrap().1;
        fs::write(path, format!("{before}[limits]\n{limits}\n\n[{behind}")).unwrap();
    }

    fn started(mut self) -> Self {
        self.serve();
        self.wait_until("it is ready", |node| {
            Client::new(node.port, &node.path("dev/vendor/root.pem"))
                .tls()
                .is_ok()
                && node.client().get("/readyz").status == 200
        });
        self
    }

    /// It says that it stops: one that is killed counts as running for some minutes.
    fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        let pid = process.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        process.wait().unwrap();
    }

    fn restarted(mut self) -> Self {
        self.stop();
        self.started()
    }

    fn serve(&mut self) {
        let process = Command::new(self.program())
            .args(["serve", "--config"])
            .arg(self.path("dev/config.toml"))
            .envs(self.environment())
            .stdout(Stdio::null())
            .stderr(File::create(self.path("log")).unwrap())
            .spawn();
        self.process = Some(process.unwrap());
    }

    /// The log of one that must not start.
    fn does_not_start(mut self) -> String {
        self.serve();
        let status = self.process.take().unwrap().wait().unwrap();
        assert_eq!(status.code(), Some(1), "{}", self.log());
        assert!(!self.path("dev/data/secrets").exists());
        self.log()
    }

    fn program(&self) -> &Path {
        let this = Path::new(env!("CARGO_BIN_EXE_dc-signer"));
        self.program.as_deref().unwrap_or(this)
    }

    fn environment(&self) -> Option<(&'static str, &Path)> {
        let hsm = self.hsm.as_deref();
        hsm.map(|settings| (SoftHsm::VARIABLE, settings))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    fn client(&self) -> Client {
        Client::new(self.port, &self.path("dev/vendor/root.pem"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = as_operator_of(self.program(), &self.path("dev/config.toml"));
        if !self.path("dev/operator.token").exists() {
            // There is no operator yet.
            command.env_remove("DC_SIGNER_TOKEN_FILE");
        }
        command
            .args(arguments)
            .args(reason_of(arguments))
            .envs(self.environment())
            .arg("--config")
            .arg(self.path("dev/config.toml"))
            .current_dir(self.path("dev"));
        command
    }

    /// The output of a command.
    fn run(&self, arguments: &[&str]) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(stdout).unwrap()
    }

    /// Adds a device, and says the code for it.
    fn code(&self, token: &str, external_id: &str) -> String {
        let new = json!({"external_id": external_id, "code": true});
        let admin = self.client().token(token);
        let added = admin.post("/v1/admin/devices", &new).ok();
        added["code"]["code"].as_str().unwrap().to_owned()
    }

    fn enroll(&self, code: &str) -> Answer {
        let router = Router::at(self.port, &self.path("dev/vendor/root.pem"));
        router.enroll(&csr(), code)
    }

    fn list(&self) -> Value {
        self.client().get("/v1/withdrawn/cpe.example.com").ok()
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < PATIENCE, "not so: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn migrated() -> Option<Own> {
    if !have(Part::Postgres) {
        return None;
    }
    apparatus::prepare(Part::Tools);
    let server = Own::start();
    let location = server.url.parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(dc_store::migrate(&location)).unwrap();
    Some(server)
}

/// A signer with a zone that can issue, and an administrator's token.
fn first(server: &Own) -> (Node, String) {
    first_of(Node::prepare(&server.url, "node-1", Some(KEY)))
}

fn first_of(node: Node) -> (Node, String) {
    let add = ["operators", "add", "noc", "--role", "admin"];
    node.run(&[&add[..], &["--save-token", "operator.token"]].concat());
    let token = fs::read_to_string(node.path("dev/operator.token")).unwrap();
    let token = token.trim().to_owned();
    node.run(&["zones", "add", "cpe.example.com", "--import", "vendor"]);
    (node.started(), token)
}

#[test]
fn three_services_share_secrets_and_certificates_and_follow_a_rotation() {
    let Some(server) = migrated() else { return };
    let (one, token) = first(&server);
    // Fresh folders: none makes secrets of its own.
    let said = Node::prepare(&server.url, "node-2", None).does_not_start();
    assert!(
        said.contains("sealed in it") && said.contains("[secrets] key"),
        "{said}"
    );
    let other = KEY.replace('0', "1");
    let said = Node::prepare(&server.url, "node-2", Some(&other)).does_not_start();
    assert!(said.contains("give that key"), "{said}");
    let two = Node::start(&server.url, "node-2", Some(KEY)).operated_as(&one);
    let three = Node::start(&server.url, "node-3", Some(KEY)).operated_as(&one);
    // Each takes what another has made, and signs with a certificate that was imported on the first alone.
    let before = one.code(&token, "customer-0");
    let nodes = [&one, &two, &three];
    for (number, node) in nodes.iter().enumerate() {
        let code = node.code(&token, &format!("customer-1{number}"));
        nodes[(number + 1) % 3].enroll(&code).ok();
    }
    let keys: Vec<Value> = nodes
        .iter()
        .map(|node| node.list()["key"].clone())
        .collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    // A rotation while all of them run.
    two.run(&["secrets", "rotate", "codes"]);
    two.run(&["secrets", "rotate", "lists"]);
    for (number, node) in nodes.iter().enumerate() {
        let code = node.code(&token, &format!("customer-2{number}"));
        nodes[(number + 2) % 3].enroll(&code).ok();
    }
    three.enroll(&before).ok();
    for node in nodes {
        node.wait_until("lists have both keys", |node| {
            let list = node.list();
            list["key"] == keys[0] && list["also"].as_array().is_some_and(|also| also.len() == 1)
        });
    }
    // The next certificate is imported once; a rollover waits for those that have not got it.
    let next = one.path("dev/next");
    let made = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .arg("init")
        .arg(&next)
        .args(["--zone", "cpe.example.com"])
        .status();
    assert!(made.unwrap().success());
    one.run(&["zones", "rollover", "cpe.example.com", "--import", "next"]);
    one.run(&["zones", "rollover", "cpe.example.com", "--now"]);
    for (number, node) in nodes.iter().enumerate() {
        let code = node.code(&token, &format!("customer-3{number}"));
        node.enroll(&code).ok();
        assert!(!node.path("dev/data/delegations").exists());
        assert_eq!(node.client().get("/readyz").status, 200);
    }
    one.run(&["audit", "verify"]);
}

#[test]
fn a_rotation_that_is_killed_is_done_or_not_and_can_be_taken_back() {
    let Some(server) = migrated() else { return };
    let (one, token) = first(&server);
    let two = Node::start(&server.url, "node-2", Some(KEY)).operated_as(&one);
    let mut codes = vec![one.code(&token, "customer-0")];
    for number in 0..8 {
        let mut rotating = one
            .command(&["secrets", "rotate", "codes"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(20 * number));
        let _ = rotating.kill();
        rotating.wait().unwrap();
        codes.push(one.code(&token, &format!("customer-1{number}")));
    }
    one.run(&["secrets", "rotate", "codes"]);
    codes.push(two.code(&token, "customer-2"));
    one.run(&["secrets", "take-back", "codes"]);
    codes.push(two.code(&token, "customer-3"));
    for (number, code) in codes.iter().enumerate() {
        let node = [&one, &two][number % 2];
        node.enroll(code).ok();
    }
    // What is there is whole: a third one can start.
    let three = Node::start(&server.url, "node-3", Some(KEY)).operated_as(&one);
    let shown = three.run(&["secrets", "show", "--json"]);
    let rows = shown
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let versions: Vec<u64> = rows
        .filter(|row| row["secret"] == "codes")
        .map(|row| row["version"].as_u64().unwrap())
        .collect();
    let whole: Vec<u64> = (1..=u64::try_from(versions.len()).unwrap()).collect();
    assert_eq!(versions, whole);
    one.run(&["audit", "verify"]);
}

#[test]
fn a_device_may_come_as_often_to_three_services_as_to_one_and_no_oftener_after_a_restart() {
    let Some(server) = migrated() else { return };
    let strict = |node: Node| {
        node.limited("device_period = \"1h\"\ndevice_burst = 5");
        node
    };
    let (one, token) = first_of(strict(Node::prepare(&server.url, "node-1", Some(KEY))));
    let others = ["node-2", "node-3"];
    let others = others.map(|name| strict(Node::prepare(&server.url, name, Some(KEY))).started());
    let [two, three] = others.map(|node| node.operated_as(&one));
    let mut nodes = vec![one, two, three];
    // All of them know how many they are.
    std::thread::sleep(Duration::from_secs(6));
    let code = nodes[0].code(&token, "customer");
    let device = Router::at(nodes[0].port, &nodes[0].path("dev/vendor/root.pem"));
    device.enroll(&csr(), &code).ok();
    let renew = |nodes: &[Node], times: usize| {
        let mut let_in = 0;
        for number in 0..times {
            let node = &nodes[number % nodes.len()];
            let root = node.path("dev/vendor/root.pem");
            let device = client_at(node.port, &root, &device.enrolment_key);
            let request = json!({"csr": csr(), "idempotency_key": format!("{number}")});
            let answer = device.post("/v1/renew", &request);
            assert!(matches!(answer.status, 200 | 429), "{answer:?}");
            let_in += usize::from(answer.status == 200);
        }
        let_in
    };
    // With the enrolment it came once.
    let at_once = renew(&nodes, 30);
    assert!((1..=4).contains(&at_once), "{at_once}");
    let mut later = 0;
    for _ in 0..3 {
        std::thread::sleep(Duration::from_secs(16));
        later += renew(&nodes, 9);
    }
    assert_eq!(at_once + later, 4, "{at_once} and {later}");
    nodes = nodes.into_iter().map(Node::restarted).collect();
    assert_eq!(renew(&nodes, 15), 0);
}

/// A key-encryption key.
const KEY: &str = "0000000000000000000000000000000000000000000000000000000000000abc\n";
const PATIENCE: Duration = Duration::from_secs(60);
