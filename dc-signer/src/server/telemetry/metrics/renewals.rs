//! How far the renewal of each zone's delegation certificate is.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::OfZone;
use super::signed;

/// The renewal of a zone's delegation certificate. Times are in seconds since 1970, and 0 if there is none.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RenewalProgress {
    /// The zone.
    pub zone: String,
    /// When the next certificate is ordered.
    pub order_at: u64,
    /// How often it was ordered.
    pub attempts: u64,
    /// Since when that fails.
    pub failing_since: u64,
    /// When the candidate can become active.
    pub soaked_at: u64,
    /// How many signers lack its key.
    pub lacking: u64,
}

/// Gauges of zones whose certificates are ordered from a CA.
#[derive(Debug, Default)]
pub(super) struct RenewalGauges([Family<OfZone, Gauge>; 5]);

impl RenewalGauges {
    pub(super) fn register(&self, r: &mut Registry) {
        for ((name, text), family) in NAMES.into_iter().zip(&self.0) {
            r.register(name, text, family.clone());
        }
    }

    pub(super) fn set(&self, zones: &[RenewalProgress]) {
        for family in &self.0 {
            family.clear();
        }
        for progress in zones {
            let values = [
                progress.order_at,
                progress.attempts,
                progress.failing_since,
                progress.soaked_at,
                progress.lacking,
            ];
            for (family, value) in self.0.iter().zip(values) {
                let zone = progress.zone.clone();
                family.get_or_create(&OfZone { zone }).set(signed(value));
            }
        }
    }
}

const NAMES: [(&str, &str); 5] = [
    (
        "renewal_order_at_seconds",
        "When a zone's next delegation certificate is ordered, in seconds since 1970",
    ),
    (
        "renewal_attempts",
        "How often a zone's next delegation certificate was ordered",
    ),
    (
        "renewal_failing_since_seconds",
        "Since when its orders fail, in seconds since 1970, or 0",
    ),
    (
        "renewal_candidate_soaked_at_seconds",
        "When a zone's next delegation certificate can become active, in seconds since 1970, or 0 if there is none",
    ),
    (
        "renewal_candidate_lacking_signers",
        "How many signers cannot sign with a zone's next delegation certificate yet",
    ),
];
