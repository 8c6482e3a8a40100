//! A gate over a database, with a data folder of its own.

use std::num::NonZeroU32;
use std::sync::Arc;

use tempfile::TempDir;

use super::{Gate, Overload, RateLimits};
use crate::authority::{Authority, Secrets};
use crate::config::{Config, Live};
use crate::server::telemetry::Metrics;
use dc_store::Store;

/// A gate that nobody passes too often, and its folder.
pub(crate) async fn gate(store: Arc<Store>) -> (Arc<Gate>, TempDir) {
    let folder = TempDir::new().unwrap();
    let text = "data = 'data'\nnode = 'node-1'\n[listen]\naddress = '[::]:1'\ncertificate = 'c'\nkey = 'k'\n";
    let config = Config::parse(text, folder.path()).unwrap();
    // Secrets are made for databases without devices only, and these have some.
    Secrets::open(&config.data, true).unwrap();
    let authority = Authority::open(&config, store).await.unwrap();
    let mut limits = config.limits;
    limits.operator_rate = NonZeroU32::new(100_000).unwrap();
    let limits = Live::fixed(RateLimits::new(&limits));
    let overload = Live::fixed(config.overload.limits(&config.listen));
    let overload = Overload::new(overload, Metrics::new());
    let gate = Gate::new(limits, overload, authority.into(), Metrics::new());
    (gate, folder)
}
