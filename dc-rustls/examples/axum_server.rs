//! An axum application on a device, whose handlers know what each client was served with.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use clap::Parser;
use dc_rustls::server::{Accepted, Acceptor, Listener, Settings};
use rustls::crypto::ring;

/// Serves an axum application with a delegated credential.
#[derive(Parser)]
struct Args {
    /// Folder with chain.pem, credential.pem and key.pem.
    #[arg(long, value_name = "DIR")]
    identity: PathBuf,
    /// Where to listen, for example 127.0.0.1:4433; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    listen: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let settings = Settings::new(Arc::new(ring::default_provider()))
        .alpn_protocols([b"h2".to_vec(), b"http/1.1".to_vec()]);
    let acceptor = Acceptor::follow_with(args.identity, settings, |news| match news {
        Ok(()) => eprintln!("serving the identity that is in the folder now"),
        Err(error) => eprintln!("nothing new to serve: {error}"),
    })?;
    let listener = Listener::bind(args.listen, acceptor).await?;
    println!("listening on {}", listener.local_addr());
    let app = Router::new()
        .route("/", get(who))
        .into_make_service_with_connect_info::<Accepted>();
    axum::serve(listener, app).await?;
    Ok(())
}

async fn who(ConnectInfo(client): ConnectInfo<Accepted>) -> String {
    format!("{} is served with {}\n", client.address, client.served)
}
