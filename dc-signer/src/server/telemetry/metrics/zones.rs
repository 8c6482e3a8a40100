//! Which zones can be issued in, and which keys are there.

use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{Certificate, OfZone};
use super::signed;

/// A zone, and this process's ability to issue in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneAble {
    /// The zone.
    pub zone: String,
    /// It can issue now.
    pub can_issue: bool,
    /// Until when it can with the certificates whose keys are there.
    pub until: u64,
    /// From how long before that on it is said, in seconds.
    pub warn_before: u64,
    /// Until when the signing process that has its key issues nothing; 0 if it issues.
    pub pause_until: u64,
    /// Credentials of both forms may be valid in it.
    pub both_forms: bool,
}

/// A delegation certificate, and this process's ability to sign with its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyUsable {
    /// The zone.
    pub zone: String,
    /// The slot's number.
    pub slot: u32,
    /// `next` or `active`.
    pub state: String,
    /// It can sign.
    pub usable: bool,
}

/// Gauges of zones and keys.
#[derive(Debug, Default)]
pub(super) struct ZoneGauges {
    can_issue: Family<OfZone, Gauge>,
    until: Family<OfZone, Gauge>,
    warn_before: Family<OfZone, Gauge>,
    pause_until: Family<OfZone, Gauge>,
    both_forms: Family<OfZone, Gauge>,
    keys: Family<Certificate, Gauge>,
    untold: Gauge,
    /// The labels that were set last: a gauge stays as long as what it is about.
    known: Mutex<(Vec<String>, Vec<Certificate>)>,
}

impl ZoneGauges {
    pub(super) fn register(&self, r: &mut Registry) {
        let text = "Whether this process can issue in a zone that is in service";
        r.register("zone_can_issue", text, self.can_issue.clone());
        let text =
            "Until when it can with the certificates whose keys it has, in seconds since 1970";
        r.register("zone_can_issue_until_seconds", text, self.until.clone());
        let text =
            "How long before that somebody should know, in seconds: less for short certificates";
        r.register("zone_warn_before_seconds", text, self.warn_before.clone());
        let text = "Until when the signing process that has a zone's key issues nothing, in seconds since 1970; 0 if it issues";
        r.register("zone_pause_until_seconds", text, self.pause_until.clone());
        let text = "Whether credentials of both forms may be valid in a zone";
        r.register("zone_has_both_forms", text, self.both_forms.clone());
        let text = "Whether this process can sign with a delegation certificate";
        r.register("delegation_key_usable", text, self.keys.clone());
        let text = "How many signing processes could not be told that a slot has ended, each for each slot, and may sign under it";
        r.register("delegation_ends_untold", text, self.untold.clone());
    }

    pub(super) fn set_untold(&self, count: usize) {
        self.untold.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn set(&self, zones: &[ZoneAble], keys: &[KeyUsable]) {
        let names: Vec<String> = zones.iter().map(|zone| zone.zone.clone()).collect();
        let labels: Vec<Certificate> = keys.iter().map(Certificate::from).collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != (names.clone(), labels.clone()) {
            self.can_issue.clear();
            self.until.clear();
            self.warn_before.clear();
            self.pause_until.clear();
            self.both_forms.clear();
            self.keys.clear();
            *known = (names, labels);
        }
        for able in zones {
            let zone = OfZone {
                zone: able.zone.clone(),
            };
            let gauge = self.can_issue.get_or_create(&zone);
            gauge.set(i64::from(able.can_issue));
            self.until.get_or_create(&zone).set(signed(able.until));
            let gauge = self.warn_before.get_or_create(&zone);
            gauge.set(signed(able.warn_before));
            let gauge = self.pause_until.get_or_create(&zone);
            gauge.set(signed(able.pause_until));
            let gauge = self.both_forms.get_or_create(&zone);
            gauge.set(i64::from(able.both_forms));
        }
        for key in keys {
            let gauge = self.keys.get_or_create(&key.into());
            gauge.set(i64::from(key.usable));
        }
    }
}

impl From<&KeyUsable> for Certificate {
    fn from(key: &KeyUsable) -> Self {
        Self {
            zone: key.zone.clone(),
            slot: key.slot,
            state: key.state.clone(),
        }
    }
}
