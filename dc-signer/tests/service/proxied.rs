//! Behind a proxy that ends TLS: whose a request is, it says in headers (RFC 9440, X-Forwarded-For).

use std::fs;
use std::io::{ErrorKind, Read};

use data_encoding::BASE64;
use pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tempfile::TempDir;

use crate::balanced::clients;
use crate::client::{Answer, Client};
use crate::haproxy::{HaProxy, free_port};
use crate::rig::Rig;
use crate::router::{Router, csr};

/// A service with an address for proxies, and what one of them shows there.
struct Proxied {
    rig: Rig,
    port: u16,
    key: KeyPair,
    certificate: CertificateDer<'static>,
    folder: TempDir,
}

impl Proxied {
    fn start() -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        let path = folder.path().join("proxy.pem");
        fs::write(&path, certificate.pem() + &key.serialize_pem()).unwrap();
        let tables = format!(
            "[listen.proxied]\naddress = \"127.0.0.1:{port}\"\nproxies = [\"127.0.0.9\"]\ncertificates = {path:?}"
        );
        Self {
            rig: Rig::start_with(&tables),
            port,
            key,
            certificate: certificate.into(),
            folder,
        }
    }

    /// As the proxy connects.
    fn proxy(&self) -> Client {
        let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(self.key.serialize_der()).into();
        let identity = Some((self.certificate.clone(), key));
        Client::with(self.port, &self.rig.root(), identity).from(9)
    }

    /// A proxy that takes out what clients send of its headers.
    fn haproxy(&self) -> Option<HaProxy> {
        let read = |path: &str| fs::read_to_string(self.rig.data().join(path)).unwrap();
        let front = read("tls/chain.pem") + &read("tls/key.pem");
        let root = read("vendor/root.pem");
        let proxy = fs::read_to_string(self.folder.path().join("proxy.pem")).unwrap();
        let sections = format!(
            "listen signer\n    mode http\n    \
             bind 127.0.0.1:PORT ssl crt FOLDER/front.pem verify optional ca-file FOLDER/root.pem crt-ignore-err all ca-ignore-err all\n    \
             http-request del-header client-cert -m beg\n    \
             http-request del-header x-forwarded-for\n    \
             http-request set-header client-cert :%[ssl_c_der,base64]: if {{ ssl_c_used }}\n    \
             option forwardfor\n    \
             server signer 127.0.0.1:{} source 127.0.0.9 ssl verify required ca-file FOLDER/root.pem verifyhost localhost sni str(localhost) crt FOLDER/proxy.pem\n",
            self.port
        );
        let files = [
            ("front.pem", front.as_str()),
            ("root.pem", &root),
            ("proxy.pem", &proxy),
        ];
        HaProxy::start(&sections, &files)
    }
}

fn header(certificate: &[u8]) -> String {
    format!(":{}:", BASE64.encode(certificate))
}

fn renew(client: &Client, header: &str) -> Answer {
    let request = json!({"csr": csr(), "idempotency_key": "k"}).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("client-cert", header),
    ];
    client.request("POST", "/v1/renew", &headers, request.as_bytes())
}

#[test]
fn devices_enrol_and_renew_through_a_proxy_that_ends_tls() {
    let proxied = Proxied::start();
    let Some(haproxy) = proxied.haproxy() else {
        return;
    };
    let rig = &proxied.rig;
    let added = rig.add("one");
    let mut router = Router::at(haproxy.port, &rig.root());
    router.client = router.client.clone().from(5);
    let code = added["code"]["code"].as_str().unwrap();
    let first = router.enroll(&csr(), code).ok();
    assert_eq!(router.renew(&csr(), "k").ok()["name"], first["name"]);
    assert!(clients(rig, "/v1/renew").contains(&"127.0.0.5".to_owned()));
    // The same key comes in without a proxy as well.
    router.client.port = rig.port;
    assert_eq!(router.renew(&csr(), "l").ok()["name"], first["name"]);
    // What a client says itself of a certificate, or where it comes from, the proxy takes out.
    let device = CertificateParams::default();
    let device = device.self_signed(&router.enrolment_key).unwrap();
    let thief = Client::new(haproxy.port, &rig.root());
    renew(&thief, &header(device.der())).refused(401, "certificate-required");
    let lie = [("x-forwarded-for", "192.0.2.7")];
    thief.clone().from(6).request("GET", "/healthz", &lie, b"");
    let seen = clients(rig, "/healthz");
    assert!(seen.contains(&"127.0.0.6".to_owned()) && !seen.contains(&"192.0.2.7".to_owned()));
    // Operators, too.
    thief.token(&rig.token()).get("/v1/admin/devices").ok();
}

#[test]
fn only_a_proxy_that_shows_its_certificate_is_believed_and_only_at_its_address() {
    let proxied = Proxied::start();
    let rig = &proxied.rig;
    let (router, first) = Router::enrolled(rig, "one");
    let device = CertificateParams::default();
    let device = device.self_signed(&router.enrolment_key).unwrap();
    let header = header(device.der());
    assert_eq!(renew(&proxied.proxy(), &header).ok()["name"], first["name"]);
    // Where devices connect it is refused, whoever sends it.
    let refused = renew(&rig.client(), &header);
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.body.contains("listen.proxied"), "{refused:?}");
    assert_eq!(renew(&router.client, &header).status, 400);
    // From elsewhere nobody connects, and without the proxy's certificate nobody is heard.
    let elsewhere = proxied.proxy().from(1).tls().map(|_| ());
    assert_eq!(elsewhere.unwrap_err().kind(), ErrorKind::ConnectionReset);
    let nobody = Client::new(proxied.port, &rig.root()).from(9);
    assert_eq!(renew(&nobody, &header).status, 0);
    let other = Router::at(proxied.port, &rig.root()).client.from(9);
    let mut tls = other.tls().unwrap();
    assert!(matches!(tls.read(&mut [0; 1]), Ok(0) | Err(_)));
    // What is no certificate is refused.
    assert_eq!(renew(&proxied.proxy(), ":AAAA:").status, 400);
    let no_certificate = proxied.proxy().post("/v1/renew", &json!({}));
    no_certificate.refused(401, "certificate-required");
}
