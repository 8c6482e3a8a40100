//! The other people's clients and servers, and how they are told to authenticate or to ask.

use std::{path::PathBuf, process::Command};

use super::our_end::{NAME, Site, new_folder};
use crate::{
    nss,
    process::{Server, run, run_ok},
    setup, tlslite,
};

/// A program that connects.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Client {
    Boring,
    Curl,
    GnuTls,
    Nss,
    OpenSsl,
    Tlslite,
}

/// All that a client has, in case that it is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Has {
    Certificate,
    /// Of RFC 9345, which only BoringSSL can be given.
    Credential,
    Nothing,
}

impl Client {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Boring => "BoringSSL",
            Self::Curl => "curl",
            Self::GnuTls => "GnuTLS",
            Self::Nss => "NSS",
            Self::OpenSsl => "OpenSSL",
            Self::Tlslite => "tlslite-ng",
        }
    }

    /// Does one handshake and a request, and gives what the program says.
    pub(crate) fn connect(self, site: &Site, port: u16, has: Has) -> String {
        let mut command = match self {
            Self::Boring => boring(site, port, has),
            Self::Curl => curl(site, port, has),
            Self::GnuTls => gnutls(site, port, has),
            Self::Nss => tstclnt(site, port, has),
            Self::OpenSsl => openssl(site, port, has),
            Self::Tlslite => python(site, port, has),
        };
        let outcome = run(&mut command);
        let said = format!("{}\n{}", outcome.stdout, outcome.stderr);
        let told = said
            .lines()
            .rev()
            .find(|line| SAYS.iter().any(|word| line.contains(word)));
        format!("exit {:?}: {}", outcome.exit, told.unwrap_or_default())
    }
}

/// The words of lines that show how it went.
const SAYS: [&str; 8] = [
    "alert",
    "selected",
    "SSL_ERROR",
    "200 OK",
    "handshake",
    "refused",
    "rror",
    "Fatal",
];

fn own(site: &Site, has: Has, names: [&str; 2]) -> Vec<[String; 2]> {
    match has {
        Has::Certificate => vec![
            [names[0].to_owned(), site.text("client-chain.pem")],
            [names[1].to_owned(), site.text("client-key.pem")],
        ],
        _ => Vec::new(),
    }
}

fn boring(site: &Site, port: u16, has: Has) -> Command {
    let mut command = Command::new(setup::cache().join("boring/release/boring-server"));
    command.args(["--connect", &port.to_string()]);
    if has != Has::Nothing {
        command.args([site.path("client-chain.pem"), site.path("client-key.pem")]);
    }
    if has == Has::Credential {
        command.args([site.path("camera.pem"), site.path("camera-key.pem")]);
    }
    command
}

fn curl(site: &Site, port: u16, has: Has) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--include", "--max-time", "30"]);
    command.arg("--cacert").arg(site.path("server-root.pem"));
    command.args(["--resolve", &format!("{NAME}:{port}:127.0.0.1")]);
    for pair in own(site, has, ["--cert", "--key"]) {
        command.args(pair);
    }
    command.arg(format!("https://{NAME}:{port}/"));
    command
}

/// From a file, because it ends with its input.
fn with_request(site: &Site, command: &str) -> Command {
    let request = site.path("request.http");
    site.write(
        "request.http",
        &format!("GET / HTTP/1.0\r\nHost: {NAME}\r\n\r\n"),
    );
    let mut shell = Command::new("sh");
    // The server closes; the end of the input is only for the case that it does not.
    let script = format!("(cat '{}'; sleep 2) | {command}", request.display());
    shell.args(["-c", &script]);
    shell
}

fn words(pairs: Vec<[String; 2]>) -> String {
    let words = pairs.into_iter().flatten();
    words.map(|word| format!(" '{word}'")).collect()
}

fn openssl(site: &Site, port: u16, has: Has) -> Command {
    let own = words(own(site, has, ["-cert", "-key"]));
    let root = site.text("server-root.pem");
    with_request(
        site,
        &format!(
            "openssl s_client -connect 127.0.0.1:{port} -servername {NAME} -verify_hostname {NAME} \
             -verify_return_error -CAfile '{root}' -ign_eof{own}"
        ),
    )
}

fn gnutls(site: &Site, port: u16, has: Has) -> Command {
    let own = words(own(site, has, ["--x509certfile", "--x509keyfile"]));
    let root = site.text("server-root.pem");
    with_request(
        site,
        &format!(
            "gnutls-cli --port {port} --sni-hostname {NAME} --verify-hostname {NAME} \
             --x509cafile '{root}'{own} 127.0.0.1"
        ),
    )
}

fn tstclnt(site: &Site, port: u16, has: Has) -> Command {
    let database = database(site, has);
    let mut command = Command::new("tstclnt");
    command
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-v", "-a", NAME])
        .arg("-d")
        .arg(format!("sql:{}", database.display()))
        .arg("-A")
        .arg(database.join("request.http"));
    command
}

/// A certificate database that trusts our server, and that has the client's certificate, which NSS then presents.
fn database(site: &Site, has: Has) -> PathBuf {
    let folder = new_folder(site, &format!("nss-{has:?}"));
    if folder.join("cert9.db").exists() {
        return folder;
    }
    nss::make_database(&folder, &[site.path("server-root.pem")]);
    if has == Has::Nothing {
        return folder;
    }
    let bundle = site.path("client.p12");
    run_ok(
        Command::new("openssl")
            .args([
                "pkcs12", "-export", "-passout", "pass:x", "-name", "client", "-in",
            ])
            .arg(site.path("client-chain.pem"))
            .arg("-inkey")
            .arg(site.path("client-key.pem"))
            .arg("-out")
            .arg(&bundle),
    );
    run_ok(
        Command::new("pk12util")
            .args(["-W", "x", "-K", "", "-d"])
            .arg(format!("sql:{}", folder.display()))
            .arg("-i")
            .arg(&bundle),
    );
    folder
}

fn python(site: &Site, port: u16, has: Has) -> Command {
    let mut command = tlslite::python("tlslite_client.py");
    command.args([NAME, &port.to_string(), "--schemes", "none"]);
    for pair in own(site, has, ["--certificate", "--key"]) {
        command.args(pair);
    }
    command
}

/// A program that listens and asks for a certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listener {
    pub(crate) name: &'static str,
    pub(crate) wants: Wants,
    start: fn(&Site) -> Command,
    /// In its output if it has seen a certificate.
    shows: Option<&'static str>,
}

/// How much a server wants a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Wants {
    IfThereIsOne,
    /// A client without gets this alert.
    Always(&'static str),
}

impl Listener {
    pub(crate) fn start(&self, site: &Site) -> Server {
        Server::start(self.name, &mut (self.start)(site))
    }

    /// True if it has said, behind the first `mark` bytes of its output, that it has seen a certificate, which is waited
    /// for if it is `expected`; nothing if it says nothing of that.
    pub(crate) fn shown(&self, server: &Server, mark: usize, expected: bool) -> Option<bool> {
        let shows = self.shows?;
        Some(match expected {
            true => server.says(shows, mark),
            false => server.text()[mark..].contains(shows),
        })
    }
}

pub(crate) const SERVERS: [Listener; 6] = [
    Listener {
        name: "OpenSSL s_server -Verify",
        wants: Wants::Always("CertificateRequired"),
        start: |site| s_server(site, "-Verify"),
        shows: Some("verify return:1"),
    },
    Listener {
        name: "OpenSSL s_server -verify",
        wants: Wants::IfThereIsOne,
        start: |site| s_server(site, "-verify"),
        shows: Some("verify return:1"),
    },
    Listener {
        name: "GnuTLS, required",
        wants: Wants::Always("CertificateRequired"),
        start: |site| gnutls_serv(site, &["--require-client-cert"]),
        shows: None,
    },
    Listener {
        name: "GnuTLS, requested",
        wants: Wants::IfThereIsOne,
        start: |site| gnutls_serv(site, &[]),
        shows: None,
    },
    Listener {
        name: "BoringSSL",
        wants: Wants::Always("CertificateRequired"),
        start: boring_server,
        shows: None,
    },
    Listener {
        name: "tlslite-ng",
        wants: Wants::IfThereIsOne,
        start: tlslite_server,
        shows: Some("Client X.509"),
    },
];

fn s_server(site: &Site, verify: &str) -> Command {
    let mut command = Command::new("openssl");
    command
        .args([
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-www",
            verify,
            "2",
            "-verify_return_error",
            "-CAfile",
        ])
        .arg(site.path("client-root.pem"))
        .arg("-cert")
        .arg(site.path("server-chain.pem"))
        .arg("-key")
        .arg(site.path("server-key.pem"));
    command
}

/// It asks by itself.
fn gnutls_serv(site: &Site, insists: &[&str]) -> Command {
    let mut command = Command::new("gnutls-serv");
    command
        .args([
            "--http",
            "--port",
            "0",
            "--verify-client-cert",
            "--x509cafile",
        ])
        .arg(site.path("client-root.pem"))
        .arg("--x509certfile")
        .arg(site.path("server-chain.pem"))
        .arg("--x509keyfile")
        .arg(site.path("server-key.pem"))
        .args(insists);
    command
}

fn boring_server(site: &Site) -> Command {
    let mut command = Command::new(setup::cache().join("boring/release/boring-server"));
    command
        .arg("--clients")
        .arg(site.path("client-root.pem"))
        .args([site.path("server-chain.pem"), site.path("server-key.pem")]);
    command
}

fn tlslite_server(site: &Site) -> Command {
    let mut command = tlslite::program("tls.py");
    let pages = new_folder(site, "www");
    site.write("www/index.html", "tlslite-ng\n");
    command
        .args(["server", "--reqcert", "-c"])
        .arg(site.path("server-chain.pem"))
        .arg("-k")
        .arg(site.path("server-key.pem"))
        .arg("-d")
        .arg(pages)
        .arg("127.0.0.1:0");
    command
}
