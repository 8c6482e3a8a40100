//! BoringSSL: a server, in the package `tests/boring`.

use std::{fs, path::PathBuf, process::Command};

use crate::{handshake::Expect, lab::Served, process::Server, setup};

/// The version of the crate that BoringSSL came in.
pub(crate) fn version() -> String {
    let lock = setup::source().join("../boring/Cargo.lock");
    let lock = fs::read_to_string(lock).unwrap_or_default();
    let package = lock.split("name = \"boring-sys\"\nversion = \"").nth(1);
    let version = package.and_then(|text| text.split('"').next());
    format!("BoringSSL of boring-sys {}", version.unwrap_or("?"))
}

/// Adds that the server has used the credential.
pub(crate) fn with_credential(expect: Expect<'_>) -> Expect<'_> {
    expect.server("selected: delegated").server("handshake ok")
}

/// Adds that the server has used the certificate, whatever the client made of that.
pub(crate) fn with_certificate(expect: Expect<'_>) -> Expect<'_> {
    expect.server("selected: certificate")
}

/// A server that sends this credential, unchecked, to whoever offers its scheme, and the certificate to others.
pub(crate) fn server(served: &Served, arguments: &[&str]) -> Server {
    Server::start(NAME, &mut serve(served, arguments))
}

/// The same with these files: a chain, its key, a credential and its key.
pub(crate) fn server_with(files: &[String; 4]) -> Server {
    Server::start(NAME, Command::new(program()).args(files))
}

/// The same, or nothing if BoringSSL does not want to serve this.
pub(crate) fn try_server(served: &Served, arguments: &[&str]) -> Option<Server> {
    Server::try_start(NAME, &mut serve(served, arguments)).ok()
}

fn serve(served: &Served, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(arguments).args([
        &served.chain,
        &served.key,
        &served.credential,
        &served.credential_key,
    ]);
    command
}

fn program() -> PathBuf {
    setup::cache().join("boring/release/boring-server")
}

const NAME: &str = "BoringSSL";
