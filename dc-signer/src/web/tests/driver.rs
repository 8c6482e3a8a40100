//! A browser, driven over WebDriver (Debian's packages `chromium` and `chromium-driver`).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use serde_json::{Value, json};

/// One browser with one window. Both processes end with it.
pub(super) struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

/// The looks of the window.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) name: &'static str,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) mobile: bool,
    pub(super) dark: bool,
}

impl Browser {
    /// None only if tests with a browser are left out.
    pub(super) fn start(profile: &Path) -> Option<Self> {
        if !apparatus::have(apparatus::Part::Browser) {
            return None;
        }
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", home(profile))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(driver.stdout.take().unwrap());
        let port = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| port(&line));
        let mut browser = Self {
            driver,
            port: port.expect("chromedriver says its port"),
            session: String::new(),
        };
        let made = browser.ask("POST", "/session", &wanted(profile));
        browser.session = made["sessionId"].as_str().expect("a session").to_owned();
        Some(browser)
    }

    /// Loads a page.
    pub(super) fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url }));
    }

    /// The address of the page.
    pub(super) fn url(&self) -> String {
        let url = self.command("GET", "/url", &json!({}));
        url.as_str().unwrap().to_owned()
    }

    /// The browser's own words about the page in its window.
    pub(super) fn script(&self, script: &str) -> Value {
        self.command(
            "POST",
            "/execute/sync",
            &json!({ "script": script, "args": [] }),
        )
    }

    /// The browser's own words about the page, by a script that calls back: `arguments[0]` is the value, `arguments[1]` whom to call.
    pub(super) fn script_with(&self, script: &str, value: &Value) -> Value {
        let body = json!({ "script": script, "args": [value] });
        self.command("POST", "/execute/async", &body)
    }

    /// Types into what has the focus.
    pub(super) fn press(&self, keys: &str) {
        let element = self.command("GET", "/element/active", &json!({}));
        let element = element[ELEMENT].as_str().expect("something has the focus");
        let path = format!("/element/{element}/value");
        self.command("POST", &path, &json!({ "text": keys }));
    }

    /// Types into what a selector finds.
    pub(super) fn enter(&self, selector: &str, text: &str) {
        let path = format!("/element/{}/value", self.find(selector));
        self.command("POST", &path, &json!({ "text": text }));
    }

    /// Clicks what a selector finds.
    pub(super) fn click(&self, selector: &str) {
        let path = format!("/element/{}/click", self.find(selector));
        self.command("POST", &path, &json!({}));
    }

    /// The text of the page as people see it; none while the next page takes its place.
    pub(super) fn text(&self) -> Option<String> {
        let script = json!({ "script": "return document.body.innerText", "args": [] });
        let text = self.try_command("POST", "/execute/sync", &script);
        text.as_str().map(str::to_owned)
    }

    /// Tries until it is so, and says whether it was in time.
    pub(super) fn wait(&self, is_so: impl Fn() -> bool) -> bool {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            if is_so() || Instant::now() > end {
                return is_so();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Makes the window another one.
    pub(super) fn become_window(&self, window: Window) {
        let Window {
            name: _,
            width,
            height,
            mobile,
            dark,
        } = window;
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        );
    }

    /// A picture of the whole page, however long it is.
    pub(super) fn picture(&self, file: &Path) {
        self.capture(
            file,
            &json!({ "format": "png", "captureBeyondViewport": true }),
        );
    }

    /// From now on no window has scrollbars.
    pub(super) fn hide_scrollbars(&self) {
        self.devtools("Emulation.setScrollbarsHidden", &json!({ "hidden": true }));
    }

    /// A picture of what is to be seen in the window.
    pub(super) fn window(&self, file: &Path) {
        self.capture(file, &json!({ "format": "png" }));
    }

    fn capture(&self, file: &Path, parameters: &Value) {
        let picture = self.devtools("Page.captureScreenshot", parameters);
        let data = BASE64.decode(picture["data"].as_str().unwrap().as_bytes());
        std::fs::write(file, data.unwrap()).unwrap();
    }

    /// The element that a selector finds, as soon as there is one.
    fn find(&self, selector: &str) -> String {
        let body = json!({ "using": "css selector", "value": selector });
        let found = || {
            let answer = self.try_command("POST", "/element", &body);
            let element = answer.get(ELEMENT)?;
            element.as_str().map(str::to_owned)
        };
        assert!(
            self.wait(|| found().is_some()),
            "no {selector} on {}",
            self.url()
        );
        found().unwrap()
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.command("POST", "/goog/cdp/execute", &body)
    }

    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let value = self.try_command(method, path, body);
        assert!(value.get("error").is_none(), "{path}: {value}");
        value
    }

    fn try_command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(method, &format!("/session/{}{path}", self.session), body)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = match method {
            "POST" => body.to_string(),
            _ => String::new(),
        };
        let mut tcp = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let length = body.len();
        write!(
            tcp,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        answer(BufReader::new(tcp))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            // It closes the browser.
            self.ask("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The key of an element in an answer.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The `value` of an answer.
fn answer(mut tcp: BufReader<TcpStream>) -> Value {
    let mut length = 0;
    loop {
        let mut line = String::new();
        tcp.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    tcp.read_exact(&mut body).unwrap();
    let mut answer: Value = serde_json::from_slice(&body).unwrap();
    answer["value"].take()
}

/// The browser's home folder: client certificates are below `.pki/nssdb` there.
pub(super) fn home(profile: &Path) -> PathBuf {
    profile.with_file_name("home")
}

fn port(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("started successfully on port ")?;
    port.trim_end_matches('.').parse().ok()
}

fn wanted(profile: &Path) -> Value {
    let profile = format!("--user-data-dir={}", profile.display());
    json!({ "capabilities": { "alwaysMatch": {
        "acceptInsecureCerts": true,
        // A person would choose the certificate once for each site.
        "goog:chromeOptions": {
            "prefs": { "profile": { "managed_auto_select_certificate_for_urls": [r#"{"pattern":"*","filter":{}}"#] } },
            "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", profile,
        ] },
    } } })
}
