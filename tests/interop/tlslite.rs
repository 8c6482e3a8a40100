//! tlslite-ng: its own command-line server, a client, and a server that misuses credentials.

use std::{path::PathBuf, process::Command, sync::Arc};

use crate::{
    endpoint::Endpoint,
    handshake::{Client, Expect},
    lab::{self, Served},
    process::{Server, run, run_ok},
    setup,
};

/// What both tlslite-ng servers say when the client has sent this alert.
pub(crate) const ILLEGAL_PARAMETER: &str = "illegal_parameter";

/// Everything that a client may offer for credentials, and what RSA certificates delegate with: our server sends a
/// credential only to clients that have both schemes in this list, because NSS would abort otherwise.
pub(crate) const ALL_SCHEMES: &str = "ecdsa_secp256r1_sha256,ecdsa_secp384r1_sha384,ecdsa_secp521r1_sha512,ed25519,\
                                      rsa_pss_pss_sha256,rsa_pss_rsae_sha256";

/// The client has verified a credential and got a reply.
pub(crate) fn used<'a>() -> Expect<'a> {
    Expect::exit(0).client("credential: ecdsa").client("200 OK")
}

/// The client was sent no credential, and got a reply.
pub(crate) fn not_used<'a>() -> Expect<'a> {
    Expect::exit(3).client("credential: none").client("200 OK")
}

pub(crate) fn version() -> String {
    let print = "import tlslite; print(tlslite.__version__)";
    run_ok(Command::new(interpreter()).args(["-c", print]))
        .trim()
        .to_owned()
}

/// One of our Python programs, run by the interpreter that has tlslite-ng.
pub(crate) fn python(program: &str) -> Command {
    let mut command = Command::new(interpreter());
    command.arg("-u").arg(setup::source().join(program));
    command
}

/// A program that tlslite-ng itself has.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(interpreter());
    command
        .arg("-u")
        .arg(setup::cache().join("venv/bin").join(name));
    command
}

/// Does one handshake and a request; `--schemes none` among the arguments offers no credentials.
pub(crate) fn client<'a>(name: &'a str, arguments: &'a [&'a str]) -> Client<'a> {
    Client::new("tlslite-ng client", move |port| {
        run(python("tlslite_client.py")
            .args([name, &port.to_string()])
            .args(arguments))
    })
}

/// The server of the tlslite-ng package itself. It verifies the credential's signature before it starts.
pub(crate) fn server(served: &Served, arguments: &[&str]) -> Server {
    let pages = setup::cache().join("www");
    lab::create(&pages);
    lab::write(&pages.join("index.html"), "tlslite-ng\n");
    Server::start(
        "tlslite-ng tls.py",
        program("tls.py")
            .arg("server")
            .arg("-c")
            .arg(&served.chain)
            .arg("-k")
            .arg(&served.key)
            .arg("--dc-file")
            .arg(&served.credential)
            .arg("--dc-key")
            .arg(&served.credential_key)
            .arg("-d")
            .arg(&pages)
            .args(arguments)
            .arg("127.0.0.1:0"),
    )
}

/// A server that sends this credential unchecked and misuses it in the way that `tlslite_misuse.py --help` explains.
pub(crate) fn misuse_server(served: &Served, mode: &str) -> Server {
    let arguments = misuse_arguments(served, mode, false);
    Server::start(MISUSE, python("tlslite_misuse.py").args(arguments))
}

/// One program that does so on several ports: for each a credential, the mode, and whether only P-384 is taken.
pub(crate) fn misuse_servers(all: &[(Served, &str, bool)]) -> Vec<Endpoint> {
    let line = |(served, mode, only_p384): &(Served, &str, bool)| {
        let arguments = misuse_arguments(served, mode, *only_p384);
        arguments.map(|word| format!("'{word}'")).join(" ") + "\n"
    };
    let list = lab::new_file("misuse");
    lab::write(&list, &all.iter().map(line).collect::<String>());
    let mut command = python("tlslite_misuse.py");
    let server = Arc::new(Server::start(MISUSE, command.arg("--batch").arg(&list)));
    let ports = server.read(0, |said| {
        let ports = said.lines().next()?.strip_prefix("listening on ")?;
        Some(ports.split(' ').map(str::parse).collect())
    });
    let ports: Result<Vec<u16>, _> = ports.unwrap_or_else(|| panic!("{}", server.text()));
    let ports = ports.unwrap_or_else(|error| panic!("{error}: {}", server.text()));
    ports
        .into_iter()
        .map(|port| Endpoint::one_of(&server, port))
        .collect()
}

fn misuse_arguments(served: &Served, mode: &str, only_p384: bool) -> [String; 6] {
    let option = |name: &str, path: &PathBuf| format!("--{name}={}", path.display());
    [
        option("chain", &served.chain),
        option("key", &served.key),
        option("credential", &served.credential),
        option("credential-key", &served.credential_key),
        format!("--mode={mode}"),
        format!("--groups={}", if only_p384 { "P-384" } else { "all" }),
    ]
}

fn interpreter() -> PathBuf {
    setup::cache().join("venv/bin/python")
}

const MISUSE: &str = "tlslite-ng misuse";
