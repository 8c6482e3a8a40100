//! A device that greets over QUIC, and a client that knows it by its unique name.
//!
//!     quic serve /var/lib/dc-identity/current [::]:4433
//!     quic ask root.pem k3v.cpe.example.com 192.0.2.1:4433

use std::env;
use std::error::Error;
use std::sync::Arc;

use dc_rustls::client::Config;
use dc_rustls::quinn::{EarlyData, client, client_config, server, server_config};
use dc_rustls::server::{Acceptor, Identity, Store};
use quinn::Endpoint;
use rustls::{RootCertStore, crypto::ring::default_provider};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", identity, address] => serve(identity, address).await,
        ["ask", root, name, address] => ask(root, name, address).await,
        _ => Err("usage: quic serve IDENTITY ADDR | quic ask ROOT NAME ADDR".into()),
    }
}

async fn serve(identity: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let store = Store::new(Arc::new(default_provider()));
    store.install(Identity::load(identity)?)?;
    let config = server_config(&Acceptor::new(store), [ALPN.to_vec()], EarlyData::Never)?;
    let endpoint = Endpoint::server(config, address.parse()?)?;
    while let Some(incoming) = endpoint.accept().await {
        tokio::spawn(async move {
            let connection = incoming.await?;
            println!("{:?}", client(&connection).map(|client| client.served));
            let mut stream = connection.open_uni().await?;
            stream.write_all(b"hello over QUIC\n").await?;
            stream.finish()?;
            connection.closed().await;
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        });
    }
    Ok(())
}

async fn ask(root: &str, name: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(dc_core::pem::certificates(&std::fs::read(root)?)?);
    let tls = Config::builder(Arc::new(default_provider())).roots(roots);
    let tls = tls.alpn_protocols([ALPN.to_vec()]).build()?;
    let mut endpoint = Endpoint::client("[::]:0".parse()?)?;
    endpoint.set_default_client_config(client_config(&tls, EarlyData::Never)?);
    let connection = endpoint.connect(address.parse()?, name)?.await?;
    println!("{:?}", server(&connection).ok_or("no handshake")?.peer());
    let greeting = connection.accept_uni().await?.read_to_end(100).await?;
    print!("{}", String::from_utf8_lossy(&greeting));
    Ok(())
}

const ALPN: &[u8] = b"hello";
