//! HTTPS to an ACME server: every request bounded in time, every answer in length, and no roots but those of the configuration.

use std::error::Error as StdError;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER,
};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use pki_types::ServerName;
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use dc_pki::time;

/// A client of one order: it remembers when the server last wanted to be asked again.
#[derive(Clone)]
pub(super) struct Https {
    connector: TlsConnector,
    retry_after: Arc<Mutex<Option<Duration>>>,
}

impl Https {
    /// A client that trusts these roots.
    ///
    /// Fails with [`HttpsError::Tls`].
    pub(super) fn new(roots: RootCertStore) -> Result<Self, HttpsError> {
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(HttpsError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            retry_after: Arc::default(),
        })
    }

    /// The time after which the server wants to be asked again, as its last refusal said.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        *self
            .retry_after
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, HttpsError> {
        let (is_get, uri) = (request.method() == Method::GET, request.uri().clone());
        let limit = TIMEOUT;
        let response = tokio::time::timeout(limit, self.exchange(request, &uri))
            .await
            .map_err(|_| HttpsError::TooSlow {
                host: host(&uri),
                limit,
            })??;
        let (mut parts, body) = response.into_parts();
        let after = retry_after(&parts.headers, SystemTime::now());
        if parts.status.is_redirection() {
            let to = parts.headers.get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.unwrap_or_default().to_owned();
            return Err(HttpsError::Redirect { to });
        }
        if !parts.status.is_success() {
            *self
                .retry_after
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = after;
            // What is in front of a server that is down answers with a page.
            if !is_json(&parts.headers) {
                let status = parts.status.as_u16();
                return Err(HttpsError::Status {
                    host: host(&uri),
                    status,
                });
            }
        } else if is_get && after.is_none() {
            // RFC 9773 §4.3.3: without a word of the server's, six hours.
            parts
                .headers
                .insert(RETRY_AFTER, HeaderValue::from_static("21600"));
        }
        Ok(BytesResponse {
            parts,
            body: Box::new(body),
        })
    }

    async fn exchange(
        &self,
        request: Request<BodyWrapper<Bytes>>,
        uri: &Uri,
    ) -> Result<Response<Bytes>, HttpsError> {
        let stream = self.connect(uri).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let sent = sender.send_request(addressed(request, uri)?);
        // It ends with the answer: each request has a connection of its own.
        let exchange = async {
            let (parts, body) = sent.await?.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await;
            let body = body.map_err(unread)?.to_bytes();
            Ok(Response::from_parts(parts, body))
        };
        tokio::select! {
            response = exchange => response,
            Err(error) = connection => Err(error.into()),
        }
    }

    async fn connect(
        &self,
        uri: &Uri,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, HttpsError> {
        let bad = || HttpsError::BadUrl {
            url: uri.to_string(),
        };
        let bare = match uri.scheme_str() {
            Some("https") => uri.host().ok_or_else(bad)?,
            _ => return Err(bad()),
        };
        let bare = bare.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| bad())?;
        let failed = |source: io::Error| HttpsError::Connect {
            host: host(uri),
            source,
        };
        let address = (bare, uri.port_u16().unwrap_or(443));
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        self.connector.connect(name, stream).await.map_err(failed)
    }
}

impl HttpClient for Https {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let sent = self.clone().send(request);
        Box::pin(async {
            sent.await
                .map_err(|error| instant_acme::Error::Other(error.into()))
        })
    }
}

/// With its path alone, and its server in a header, as HTTP/1.1 has it.
fn addressed(
    mut request: Request<BodyWrapper<Bytes>>,
    uri: &Uri,
) -> Result<Request<BodyWrapper<Bytes>>, HttpsError> {
    let bad = || HttpsError::BadUrl {
        url: uri.to_string(),
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|_| bad())?;
    let host = HeaderValue::from_str(&host(uri)).map_err(|_| bad())?;
    request.headers_mut().insert(HOST, host);
    let close = HeaderValue::from_static("close");
    request.headers_mut().insert(CONNECTION, close);
    Ok(request)
}

fn host(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    match uri.port_u16() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.contains("json"))
}

/// Seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = Duration::from_secs(time::from_http_date(text)?);
    let now = now.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(until.saturating_sub(now))
}

fn unread(error: Box<dyn StdError + Send + Sync>) -> HttpsError {
    match error.downcast::<hyper::Error>() {
        Ok(error) => HttpsError::Http(*error),
        Err(error) if error.is::<LengthLimitError>() => HttpsError::TooLarge { max: MAX_BODY },
        Err(error) => HttpsError::Body(error),
    }
}

/// The reason that a server gave no answer of ACME.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(super) enum HttpsError {
    /// Its URL, or one that it gave, is none of HTTPS.
    #[error("{url} is no URL of HTTPS")]
    BadUrl {
        /// The URL.
        url: String,
    },
    /// The answer broke off.
    #[error("the answer broke off: {0}")]
    Body(#[source] Box<dyn StdError + Send + Sync>),
    /// It cannot be reached, or its certificate is not trusted.
    #[error("cannot connect to {host}: {source}")]
    Connect {
        /// The server.
        host: String,
        /// The reason.
        source: io::Error,
    },
    /// It speaks no HTTP.
    #[error("no answer of HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// It wants another to be asked.
    #[error(
        "it redirects to {to}, which is not followed: if that is right, have it as 'directory'"
    )]
    Redirect {
        /// The other's URL.
        to: String,
    },
    /// It answers with an error that is none of ACME.
    #[error("{host} answers with status {status}, and not as an ACME server")]
    Status {
        /// The server.
        host: String,
        /// The status of HTTP.
        status: u16,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] rustls::Error),
    /// The answer is longer than any of ACME.
    #[error("its answer is longer than {max} bytes")]
    TooLarge {
        /// The most.
        max: usize,
    },
    /// It takes too long.
    #[error("{host} did not answer within {} s", limit.as_secs())]
    TooSlow {
        /// The server.
        host: String,
        /// The time that it had.
        limit: Duration,
    },
}

/// The time that each request has, from the name's look-up to the answer's end.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A chain and a directory are far shorter.
const MAX_BODY: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_wait_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_445_412_420);
        for (text, expected) in [
            ("120", Some(120)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(60)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            let expected = expected.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn nothing_is_asked_without_tls() {
        let https = Https::new(RootCertStore::empty()).unwrap();
        for url in ["http://127.0.0.1/directory", "/directory"] {
            let request = Request::builder().uri(url).body(BodyWrapper::default());
            let error = https.clone().send(request.unwrap()).await.err().unwrap();
            assert!(matches!(error, HttpsError::BadUrl { .. }), "{error}");
        }
    }
}
