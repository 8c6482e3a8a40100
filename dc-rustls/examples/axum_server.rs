//! An axum application on a device, whose handlers know what each client was served with.
//!
//! Handshakes happen beside `axum::serve`, so that a client that takes its time keeps nobody waiting.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::connect_info::Connected;
use axum::routing::get;
use axum::serve::{IncomingStream, Listener};
use clap::Parser;
use dc_rustls::server::{Acceptor, AsyncStream, Identity, Served, Settings, Store};
use rustls::crypto::ring;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

#[derive(Parser)]
#[command(about = "Serves an axum application with a delegated credential")]
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
            eprintln!("axum_server: {error}");
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
    let tcp = TcpListener::bind(&args.listen).await.map_err(|error| {
        format!(
            "cannot listen on {}: {error}; give another --listen",
            args.listen
        )
    })?;
    println!("listening on {}", tcp.local_addr()?);
    let listener = TlsListener::new(Acceptor::new(store), tcp)?;
    let app = Router::new()
        .route("/", get(who))
        .into_make_service_with_connect_info::<Client>();
    axum::serve(listener, app).await?;
    Ok(())
}

async fn who(ConnectInfo(client): ConnectInfo<Client>) -> String {
    let served = match client.served {
        Served::Delegated {
            unique_name: Some(name),
            ..
        } => format!("a credential for {name}"),
        _ => "an RFC 9345 credential".to_owned(),
    };
    format!("{} is served with {served}\n", client.address)
}

/// The connection of a request, as handlers get to know it.
#[derive(Clone)]
struct Client {
    address: SocketAddr,
    served: Served,
}

impl Connected<IncomingStream<'_, TlsListener>> for Client {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self {
            address: *stream.remote_addr(),
            served: stream.io().served().clone(),
        }
    }
}

/// Connections whose handshakes are over.
struct TlsListener {
    address: SocketAddr,
    ready: Receiver<(AsyncStream<TcpStream>, SocketAddr)>,
}

impl TlsListener {
    fn new(acceptor: Acceptor, tcp: TcpListener) -> io::Result<Self> {
        let address = tcp.local_addr()?;
        let (send, ready) = channel(1);
        tokio::spawn(accept_all(acceptor, tcp, send));
        Ok(Self { address, ready })
    }
}

impl Listener for TlsListener {
    type Io = AsyncStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.ready.recv().await {
            Some(connection) => connection,
            // Only when the runtime ends does nobody accept any more.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept_all(
    acceptor: Acceptor,
    mut tcp: TcpListener,
    ready: Sender<(AsyncStream<TcpStream>, SocketAddr)>,
) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    while let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await {
        // axum's own: it waits when there are too many files, rather than give up.
        let (tcp, address) = Listener::accept(&mut tcp).await;
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            match timeout(TIMEOUT, acceptor.accept_async(tcp)).await {
                Ok(Ok(tls)) => drop(ready.send((tls, address)).await),
                Ok(Err(error)) => eprintln!("{address} not served: {error}"),
                Err(_) => eprintln!("{address} not served: the handshake took too long"),
            }
            drop(permit);
        });
    }
}

const RELOAD: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_HANDSHAKES: usize = 64;
