//! Our server behind the command line of BoringSSL's test runner ("BoGo").
//!
//! The runner starts this program, which connects to it, and plays the client. See the README.

mod options;
mod server;
mod signer;

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::process::ExitCode;

use dc_rustls::Error;
use dc_rustls::server::Stream;
use rustls::PeerIncompatible;

use options::Options;
use server::Server;

/// Why the test did not pass.
#[derive(Debug)]
enum Failure {
    /// With the runner's name for it between colons, if there is one.
    Failed(String),
    /// The runner skips what is not implemented.
    Unimplemented(String),
}

impl Failure {
    fn because(error: impl Display) -> Self {
        Self::Failed(error.to_string())
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .iter()
        .any(|flag| flag == "-is-handshaker-supported")
    {
        println!("No");
        return ExitCode::SUCCESS;
    }
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(reason)) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
        Err(Failure::Unimplemented(what)) => {
            eprintln!("not implemented: {what}");
            ExitCode::from(UNIMPLEMENTED)
        }
    }
}

fn run(arguments: Vec<String>) -> Result<(), Failure> {
    let options = Options::parse(arguments.into_iter())?;
    let server = Server::new(&options)?;
    for _ in 0..=options.resume_count {
        serve(&options, &server)?;
    }
    Ok(())
}

/// One connection.
fn serve(options: &Options, server: &Server) -> Result<(), Failure> {
    let tcp = connect(options).map_err(Failure::because)?;
    let mut tls = server.acceptor.accept(tcp).map_err(explain)?;
    check(options, server, &tls)?;
    exchange(options, &mut tls)
}

/// The runner tells connections apart by what comes first.
fn connect(options: &Options) -> io::Result<TcpStream> {
    let mut tcp = match options.ipv6 {
        true => TcpStream::connect((Ipv6Addr::LOCALHOST, options.port)),
        false => TcpStream::connect((Ipv4Addr::LOCALHOST, options.port)),
    }?;
    tcp.set_nodelay(true)?;
    tcp.write_all(&options.shim_id.to_le_bytes())?;
    Ok(tcp)
}

fn explain(error: Error) -> Failure {
    match error {
        // The second is what rustls misses first in an old hello.
        Error::Tls(rustls::Error::PeerIncompatible(
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired,
        )) => Failure::Unimplemented("TLS below 1.2".to_owned()),
        error => Failure::because(error),
    }
}

fn check(options: &Options, server: &Server, tls: &Stream<TcpStream>) -> Result<(), Failure> {
    let version = tls.connection().protocol_version().map(u16::from);
    if options
        .expect_version
        .is_some_and(|wanted| Some(wanted) != version)
    {
        return Err(Failure::Failed(format!("the version is {version:x?}")));
    }
    match (options.expect_selected_credential, server.selected()) {
        (Some(wanted), Some(selected)) if wanted != selected => Err(Failure::Failed(format!(
            "credential {selected} was selected, not {wanted}"
        ))),
        (Some(wanted), None) => Err(Failure::Failed(format!(
            "no credential was selected, not even {wanted}"
        ))),
        _ => Ok(()),
    }
}

/// Sends back everything inverted, until the runner has had enough.
fn exchange(options: &Options, tls: &mut Stream<TcpStream>) -> Result<(), Failure> {
    if options.shim_writes_first {
        tls.write_all(b"hello").map_err(Failure::because)?;
    }
    let mut buffer = [0; 16 * 1024];
    loop {
        tls.flush().map_err(Failure::because)?;
        let read = match tls.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error)
                if error.kind() == io::ErrorKind::UnexpectedEof && !options.check_close_notify =>
            {
                return Ok(());
            }
            Err(error) => return Err(Failure::because(error)),
        };
        let bytes = buffer.get_mut(..read).unwrap_or_default();
        bytes.iter_mut().for_each(|byte| *byte ^= 0xff);
        tls.write_all(bytes).map_err(Failure::because)?;
        if options.shim_shuts_down {
            break;
        }
    }
    tls.connection_mut().send_close_notify();
    // The runner may be gone.
    let _ = tls.flush();
    Ok(())
}

/// What the runner takes for "not implemented".
const UNIMPLEMENTED: u8 = 89;
