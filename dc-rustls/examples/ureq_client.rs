//! An agent of ureq, which gets a device's page without a runtime.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use dc_core::pem;
use dc_rustls::client::{Config, UreqConnector};
use rustls::{RootCertStore, crypto::ring};

/// Gets a page of a device, which has to prove its name.
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
    connect: SocketAddr,
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
    // `agent()` would look the name up.
    let agent = UreqConnector::new(tls).agent_at(args.connect);
    let response = agent.get(format!("https://{}/", args.name)).call()?;
    print!("{}", response.into_body().read_to_string()?);
    Ok(())
}
