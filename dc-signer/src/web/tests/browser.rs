//! A real browser signs in, searches, and suspends a device; its pictures are kept to be looked at.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::axe;
use super::driver::{Browser, Window};
use super::fleet::{self, HOSTILE, TOKEN, VIEWER};
use crate::access;
use crate::config::{Listen, Live, Networks};
use crate::server::listener::{Listener, ServiceCertificate, Settings, tls_config};
use crate::server::telemetry::Metrics;
use crate::testing::Database;
use crate::web::{self, Web};
use dc_pki::clock;

/// The keys, as WebDriver has them.
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

const WINDOWS: [Window; 4] = [
    window("desktop-light", 1280, 900, false, false),
    window("desktop-dark", 1280, 900, false, true),
    window("phone-light", 360, 780, true, false),
    window("phone-dark", 360, 780, true, true),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_signs_in_searches_and_suspends_a_device() {
    let database = Database::sqlite().await;
    fleet::many(&database.store, clock::now().unwrap()).await;
    fleet::approvals(&database.store, clock::now().unwrap()).await;
    let (gate, _data) = access::testing::gate(database.store.clone()).await;
    let web = Web::new(gate).unwrap();
    let (address, folder) = serve(web).await;
    let profile = folder.path().join("profile");
    let driven = tokio::task::spawn_blocking(move || {
        if let Some(browser) = Browser::start(&profile) {
            drive(&browser, address);
        }
    });
    driven.await.unwrap();
    database.end().await;
}

fn drive(browser: &Browser, address: SocketAddr) {
    let tour = Tour {
        browser,
        findings: RefCell::default(),
        site: format!("https://localhost:{}", address.port()),
    };
    tour.sign_in(TOKEN);
    tour.look_at_the_fleet();
    tour.use_the_keyboard_alone();
    tour.search();
    tour.suspend();
    tour.retire();
    tour.meet_a_hostile_name();
    tour.approvals();
    tour.go_astray();
    tour.sign_out();
    tour.sign_in(VIEWER);
    tour.only_look();
    let findings = tour.findings.into_inner();
    assert!(findings.is_empty(), "{findings:#?}");
}

struct Tour<'a> {
    browser: &'a Browser,
    /// What sticks out of a window, and what axe-core has found.
    findings: RefCell<Vec<String>>,
    site: String,
}

impl Tour<'_> {
    /// From a page that was asked for, over the form, to that page.
    fn sign_in(&self, token: &str) {
        self.browser
            .open(&format!("{}/devices?state=active", self.site));
        self.says("Sign in");
        self.browser.enter("#token", "dcs_wrong");
        self.browser.click("main button");
        self.says("No operator has this token");
        self.pictures("sign-in");
        self.browser.enter("#token", token);
        self.browser.click("main button");
        self.is_at("/devices?state=active");
        let cookies = self.browser.script("return document.cookie");
        assert_eq!(cookies, "", "no script may read the session");
    }

    fn look_at_the_fleet(&self) {
        self.browser.click("header nav a[href='/']");
        self.is_at("/");
        for words in [
            "in state active",
            "may be cloned",
            "Too many requests",
            "s07.lab.example.net",
        ] {
            self.says(words);
        }
        self.pictures("fleet");
        self.browser
            .click("a[href='/devices?state=active&ends=24']");
        self.says("within 24 h");
        self.pictures("ending");
    }

    /// From the top of a page to a device's, by keys that every keyboard has.
    fn use_the_keyboard_alone(&self) {
        self.browser.open(&format!("{}/devices", self.site));
        self.says("of 300");
        self.browser.press(TAB);
        assert_eq!(self.focus("textContent"), "Skip to the content");
        let outline = "return getComputedStyle(document.activeElement).outlineStyle";
        assert_eq!(
            self.browser.script(outline),
            "solid",
            "the focus is to be seen"
        );
        let place = "return document.activeElement.getBoundingClientRect().left";
        assert!(self.browser.script(place).as_f64() >= Some(0.0));
        self.browser.press(ENTER);
        self.browser.press(TAB);
        assert_eq!(self.focus("id"), "q");
        self.browser.press("customer-10777/1");
        for id in ["state", "zone", "ends", "clone"] {
            self.browser.press(TAB);
            assert_eq!(self.focus("id"), id);
        }
        self.browser.press(TAB);
        self.browser.press(ENTER);
        self.says("1 device, by external id");
        assert!(
            self.browser.url().contains("q=customer-10777%2F1"),
            "{}",
            self.browser.url()
        );
    }

    /// A property of what has the focus.
    fn focus(&self, property: &str) -> String {
        let script = format!("return document.activeElement.{property}");
        self.browser.script(&script).as_str().unwrap().to_owned()
    }

    /// One that waits, and one that does not any more.
    fn approvals(&self) {
        self.browser.open(&format!("{}/approvals", self.site));
        self.says("retire 1 devices");
        self.says("Before");
        self.pictures("approvals");
    }

    fn search(&self) {
        self.browser
            .open(&format!("{}/devices?q=customer-1", self.site));
        self.says("50 devices of 270");
        self.pictures("devices");
        self.browser.click("a[rel=next]");
        self.says("First page");
        self.browser.click("a[rel=prev]");
        self.is_at("/devices?q=customer-1&before=customer-11887%2F1");
        self.says("50 devices of 270");
        self.browser
            .open(&format!("{}/devices?q=nobody&state=active", self.site));
        self.says("No device fits nobody and the filters");
        self.pictures("none");
        self.browser.click("main a[href='/devices?q=nobody']");
        self.says("No device fits nobody.");
        self.browser
            .open(&format!("{}/devices?q={}", self.site, "x".repeat(257)));
        self.says("A search has 1 to 256 characters");
        self.pictures("no-search");
        self.browser.open(&self.site);
        self.browser.enter("#find", "customer-10777/1");
        self.browser.click(".find button");
        self.says("1 device, by external id");
        self.browser.click("tbody a");
        self.says("What was issued");
        self.pictures("device");
    }

    fn suspend(&self) {
        self.browser.click(".acts a[href$='/suspend']");
        self.says("Suspend this device?");
        self.pictures("suspend");
        self.browser.enter("#reason", "NOC-4711");
        self.browser.click("main form button");
        self.says("The device is suspended.");
        self.says("operator:alice");
        self.pictures("suspended");
    }

    /// The browser itself asks for the tick.
    fn retire(&self) {
        self.browser.click(".acts a[href$='/retire']");
        self.says("Retire this device for good?");
        self.pictures("retire");
        self.browser.enter("#reason", "NOC-4711");
        self.browser.click("main form button");
        assert!(self.browser.url().ends_with("/retire"));
        // Whoever's browser does not ask is told by the page, at the field.
        self.browser
            .script("document.querySelector('main form').noValidate = true");
        self.browser.click("main form button");
        self.says("tick the box first");
        assert_eq!(
            self.browser
                .script("return document.querySelector('#sure').getAttribute('aria-describedby')"),
            "missing"
        );
        self.pictures("unconfirmed");
        self.browser.click("#sure");
        self.browser.click("main form button");
        self.says("The device is retired.");
    }

    fn meet_a_hostile_name(&self) {
        self.browser.open(&format!("{}/devices?q=%22", self.site));
        self.says(HOSTILE);
        self.browser.click("tbody a");
        self.says(HOSTILE);
        let foreign = "return document.querySelectorAll('script, img:not(header img)').length";
        assert_eq!(self.browser.script(foreign), 0);
        self.pictures("hostile");
        self.browser.open(&format!("{}/devices?clone=1", self.site));
        self.pictures("clones");
        self.browser.click("tbody a");
        self.says("Two boxes seem to use");
        self.pictures("clone");
    }

    fn go_astray(&self) {
        self.browser.open(&format!("{}/devices/nobody", self.site));
        self.says("There is nothing here");
        self.pictures("nothing");
    }

    fn sign_out(&self) {
        self.browser.open(&self.site);
        self.browser.click("header .who button");
        self.is_at("/sign-in");
    }

    fn only_look(&self) {
        self.browser.click("tbody a");
        self.says("What was done");
        let buttons = "return document.querySelectorAll('.acts a').length";
        assert_eq!(self.browser.script(buttons), 0);
        self.pictures("viewer");
    }

    /// Waits until the page has these words.
    fn says(&self, words: &str) {
        let says = self
            .browser
            .wait(|| self.browser.text().is_some_and(|text| text.contains(words)));
        assert!(says, "not there: {words}\n{:?}", self.browser.text());
    }

    /// Waits until a page is shown.
    fn is_at(&self, path: &str) {
        let address = format!("{}{path}", self.site);
        let is_there = self.browser.wait(|| self.browser.url() == address);
        assert!(is_there, "{} is not {address}", self.browser.url());
    }

    /// Takes a picture in each window, and checks that nothing sticks out of it and that all can use it.
    fn pictures(&self, name: &str) {
        let folder = pictures_folder();
        for window in WINDOWS {
            self.browser.become_window(window);
            let width = "return document.documentElement.scrollWidth";
            let width = self.browser.script(width).as_u64().unwrap();
            let too_wide = (width > window.width.into()).then(|| format!("{width} pixels wide"));
            self.browser
                .picture(&folder.join(format!("{name}-{}.png", window.name)));
            let found = axe::findings(self.browser).into_iter().chain(too_wide);
            let found = found.map(|finding| format!("{name} {}: {finding}", window.name));
            self.findings.borrow_mut().extend(found);
        }
        self.browser.become_window(WINDOWS[0]);
    }
}

/// Below `target/`, wherever that is.
pub(super) fn pictures_folder() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let target = program
        .ancestors()
        .find(|folder| folder.ends_with("target"));
    let folder = target
        .unwrap_or_else(|| Path::new("target"))
        .join("pictures");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The pages as the service serves them: over TLS, through its listener.
pub(super) async fn serve(web: Arc<Web>) -> (SocketAddr, TempDir) {
    let folder = TempDir::new().unwrap();
    let [certificate, key] = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
    let own = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let signed = params.self_signed(&own).unwrap();
    std::fs::write(&certificate, signed.pem()).unwrap();
    std::fs::write(&key, own.serialize_pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let own = ServiceCertificate::load(&certificate, &key, &provider).unwrap();
    let listen = listen(certificate, key);
    let settings = Settings {
        tls: tls_config(&own, &listen, provider).unwrap(),
        listen,
        proxies: None,
    };
    let listener = Listener::bind("listen.address", Live::fixed(settings), Metrics::new())
        .await
        .unwrap();
    let address = listener.address().unwrap();
    tokio::spawn(listener.serve(web::router(web), std::future::pending()));
    (address, folder)
}

fn listen(certificate: PathBuf, key: PathBuf) -> Listen {
    let time = Duration::from_secs(60);
    Listen {
        address: ([127, 0, 0, 1], 0).into(),
        certificate,
        key,
        proxy_protocol: Networks::default(),
        operators: None,
        health: None,
        proxied: None,
        tls12: false,
        max_handshakes: 100,
        max_waiting_handshakes: 100,
        handshake_wait: time,
        max_connections: 100,
        max_connections_per_address: 100,
        max_requests: 100,
        handshake_timeout: time,
        header_timeout: time,
        idle_timeout: time,
        request_timeout: time,
        bulk_timeout: time,
        max_age: time,
        shutdown_timeout: time,
    }
}

pub(super) const fn window(
    name: &'static str,
    width: u32,
    height: u32,
    mobile: bool,
    dark: bool,
) -> Window {
    Window {
        name,
        width,
        height,
        mobile,
        dark,
    }
}
