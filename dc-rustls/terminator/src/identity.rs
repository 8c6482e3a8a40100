//! From an identity folder to what clients are served with.

use std::error::Error as StdError;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dc_core::pem;
use dc_rustls::server::{Acceptor, Identity, Settings, Store, Watch};
use rustls::ServerConfig;
use rustls::crypto::ring;

use crate::error::Error;

/// An identity that is followed for as long as this lives.
#[derive(Debug)]
pub struct Followed {
    /// For clients.
    pub acceptor: Acceptor,
    _watch: Watch,
}

/// An ordinary certificate chain and its key, in PEM.
pub type Pair<'a> = (&'a Path, &'a Path);

/// Serves the identity of this folder with these application protocols, and what it is renewed to, which is looked for so often;
/// clients that know no credentials get the fallback.
///
/// Fails with [`Error::Identity`] if the folder cannot be served now, and with [`Error::File`] if the fallback cannot.
pub fn follow(
    folder: &Path,
    interval: Duration,
    alpn_protocols: &[Vec<u8>],
    fallback: Option<Pair<'_>>,
) -> Result<Followed, Error> {
    let unusable = |source| Error::Identity {
        folder: folder.to_owned(),
        source: Box::new(source),
    };
    let settings =
        Settings::new(Arc::new(ring::default_provider())).alpn_protocols(alpn_protocols.to_vec());
    let store = Store::with_settings(settings);
    store
        .install(Identity::load(folder).map_err(unusable)?)
        .map_err(unusable)?;
    let report = |news: Result<(), dc_rustls::Error>| match news {
        Ok(()) => eprintln!("dc-terminator: serves the credential of the folder"),
        Err(error) => eprintln!("dc-terminator: keeps the credential that it has: {error}"),
    };
    let watch = store.watch(folder, interval, report).map_err(unusable)?;
    let acceptor = Acceptor::new(store);
    Ok(Followed {
        acceptor: match fallback {
            Some(pair) => acceptor.fallback(read(pair, alpn_protocols)?),
            None => acceptor,
        },
        _watch: watch,
    })
}

fn read((chain, key): Pair<'_>, alpn_protocols: &[Vec<u8>]) -> Result<Arc<ServerConfig>, Error> {
    let fault = |option, path: &Path, source: Box<dyn StdError + Send + Sync>| Error::File {
        option,
        path: path.to_owned(),
        source,
    };
    let of_chain = |source| fault("fallback-cert", chain, source);
    let of_key = |source| fault("fallback-key", key, source);
    let read = fs::read(chain).map_err(|error| of_chain(error.into()))?;
    let certificates = pem::certificates(&read).map_err(|error| of_chain(error.into()))?;
    let read = fs::read(key).map_err(|error| of_key(error.into()))?;
    let key = pem::private_key(&read).map_err(|error| of_key(error.into()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(certificates, key)
        })
        .map_err(|error| of_chain(error.into()))?;
    config.alpn_protocols = alpn_protocols.to_vec();
    Ok(Arc::new(config))
}
