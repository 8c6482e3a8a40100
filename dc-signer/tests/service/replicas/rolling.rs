//! A new version that comes to two services on one database, one after the other, while devices renew and enrol.
//!
//! `DC_SIGNER_OLDER` is the program of the version before (CONTRIBUTING.md says when); without it both are this one, and the tables get
//! what any migration may add.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{Scope, sleep};

use rcgen::KeyPair;

use super::*;

/// Devices that renew, one after the other that enrol, and an operator, all at whichever service answers.
struct Load {
    /// Port and root of each service.
    places: [(u16, PathBuf); 2],
    token: String,
    devices: Vec<KeyPair>,
    codes: Vec<String>,
    enough: AtomicBool,
    answered: AtomicUsize,
    elsewhere: AtomicUsize,
    credentials: Mutex<BTreeSet<String>>,
    names: Mutex<BTreeSet<String>>,
}

impl Load {
    fn new(nodes: [&Node; 2], token: &str) -> Self {
        let places = nodes.map(|node| (node.port, node.path("dev/vendor/root.pem")));
        let mut load = Self {
            places,
            token: token.to_owned(),
            devices: Vec::new(),
            codes: Vec::new(),
            enough: false.into(),
            answered: 0.into(),
            elsewhere: 0.into(),
            credentials: Mutex::default(),
            names: Mutex::default(),
        };
        for number in 0..6 {
            let code = nodes[0].code(token, &format!("renews-{number}"));
            let key = KeyPair::generate().unwrap();
            load.enrol(&key, &code, number);
            load.devices.push(key);
        }
        let code = |number| nodes[0].code(token, &format!("enrols-{number}"));
        load.codes = (0..60).map(code).collect();
        load
    }

    fn begin<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        for (first, key) in self.devices.iter().enumerate() {
            scope.spawn(move || {
                for number in 0_u32.. {
                    if self.enough.load(Ordering::Relaxed) {
                        return;
                    }
                    let request = json!({"csr": csr(), "idempotency_key": number.to_string()});
                    let answer = self.ask(first, |port, root| {
                        client_at(port, root, key).try_post("/v1/renew", &request)
                    });
                    self.keep(&answer);
                    sleep(Duration::from_millis(20));
                }
            });
        }
        scope.spawn(move || {
            for (first, code) in self.codes.iter().enumerate() {
                if self.enough.load(Ordering::Relaxed) {
                    return;
                }
                let name = self.enrol(&KeyPair::generate().unwrap(), code, first);
                assert!(self.names.lock().unwrap().insert(name), "two of one name");
                // Somebody looks at them meanwhile.
                let path = "/v1/admin/devices?limit=5";
                self.ask(first, |port, root| {
                    Client::new(port, root).token(&self.token).try_get(path)
                });
                sleep(Duration::from_millis(250));
            }
        });
    }

    /// Enrols a device, and says its name.
    fn enrol(&self, key: &KeyPair, code: &str, first: usize) -> String {
        let request = json!({"csr": csr(), "code": code});
        let answer = self.ask(first, |port, root| {
            client_at(port, root, key).try_post("/v1/enroll", &request)
        });
        self.keep(&answer);
        answer["name"].as_str().unwrap().to_owned()
    }

    fn keep(&self, answer: &Value) {
        let sha256 = answer["credentials"][0]["sha256"].as_str().unwrap();
        self.credentials.lock().unwrap().insert(sha256.to_owned());
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks one service and then the other, as a balancer does: a request that neither answers is lost.
    fn ask(&self, first: usize, ask: impl Fn(u16, &Path) -> std::io::Result<Answer>) -> Value {
        for more in 0..2 {
            let (port, root) = &self.places[(first + more) % 2];
            match ask(*port, root) {
                Ok(answer) if answer.status == 200 => return answer.json(),
                // It is gone, or about to go.
                Err(_) => {}
                Ok(answer) if matches!(answer.status, 0 | 503) => {}
                Ok(answer) => panic!("{answer:?}"),
            }
            self.elsewhere.fetch_add(1, Ordering::Relaxed);
        }
        panic!("a request is lost");
    }

    /// Waits until each device has renewed some times.
    fn goes_on(&self, node: &Node) {
        let least = self.answered.load(Ordering::Relaxed) + 60;
        node.wait_until("requests go on", |_| {
            self.answered.load(Ordering::Relaxed) >= least || self.enough.load(Ordering::Relaxed)
        });
    }

    /// Ends it when the result is dropped, also by a test that fails.
    fn until(&self) -> impl Drop + use<'_> {
        struct Ending<'a>(&'a AtomicBool);
        impl Drop for Ending<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        Ending(&self.enough)
    }
}

/// What a migration may add.
fn add_more(server: &Own) {
    use sqlx::{Connection, Executor};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::PgConnection::connect(&server.url).await.unwrap();
        for sql in [
            "ALTER TABLE devices ADD COLUMN later BIGINT NOT NULL DEFAULT 0",
            "ALTER TABLE audit ADD COLUMN later TEXT",
            "ALTER TABLE operators ADD COLUMN later BYTEA",
            "ALTER TABLE answers ADD COLUMN later BIGINT",
            "CREATE INDEX audit_later ON audit (actor, seq)",
            "CREATE TABLE later (one BIGINT NOT NULL PRIMARY KEY)",
        ] {
            connection.execute(sql).await.unwrap();
        }
    });
}

#[test]
fn a_new_version_comes_to_two_services_one_after_the_other_and_no_request_is_lost() {
    if !have(Part::Postgres) {
        return;
    }
    apparatus::prepare(Part::Tools);
    let older = std::env::var_os("DC_SIGNER_OLDER").map(PathBuf::from);
    let server = Own::start();
    let prepare = |name: &str| {
        let mut node = Node::prepare(&server.url, name, Some(KEY));
        node.limited("device_period = \"1ms\"\ndevice_burst = 1000");
        node.program.clone_from(&older);
        node
    };
    let one = prepare("node-1");
    one.run(&["migrate"]);
    let (mut one, token) = first_of(one);
    let mut two = prepare("node-2").operated_as(&one).started();
    let load = Load::new([&one, &two], &token);
    std::thread::scope(|scope| {
        let _until = load.until();
        load.begin(scope);
        load.goes_on(&one);
        // The tables are brought up by the new program while the older ones work.
        let program = one.program.take();
        one.run(&["migrate"]);
        one.program = program;
        if older.is_none() {
            add_more(&server);
        }
        load.goes_on(&one);
        for node in [&mut one, &mut two] {
            node.stop();
            load.goes_on(node);
            node.program = None;
            node.serve();
            node.wait_until("it is ready", |node| {
                let asked = node.client().try_get("/readyz");
                asked.is_ok_and(|answer| answer.status == 200)
            });
            load.goes_on(node);
        }
    });
    let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    eprintln!(
        "{} requests were answered, {} of them at the other service",
        count(&load.answered),
        count(&load.elsewhere)
    );
    one.run(&["audit", "verify"]);
    let exported = one.run(&["audit", "export"]);
    let lost: Vec<String> = load
        .credentials
        .into_inner()
        .unwrap()
        .into_iter()
        .filter(|sha256| !exported.contains(sha256))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
}
