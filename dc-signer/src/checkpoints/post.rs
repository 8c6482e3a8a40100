//! One POST over HTTPS: a connection for each, its certificate checked, all of it within some seconds and some bytes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{HeaderValue, Request, StatusCode, Uri};
use dc_pki::trust::read_roots;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use pki_types::ServerName;
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::Error;
use crate::config::Server;

/// A server, and how it is reached.
pub(super) struct Post {
    host: String,
    port: u16,
    authority: String,
    path: String,
    name: ServerName<'static>,
    tls: TlsConnector,
    token: Option<HeaderValue>,
}

/// The answer to a POST.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: String,
}

impl Answer {
    /// In words that a log can have: the first line of what the server says, without control characters.
    pub(super) fn refusal(&self) -> String {
        let line = self.body.lines().next().unwrap_or_default();
        let line: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
        match line.is_empty() {
            true => format!("it answered {}", self.status),
            false => format!("it answered {}: {line}", self.status),
        }
    }
}

/// A failure to get an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("it cannot be reached: {0}")]
    Connect(std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("its answer is too long or breaks off")]
    Body,
    #[error("no answer within {} s", PATIENCE.as_secs())]
    TooLate,
}

impl Post {
    /// For a server of the configuration, with something behind its path.
    pub(super) fn open(
        server: &Server,
        behind: &str,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let bad = || Error::Url {
            url: server.url.clone(),
        };
        let uri: Uri = server.url.parse().map_err(|_| bad())?;
        let authority = uri.authority().ok_or_else(bad)?.to_string();
        let host = uri.host().ok_or_else(bad)?.trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| bad())?;
        let tls = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|source| Error::Tls { source })?
            .with_root_certificates(read_roots(&server.roots)?)
            .with_no_client_auth();
        let path = match behind {
            "" => uri.path().to_owned(),
            _ => format!("{}{behind}", uri.path().trim_end_matches('/')),
        };
        Ok(Self {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(443),
            authority,
            path,
            name,
            tls: Arc::new(tls).into(),
            token: server.token.as_deref().map(token).transpose()?,
        })
    }

    /// Sends a text; fails with [`NoAnswer`].
    pub(super) async fn send(&self, body: String) -> Result<Answer, NoAnswer> {
        let answered = timeout(PATIENCE, self.exchange(body)).await;
        answered.unwrap_or(Err(NoAnswer::TooLate))
    }

    async fn exchange(&self, body: String) -> Result<Answer, NoAnswer> {
        let tcp = TcpStream::connect((&*self.host, self.port)).await;
        let tcp = tcp.map_err(NoAnswer::Connect)?;
        let stream = self.tls.connect(self.name.clone(), tcp).await;
        let stream = stream.map_err(NoAnswer::Connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let answer = self.ask(&mut sender, body).await;
        connection.abort();
        answer
    }

    async fn ask(
        &self,
        sender: &mut http1::SendRequest<Full<Bytes>>,
        body: String,
    ) -> Result<Answer, NoAnswer> {
        let mut request = Request::post(&self.path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .header(USER_AGENT, concat!("dc-signer/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Full::from(body)).map_err(|_| NoAnswer::Body)?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await;
        let body = body.map_err(|_| NoAnswer::Body)?.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status, body })
    }
}

/// The header that a token makes.
fn token(path: &std::path::Path) -> Result<HeaderValue, Error> {
    let bytes = dc_pki::files::read(path)?;
    let text = Zeroizing::new([b"Bearer ", bytes.trim_ascii()].concat());
    let mut value = HeaderValue::from_bytes(&text).map_err(|_| {
        let source = std::io::Error::from(std::io::ErrorKind::InvalidData);
        dc_pki::files::read_failed(path, source)
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl std::fmt::Debug for Post {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Post")
            .field("authority", &self.authority)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const MAX_ANSWER: usize = 64 * 1024;
