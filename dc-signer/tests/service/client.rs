//! An HTTPS client that shows all of what comes back, and can misbehave.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use pki_types::pem::PemObject;
use pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Makes connections to one service.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) port: u16,
    pub(crate) config: Arc<ClientConfig>,
    token: Option<String>,
    /// The address of this machine that it comes from.
    from: Ipv4Addr,
}

/// The answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Client {
    /// Without a certificate and a token.
    pub(crate) fn new(port: u16, root: &std::path::Path) -> Self {
        Self::with(port, root, None)
    }

    /// With a client certificate and its key.
    pub(crate) fn with(
        port: u16,
        root: &std::path::Path,
        identity: Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>,
    ) -> Self {
        let identity = identity.map(|(certificate, key)| (vec![certificate], key));
        Self::with_chain(port, root, identity)
    }

    /// With a whole chain of client certificates.
    pub(crate) fn with_chain(
        port: u16,
        root: &std::path::Path,
        identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(root).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        };
        Self {
            port,
            config: config.into(),
            token: None,
            from: Ipv4Addr::LOCALHOST,
        }
    }

    /// The same from another address: all that begin with 127 are this machine.
    pub(crate) fn from(mut self, host: u8) -> Self {
        self.from = Ipv4Addr::new(127, 0, 0, host);
        self
    }

    pub(crate) fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// A connection that says nothing; a service with too many may reset it at once.
    pub(crate) fn tcp(&self) -> std::io::Result<TcpStream> {
        let tcp = connect(self.from, self.port)?;
        tcp.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(tcp)
    }

    /// A connection over which nothing has been sent yet but the handshake, which may have failed.
    pub(crate) fn tls(&self) -> std::io::Result<Tls> {
        self.tls_behind(b"")
    }

    /// The same behind something else that is sent first.
    pub(crate) fn tls_behind(&self, first: &[u8]) -> std::io::Result<Tls> {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(self.config.clone(), name).unwrap();
        let mut tcp = self.tcp()?;
        tcp.write_all(first)?;
        let mut tls = StreamOwned::new(connection, tcp);
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock)?;
        }
        Ok(tls)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, json: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.request("POST", path, &headers, json.to_string().as_bytes())
    }

    /// The same for a reason.
    pub(crate) fn act(&self, path: &str, json: &Value) -> Answer {
        let mut json = json.clone();
        json["reason"] = "a test".into();
        self.post(path, &json)
    }

    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.try_request(method, path, headers, body).unwrap()
    }

    /// The same of a service that may not be there.
    pub(crate) fn try_get(&self, path: &str) -> std::io::Result<Answer> {
        self.try_request("GET", path, &[], b"")
    }

    pub(crate) fn try_post(&self, path: &str, json: &Value) -> std::io::Result<Answer> {
        let headers = [("content-type", "application/json")];
        self.try_request("POST", path, &headers, json.to_string().as_bytes())
    }

    fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut tls = self.tls()?;
        let mut head = self.head(method, path);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        // Whoever is refused early may not have read everything.
        let _ = tls
            .write_all(head.as_bytes())
            .and_then(|()| tls.write_all(body))
            .and_then(|()| tls.flush());
        Ok(read(&mut tls))
    }

    /// Gets what is no text: the head in lower case, and the body.
    pub(crate) fn download(&self, path: &str, headers: &[(&str, &str)]) -> (String, Vec<u8>) {
        let mut tls = self.tls().unwrap();
        let mut head = self.head("GET", path);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        tls.write_all(head.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        // An end without close_notify is an end too.
        let _ = tls.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let body = bytes.split_off(end.unwrap() + 4);
        let head = String::from_utf8(bytes).unwrap();
        (head.to_ascii_lowercase(), body)
    }

    /// The beginning of a head, without its end.
    pub(crate) fn head(&self, method: &str, path: &str) -> String {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        if let Some(token) = &self.token {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        head
    }
}

/// std cannot say where a connection comes from.
fn connect(from: Ipv4Addr, port: u16) -> std::io::Result<TcpStream> {
    if from == Ipv4Addr::LOCALHOST {
        return TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let tcp = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        let tcp = socket.connect((Ipv4Addr::LOCALHOST, port).into()).await?;
        tcp.into_std()
    })?;
    tcp.set_nonblocking(false)?;
    Ok(tcp)
}

/// Reads an answer up to the end of the connection.
pub(crate) fn read(tls: &mut Tls) -> Answer {
    let mut bytes = Vec::new();
    // An end without close_notify is an end too.
    let _ = tls.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        head: head.to_ascii_lowercase(),
        body: match head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked")
        {
            true => unchunk(body),
            false => body.to_owned(),
        },
    }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        whole.push_str(&rest[..length]);
        body = &rest[length + 2..];
    }
    whole
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The JSON of a success.
    pub(crate) fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        self.json()
    }

    /// A problem of this kind, as RFC 9457 has it, with words that help.
    pub(crate) fn refused(&self, status: u16, kind: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(
            problem["type"],
            format!("urn:dc-signer:problem:{kind}"),
            "{self:?}"
        );
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().unwrap().len() > 10, "{self:?}");
        let id = problem["request_id"].as_str().unwrap();
        assert!(
            self.head.contains(&format!("x-request-id: {id}")),
            "{self:?}"
        );
        problem
    }
}
