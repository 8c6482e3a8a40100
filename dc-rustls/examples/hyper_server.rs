//! HTTP/1.1 and HTTP/2 with hyper, on a device: each connection speaks what its client chose with ALPN.

use std::convert::Infallible;
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use dc_rustls::server::{Acceptor, Listener, Settings};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::crypto::ring;

/// Serves HTTP/1.1 and HTTP/2 with a delegated credential, using hyper.
#[derive(Parser)]
struct Args {
    /// Folder with chain.pem, credential.pem and key.pem, which is followed as it is renewed.
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
    let mut listener = Listener::bind(args.listen, acceptor).await?;
    println!("listening on {}", listener.local_addr());
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .half_close(true)
        .header_read_timeout(Duration::from_secs(10));
    while let Some((tls, address)) = listener.accept().await {
        let (http, text) = (http.clone(), format!("served with {}\n", tls.served()));
        tokio::spawn(async move {
            let answer = service_fn(|_: Request<Incoming>| {
                let body = text.clone();
                async { Ok::<_, Infallible>(Response::new(body)) }
            });
            if let Err(error) = http.serve_connection(TokioIo::new(tls), answer).await {
                eprintln!("{address} lost: {error}");
            }
        });
    }
    Ok(())
}
