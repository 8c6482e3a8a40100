//! Configurations that most tests need.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dc_core::Form;
use dc_rustls::client::{Builder, Config, NamePolicy};
use dc_rustls::server::{Acceptor, Identity, Store, danger};
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::ServerConfig;
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

pub(crate) fn client(vendor: &Vendor, policy: NamePolicy) -> Config {
    Config::builder(provider())
        .roots(vendor.roots())
        .unique_name(policy)
        .build()
        .unwrap()
}

/// A client of this vendor, to be built.
pub(crate) fn client_of(vendor: &Vendor) -> Builder {
    Config::builder(provider()).roots(vendor.roots())
}

pub(crate) fn client_at(vendor: &Vendor, clock: &Clock) -> Config {
    Config::builder(provider())
        .roots(vendor.roots())
        .time_provider(Arc::new(clock.clone()))
        .build()
        .unwrap()
}

pub(crate) fn acceptor(vendor: &Vendor, device: &Device, forms: &[Form]) -> Acceptor {
    let store = Store::new(provider());
    store.install(vendor.enrol(device, forms)).unwrap();
    Acceptor::new(store)
}

/// Serves what no store would install.
pub(crate) fn careless_acceptor(identity: Identity) -> Acceptor {
    let store = Store::new(provider());
    danger::install_unchecked(&store, identity).unwrap();
    Acceptor::new(store)
}

/// An ordinary server with the delegation certificate and its key.
pub(crate) fn stock_server(vendor: &Vendor) -> Arc<ServerConfig> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vendor.chain(), vendor.private_key())
        .unwrap();
    Arc::new(config)
}

/// A clock that the test moves.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Clock {
    pub(crate) fn now() -> Self {
        Self::at(UnixTime::now().as_secs())
    }

    /// A clock that shows this Unix time.
    pub(crate) fn at(seconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seconds)))
    }

    pub(crate) fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::Relaxed);
    }

    pub(crate) fn back(&self, by: Duration) {
        self.0.fetch_sub(by.as_secs(), Ordering::Relaxed);
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = self.0.load(Ordering::Relaxed);
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const ALL: usize = usize::MAX;
