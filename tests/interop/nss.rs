//! NSS: the client `tstclnt`, and our server on its library. Firefox is the same code.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    handshake::{Client, Expect},
    lab::{self, Served},
    process::{Outcome, Server, run, run_ok},
    setup,
};

const SERVER: &str = "NSS server";

/// What our NSS server says when the client has sent this alert.
pub(crate) const ILLEGAL_PARAMETER: &str = "SSL_ERROR_ILLEGAL_PARAMETER_ALERT";

/// tstclnt has verified a credential and got a reply.
pub(crate) fn used<'a>() -> Expect<'a> {
    Expect::exit(0).client(USED).client("200 OK")
}

/// tstclnt has accepted a certificate and got a reply.
pub(crate) fn not_used<'a>() -> Expect<'a> {
    Expect::exit(0).client_not(USED).client("200 OK")
}

/// tstclnt has failed with this error.
pub(crate) fn refused(error: &str) -> Expect<'_> {
    Expect::exit(254).client(error)
}

/// Whether tstclnt says that it has used a credential.
pub(crate) fn says_used(outcome: &Outcome) -> bool {
    outcome.stdout.contains(USED) || outcome.stderr.contains(USED)
}

pub(crate) fn version() -> String {
    run_ok(Command::new(setup::cache().join("nss_server")).arg("version"))
        .trim()
        .to_owned()
}

/// Makes a certificate database that trusts these roots. The request that `tstclnt` sends lies in the same folder.
pub(crate) fn make_database(folder: &Path, roots: &[PathBuf]) {
    lab::create(folder);
    lab::write(
        &folder.join(REQUEST),
        "GET / HTTP/1.0\r\nConnection: close\r\n\r\n",
    );
    let certutil = |arguments: &[&str]| {
        let mut command = Command::new("certutil");
        command
            .arg("-d")
            .arg(format!("sql:{}", folder.display()))
            .args(arguments);
        command
    };
    run_ok(&mut certutil(&["-N", "--empty-password"]));
    for (number, root) in roots.iter().enumerate() {
        run_ok(certutil(&["-A", "-n", &format!("root {number}"), "-t", "C,,", "-i"]).arg(root));
    }
}

/// Does one handshake and a request; `-B` among the arguments offers credentials.
pub(crate) fn client<'a>(database: &Path, name: &'a str, arguments: &'a [&'a str]) -> Client<'a> {
    let request = database.join(REQUEST);
    let database = format!("sql:{}", database.display());
    Client::new("NSS tstclnt", move |port| {
        run(Command::new("tstclnt")
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &port.to_string(),
                "-d",
                &database,
                "-v",
            ])
            // The name to ask for and to verify.
            .args(["-a", name])
            .arg("-A")
            .arg(&request)
            .args(arguments))
    })
}

/// A server that sends this credential, unchecked, to whoever offers its scheme.
pub(crate) fn server(served: &Served) -> Server {
    Server::start(SERVER, &mut serve(served, &[]))
}

/// The same with Encrypted ClientHello under this public name, and the ECHConfigList that it made for itself.
pub(crate) fn ech_server(
    served: &Served,
    arguments: &[&str],
    public_name: &str,
) -> (Server, Vec<u8>) {
    let arguments = [arguments, &["--ech", public_name]].concat();
    let server = Server::start(SERVER, &mut serve(served, &arguments));
    let list = server.read(0, |said| {
        let (_, digits) = said.split_once("ECHConfigList ")?;
        let (digits, _) = digits.split_once('\n')?;
        let pairs = digits.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        pairs.map(byte).collect()
    });
    let list = list.unwrap_or_else(|| panic!("no ECHConfigList in:\n{}", server.text()));
    (server, list)
}

/// A server that sends this credential, or nothing if NSS cannot use these keys.
pub(crate) fn try_server(served: &Served, arguments: &[&str]) -> Option<Server> {
    Server::try_start(SERVER, &mut serve(served, arguments)).ok()
}

fn serve(served: &Served, arguments: &[&str]) -> Command {
    let mut command = Command::new(setup::cache().join("nss_server"));
    command.arg("serve").args(arguments).args([
        &served.chain,
        &served.key,
        &served.credential,
        &served.credential_key,
    ]);
    command
}

/// A server without any credential.
pub(crate) fn plain_server(chain: &Path, key: &Path) -> Server {
    Server::start(
        SERVER,
        Command::new(setup::cache().join("nss_server"))
            .arg("serve")
            .args([chain, key]),
    )
}

const REQUEST: &str = "request.http";
const USED: &str = "Received a Delegated Credential";
