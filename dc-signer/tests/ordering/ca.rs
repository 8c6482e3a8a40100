//! acme2certifier, an ACME server that nobody here wrote, with its OpenSSL CA handler, over TLS.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

use crate::dns::Dns;

/// The certificates that it issues.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// With DelegationUsage, to those that ask for it.
    Delegating,
    /// As a public CA's.
    Ordinary,
}

/// The server.
pub(crate) struct Ca {
    folder: TempDir,
    process: Option<Child>,
    port: u16,
    dns_port: u16,
}

impl Ca {
    pub(crate) fn start(dns: &Dns, kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        certify(path);
        fs::create_dir(path.join("archive")).unwrap();
        fs::write(path.join("serve.py"), SERVER).unwrap();
        fs::write(path.join("delegation_handler.py"), HANDLER).unwrap();
        fs::write(path.join("template.cnf"), TEMPLATE).unwrap();
        let handler = match kind {
            Kind::Delegating => "delegation_handler",
            Kind::Ordinary => "acme2certifier.cahandlers.openssl_ca_handler",
        };
        let config = CONFIG
            .replace("HANDLER", handler)
            .replace("FOLDER", &path.display().to_string());
        fs::write(path.join("acme_srv.cfg"), config).unwrap();
        let customers = format!("{{\"{KID}\": \"{HMAC}\"}}");
        fs::write(path.join("customers.json"), customers).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut ca = Self {
            folder,
            process: None,
            port,
            dns_port: dns.port(),
        };
        ca.resume();
        ca
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    pub(crate) fn resume(&mut self) {
        let path = self.folder.path();
        let log = fs::File::create(path.join("log")).unwrap();
        let python = apparatus::target().join("solutions/venv/bin/python");
        let process = Command::new(python)
            .arg(path.join("serve.py"))
            .env("ACME_SRV_CONFIGFILE", path.join("acme_srv.cfg"))
            .env("PYTHONPATH", path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("DC_PORT", self.port.to_string())
            .env("DC_DNS_PORT", self.dns_port.to_string())
            .env("DC_TLS", path.join("tls.pem"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        let deadline = Instant::now() + Duration::from_secs(120);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "{}", self.log());
            sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/directory", self.port)
    }

    /// Its certificates and keys.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The root of its certificates, and the one of its own.
    pub(crate) fn roots(&self) -> [PathBuf; 2] {
        ["root.pem", "tls-root.pem"].map(|name| self.folder.path().join(name))
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

impl Drop for Ca {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A root and what issues below it; and a root for the server's own certificate.
fn certify(folder: &Path) {
    let (root, root_pem, _) = authority("Test Root", None);
    let (_, issuing_pem, issuing_key) = authority("Test Issuing", Some(&root));
    let (tls_root, tls_root_pem, _) = authority("Test TLS Root", None);
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let own = own.signed_by(&key, &tls_root).unwrap().pem();
    for (name, text) in [
        ("root.pem", root_pem),
        ("issuing.pem", issuing_pem),
        ("issuing-key.pem", issuing_key),
        ("tls-root.pem", tls_root_pem),
        ("tls.pem", own + &key.serialize_pem()),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
}

/// An issuer, its certificate and its key in PEM.
fn authority(
    name: &str,
    above: Option<&Issuer<'_, KeyPair>>,
) -> (Issuer<'static, KeyPair>, String, String) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let certificate = match above {
        Some(above) => params.signed_by(&key, above).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let key_pem = key.serialize_pem();
    (Issuer::new(params, key), certificate.pem(), key_pem)
}

/// The name and the key that the CA has given to its customer.
pub(crate) const KID: &str = "customer";
pub(crate) const HMAC: &str = "bWFjX2tleV9vZl90aGVfY3VzdG9tZXJfb2ZfdGhpc190ZXN0XzEyMzQ1Ng";
/// The same that `dc-solutions` has as its public CA.
const SERVER: &str = include_str!("../../../benches/solutions/src/public_ca.py");
const HANDLER: &str = include_str!("../../../benches/solutions/src/measure/delegation_handler.py");
const TEMPLATE: &str = "[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";
const CONFIG: &str = "[DEFAULT]
dns_server_list: [\"127.0.0.1\"]
[Account]
contact_check_disable: True
[CAhandler]
handler_module: HANDLER
issuing_ca_key: FOLDER/issuing-key.pem
issuing_ca_cert: FOLDER/issuing.pem
issuing_ca_crl: FOLDER/crl.pem
cert_save_path: FOLDER/archive
cert_validity_days: 47
openssl_conf: FOLDER/template.cnf
[DBhandler]
handler: wsgi
dbfile: FOLDER/acme.sqlite
[EABhandler]
eab_handler_module: acme2certifier.eabhandlers.json_handler
key_file: FOLDER/customers.json
[Challenge]
tls_alpn_01_support: False
dns_persist_01_support: True
dns_persist_allow_policy_wildcard: True
[Directory]
caaidentities: [\"ca.example\"]
[Order]
profiles: {\"delegation\": \"https://127.0.0.1/delegation\"}
";
