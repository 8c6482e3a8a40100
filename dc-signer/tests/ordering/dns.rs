//! BIND on loopback, with a zone that one key may change.

use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The server, which answers for `example.com`.
pub(crate) struct Dns {
    folder: TempDir,
    process: Child,
    port: u16,
    keys: [PathBuf; 2],
}

impl Dns {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let port = UdpSocket::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let keys = ["update.key", "other.key"].map(|name| path.join(name));
        fs::write(&keys[0], key("dc-signer")).unwrap();
        fs::write(&keys[1], key("nobody")).unwrap();
        fs::write(path.join("zone"), ZONE).unwrap();
        let config = CONFIG
            .replace("FOLDER", &path.display().to_string())
            .replace("PORT", &port.to_string());
        fs::write(path.join("named.conf"), config).unwrap();
        let log = fs::File::create(path.join("log")).unwrap();
        let process = Command::new(apparatus::program("named"))
            .args(["-g", "-n", "1", "-c"])
            .arg(path.join("named.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let dns = Self {
            folder,
            process,
            port,
            keys,
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !dns.log().contains(" running\n") {
            assert!(Instant::now() < deadline, "{}", dns.log());
            sleep(Duration::from_millis(50));
        }
        dns
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// As the hook takes it.
    pub(crate) fn server(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn key(&self) -> &Path {
        &self.keys[0]
    }

    /// One that the server does not know.
    pub(crate) fn other_key(&self) -> &Path {
        &self.keys[1]
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// Puts a TXT record there, as a person does once.
    pub(crate) fn put(&self, name: &str, text: &str) {
        let done = Command::new(crate::signer::HOOK)
            .arg(self.server())
            .arg(self.key())
            .envs([
                ("DC_ACTION", "present"),
                ("DC_NAME", name),
                ("DC_VALUE", text),
            ])
            .status();
        assert!(done.unwrap().success());
    }

    /// The TXT records of a name, one a line.
    pub(crate) fn texts(&self, name: &str) -> String {
        let port = self.port.to_string();
        let output = Command::new("dig")
            .args(["@127.0.0.1", "-p", &port, "+short", "TXT", name])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn key(name: &str) -> String {
    let secret = data_encoding::BASE64.encode(name.repeat(4).as_bytes());
    format!("key \"{name}\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n")
}

const CONFIG: &str = r#"
include "FOLDER/update.key";
options {
    directory "FOLDER";
    pid-file none;
    session-keyfile none;
    listen-on port PORT { 127.0.0.1; };
    listen-on-v6 { none; };
    recursion no;
    dnssec-validation no;
};
controls { };
zone "example.com" {
    type primary;
    file "zone";
    update-policy {
        grant dc-signer name _acme-challenge.cpe.example.com. TXT;
        grant dc-signer name _validation-persist.cpe.example.com. TXT;
    };
};
"#;
const ZONE: &str = "$TTL 60
@ SOA ns1 pki 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
cpe A 127.0.0.1
";
