//! Encrypted ClientHello: our client against BoringSSL and NSS, which know credentials of servers too.

use std::{
    fmt::Write as _,
    io::{Read, Write as _},
    net::TcpStream,
    path::Path,
    sync::Arc,
};

use dc_rustls::{
    Error,
    client::{Config, EchMode, EchStatus, NamePolicy, Peer},
};
use dc_tests::{
    backend::BACKENDS,
    message::{ech_config, vector},
};
use rustls::{
    RootCertStore,
    crypto::{CryptoProvider, aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_128, hpke::Hpke},
    pki_types::{CertificateDer, EchConfigListBytes, ServerName, pem::PemObject},
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    boring,
    handshake::{Client, Expect, Handshakes},
    lab::{Lab, NAME, Served},
    nss,
    process::{Outcome, Server},
    setup,
};

#[test]
fn hides_names_from_everybody_but_boringssl() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("hides_names_from_everybody_but_boringssl");
    let (keys, served) = (Keys::new(PUBLIC), lab.minted("P-256"));
    for backend in BACKENDS {
        for group in [None, Some("P-384")] {
            let server = keys.server(&served, group);
            for policy in [NamePolicy::Ignored, NamePolicy::Preferred] {
                let hiding = keys.hiding(&config(backend.provider(), lab, policy));
                for how in ["full", "resumed"] {
                    let case = format!("{}, {policy:?}, {how}, group {group:?}", backend.name);
                    let how = format!("handshake ok, {how}, for {NAME}, who was hidden");
                    let expect = Expect::exit(0)
                        .client("form: rfc9345")
                        .client("hello: Accepted")
                        .server(&how);
                    handshakes.check(&case, client(&hiding), &server, &expect);
                }
            }
            let case = format!("{}, Required, group {group:?}", backend.name);
            let hiding = keys.hiding(&config(backend.provider(), lab, NamePolicy::Required));
            let refused = boring::with_certificate(Expect::exit(1)).client("no credential");
            handshakes.check(&case, client(&hiding), &server, &refused);
        }
    }
    handshakes.finish();
}

/// The same over an asynchronous stream.
#[test]
fn hides_a_name_asynchronously() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("hides_a_name_asynchronously");
    let keys = Keys::new(PUBLIC);
    let server = keys.server(&lab.minted("P-256"), None);
    let hiding = keys.hiding(&config(BACKENDS[0].provider(), lab, NamePolicy::Ignored));
    for how in ["full", "resumed"] {
        let ok = format!("handshake ok, {how}, for {NAME}, who was hidden");
        let expect = Expect::exit(0)
            .client("form: rfc9345")
            .client("hello: Accepted")
            .server(&ok);
        handshakes.check(how, asynchronous_client(&hiding), &server, &expect);
    }
    handshakes.finish();
}

/// The certificate proves the public name, whatever the policy, and the retry proves the wanted one.
#[test]
fn tries_again_with_what_boringssl_wants() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("tries_again_with_what_boringssl_wants");
    let (keys, stale) = (Keys::new(PUBLIC), Keys::new(PUBLIC));
    let served = lab.minted("P-256");
    for group in [None, Some("P-384")] {
        let server = keys.server(&served, group);
        for (policy, exit, end) in [
            (NamePolicy::Ignored, 0, "hello: Accepted"),
            (NamePolicy::Preferred, 0, "hello: Accepted"),
            (NamePolicy::Required, 1, "no credential"),
        ] {
            let hiding = stale.hiding(&config(BACKENDS[0].provider(), lab, policy));
            let expect = Expect::exit(exit)
                .client("rejected, again with 1 list")
                .client(end)
                .server("ECH_REQUIRED");
            let case = format!("stale ECHConfig, {policy:?}, group {group:?}");
            handshakes.check(&case, trying_twice(&hiding), &server, &expect);
        }
    }
    handshakes.finish();
}

/// A server that is not the public name has nothing to say about ECHConfigs.
#[test]
fn believes_nobody_else_what_boringssl_wants() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("believes_nobody_else_what_boringssl_wants");
    let (keys, stale) = (Keys::new(PUBLIC), Keys::new(ELSEWHERE));
    let server = keys.server(&lab.minted("P-256"), None);
    for policy in [
        NamePolicy::Ignored,
        NamePolicy::Preferred,
        NamePolicy::Required,
    ] {
        let hiding = stale.hiding(&config(BACKENDS[0].provider(), lab, policy));
        let expect = Expect::exit(1)
            .client("not valid for name")
            .client(ELSEWHERE)
            .client_not("again")
            .server("BAD_CERTIFICATE");
        let case = format!("public name of somebody else, {policy:?}");
        handshakes.check(&case, trying_twice(&hiding), &server, &expect);
    }
    handshakes.finish();
}

#[test]
fn boringssl_takes_grease_for_what_it_is() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("boringssl_takes_grease_for_what_it_is");
    let keys = Keys::new(PUBLIC);
    let served = lab.minted("P-256");
    let with = keys.server(&served, Some("P-384"));
    let without = boring::server(&served, &[]);
    for (case, server) in [("with keys, and a retry", with), ("without keys", without)] {
        let config = config(BACKENDS[0].provider(), lab, NamePolicy::Ignored);
        let greasing = config.with_ech(&EchMode::grease(SUITE).unwrap()).unwrap();
        for how in ["full", "resumed"] {
            let ok = format!("handshake ok, {how}\n");
            let expect = Expect::exit(0)
                .client("form: rfc9345")
                .client("hello: Grease")
                .server(&ok);
            handshakes.check(
                &format!("{case}, {how}"),
                client(&greasing),
                &server,
                &expect,
            );
        }
    }
    handshakes.finish();
}

/// A server without keys accepts nothing and wants nothing.
#[test]
fn boringssl_without_keys_rejects() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("boringssl_without_keys_rejects");
    let server = boring::server(&lab.minted("P-256"), &[]);
    let config = config(BACKENDS[0].provider(), lab, NamePolicy::Required);
    let hiding = Keys::new(PUBLIC).hiding(&config);
    let expect = Expect::exit(1)
        .client("rejected, again with nothing")
        .server("ECH_REQUIRED");
    handshakes.check("no keys", trying_twice(&hiding), &server, &expect);
    handshakes.finish();
}

#[test]
fn hides_names_from_everybody_but_nss() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("hides_names_from_everybody_but_nss");
    let served = lab.minted("P-256");
    for arguments in [&[][..], &["--only-p384"]] {
        let (server, list) = nss::ech_server(&served, arguments, PUBLIC);
        for backend in BACKENDS {
            for policy in [NamePolicy::Ignored, NamePolicy::Preferred] {
                let config = config(backend.provider(), lab, policy);
                let hiding = hiding(&config, list.clone().into());
                for how in ["", " resumed"] {
                    let case = format!("{}, {policy:?},{how} {arguments:?}", backend.name);
                    let ok = format!("{how} hidden");
                    let expect = Expect::exit(0)
                        .client("form: rfc9345")
                        .client("hello: Accepted")
                        .server(&ok);
                    handshakes.check(&case, client(&hiding), &server, &expect);
                }
            }
        }
    }
    handshakes.finish();
}

/// Without a HelloRetryRequest: if that rejects, NSS 3.87 and stock rustls do not agree on the keys behind it.
#[test]
fn tries_again_with_what_nss_wants() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("tries_again_with_what_nss_wants");
    let (server, _) = nss::ech_server(&lab.minted("P-256"), &[], PUBLIC);
    let (stale, strange) = (Keys::new(PUBLIC), Keys::new(ELSEWHERE));
    let config = config(BACKENDS[0].provider(), lab, NamePolicy::Preferred);
    let expect = Expect::exit(0)
        .client("rejected, again with 1 list")
        .client("hello: Accepted")
        .server(" hidden");
    let hiding = stale.hiding(&config);
    handshakes.check("stale ECHConfig", trying_twice(&hiding), &server, &expect);
    let expect = Expect::exit(1)
        .client("not valid for name")
        .client_not("again")
        .server("BAD_CERT");
    let case = "public name of somebody else";
    let hiding = strange.hiding(&config);
    handshakes.check(case, trying_twice(&hiding), &server, &expect);
    handshakes.finish();
}

/// The ECHConfig of a server, and its key.
struct Keys {
    config: Vec<u8>,
    key: Vec<u8>,
}

impl Keys {
    fn new(public_name: &str) -> Self {
        let (public, private) = SUITE.generate_key_pair().unwrap();
        Self {
            config: ech_config([0x20, 1, 1], &public.0, 0, public_name),
            key: private.secret_bytes().to_vec(),
        }
    }

    fn server(&self, served: &Served, group: Option<&str>) -> Server {
        let (config, key) = (digits(&self.config), digits(&self.key));
        let mut arguments = vec!["--ech", &config, &key];
        arguments.extend(group.into_iter().flat_map(|group| ["--group", group]));
        boring::server(served, &arguments)
    }

    fn hiding(&self, config: &Config) -> Config {
        hiding(config, vector(2, &self.config).into())
    }
}

fn hiding(config: &Config, list: EchConfigListBytes<'_>) -> Config {
    let mode = EchMode::enable(list, &[SUITE]).unwrap();
    config.with_ech(&mode).unwrap()
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

fn config(provider: Arc<CryptoProvider>, lab: &Lab, policy: NamePolicy) -> Config {
    Config::builder(provider)
        .roots(roots(&lab.root()))
        .unique_name(policy)
        .build()
        .unwrap()
}

fn roots(path: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(path).unwrap())
        .unwrap();
    roots
}

/// Connects once. It is this process, which keeps its sessions, and speaks as the other clients do.
fn client(config: &Config) -> Client<'_> {
    Client::new("our client", |port| {
        outcome(ask(config, port), String::new())
    })
}

fn asynchronous_client(config: &Config) -> Client<'_> {
    Client::new("our client", |port| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let asked = runtime.unwrap().block_on(ask_async(config, port));
        outcome(asked, String::new())
    })
}

/// Connects, and once more if the server wants other ECHConfigs.
fn trying_twice(config: &Config) -> Client<'_> {
    Client::new("our client", |port| match ask(config, port) {
        Err(Error::EchRejected {
            retry_configs: Some(list),
        }) => {
            let asked = ask(&hiding(config, list), port);
            outcome(asked, "rejected, again with 1 list\n".to_owned())
        }
        Err(error @ Error::EchRejected { .. }) => {
            outcome(Err(error), "rejected, again with nothing\n".to_owned())
        }
        asked => outcome(asked, String::new()),
    })
}

/// Sends a request, and reads the reply to its end, behind which are the tickets.
fn ask(config: &Config, port: u16) -> Result<(Peer, EchStatus), Error> {
    let tcp = TcpStream::connect(("127.0.0.1", port))?;
    tcp.set_nodelay(true)?;
    let mut stream = config.connect(ServerName::try_from(NAME).unwrap(), tcp)?;
    stream.write_all(REQUEST)?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    assert!(reply.starts_with(b"HTTP/1.0 200"));
    Ok((stream.peer().clone(), stream.ech_status()))
}

async fn ask_async(config: &Config, port: u16) -> Result<(Peer, EchStatus), Error> {
    let tcp = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from(NAME).unwrap();
    let mut stream = config.connect_async(name, tcp).await?;
    stream.write_all(REQUEST).await?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await?;
    assert!(reply.starts_with(b"HTTP/1.0 200"));
    // The server waits for it.
    stream.shutdown().await?;
    Ok((stream.peer().clone(), stream.ech_status()))
}

fn outcome(asked: Result<(Peer, EchStatus), Error>, said: String) -> Outcome {
    let (exit, said) = match asked {
        Ok((Peer::Delegated { form, .. }, hello)) => {
            (0, format!("{said}form: {form}\nhello: {hello:?}\n"))
        }
        Ok((_, hello)) => (3, format!("{said}form: null\nhello: {hello:?}\n")),
        Err(error) => (1, format!("{said}error: {error}\n")),
    };
    Outcome {
        exit: Some(exit),
        stdout: said,
        stderr: String::new(),
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
static SUITE: &dyn Hpke = DH_KEM_X25519_HKDF_SHA256_AES_128;
/// A name of the lab's certificates that is not the wanted one.
const PUBLIC: &str = "public.cpe.example.com";
/// A name that they do not have.
const ELSEWHERE: &str = "public.example.org";
