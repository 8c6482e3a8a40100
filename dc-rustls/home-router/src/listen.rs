//! From a port to TLS connections: who may connect, for how long a handshake may take, and with what it is served.

use std::error::Error;
use std::fs;
use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dc_core::pem;
use dc_rustls::server::{Acceptor, AsyncStream, Store};
use rustls::ServerConfig;
use rustls::crypto::ring;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::Failure;
use crate::clients::{Admitted, Clients, Service};

/// A TLS connection whose client is known to the page for as long as this lives.
#[derive(Debug)]
pub(crate) struct Greeted {
    pub(crate) tls: AsyncStream<TcpStream>,
    pub(crate) client: Admitted,
    /// Where the client reached us.
    pub(crate) local: IpAddr,
}

/// A port that is open.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) tcp: TcpListener,
    pub(crate) acceptor: Acceptor,
    pub(crate) service: Service,
    pub(crate) clients: Clients,
}

impl Door {
    /// Accepts for ever, and hands over each connection whose handshake is over.
    pub(crate) async fn serve<F>(self, handle: impl Fn(Greeted) -> F + Clone + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        loop {
            let (tcp, address) = match self.tcp.accept().await {
                Ok(accepted) => accepted,
                // That one connection was lost, or too many are open, is no reason to stop.
                Err(error) => {
                    eprintln!("not accepted: {error}");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let Some(client) = self.clients.admit(address.ip(), self.service) else {
                continue;
            };
            let (acceptor, handle) = (self.acceptor.clone(), handle.clone());
            tokio::spawn(async move {
                match timeout(TIMEOUT, greet(acceptor, tcp, client)).await {
                    Ok(Ok(greeted)) => handle(greeted).await,
                    Ok(Err(error)) => eprintln!("{address} not served: {error}"),
                    Err(_) => eprintln!("{address} not served: the handshake took too long"),
                }
            });
        }
    }
}

async fn greet(acceptor: Acceptor, tcp: TcpStream, client: Admitted) -> Result<Greeted, Failure> {
    let local = tcp.local_addr()?.ip().to_canonical();
    // Answers are small and somebody waits for each.
    tcp.set_nodelay(true)?;
    let tls = acceptor.accept_async(tcp).await?;
    client.connection().greet(tls.served());
    Ok(Greeted { tls, client, local })
}

/// Opens a port.
pub(crate) async fn bind(address: &str, option: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        format!(
            "cannot listen on {address}: {error}; give another {option}, \
             or the right to use ports below 1024"
        )
        .into()
    })
}

/// Serves with the store, and clients that know no credentials with the fallback certificate, if there is one.
pub(crate) fn acceptor(store: Arc<Store>, fallback: Option<Arc<ServerConfig>>) -> Acceptor {
    let acceptor = Acceptor::new(store);
    match fallback {
        Some(config) => acceptor.fallback(config),
        None => acceptor,
    }
}

/// An ordinary rustls configuration, which knows nothing of credentials.
pub(crate) fn fallback(
    chain: &Path,
    key: &Path,
    alpn_protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, Failure> {
    let explain = |path: &Path, e: &dyn Error| format!("fallback {}: {e}", path.display());
    let read = |path: &Path| fs::read(path).map_err(|e| explain(path, &e));
    let certificates = pem::certificates(&read(chain)?).map_err(|e| explain(chain, &e))?;
    let private_key = pem::private_key(&read(key)?).map_err(|e| explain(key, &e))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, private_key)?;
    config.alpn_protocols = alpn_protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

const TIMEOUT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn an_ordinary_chain_is_read_however_an_editor_saved_it() {
        let folder = std::env::temp_dir().join(format!("home-router-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (chain, path) = (folder.join("chain.pem"), folder.join("key.pem"));
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let signed = |key| CertificateParams::default().self_signed(key).unwrap();
        let (own, issuer) = (signed(&key).pem(), signed(&other).pem());
        fs::write(&path, format!("\u{feff}{}", key.serialize_pem())).unwrap();
        fs::write(&chain, format!("\u{feff}{own}{issuer}")).unwrap();
        let read = fallback(&chain, &path, &[]).map(drop);
        fs::write(
            &chain,
            own.replacen("CERTIFICATE-----", "CERTIFICATE----- x", 1) + &issuer,
        )
        .unwrap();
        let refused = fallback(&chain, &path, &[]).unwrap_err().to_string();
        fs::remove_dir_all(&folder).unwrap();
        assert!(read.is_ok(), "{read:?}");
        assert!(
            refused.contains("chain.pem: ") && refused.contains("line 1"),
            "{refused}"
        );
    }
}
