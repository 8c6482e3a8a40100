//! Our own programs: `dc-signer`, `home-router` and the examples.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use crate::{
    handshake::Client,
    process::{Server, run},
    setup,
};

/// The path of the `dc-signer` binary.
pub(crate) fn dc_signer() -> PathBuf {
    FOLDER.join("dc-signer")
}

/// The path of the home router's binary.
pub(crate) fn home_router() -> PathBuf {
    FOLDER.join("home-router")
}

/// The path of an example.
pub(crate) fn example_path(name: &str) -> PathBuf {
    FOLDER.join("examples").join(name)
}

/// The server of the tests with this identity folder.
pub(crate) fn server(identity: &Path, fallback: Option<&(PathBuf, PathBuf)>) -> Server {
    let mut command = Command::new(FOLDER.join("test-server"));
    if let Some((certificate, key)) = fallback {
        command
            .arg("--fallback-cert")
            .arg(certificate)
            .arg("--fallback-key")
            .arg(key);
    }
    listening(command, identity)
}

/// An example of a server with this identity folder.
pub(crate) fn example(name: &str, identity: &Path) -> Server {
    listening(Command::new(example_path(name)), identity)
}

/// The example of a cloud service, which has this folder's certificate, for devices under these roots.
pub(crate) fn cloud_service(identity: &Path, devices: &Path) -> Server {
    let mut command = Command::new(example_path("cloud_service"));
    command.arg("--devices").arg(devices);
    listening(command, identity)
}

fn listening(mut command: Command, identity: &Path) -> Server {
    command
        .arg("--identity")
        .arg(identity)
        .args(["--listen", "127.0.0.1:0"]);
    let server = Server::start("our server", &mut command);
    let announced = format!("listening on 127.0.0.1:{}\n", server.port());
    assert!(
        server.says(&announced, 0),
        "no '{announced}' in:\n{}",
        server.text()
    );
    server
}

/// Does one handshake and a request with the client of the tests. Its JSON becomes lines such as `form: rfc9345`.
pub(crate) fn client<'a>(root: &'a Path, name: &'a str, policy: &'a str) -> Client<'a> {
    Client::new("our client", move |port| {
        let mut outcome = run(Command::new(FOLDER.join("test-client"))
            .arg("--root")
            .arg(root)
            .args([
                "--name",
                name,
                "--connect",
                &format!("127.0.0.1:{port}"),
                "--policy",
                policy,
                "--json",
            ]));
        outcome.stdout = as_lines(&outcome.stdout);
        outcome
    })
}

fn as_lines(json: &str) -> String {
    let Ok(serde_json::Value::Object(answer)) = serde_json::from_str(json) else {
        return format!("not one JSON object: {json}\n");
    };
    let lines = answer.iter().map(|(key, value)| match value {
        serde_json::Value::String(text) => format!("{key}: {text}\n"),
        other => format!("{key}: {other}\n"),
    });
    lines.collect()
}

/// Builds the programs as `cargo test --workspace` does, so that they are compiled once for both.
fn build() {
    let mut cargo = Command::new(env!("CARGO"));
    // What Cargo says to a test about its package would make build scripts run again.
    for (name, _) in
        env::vars().filter(|(name, _)| TOLD_BY_CARGO.iter().any(|start| name.starts_with(start)))
    {
        cargo.env_remove(name);
    }
    // All packages: with other packages selected, Cargo would unify other features and compile everything again.
    cargo.args([
        "build",
        "--quiet",
        "--workspace",
        "--bin",
        "dc-signer",
        "--bin",
        "home-router",
        "--bin",
        "test-client",
        "--bin",
        "test-server",
        "--example",
        "server",
        "--example",
        "client",
        "--example",
        "hyper_server",
        "--example",
        "hyper_client",
        "--example",
        "ureq_client",
        "--example",
        "axum_server",
        "--example",
        "cloud_service",
        "--example",
        "dns_client",
    ]);
    cargo.arg("--target-dir").arg(setup::target());
    cargo.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    // The folder `debug` belongs to the profile `dev`, which is the default.
    if let Some(profile) = setup::profile().file_name().filter(|name| *name != "debug") {
        cargo.arg("--profile").arg(profile);
    }
    // Not captured, so that compiler errors show.
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{cargo:?} ended with {status}"),
        Err(error) => panic!("{cargo:?}: {error}"),
    }
}

/// The folder of our programs, built when the first one is asked for.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    build();
    setup::profile()
});

const TOLD_BY_CARGO: [&str; 5] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_",
    "CARGO_PRIMARY_",
];
