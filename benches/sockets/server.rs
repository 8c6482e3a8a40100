//! The servers that are compared: they differ in TLS alone, and are as BoringSSL's in `tests/boring`.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use clap::ValueEnum;
use dc_rustls::server::{Acceptor, Identity, Store};
use dc_tests::vendor::provider;
use pki_types::pem::PemObject;
use pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

/// What a server is made of.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// rustls as it comes, with the delegation certificate's key.
    Stock,
    /// This project's acceptor with a credential, and the certificate as fallback.
    Ours,
    /// The same two over tokio.
    StockTokio,
    OursTokio,
}

/// Serves for ever, with the files of `folder`.
pub(crate) fn serve(kind: Kind, folder: &Path) {
    match kind {
        Kind::Stock => {
            let config = stock(folder);
            blocking(move |tcp| {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                answer(StreamOwned::new(connection, tcp))
            });
        }
        Kind::Ours => {
            let acceptor = ours(folder);
            blocking(move |tcp| answer(acceptor.accept(tcp).map_err(io::Error::other)?));
        }
        Kind::StockTokio | Kind::OursTokio => tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_io()
            .build()
            .unwrap()
            .block_on(asynchronous(kind, folder)),
    }
}

fn blocking(answer: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static) {
    for tcp in TcpListener::bind("127.0.0.1:0").unwrap().incoming() {
        let answer = answer.clone();
        thread::spawn(move || println!("{:?}", answer(tcp.unwrap())));
    }
}

async fn asynchronous(kind: Kind, folder: &Path) {
    let (ours, stock) = (ours(folder), TlsAcceptor::from(stock(folder)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (ours, stock) = (ours.clone(), stock.clone());
        tokio::spawn(async move {
            let answered = match kind {
                Kind::OursTokio => answer_async(ours.accept_async(tcp).await.unwrap()).await,
                _ => answer_async(stock.accept(tcp).await.unwrap()).await,
            };
            println!("{answered:?}");
        });
    }
}

fn ours(folder: &Path) -> Acceptor {
    let store = Store::new(provider());
    store.install(Identity::load(folder).unwrap()).unwrap();
    Acceptor::new(store).fallback(stock(folder))
}

fn stock(folder: &Path) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(folder.join("chain.pem"))
        .and_then(Iterator::collect)
        .unwrap();
    let key = fs::read(folder.join("certificate.key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(&key).unwrap())
        .unwrap();
    Arc::new(config)
}

fn answer(mut tls: impl Read + Write) -> io::Result<()> {
    let mut request = [0; 4096];
    if tls.read(&mut request)? > 0 {
        tls.write_all(REPLY)?;
        tls.flush()?;
    }
    // Until the client has closed: a reset would take the reply from it.
    while tls.read(&mut request).is_ok_and(|length| length > 0) {}
    Ok(())
}

async fn answer_async(mut tls: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut request = [0; 4096];
    if tls.read(&mut request).await? > 0 {
        tls.write_all(REPLY).await?;
        tls.flush().await?;
    }
    while tls.read(&mut request).await.is_ok_and(|length| length > 0) {}
    Ok(())
}

/// As long as BoringSSL's.
pub(crate) const REPLY: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\nConnection: close\r\n\r\nsocketssl\n";
