//! What dc-terminator is compared with: stock rustls with an ordinary certificate, before the same server.

use std::error::Error;
use std::sync::Arc;

use pki_types::pem::PemObject;
use pki_types::{CertificateDer, PrivateKeyDer};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Chain, key, and the address of the server behind.
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [chain, key, backend] = arguments.as_slice() else {
        return Err("give chain, key and backend".into());
    };
    let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        loop {
            let (tcp, _) = listener.accept().await?;
            let (acceptor, backend) = (acceptor.clone(), backend.clone());
            tokio::spawn(async move {
                if let Err(error) = pass(&acceptor, tcp, &backend).await {
                    eprintln!("{error}");
                }
            });
        }
    })
}

async fn pass(acceptor: &TlsAcceptor, tcp: TcpStream, backend: &str) -> std::io::Result<()> {
    tcp.set_nodelay(true)?;
    let mut tls = acceptor.accept(tcp).await?;
    let mut plain = TcpStream::connect(backend).await?;
    plain.set_nodelay(true)?;
    copy_bidirectional(&mut tls, &mut plain).await?;
    Ok(())
}
