//! An HTTPS client: connects to a device, and says who answered and what.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, time::Duration};

use clap::Parser;
use dc_core::pem;
use dc_rustls::client::{Config, Peer};
use rustls::pki_types::ServerName;
use rustls::{RootCertStore, crypto::ring};

/// Connects to a device, which has to prove its name.
#[derive(Parser)]
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
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(&fs::read(args.root)?)? {
        roots.add(certificate)?;
    }
    let tls = Config::builder(Arc::new(ring::default_provider()))
        .roots(roots)
        .build()?;
    let tcp = TcpStream::connect(args.connect)?;
    // The request need not wait until the server has acknowledged the end of the handshake.
    tcp.set_nodelay(true)?;
    tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut stream = tls.connect(ServerName::try_from(args.name.clone())?, tcp)?;
    if let Peer::Delegated {
        unique_name: Some(name),
        scheme,
        ..
    } = stream.peer()
    {
        println!("connected to {name}, whose key is {scheme}");
    }
    // One buffer is one record; a server may answer the first and close.
    stream.write_all(format!("GET / HTTP/1.0\r\nHost: {}\r\n\r\n", args.name).as_bytes())?;
    let mut reply = String::new();
    stream.take(1 << 20).read_to_string(&mut reply)?;
    print!("{reply}");
    Ok(())
}
