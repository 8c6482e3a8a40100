//! Pages of other sites, in a browser that holds an operator's certificate.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use apparatus::{Part, have};
use pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};

use crate::client::Client;
use crate::driver::{Browser, home};
use crate::rig::{Rig, as_operator};
use crate::router::Router;

/// An operator with a certificate.
struct Alice {
    certificate: rcgen::Certificate,
    key: KeyPair,
    file: PathBuf,
}

impl Alice {
    fn new(rig: &Rig) -> Self {
        Self::until(rig, 2100)
    }

    /// The certificate ends at the beginning of a year.
    fn until(rig: &Rig, year: i32) -> Self {
        let key = KeyPair::generate().unwrap();
        let alice = Self::with(rig, key, year);
        let output = as_operator(&rig.data().join("config.toml"))
            .args(["operators", "add", "alice", "--role", "admin"])
            .args(["--reason", "a test", "--certificate"])
            .arg(&alice.file)
            .arg("--config")
            .arg(rig.data().join("config.toml"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        alice
    }

    fn with(rig: &Rig, key: KeyPair, year: i32) -> Self {
        let mut params = CertificateParams::default();
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        let file = rig.data().join(format!("alice-{year}.pem"));
        fs::write(&file, certificate.pem()).unwrap();
        Self {
            certificate,
            key,
            file,
        }
    }

    fn client(&self, rig: &Rig) -> Client {
        let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(self.key.serialize_der()).into();
        let certificate = self.certificate.der().clone();
        Client::with(rig.port, &rig.root(), Some((certificate, key)))
    }

    /// Puts it where a browser finds it.
    fn give_to_browser(&self, profile: &Path) {
        let database = home(profile).join(".pki/nssdb");
        fs::create_dir_all(&database).unwrap();
        let key = self.file.with_extension("key");
        fs::write(&key, self.key.serialize_pem()).unwrap();
        let bundle = self.file.with_extension("p12");
        run(Command::new("openssl")
            .args([
                "pkcs12", "-export", "-passout", "pass:", "-name", "alice", "-in",
            ])
            .args([
                &self.file,
                Path::new("-inkey"),
                &key,
                Path::new("-out"),
                &bundle,
            ]));
        let place = format!("sql:{}", database.display());
        run(Command::new("certutil").args(["-N", "--empty-password", "-d", &place]));
        run(Command::new("pk12util")
            .args(["-W", "", "-d", &place, "-i"])
            .arg(&bundle));
    }
}

fn run(command: &mut Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// A suspended device, by the path of its id.
fn suspended(rig: &Rig) -> String {
    let (_, enrolled) = Router::enrolled(rig, "stolen");
    let path = format!("/v1/admin/devices/{}", enrolled["device"].as_str().unwrap());
    rig.admin().act(&format!("{path}/suspend"), &json!({})).ok();
    path
}

fn state(rig: &Rig, path: &str) -> Value {
    rig.admin().get(path).ok()["state"].take()
}

/// A site of somebody else, whose page sends a form to an address as soon as it is shown. Says its own address.
fn other_site(to: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    let page = format!(
        "<!doctype html><body onload='document.forms[0].submit()'>\
         <form method=post action='{to}'></form>You have won"
    );
    // It ends with the test's process.
    std::thread::spawn(move || {
        for mut tcp in listener.incoming().map_while(Result::ok) {
            let _ = tcp.read(&mut [0; 4096]);
            let length = page.len();
            let _ = write!(
                tcp,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{page}"
            );
        }
    });
    address
}

#[test]
fn a_page_of_another_site_does_not_resume_a_stolen_device_and_the_operators_own_pages_do() {
    if !have(Part::Browser) || !have(Part::Tools) {
        return;
    }
    let rig = Rig::start();
    let device = suspended(&rig);
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("profile");
    Alice::new(&rig).give_to_browser(&profile);
    let Some(browser) = Browser::start(&profile) else {
        return;
    };
    let site = format!("https://localhost:{}", rig.port);
    let says = |words: &str| {
        let is_there = || browser.text().is_some_and(|text| text.contains(words));
        assert!(
            browser.wait(is_there),
            "not there: {words}\n{:?}",
            browser.text()
        );
    };
    // The browser does show the certificate: nobody has signed in here.
    browser.open(&format!("{site}/devices?q=stolen"));
    says("alice");
    browser.open(&other_site(&format!("{site}{device}/resume")));
    says("a page of another site has made the browser send this");
    assert_eq!(state(&rig, &device), "suspended");
    browser.open(&format!("{site}/devices?q=stolen"));
    browser.click("tbody a");
    browser.click(".acts a[href$='/resume']");
    browser.enter("#reason", "it was found");
    browser.click("main form button");
    says("The device");
    assert!(browser.wait(|| state(&rig, &device) == "active"));
}

#[test]
fn whoever_changes_something_with_a_certificate_says_that_it_is_meant() {
    let rig = Rig::start();
    let device = suspended(&rig);
    let alice = Alice::new(&rig).client(&rig);
    let resume = format!("{device}/resume");
    let meant = ("x-requested-with", "curl");
    let own = format!("https://localhost:{}", rig.port);
    let form = ("content-type", "application/x-www-form-urlencoded");
    for headers in [
        vec![],
        vec![form],
        vec![("content-type", "application/json")],
        vec![("sec-fetch-site", "same-origin")],
        vec![meant, ("sec-fetch-site", "cross-site")],
        vec![meant, ("sec-fetch-site", "same-site")],
        vec![meant, ("origin", "null")],
        vec![meant, ("origin", "https://evil.example")],
        vec![meant, ("origin", &own)],
    ] {
        alice
            .request("POST", &resume, &headers, b"")
            .refused(403, "forbidden");
    }
    let problem = alice.request("POST", &resume, &[], b"").json();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("-H 'X-Requested-With: curl'"), "{detail}");
    // A browser asks before it lets a page of another site send that header, and gets no leave.
    let ask = [
        ("origin", "https://evil.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-requested-with"),
    ];
    let answer = alice.request("OPTIONS", &resume, &ask, b"");
    assert!(!answer.head.contains("access-control-allow"), "{answer:?}");
    assert_eq!(state(&rig, &device), "suspended");
    alice.get("/v1/admin/devices").ok();
    let json = ("content-type", "application/json");
    let reason = b"{\"reason\":\"it was found\"}";
    alice.request("POST", &resume, &[meant, json], reason).ok();
    assert_eq!(state(&rig, &device), "active");
    // Whatever changes something is asked for it.
    let document: Value = rig.client().get("/openapi.json").ok();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let security = &methods["post"]["security"];
        if !security.to_string().contains("certificate") {
            continue;
        }
        let path = path
            .replace("{id}", "x")
            .replace("{zone}", "cpe.example.com");
        let answer = alice.act(&path, &json!({}));
        answer.refused(403, "forbidden");
        assert!(
            methods["post"].to_string().contains("X-Requested-With"),
            "{path}"
        );
        asked += 1;
    }
    assert!(asked >= 10, "{asked}");
    // A token is shown on purpose.
    rig.admin()
        .act(&format!("{device}/suspend"), &json!({}))
        .ok();
}

#[test]
fn a_page_of_another_site_renews_nothing_with_a_devices_certificate() {
    let rig = Rig::start();
    let (router, _) = Router::enrolled(&rig, "one");
    for header in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let headers = [("content-type", "application/json"), header];
        let answer = router.client.request("POST", "/v1/renew", &headers, b"{}");
        answer.refused(403, "forbidden");
    }
}

#[test]
fn an_operators_certificate_counts_until_it_ends_and_its_key_alone_never() {
    let rig = Rig::start();
    let ended = Alice::until(&rig, 2020);
    let said = ended.client(&rig).get("/v1/admin/devices");
    let problem = said.refused(401, "token-required");
    assert!(
        problem["detail"].as_str().unwrap().contains("has ended"),
        "{problem}"
    );
    let page = ended.client(&rig).get("/");
    assert!(page.head.contains("location: /sign-in"), "{page:?}");
    // Whoever has got hold of the key makes another certificate with it.
    let other = Alice::with(&rig, ended.key, 2100);
    let said = other.client(&rig).get("/v1/admin/devices");
    said.refused(401, "token-required");
    let page = other.client(&rig).get("/");
    assert!(page.head.contains("location: /sign-in"), "{page:?}");
    Alice::new(&rig).client(&rig).get("/v1/admin/devices").ok();
}
