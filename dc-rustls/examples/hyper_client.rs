//! The client of hyper-util, which gets a device's page over HTTP/2 or HTTP/1.1.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::{error::Error, fs, sync::Arc};

use clap::Parser;
use dc_core::pem;
use dc_rustls::client::{Config, Connector, Peer};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{RootCertStore, crypto::ring};
use tokio::net::TcpStream;
use tower::service_fn;

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

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(&fs::read(args.root)?)? {
        roots.add(certificate)?;
    }
    let tls = Config::builder(Arc::new(ring::default_provider()))
        .roots(roots)
        .alpn_protocols([b"h2".to_vec(), b"http/1.1".to_vec()])
        .build()?;
    // `Connector::new(tls)` would look the name up.
    let tcp =
        service_fn(
            move |_| async move { TcpStream::connect(args.connect).await.map(TokioIo::new) },
        );
    let client =
        Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(Connector::over(tls, tcp));
    let response = client
        .get(format!("https://{}/", args.name).parse()?)
        .await?;
    println!("{:?}", response.extensions().get::<Peer>());
    let body = response.into_body().collect().await?.to_bytes();
    print!("{}", String::from_utf8_lossy(&body));
    Ok(())
}
