//! Counts of the fleet and of connections, as they are told to the metrics.

use prometheus_client::metrics::gauge::Gauge;

/// A delegation certificate that is in use, and when it ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DelegationExpiry {
    /// The zone.
    pub zone: String,
    /// The slot's number.
    pub slot: u32,
    /// `next`, `active` or `draining`.
    pub state: String,
    /// When the certificate begins.
    pub not_before: u64,
    /// When the certificate ends.
    pub not_after: u64,
}

/// Counts of devices.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fleet {
    /// Devices in each state.
    pub states: Vec<(String, u64)>,
    /// Active devices that hold a credential that ends within so many hours, each with those
    /// before it. Those whose credential has ended are counted under 0.
    pub expiring: Vec<(u64, u64)>,
    /// Possible clones.
    pub clones: u64,
}

/// Lowers a gauge again when it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Gone(pub(super) Gauge);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.dec();
    }
}
