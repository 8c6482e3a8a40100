//! An HTTPS client: connects to a device, and says who answered and what.
//!
//! Exit status: 0 accepted with a credential, 3 accepted with a plain certificate, 1 refused,
//! 2 wrong usage.

use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::{Parser, ValueEnum};
use dc_core::pem;
use dc_rustls::client::{Config, NamePolicy, Peer, Stream};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};

#[derive(Parser)]
#[command(about = "Connects to a device and verifies its delegated credential")]
#[command(
    after_help = "Exit status: 0 accepted with a credential, 3 accepted with a plain \
                        certificate, 1 refused, 2 wrong usage."
)]
struct Args {
    /// PEM file with the root certificates to trust.
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// The name of the device, for example k3v.cpe.example.com.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Where it is, for example 127.0.0.1:4433.
    #[arg(long, value_name = "ADDR")]
    connect: String,
    /// The policy for the unique name.
    #[arg(long, value_enum, default_value = "required")]
    policy: Policy,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Policy {
    /// A named credential for exactly this name, and nothing else.
    Required,
    /// A named credential, else an RFC 9345 one, else a certificate.
    Preferred,
    /// An RFC 9345 credential, else a certificate.
    Ignored,
}

impl From<Policy> for NamePolicy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Required => Self::Required,
            Policy::Preferred => Self::Preferred,
            Policy::Ignored => Self::Ignored,
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    match talk(&args) {
        Ok((peer, reply)) => {
            report(&args, &peer, &reply);
            match peer {
                Peer::Delegated { .. } => ExitCode::SUCCESS,
                _ => ExitCode::from(3),
            }
        }
        Err(error) => {
            if args.json {
                println!("{}", object(&args, None, None, Some(error.to_string())));
            }
            eprintln!("client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn talk(args: &Args) -> Result<(Peer, String), Box<dyn Error>> {
    let tls = Config::builder(Arc::new(ring::default_provider()))
        .roots(roots(&args.root)?)
        .unique_name(args.policy.into())
        .build()?;
    let name = ServerName::try_from(args.name.clone())
        .map_err(|_| format!("{} is not a host name", args.name))?;
    let tcp = connect(&args.connect)
        .map_err(|error| format!("cannot connect to {}: {error}", args.connect))?;
    let mut stream = tls.connect(name, tcp)?;
    let reply = request(&mut stream, &args.name)?;
    Ok((stream.peer().clone(), reply))
}

fn roots(path: &PathBuf) -> Result<RootCertStore, String> {
    let explain = |error: &dyn Error| format!("roots {}: {error}", path.display());
    let file = fs::read(path).map_err(|e| explain(&e))?;
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(&file).map_err(|e| explain(&e))? {
        roots.add(certificate).map_err(|e| explain(&e))?;
    }
    Ok(roots)
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in address.to_socket_addrs()? {
        result = TcpStream::connect_timeout(&address, TIMEOUT);
        if result.is_ok() {
            break;
        }
    }
    let tcp = result?;
    // The request need not wait until the server has acknowledged the end of the handshake.
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(TIMEOUT))?;
    tcp.set_write_timeout(Some(TIMEOUT))?;
    Ok(tcp)
}

fn request(stream: &mut Stream<TcpStream>, host: &str) -> io::Result<String> {
    // One buffer is one record; a server may answer the first and close.
    stream.write_all(format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes())?;
    let mut reply = Vec::new();
    match stream.take(MAX_REPLY).read_to_end(&mut reply) {
        // A server that closes without close_notify may have cut the reply, which is all we print.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
        _ => {}
    }
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

fn report(args: &Args, peer: &Peer, reply: &str) {
    if args.json {
        println!("{}", object(args, Some(peer), Some(reply), None));
        return;
    }
    match peer {
        Peer::Delegated {
            form,
            unique_name,
            expires,
            scheme,
            ..
        } => {
            let name = unique_name.as_ref().map_or("none", |name| name.as_str());
            println!("peer         a device with a delegated credential");
            println!("form         {form}");
            println!("unique name  {name}");
            println!("key          {scheme}");
            println!("expires      in {}", remaining(expires.as_secs()));
        }
        _ => println!("peer         a server with a plain certificate"),
    }
    println!("reply        {}", reply.lines().last().unwrap_or("nothing"));
}

fn object(args: &Args, peer: Option<&Peer>, reply: Option<&str>, error: Option<String>) -> Value {
    let mut object = json!({
        "name": args.name,
        "peer": match peer {
            Some(Peer::Delegated { .. }) => Some("delegated"),
            Some(_) => Some("certificate"),
            None => None,
        },
        "form": null,
        "unique_name": null,
        "expires": null,
        "reply": reply,
        "error": error,
    });
    if let Some(Peer::Delegated {
        form,
        unique_name,
        expires,
        ..
    }) = peer
    {
        object["form"] = json!(form.to_string());
        object["unique_name"] = json!(unique_name.as_ref().map(ToString::to_string));
        object["expires"] = json!(expires.as_secs());
    }
    object
}

fn remaining(expires: u64) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |now| now.as_secs());
    let minutes = expires.saturating_sub(now) / 60;
    let (days, hours) = (minutes / 1440, minutes / 60 % 24);
    format!("{days} d {hours} h {} min", minutes % 60)
}

const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_REPLY: u64 = 1 << 20;
