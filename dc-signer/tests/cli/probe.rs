//! `probe`: servers of every kind, on loopback.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use dc_core::Form;
use dc_core::pem::StoredCredential;
use dc_rustls::server::{Acceptor, ClientCredentials, Identity, Settings, Store, danger};
use pki_types::pem::PemObject;
use pki_types::{CertificateDer, PrivateKeyDer};
use rcgen::{CertificateParams, KeyPair};
use rustls::{ServerConfig, SupportedProtocolVersion};
use serde_json::Value;

use crate::sandbox::{NAME, Outcome, Sandbox};

const ROOT: [&str; 2] = ["--root", "vendor/root.pem"];

/// Answers every connection in a thread of its own, until the test process ends.
fn serve(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for tcp in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            thread::spawn(move || answer(tcp));
        }
    });
    address
}

/// A device of the sandbox's vendor, and what it serves with.
fn device(sandbox: &Sandbox, more: &[&str]) -> Vec<StoredCredential> {
    let outcome = sandbox.issue(&[&["--csr", "device.csr"], more].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    dc_core::pem::read(sandbox.read("out/credential.pem").as_bytes()).unwrap()
}

/// Serves whatever credentials these are, unchecked.
fn serve_credentials(sandbox: &Sandbox, credentials: Vec<StoredCredential>) -> String {
    let acceptor = acceptor(sandbox, credentials);
    serve(move |tcp| hold(acceptor.accept(tcp)))
}

fn acceptor(sandbox: &Sandbox, credentials: Vec<StoredCredential>) -> Acceptor {
    let chain = CertificateDer::pem_file_iter(sandbox.path("out/chain.pem")).unwrap();
    let chain = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(sandbox.path("device.key")).unwrap();
    let store = Store::new(Arc::new(rustls::crypto::ring::default_provider()));
    danger::install_unchecked(&store, Identity::new(chain, credentials, key)).unwrap();
    Acceptor::new(store)
}

/// Serves an ordinary self-signed certificate for `www.example.com`.
fn serve_certificate(versions: &[&'static SupportedProtocolVersion]) -> String {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["www.example.com".to_owned()]).unwrap();
    let chain = vec![params.self_signed(&key).unwrap().der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = Acceptor::new(Store::new(provider)).fallback(Arc::new(config));
    serve(move |tcp| hold(acceptor.accept(tcp)))
}

/// Waits for the other side to go.
fn hold<T: Read, E>(stream: Result<T, E>) {
    if let Ok(mut stream) = stream {
        let _ = stream.read(&mut [0; 1]);
    }
}

/// Serves credentials, and tells how each connection ended: with 0 bytes if it ended whole.
fn serve_to_the_end(
    sandbox: &Sandbox,
    credentials: Vec<StoredCredential>,
) -> (String, Receiver<io::Result<usize>>) {
    let (ended, ends) = channel();
    let acceptor = acceptor(sandbox, credentials);
    let address = serve(move |tcp| {
        if let Ok(mut stream) = acceptor.accept(tcp) {
            let _ = ended.send(stream.read(&mut [0; 1]));
        }
    });
    (address, ends)
}

fn probe(sandbox: &Sandbox, address: &str, more: &[&str]) -> Outcome {
    sandbox.run(&[&["probe", address, "--timeout", "10s"], more].concat())
}

/// The status, and the result as JSON.
fn probe_json(sandbox: &Sandbox, address: &str, more: &[&str]) -> (Option<i32>, Value) {
    let outcome = probe(sandbox, address, &[&["--json"], more].concat());
    (outcome.code, serde_json::from_str(&outcome.stdout).unwrap())
}

#[test]
fn an_accepted_device_is_shown_whole() {
    let sandbox = Sandbox::with_vendor();
    let credentials = device(&sandbox, &["--name", NAME]);
    let address = serve_credentials(&sandbox, credentials);
    let said = probe(&sandbox, &address, &[&["--name", NAME], &ROOT[..]].concat()).succeeded();
    for words in [
        "offered:   named credentials (ecdsa_secp256r1_sha256",
        "version:   TLS 1.3",
        "cipher:    TLS13_",
        "group:     X25519",
        "handshake:",
        "resumes:   yes",
        "names:   *.cpe.example.com",
        "form:        named",
        "for a:       server",
        "ok    chain leads to a trusted root",
        "ok    (6) certificate's key signed it",
        "accepted: named credential for k3v.cpe.example.com\n",
    ] {
        assert!(said.contains(words), "{words} not in {said}");
    }
}

#[test]
fn a_server_is_told_that_the_probe_ends() {
    let sandbox = Sandbox::with_vendor();
    let credentials = device(&sandbox, &["--name", NAME, "--form", "both"]);
    let (address, ends) = serve_to_the_end(&sandbox, credentials);
    for offer in ["named", "rfc9345"] {
        let more = ["--name", NAME, "--offer", offer];
        probe(&sandbox, &address, &[&ROOT[..], &more].concat()).succeeded();
    }
    let ends: Vec<_> = ends.try_iter().collect();
    assert!(ends.len() >= 2, "{ends:?}");
    for end in ends {
        assert_eq!(end.unwrap(), 0);
    }
}

#[test]
fn every_offer_is_answered_in_its_form() {
    let sandbox = Sandbox::with_vendor();
    let credentials = device(&sandbox, &["--name", NAME, "--form", "both"]);
    let address = serve_credentials(&sandbox, credentials);
    for (offer, forms, form) in [
        ("named", &["named"][..], "named"),
        ("rfc9345", &["rfc9345"], "rfc9345"),
        ("both", &["named", "rfc9345"], "named"),
    ] {
        let (code, json) = probe_json(&sandbox, &address, &["--name", NAME, "--offer", offer]);
        assert_eq!(code, Some(0), "{json}");
        let offered = json["offered"].as_array().unwrap();
        let offered: Vec<_> = offered.iter().map(|one| &one["form"]).collect();
        assert_eq!(offered, forms);
        assert_eq!(json["credential"]["form"], form);
        assert_eq!(json["version"], "TLS 1.3");
        assert_eq!(json["chain_known"], false, "no root was given");
        assert!(json["handshake_ms"].as_f64().unwrap() > 0.0);
    }
    let (code, json) = probe_json(&sandbox, &address, &["--name", NAME, "--offer", "none"]);
    assert_eq!(code, Some(1));
    assert_eq!(json["offered"], serde_json::json!([]));
    assert_eq!(json["alert"]["sent_by"], "server");
}

/// Probes a server with these credentials for a name, and gives the JSON of the refusal.
fn refused(sandbox: &Sandbox, credentials: Vec<StoredCredential>, name: &str) -> Value {
    let address = serve_credentials(sandbox, credentials);
    let (code, json) = probe_json(sandbox, &address, &[&["--name", name], &ROOT[..]].concat());
    assert_eq!(
        (code, &json["accepted"]),
        (Some(1), &Value::Bool(false)),
        "{json}"
    );
    assert_eq!(json["alert"]["sent_by"], "client", "{json}");
    assert_eq!(json["credential"]["form"], "named", "{json}");
    json
}

#[test]
fn a_credential_that_is_refused_is_shown_with_the_reason_and_the_alert() {
    let sandbox = Sandbox::with_vendor();
    let good = device(&sandbox, &["--name", NAME]);
    let json = refused(&sandbox, good.clone(), "twin.cpe.example.com");
    assert_eq!(json["credential"]["name"], NAME);
    assert_eq!(json["alert"]["name"], "illegal_parameter (47)");
    assert!(
        json["reason"].as_str().unwrap().contains("wanted twin"),
        "{json}"
    );

    let mut tampered = good[0].bytes.clone();
    *tampered.last_mut().unwrap() ^= 1;
    let tampered = vec![StoredCredential::new(Form::Named, &tampered)];
    let json = refused(&sandbox, tampered, NAME);
    assert!(
        json["reason"].as_str().unwrap().contains("not signed by"),
        "{json}"
    );

    let expired = device(&sandbox, &["--name", NAME, "--lifetime", "1s"]);
    thread::sleep(std::time::Duration::from_millis(2100));
    let json = refused(&sandbox, expired, NAME);
    assert!(
        json["reason"].as_str().unwrap().contains("expired at"),
        "{json}"
    );
    assert!(
        json["credential"]["expires_in"].as_i64().unwrap() < 0,
        "{json}"
    );
}

#[test]
fn a_chain_that_is_not_trusted_is_shown_and_refused() {
    let sandbox = Sandbox::with_vendor();
    let credentials = device(&sandbox, &["--name", NAME]);
    let address = serve_credentials(&sandbox, credentials);
    sandbox
        .run(&["init", "other", "--zone", "cpe.example.com"])
        .succeeded();
    let arguments = ["--name", NAME, "--root", "other/root.pem"];
    let (code, json) = probe_json(&sandbox, &address, &arguments);
    assert_eq!(code, Some(1));
    assert_eq!(json["alert"]["name"], "unknown_ca (48)");
    assert!(
        json["reason"]
            .as_str()
            .unwrap()
            .contains("no root that is trusted"),
        "{json}"
    );
    assert_eq!(json["credential"]["name"], NAME, "shown all the same");
}

#[test]
fn without_a_root_a_certificate_for_another_name_is_still_refused() {
    let sandbox = Sandbox::empty();
    let address = serve_certificate(rustls::ALL_VERSIONS);
    let arguments = ["--name", "mail.example.com", "--offer", "both"];
    let outcome = probe(&sandbox, &address, &arguments);
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stdout.contains("FAIL  certificate has the name"),
        "{outcome:?}"
    );
}

#[test]
fn a_server_without_credentials_is_accepted_if_a_certificate_is_enough() {
    let sandbox = Sandbox::empty();
    let address = serve_certificate(rustls::ALL_VERSIONS);
    for offer in ["none", "rfc9345", "both"] {
        let arguments = ["--name", "www.example.com", "--offer", offer];
        let said = probe(&sandbox, &address, &arguments).succeeded();
        assert!(
            said.contains("accepted: certificate for www.example.com; whether"),
            "{said}"
        );
    }
    let arguments = ["--name", "www.example.com"];
    let (code, json) = probe_json(&sandbox, &address, &arguments);
    assert_eq!(code, Some(1));
    assert_eq!(json["alert"]["name"], "handshake_failure (40)");
    assert_eq!(json["credential"], Value::Null);
    assert_eq!(json["chain"][0]["names"][0], "www.example.com");
}

#[test]
fn a_server_with_tls_1_2_alone_is_shown() {
    let sandbox = Sandbox::empty();
    let address = serve_certificate(&[&rustls::version::TLS12]);
    let arguments = ["--name", "www.example.com", "--offer", "both"];
    let (code, json) = probe_json(&sandbox, &address, &arguments);
    assert_eq!(
        (code, &json["version"]),
        (Some(0), &Value::from("TLS 1.2")),
        "{json}"
    );
    let (code, json) = probe_json(&sandbox, &address, &["--name", "www.example.com"]);
    assert_eq!(
        (code, &json["version"]),
        (Some(1), &Value::from("TLS 1.2")),
        "{json}"
    );
    assert_eq!(json["alert"]["name"], "certificate_unknown (46)");
}

#[test]
fn who_does_not_speak_tls_gets_one_line() {
    let sandbox = Sandbox::empty();
    let named = ["--name", NAME];
    let http = serve(|mut tcp| {
        let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\x1b[2J\r\n\r\n");
        hold(Ok::<_, ()>(tcp));
    });
    probe(&sandbox, &http, &named).refused(&["does not speak TLS", "HTTP/1.1 400 Bad"]);
    let closing = serve(drop);
    probe(&sandbox, &closing, &named).refused(&[&closing, "closed the connection without a word"]);
    let silent = serve(|mut tcp| {
        let _ = io::copy(&mut tcp, &mut io::sink());
    });
    let impatient = ["probe", &silent, "--name", NAME, "--timeout", "300ms"];
    sandbox
        .run(&impatient)
        .refused(&[&silent, "the server sent nothing"]);
}

#[test]
fn a_closed_port_and_an_unknown_host_get_one_line() {
    let sandbox = Sandbox::empty();
    // Bound and closed again, so that nobody listens there.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    probe(&sandbox, &address, &["--name", NAME])
        .refused(&[&format!("no connection to {address}"), "refused"]);
}

#[test]
fn json_says_why_there_was_no_handshake() {
    let sandbox = Sandbox::empty();
    let closing = serve(drop);
    let (code, json) = probe_json(&sandbox, &closing, &["--name", NAME]);
    assert_eq!((code, &json["accepted"]), (Some(1), &Value::Bool(false)));
    assert!(
        json["reason"]
            .as_str()
            .unwrap()
            .contains("closed the connection"),
        "{json}"
    );
    assert_eq!(json["version"], Value::Null);
}

/// The server_name in each ClientHello that arrives.
fn asked_for() -> (String, Receiver<Option<String>>) {
    let (sender, names) = channel();
    let address = serve(move |mut tcp| {
        let mut acceptor = rustls::server::Acceptor::default();
        let accepted = loop {
            acceptor.read_tls(&mut tcp).unwrap();
            if let Some(accepted) = acceptor.accept().unwrap_or(None) {
                break accepted;
            }
        };
        let name = accepted.client_hello().server_name().map(str::to_owned);
        sender.send(name).unwrap();
        // handshake_failure, as of a server that has nothing for this name.
        let _ = tcp.write_all(&[21, 3, 3, 0, 2, 2, 40]);
    });
    (address, names)
}

#[test]
fn every_offer_asks_for_the_name_and_never_for_the_host() {
    let sandbox = Sandbox::with_vendor();
    let (address, names) = asked_for();
    for offer in ["none", "rfc9345", "named", "both"] {
        for name in [NAME, "K3V.cpe.example.com."] {
            let more = ["--name", name, "--offer", offer];
            assert_eq!(probe(&sandbox, &address, &more).code, Some(1));
            let asked = names.recv().unwrap().unwrap();
            assert!(
                asked.eq_ignore_ascii_case(name.trim_end_matches('.')),
                "{asked}"
            );
        }
    }
}

#[test]
fn a_server_that_has_nothing_for_the_name_is_explained() {
    let sandbox = Sandbox::with_vendor();
    let (address, _names) = asked_for();
    let hint = format!("see that the device is {NAME} now");
    let outcome = probe(&sandbox, &address, &["--name", NAME]);
    outcome.refused(&["handshake_failure (40)", &hint]);
    let (_, json) = probe_json(&sandbox, &address, &["--name", NAME]);
    assert!(json["hint"].as_str().unwrap().contains(&hint), "{json}");
    let plain = ["--name", NAME, "--offer", "rfc9345"];
    let (_, json) = probe_json(&sandbox, &address, &plain);
    assert_eq!(json["hint"], Value::Null, "{json}");
    // One that has a certificate, and no credential for this name.
    let address = serve_certificate(rustls::ALL_VERSIONS);
    let (code, json) = probe_json(&sandbox, &address, &["--name", "www.example.com"]);
    assert_eq!(code, Some(1), "{json}");
    let hint = json["hint"].as_str().unwrap();
    assert!(hint.contains("www.example.com"), "{json}");
}

#[test]
fn an_address_is_nobodys_unique_name() {
    let sandbox = Sandbox::empty();
    for name in ["192.0.2.1", "2001:db8::1"] {
        let address = ["probe", "127.0.0.1:1", "--name", name];
        sandbox.run(&address).wrong_usage(&[
            "no credential with a unique name is for an address",
            "'--name NAME' (127.0.0.1:1 may be the address)",
        ]);
        let plain = [&address[..], &["--offer", "none"]].concat();
        sandbox.run(&plain).refused(&["127.0.0.1:1"]);
    }
}

#[test]
fn wrong_usage_is_status_2() {
    let sandbox = Sandbox::empty();
    sandbox
        .run(&["probe"])
        .wrong_usage(&["--name <NAME>", "<HOST:PORT>"]);
    sandbox
        .run(&["probe", "host", "--name", NAME])
        .wrong_usage(&["router.example.com:443"]);
    sandbox
        .run(&["probe", "host:1", "--name", "a..b"])
        .wrong_usage(&["give a DNS name"]);
    let offer = ["probe", "host:1", "--name", NAME, "--offer", "all"];
    sandbox.run(&offer).wrong_usage(&["rfc9345", "both"]);
    let zero = ["probe", "host:1", "--name", NAME, "--timeout", "0s"];
    sandbox.run(&zero).wrong_usage(&["above 0"]);
    let missing = ["probe", "127.0.0.1:1", "--name", NAME, "--root", "missing"];
    sandbox.run(&missing).refused(&["cannot read missing"]);
}

/// A cloud service: an ordinary certificate, for clients with a named credential of the sandbox's vendor.
fn serve_clients(sandbox: &Sandbox) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    let root = CertificateDer::from_pem_file(sandbox.path("vendor/root.pem")).unwrap();
    roots.add(root).unwrap();
    let policy = ClientCredentials::roots(&provider, roots)
        .unwrap()
        .authorize(|peer| {
            let dc_rustls::client::Peer::Delegated { unique_name, .. } = peer else {
                return false;
            };
            unique_name
                .as_ref()
                .is_some_and(|name| name.as_str() == NAME)
        });
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["cloud.example.com".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    sandbox.write("cloud.pem", certificate.pem());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let settings = Settings::new(provider).client_credentials(policy).unwrap();
    let acceptor = Acceptor::new(Store::with_settings(settings)).fallback(Arc::new(config));
    serve(move |tcp| hold(acceptor.accept(tcp)))
}

/// Probes the cloud service with a client's identity.
fn present(sandbox: &Sandbox, address: &str, identity: &str) -> Value {
    let cloud = ["--name", "cloud.example.com", "--offer", "both", "--json"];
    let more = ["--root", "cloud.pem", "--identity", identity];
    let outcome = probe(sandbox, address, &[&cloud[..], &more[..]].concat());
    serde_json::from_str(&outcome.stdout).unwrap()
}

#[test]
fn a_client_presents_its_identity_and_the_server_s_answer_is_said() {
    let sandbox = Sandbox::with_vendor();
    let address = serve_clients(&sandbox);
    for (folder, name, form) in [
        ("good", NAME, "named"),
        ("twin", "twin.cpe.example.com", "named"),
        ("plain", NAME, "rfc9345"),
    ] {
        let common = ["issue", "--delegation", "vendor", "--csr", "device.csr"];
        let client = ["--role", "client", "--name", name, "--form", form];
        let outcome = sandbox.run(&[&common[..], &client, &["--out", folder]].concat());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        sandbox.write(&format!("{folder}/key.pem"), sandbox.read("device.key"));
    }
    let good = present(&sandbox, &address, "good");
    assert_eq!(good["client"], "presented", "{good}");
    assert_eq!(good["accepted"], true, "{good}");
    let twin = present(&sandbox, &address, "twin");
    assert_eq!(twin["client"], "presented", "{twin}");
    assert_eq!(twin["accepted"], false, "{twin}");
    assert_eq!(twin["alert"]["sent_by"], "server", "{twin}");
    assert!(
        twin["alert"]["name"]
            .as_str()
            .unwrap()
            .contains("access_denied")
    );
    let plain = present(&sandbox, &address, "plain");
    assert_eq!(plain["client"], "nothing-suits", "{plain}");
    assert!(
        plain["alert"]["name"]
            .as_str()
            .unwrap()
            .contains("certificate_required")
    );
}

#[test]
fn a_server_s_identity_is_none_for_a_client() {
    let sandbox = Sandbox::with_vendor();
    device(&sandbox, &["--name", NAME]);
    sandbox.write("out/key.pem", sandbox.read("device.key"));
    let name = ["--name", NAME, "--identity", "out"];
    probe(&sandbox, "127.0.0.1:9", &name).refused(&["out: no client can present this"]);
    probe(
        &sandbox,
        "127.0.0.1:9",
        &[&name[..], &["--offer", "none"]].concat(),
    )
    .wrong_usage(&["--identity"]);
}
