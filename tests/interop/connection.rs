//! Our client, which requires a device's name, and HTTP in both versions over its connections.

use std::{path::Path, sync::Arc};

use dc_rustls::{
    Error,
    client::{AsyncStream, Config},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Bytes,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;

/// A connection to a port on loopback, which has proved the name.
pub(crate) async fn connect(
    port: u16,
    root: &Path,
    name: &str,
    alpn: &str,
) -> Result<AsyncStream<TcpStream>, Error> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(root).unwrap())
        .unwrap();
    let config = Config::builder(Arc::new(ring::default_provider()))
        .roots(roots)
        .alpn_protocols([alpn.as_bytes().to_vec()])
        .build()?;
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    config.connect_async(name, tcp).await
}

/// Sends one request over a connection, in the version of HTTP that was agreed on.
pub(crate) async fn send(
    tls: AsyncStream<TcpStream>,
    request: Request<Full<Bytes>>,
) -> Response<Bytes> {
    let h2 = tls.connection().alpn_protocol() == Some(b"h2");
    let io = TokioIo::new(tls);
    let response = if h2 {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    };
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Response::from_parts(head, body)
}
