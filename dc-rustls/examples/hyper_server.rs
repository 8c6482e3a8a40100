//! HTTP/1.1 and HTTP/2 with hyper, on a device: each connection speaks what its client chose with ALPN.
//!
//! Serves the credential of an identity folder, follows the folder as it is renewed, and answers any request with
//! one line.

use std::convert::Infallible;
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use dc_rustls::server::{Acceptor, AsyncStream, Identity, Served, Settings, Store};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::crypto::ring;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

#[derive(Parser)]
#[command(about = "Serves HTTP/1.1 and HTTP/2 with a delegated credential, using hyper")]
struct Args {
    /// Folder with chain.pem, credential.pem and key.pem.
    #[arg(long, value_name = "DIR")]
    identity: PathBuf,
    /// Where to listen, for example 127.0.0.1:4433; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    listen: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hyper_server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(args: Args) -> Result<(), Box<dyn Error>> {
    let settings = Settings::new(Arc::new(ring::default_provider()))
        .alpn_protocols([b"h2".to_vec(), b"http/1.1".to_vec()]);
    let store = Store::with_settings(settings);
    store.install(Identity::load(&args.identity)?)?;
    let _watch = store.watch(&args.identity, RELOAD, |news| match news {
        Ok(()) => eprintln!("serving the identity that is in the folder now"),
        Err(error) => eprintln!("kept the old identity: {error}"),
    })?;
    let acceptor = Acceptor::new(store);
    let listener = TcpListener::bind(&args.listen).await.map_err(|error| {
        format!(
            "cannot listen on {}: {error}; give another --listen",
            args.listen
        )
    })?;
    println!("listening on {}", listener.local_addr()?);
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(permit) = Arc::clone(&connections).acquire_owned().await {
        match listener.accept().await {
            Ok((tcp, _)) => {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    connection(acceptor, tcp).await;
                    drop(permit);
                });
            }
            // That one connection was lost, or too many are open, is no reason to stop.
            Err(error) => {
                eprintln!("not accepted: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    Ok(())
}

async fn connection(acceptor: Acceptor, tcp: TcpStream) {
    let tls = match timeout(TIMEOUT, acceptor.accept_async(tcp)).await {
        Ok(Ok(tls)) => tls,
        Ok(Err(error)) => return eprintln!("not served: {error}"),
        Err(_) => return eprintln!("not served: the handshake took too long"),
    };
    let text = describe(&tls);
    let answer = service_fn(|_: Request<Incoming>| {
        let body = text.clone();
        async { Ok::<_, Infallible>(Response::new(body)) }
    });
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(TIMEOUT);
    if let Err(error) = http.serve_connection(TokioIo::new(tls), answer).await {
        eprintln!("connection lost: {error}");
    }
}

fn describe(tls: &AsyncStream<TcpStream>) -> String {
    match tls.served() {
        Served::Delegated {
            unique_name: Some(name),
            ..
        } => format!("served with a credential for {name}\n"),
        _ => "served with an RFC 9345 credential\n".to_owned(),
    }
}

const RELOAD: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);
const MAX_CONNECTIONS: usize = 256;
