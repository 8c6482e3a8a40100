//! A cloud service that knows devices by the credentials that they present as clients (RFC 9345 §4.1.2).

use std::{error::Error, fs, path::PathBuf, sync::Arc};

use axum::extract::ConnectInfo;
use axum::{Router, http::StatusCode, routing::get};
use clap::Parser;
use dc_core::pem;
use dc_rustls::client::Peer;
use dc_rustls::server::{Accepted, Acceptor, ClientCredentials, Listener, Settings, Store};
use rustls::{RootCertStore, ServerConfig, crypto::ring};

/// Serves devices of a vendor, and nobody else.
#[derive(Parser)]
struct Args {
    /// Folder with the chain.pem and key.pem of the service, which has an ordinary certificate.
    #[arg(long, value_name = "DIR")]
    identity: PathBuf,
    /// PEM file with the root certificates of the vendor's delegation certificates.
    #[arg(long, value_name = "FILE")]
    devices: PathBuf,
    /// Where to listen, for example 127.0.0.1:4434; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    listen: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(pem::certificates(&fs::read(args.devices)?)?);
    // A credential with a unique name is required, unless the policy is told otherwise.
    let devices = ClientCredentials::roots(&provider, roots)?;
    let settings = Settings::new(provider.clone()).client_credentials(devices)?;
    let chain = pem::certificates(&fs::read(args.identity.join("chain.pem"))?)?;
    let key = pem::private_key(&fs::read(args.identity.join("key.pem"))?)?;
    let own = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let acceptor = Acceptor::new(Store::with_settings(settings)).fallback(Arc::new(own));
    let listener = Listener::bind(args.listen, acceptor).await?;
    println!("listening on {}", listener.local_addr());
    let app = Router::new().route("/", get(who));
    axum::serve(
        listener,
        app.into_make_service_with_connect_info::<Accepted>(),
    )
    .await?;
    Ok(())
}

async fn who(ConnectInfo(client): ConnectInfo<Accepted>) -> Result<String, StatusCode> {
    let name = client.peer.as_deref().and_then(Peer::unique_name);
    let name = name.ok_or(StatusCode::FORBIDDEN)?;
    Ok(format!("you are {name}\n"))
}
