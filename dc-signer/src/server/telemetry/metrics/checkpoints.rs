//! The checkpoints of the audit log, and the places that they are sent to.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Metrics, signed};

/// Gauges of checkpoints; all at zero where nobody signs.
#[derive(Debug, Default)]
pub(super) struct CheckpointGauges {
    size: Gauge,
    at: Gauge,
    behind: Gauge,
    waiting: Gauge,
    refused: Gauge,
    pending: Family<OfPlace, Gauge>,
    failures: Family<OfPlace, Counter>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OfPlace {
    place: String,
}

impl CheckpointGauges {
    pub(super) fn register(&self, r: &mut Registry) {
        let text = "How many records the last checkpoint of the audit log has";
        r.register("checkpoint_size", text, self.size.clone());
        let text = "When it was signed, in seconds since 1970";
        r.register("checkpoint_signed_seconds", text, self.at.clone());
        let text = "How many records no checkpoint has yet";
        r.register("checkpoint_behind_records", text, self.behind.clone());
        let text = "How long the first of them has waited";
        r.register("checkpoint_waiting_seconds", text, self.waiting.clone());
        let text = "Whether no checkpoint is signed because the audit log was cut or rewritten";
        r.register("checkpoint_refused", text, self.refused.clone());
        let text = "How many checkpoints a place has not got yet";
        r.register("checkpoint_pending", text, self.pending.clone());
        let text = "How often a place did not take a checkpoint";
        r.register("checkpoint_failures", text, self.failures.clone());
    }
}

impl Metrics {
    /// Sets the size of the last checkpoint and when it was signed, how many records are behind it, and for how many seconds
    /// the first of them has waited.
    pub fn set_checkpoint(&self, size: u64, at: u64, behind: u64, waiting: u64) {
        let gauges = &self.checkpoints;
        gauges.size.set(signed(size));
        gauges.at.set(signed(at));
        gauges.behind.set(signed(behind));
        gauges.waiting.set(signed(waiting));
    }

    /// Sets whether no checkpoint is signed because somebody changed the log.
    pub fn set_checkpoint_refused(&self, refused: bool) {
        self.checkpoints.refused.set(i64::from(refused));
    }

    /// Sets how many checkpoints a place has not got.
    pub fn set_checkpoints_pending(&self, place: &str, pending: usize) {
        let place = place.to_owned();
        let labels = OfPlace { place };
        let gauge = self.checkpoints.pending.get_or_create(&labels);
        gauge.set(i64::try_from(pending).unwrap_or(i64::MAX));
        // So that it is there before it counts.
        drop(self.checkpoints.failures.get_or_create(&labels));
    }

    /// A place did not take a checkpoint.
    pub fn checkpoint_failed(&self, place: &str) {
        let place = place.to_owned();
        let labels = OfPlace { place };
        self.checkpoints.failures.get_or_create(&labels).inc();
    }
}
