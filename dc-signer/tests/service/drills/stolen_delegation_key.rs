//! From "the delegation key is stolen" to "all devices are on the new certificate, and the stolen one is worth nothing".

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dc_agent::Agent;
use dc_rustls::client;
use dc_rustls::server::{Acceptor, Identity, Store};
use pki_types::pem::PemObject;
use pki_types::{CertificateDer, CertificateRevocationListDer};
use rcgen::KeyPair;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring::default_provider;
use serde_json::Value;

use super::ca::Ca;
use super::command::{ZONE, keys, run, sha256, slots, tool};
use super::fleet::{Answer, Lifetime, busiest_minute, moved};
use super::table::{hours, labels, of_runbook};
use crate::agent::Device;
use crate::rig::Rig;
use crate::router::{Router, csr, csr_of};

/// A device with the real agent. Time passes for it by what it has put off, which the test makes less: its credential and the
/// signer's clock cannot be moved.
struct Unit {
    device: Device,
    agent: Option<Agent>,
}

impl Unit {
    fn enrolled(rig: &Rig, ca: &Ca, external_id: &str) -> Self {
        let (device, _) = Device::added(rig, external_id, "");
        let mut roots = fs::read_to_string(device.path("root.pem")).unwrap();
        roots.push_str(&ca.root());
        fs::write(device.path("root.pem"), roots).unwrap();
        let mut agent = device.boot(0);
        agent.turn();
        // It has asked whether it is to renew, and asks again when it is time.
        agent.turn();
        Self {
            device,
            agent: Some(agent),
        }
    }

    fn name(&self) -> String {
        let status = self.agent.as_ref().unwrap().status();
        status.identity.unwrap().name
    }

    fn chain(&self) -> Vec<u8> {
        fs::read(self.device.path("identity/current/chain.pem")).unwrap()
    }

    /// Lets time pass, as long as the agent says that it has nothing to do, until it has another chain; says how long that was.
    fn moves_on(&mut self) -> u64 {
        let (before, mut passed) = (self.chain(), 0);
        loop {
            let nap = self.agent.as_mut().unwrap().turn().as_secs();
            if self.chain() != before {
                return passed;
            }
            passed += nap;
            // The folder is one agent's.
            drop(self.agent.take());
            self.bring_nearer(nap);
            self.agent = Some(self.device.boot(0));
            assert!(
                passed < 30 * 3600,
                "{}",
                self.agent.as_ref().unwrap().status()
            );
        }
    }

    fn bring_nearer(&self, seconds: u64) {
        let edit = |file: &str, places: &[&str]| {
            let path = self.device.path(file);
            let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            for place in places {
                if let Some(moment) = json.pointer_mut(place) {
                    *moment = moment.as_u64().unwrap().saturating_sub(seconds).into();
                }
            }
            fs::write(path, json.to_string()).unwrap();
        };
        let waits = ["/poll/at", "/poll/from", "/poll/until", "/pulled/at"];
        edit("state/state.json", &waits);
        edit("identity/current/meta.json", &["/renew_at"]);
    }

    /// A copy of what it serves with.
    fn identity(&self, to: &Path) -> PathBuf {
        fs::create_dir(to).unwrap();
        for file in ["chain.pem", "credential.pem", "key.pem"] {
            fs::copy(
                self.device.path("identity/current").join(file),
                to.join(file),
            )
            .unwrap();
        }
        to.to_owned()
    }
}

/// A client of a name that knows the CA; one that looks at what is revoked, if it has a list.
struct Client<'a> {
    ca: &'a Ca,
    revoked: Option<CertificateRevocationListDer<'static>>,
}

impl Client<'_> {
    /// True if it takes a server with this identity for this name.
    fn accepts(&self, identity: &Path, name: &str) -> bool {
        let provider = Arc::new(default_provider());
        let store = Store::new(provider.clone());
        store.install(Identity::load(identity).unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (tcp, _) = listener.accept().unwrap();
            let _ = Acceptor::new(store).accept(tcp);
        });
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.ca.root().as_bytes());
        roots.add(root.unwrap()).unwrap();
        let builder = client::Config::builder(provider.clone());
        let builder = match &self.revoked {
            None => builder.roots(roots),
            Some(list) => {
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                        .with_crls([list.clone()])
                        .only_check_end_entity_revocation()
                        .build();
                builder.verifier(verifier.unwrap())
            }
        };
        let config = builder.without_resumption().build().unwrap();
        let name = name.to_owned().try_into().unwrap();
        let connected = config.connect(name, TcpStream::connect(address).unwrap());
        let accepted = match connected {
            Ok(tls) => tls.connection().negotiated_cipher_suite().is_some(),
            Err(error) => {
                assert!(error.to_string().contains("evoked"), "{error}");
                false
            }
        };
        server.join().unwrap();
        accepted
    }
}

/// Somebody who has the delegation key makes a server that has a device's name.
fn pose_as(name: &str, stolen: &Path, folder: &Path) -> PathBuf {
    let key = KeyPair::generate().unwrap();
    fs::write(folder.join("thief.csr"), csr_of(&key)).unwrap();
    let [delegation, request, out] = [
        stolen.to_owned(),
        folder.join("thief.csr"),
        folder.join("thief"),
    ];
    let [delegation, request, to] = [&delegation, &request, &out].map(|p| p.to_str().unwrap());
    let issue = ["issue", "--delegation", delegation, "--csr", request];
    tool(&[&issue[..], &["--name", name, "--out", to]].concat()).ok();
    fs::write(out.join("key.pem"), key.serialize_pem()).unwrap();
    out
}

/// The rows of the table of what was measured.
#[derive(Default)]
struct Measured(String);

impl Measured {
    fn row(&mut self, what: &str, took: &str) {
        self.0.push_str(&format!("| {what} | {took} |\n"));
    }

    fn seconds(&mut self, what: &str, took: Duration) {
        self.row(what, &format!("{:.1} s", took.as_secs_f64()));
    }
}

#[test]
fn a_stolen_delegation_key_is_worth_nothing_when_all_devices_have_left_its_certificate() {
    let rig = Rig::start();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let ca = Ca::new();
    ca.certify(1001, &at("first"));
    let first = at("first");
    let rollover = ["zones", "rollover", ZONE];
    let import = |folder: &Path| {
        let import = ["--import", folder.to_str().unwrap(), "--now"];
        run(&rig, &[&rollover[..], &import].concat())
    };
    import(&first).ok();
    let serves = |expected: &str| {
        rig.wait_until("the service issues from it", || {
            let info = rig.client().get("/v1/renewal-info/cpe.example.com").ok();
            info["certificate_sha256"] == expected
        });
    };
    serves(&sha256(&first));
    let mut boxes: Vec<Unit> = (0..4)
        .map(|n| Unit::enrolled(&rig, &ca, &format!("box-{n}")))
        .collect();
    let victim = boxes[0].name();
    let before = boxes[1].identity(&at("before"));
    let (simple, careful) = (
        Client {
            ca: &ca,
            revoked: None,
        },
        Client {
            ca: &ca,
            revoked: Some(ca.revoked(&[])),
        },
    );
    // Whoever has the key is any device of the zone to every client.
    let thief = pose_as(&victim, &first, folder.path());
    assert!(simple.accepts(&thief, &victim) && careful.accepts(&thief, &victim));

    let mut measured = Measured::default();
    let still = || {
        let list = [
            "devices",
            "list",
            "--zone",
            ZONE,
            "--on-slot",
            "2",
            "--json",
        ];
        run(&rig, &list).ok().lines().count()
    };
    assert_eq!(still(), 4);
    ca.certify(1002, &at("next"));
    let rolled = import(&at("next"));
    measured.seconds("`zones rollover --import DIR --now`", rolled.took);
    rolled.ok();
    let began = Instant::now();
    serves(&sha256(&at("next")));
    measured.seconds("until a running signer issues from it", began.elapsed());
    assert_eq!(slots(&rig), ["draining", "draining", "active"]);
    // A credential from this very second need not be pulled, and a device that asks gets one of the new certificate.
    std::thread::sleep(Duration::from_millis(1100));
    let pulled = run(&rig, &["zones", "pull-renewals", ZONE]);
    measured.seconds("`zones pull-renewals`", pulled.took);
    assert!(pulled.ok().contains("within 20 hours"));
    rig.wait_until("devices are told", || {
        let info = rig.client().get("/v1/renewal-info/cpe.example.com").ok();
        info["renew_issued_before"].as_u64() > Some(0)
    });

    // Revoked before the devices have left it, it would put them out for clients that look.
    let list = Some(ca.revoked(&[1001]));
    let after = Client {
        ca: &ca,
        revoked: list,
    };
    let victims_neighbour = boxes[1].name();
    assert!(simple.accepts(&before, &victims_neighbour));
    assert!(!after.accepts(&before, &victims_neighbour));

    let (mut latest, mut left) = (0, 4);
    let listed = Instant::now();
    for moving in &mut boxes {
        latest = latest.max(moving.moves_on());
        left -= 1;
        assert_eq!(still(), left);
    }
    let asked = listed.elapsed() / 4;
    let range = 600..20 * 3600 + 1800;
    assert!(range.contains(&latest), "{latest}");
    measured.row(
        "4 real agents on the new certificate, in virtual time, the last after",
        &hours(latest),
    );
    measured.seconds(
        "one of them: its turns, and `devices list --on-slot`, which says who is left",
        asked,
    );
    for (n, moved) in boxes.iter().enumerate() {
        let identity = moved.identity(&at(&format!("after-{n}")));
        assert!(after.accepts(&identity, &moved.name()));
    }
    // Now the CA revokes it: whoever looks refuses the thief, and whoever does not takes it until the credential ends.
    assert!(!after.accepts(&thief, &victim));
    assert!(simple.accepts(&thief, &victim));
    ends(&rig, &mut measured);
    let table = format!("| step | took |\n|---|---|\n{}", measured.0);
    assert_eq!(labels(&of_runbook("measured", &table)), labels(&table));
}

/// Ends the slot, and with it what is left of the key on this machine.
fn ends(rig: &Rig, measured: &mut Measured) {
    let stolen = keys(rig).len();
    let refused = run(rig, &["zones", "end", ZONE, "3", "--yes"]).refused();
    assert!(
        refused.contains("roll over to another certificate first"),
        "{refused}"
    );
    run(rig, &["zones", "end", ZONE, "2"]).refused();
    let ended = run(rig, &["zones", "end", ZONE, "2", "--yes"]);
    measured.seconds(
        "`zones end`, and the key is gone from this machine",
        ended.took,
    );
    assert!(ended.err.is_empty(), "{ended:?}");
    ended.ok();
    assert_eq!(slots(rig), ["draining", "gone", "active"]);
    assert_eq!(keys(rig).len(), stolen - 1);
    run(rig, &["audit", "verify"]).ok();
}

#[test]
fn the_runbook_says_how_long_a_fleet_takes_to_leave_a_certificate() {
    let rig = Rig::start();
    let (router, _) = Router::enrolled(&rig, "one");
    let answer = router.renew(&csr(), "k").ok();
    let issued = answer["issued"].as_u64().unwrap();
    let [expires, renew_from, renew_until] =
        ["expires", "renew_from", "renew_until"].map(|key| answer[key].as_u64().unwrap() - issued);
    let life = Lifetime {
        expires,
        renew_from,
        renew_until,
    };
    let info = rig.client().get("/v1/renewal-info/cpe.example.com").ok();
    let [poll, spread] = ["poll_after", "spread"].map(|key| info[key].as_u64().unwrap());
    let minutes = 5 * 60;
    let defaults = Answer {
        poll,
        spread,
        pulled: Some(minutes),
    };
    let mut table =
        "| how | half | 99 % | all | renewals in the busiest minute, per 10,000 devices |\n\
                     |---|---|---|---|---|\n"
            .to_owned();
    let mut all = Vec::new();
    for (how, answer) in [
        (
            "rolled over, and nothing else",
            Answer {
                pulled: None,
                ..defaults
            },
        ),
        (
            "rolled over and pulled, as it is without configuration",
            defaults,
        ),
        (
            "the same after `spread = \"1h\"` and a reload",
            Answer {
                spread: 3600,
                ..defaults
            },
        ),
        (
            "the same where `poll = \"2h\"` was set long before",
            Answer {
                poll: 7200,
                spread: 3600,
                ..defaults
            },
        ),
        (
            "the same where `poll = \"1h\"` was set long before, and `spread = \"10m\"`",
            Answer {
                poll: 3600,
                spread: 600,
                ..defaults
            },
        ),
    ] {
        let moved = moved(10_000, answer, life);
        let [half, most, last] = [4_999, 9_899, 9_999].map(|place| moved[place]);
        // Nobody takes longer than the worst that the command promises.
        if answer.pulled.is_some() {
            assert!(
                last <= answer.poll + answer.poll / 6 + answer.spread + minutes,
                "{how}: {last}"
            );
        }
        all.push(last);
        let [half, most, last] = [half, most, last].map(hours);
        let busiest = busiest_minute(&moved);
        table.push_str(&format!(
            "| {how} | {half} | {most} | {last} | {busiest} |\n"
        ));
    }
    assert!(
        all.is_sorted_by(|slower, faster| slower > faster),
        "{table}"
    );
    assert_eq!(
        of_runbook("virtual", &table),
        table,
        "UPDATE_RUNBOOK=1 writes it anew"
    );
}
