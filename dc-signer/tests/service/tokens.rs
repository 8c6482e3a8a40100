//! A zone whose delegation key is in a token: a SoftHSM, which can be pulled while the service runs.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use apparatus::SoftHsm;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc::{F_WRLCK, flock};
use tempfile::TempDir;

use crate::client::Client;
use crate::ready::{Service, key, stop};
use crate::rig::Rig;
use crate::router::{Router, csr};

/// A vendor whose key is in a token alone, and a device that has enrolled.
struct Vendor {
    hsm: SoftHsm,
    rig: Rig,
    config: PathBuf,
    router: Router,
    name: String,
    folder: TempDir,
}

impl Vendor {
    /// `None` if tests with tokens are left out.
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let hsm = SoftHsm::new(folder.path())?;
        let mut rig = Rig::start();
        let (router, enrolled) = Router::enrolled(&rig, "one");
        let config = stop(&mut rig);
        let vendor = Self {
            hsm,
            rig,
            config,
            router,
            name: enrolled["name"].as_str().unwrap().to_owned(),
            folder,
        };
        let key = key(&vendor.rig.data().join("data"));
        let import = "--token hsm --label delegation --id 01 --pin pin-of-hsm";
        fs::copy(&key, vendor.folder.path().join("key.pem")).unwrap();
        vendor.hsm.util(&format!("--import key.pem {import}"));
        fs::rename(&key, vendor.folder.path().join("kept.pem")).unwrap();
        vendor.set_pin("pin-of-hsm\n");
        let pin = vendor.folder.path().join("pin");
        vendor.set_uri(&format!("&pin-source=file:{}", pin.display()));
        Some(vendor)
    }

    /// The folder of the delegation certificate.
    fn delegation(&self) -> PathBuf {
        let all = self.rig.data().join("data/delegations");
        let mut folders = fs::read_dir(all).unwrap();
        folders.next().unwrap().unwrap().path()
    }

    fn set_uri(&self, more: &str) {
        let module = SoftHsm::module();
        let uri = format!(
            "pkcs11:token=hsm;object=delegation?module-path={}{more}\n",
            module.display()
        );
        fs::write(self.delegation().join("key.uri"), uri).unwrap();
    }

    fn set_pin(&self, pin: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.folder.path().join("pin");
        fs::write(&path, pin).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Locks the token's files, for which its module waits, until the result is dropped.
    fn hold(&self) -> Vec<File> {
        let folders = fs::read_dir(self.folder.path().join("tokens")).unwrap();
        let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
        let held = files.map(|file| {
            let file = File::options()
                .read(true)
                .write(true)
                .open(file.unwrap().path());
            let file = file.unwrap();
            let whole = flock {
                l_type: F_WRLCK as i16,
                l_whence: 0,
                l_start: 0,
                l_len: 0,
                l_pid: 0,
            };
            fcntl(&file, FcntlArg::F_SETLKW(&whole)).unwrap();
            file
        });
        held.collect()
    }

    fn serve(&self) -> Serving<'_> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-signer"));
        command.args(["serve", "--config"]).arg(&self.config);
        self.serve_by(command)
    }

    fn serve_by(&self, mut command: Command) -> Serving<'_> {
        command.env(SoftHsm::VARIABLE, self.hsm.settings());
        let service = Service::start_by(command, &self.config, &self.rig.root());
        let vendor = self;
        Serving { service, vendor }
    }

    fn check(&self) -> (bool, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
            .args(["check", "--config"])
            .arg(&self.config)
            .env(SoftHsm::VARIABLE, self.hsm.settings())
            .output()
            .unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), said)
    }
}

struct Serving<'v> {
    service: Service,
    vendor: &'v Vendor,
}

impl Serving<'_> {
    /// The device, which knows where the service is now.
    fn router(&self) -> Client {
        let mut client = self.vendor.router.client.clone();
        client.port = self.service.client.port;
        client
    }

    fn renew(&self, number: usize) -> crate::client::Answer {
        let request = serde_json::json!({"csr": csr(), "idempotency_key": number.to_string()});
        self.router().post("/v1/renew", &request)
    }

    /// All places that say whether the zone can issue say that it can.
    fn is_fine(&self, number: usize) {
        let renewed = self.renew(number).ok();
        assert_eq!(renewed["name"], self.vendor.name);
        assert_eq!(self.service.ready().status, 200);
        for line in [CAN_ISSUE, USABLE, "dc_ready"] {
            assert!(self.service.metric(&format!("{line} 1")), "{line}");
        }
        let (fine, said) = self.vendor.check();
        assert!(fine, "{said}");
    }

    /// All of them say that it cannot, because of this; those whom strangers hear say neither paths nor the token.
    fn is_away(&self, number: usize, words: &str) {
        let problem = self.service.ready().refused(503, "zone-not-ready");
        let refusal = self.renew(number).refused(503, "zone-not-ready");
        for problem in [problem, refusal] {
            let detail = problem["detail"].as_str().unwrap();
            assert!(
                detail.contains("in a token that cannot be used now"),
                "{detail}"
            );
            assert!(!detail.contains("pkcs11:"), "{detail}");
        }
        for line in [CAN_ISSUE, USABLE, "dc_ready"] {
            assert!(self.service.metric(&format!("{line} 0")), "{line}");
        }
        assert_eq!(self.service.client.get("/healthz").status, 200);
        self.service.wait_until("the log says more", |service| {
            let log = service.log();
            let lines = log.lines();
            let mut missing = lines.filter(|line| line.contains("slot 1 of cpe.example.com"));
            missing.any(|line| line.contains("pkcs11:token=hsm") && line.contains(words))
        });
        let (fine, said) = self.vendor.check();
        assert!(!fine && said.contains(words), "{said}");
        assert!(!self.service.log().contains("pin-of-hsm"));
    }

    fn wait_for(&self, status: u16) {
        self.service
            .wait_until("it is noticed", |service| service.ready().status == status);
    }
}

#[test]
fn a_token_that_is_pulled_is_seen_everywhere_and_comes_back_by_itself() {
    let Some(vendor) = Vendor::new() else { return };
    let serving = vendor.serve();
    serving.is_fine(0);
    // More at a time than there are sessions yet.
    thread::scope(|scope| {
        for number in 1..13 {
            let serving = &serving;
            scope.spawn(move || serving.renew(number).ok());
        }
    });
    for round in 1..3 {
        let number = 100 * round;
        vendor.hsm.pull();
        // Whoever asks first is not told that the signer is broken.
        serving.renew(number).refused(503, "zone-not-ready");
        serving.wait_for(503);
        serving.is_away(number + 1, "its token is not there");
        vendor.hsm.plug();
        serving.wait_for(200);
        serving.is_fine(number + 2);
        assert_eq!(serving.service.log().matches("ready again").count(), round);
    }
    // Without anybody who asks it is noticed as well.
    vendor.hsm.pull();
    let lines = || serving.service.log().matches("not ready").count();
    let before = lines();
    serving
        .service
        .wait_until("it is noticed", |_| lines() > before);
    vendor.hsm.plug();
    serving.wait_for(200);
}

#[test]
fn what_a_device_asks_for_in_vain_is_not_counted_against_it() {
    let Some(vendor) = Vendor::new() else { return };
    let text = fs::read_to_string(&vendor.config).unwrap();
    let text = text.replace("device_burst = 100", "device_burst = 3");
    let text = text.replace("device_period = \"1s\"", "device_period = \"1h\"");
    fs::write(&vendor.config, text).unwrap();
    let serving = vendor.serve();
    vendor.hsm.pull();
    for number in 0..2 {
        serving.renew(number).refused(503, "zone-not-ready");
    }
    vendor.hsm.plug();
    serving.wait_for(200);
    for number in 0..3 {
        serving.renew(number).ok();
    }
    serving.renew(3).refused(429, "rate-limited");
}

#[test]
fn a_pin_that_is_wrong_at_the_start_is_said_and_may_be_corrected_while_it_runs() {
    let Some(vendor) = Vendor::new() else { return };
    vendor.set_pin("4321");
    let serving = vendor.serve();
    serving.is_away(0, "the PIN of its token is wrong");
    assert!(serving.service.log().contains("few tries are left"));
    vendor.set_pin("pin-of-hsm");
    serving.wait_for(200);
    serving.is_fine(1);
}

#[test]
fn a_pin_that_is_locked_is_said_and_is_no_more_when_it_was_set_anew() {
    let Some(vendor) = Vendor::new() else { return };
    vendor.hsm.set_flags(LOCKED);
    let serving = vendor.serve();
    serving.is_away(0, "the PIN of its token is locked");
    vendor.hsm.set_flags(0);
    serving.wait_for(200);
    serving.is_fine(1);
}

#[test]
fn a_token_that_does_not_answer_keeps_nobody_else_waiting() {
    let Some(vendor) = Vendor::new() else { return };
    let serving = vendor.serve();
    serving.is_fine(0);
    let held = vendor.hold();
    thread::scope(|scope| {
        // One that signs now waits for the token, and so does whoever looks.
        scope.spawn(|| serving.renew(1));
        scope.spawn(|| serving.service.ready());
        thread::sleep(Duration::from_millis(500));
        for _ in 0..20 {
            let began = Instant::now();
            assert_eq!(serving.service.client.get("/healthz").status, 200);
            let took = began.elapsed();
            assert!(took < Duration::from_secs(1), "{took:?}");
        }
        serving.wait_for(503);
        serving.service.wait_until("the log says why", |service| {
            service.log().contains("it has not answered for 3 s")
        });
        drop(held);
        serving.wait_for(200);
    });
    serving.is_fine(2);
}

#[test]
fn a_pin_comes_from_a_descriptor_once_and_is_good_for_tokens_that_come_back() {
    let Some(vendor) = Vendor::new() else { return };
    vendor.set_uri("");
    let text = fs::read_to_string(&vendor.config).unwrap();
    let keys = "[keys]\npassphrase = { fd = 3 }";
    fs::write(&vendor.config, format!("{text}\n{keys}\n")).unwrap();
    let mut command = Command::new("sh");
    let script = r#"exec "$1" serve --config "$2" 3<<END
pin-of-hsm
END"#;
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_dc-signer")]);
    command.arg(&vendor.config);
    let serving = vendor.serve_by(command);
    assert_eq!(serving.renew(0).ok()["name"], vendor.name);
    vendor.hsm.pull();
    serving.wait_for(503);
    vendor.hsm.plug();
    serving.wait_for(200);
    assert_eq!(serving.renew(1).ok()["name"], vendor.name);
}

#[test]
fn a_key_that_is_moved_to_another_place_is_taken_from_there() {
    let Some(vendor) = Vendor::new() else { return };
    let serving = vendor.serve();
    vendor.hsm.pull();
    serving.wait_for(503);
    let folder = vendor.delegation();
    fs::remove_file(folder.join("key.uri")).unwrap();
    fs::copy(
        vendor.folder.path().join("kept.pem"),
        folder.join("key.pem"),
    )
    .unwrap();
    serving.wait_for(200);
    assert_eq!(serving.renew(0).ok()["name"], vendor.name);
}

const CAN_ISSUE: &str = "dc_zone_can_issue{zone=\"cpe.example.com\"}";
const USABLE: &str =
    "dc_delegation_key_usable{zone=\"cpe.example.com\",slot=\"1\",state=\"active\"}";
/// PKCS#11's `CKF_USER_PIN_LOCKED`.
const LOCKED: u64 = 0x4_0000;
