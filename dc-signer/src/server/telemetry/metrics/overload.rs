//! How much more comes than can be answered: who waits, for how long, and what is turned away.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::Metrics;
use super::buckets::fast;

/// A reason to turn something away to protect the service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shed {
    /// Too many connections were open, and one of them had to go.
    Connections,
    /// Too many waited for their handshake, or had not begun it, and one of them had to go.
    Handshakes,
    /// A network or an address had more than its share of the handshakes in progress, and one of them had to go.
    HandshakeShare,
    /// One had waited for its handshake for as long as that is of use.
    HandshakeWait,
    /// A renewal could not be served, and was given a time.
    Renewal,
    /// The same, but later than the device's credential allows.
    RenewalTooLate,
    /// An enrolment could not be served, and was given a time.
    Enrolment,
    /// An operator's request could not be answered.
    Operator,
    /// Too many requests were in progress, and one of them had to go.
    Requests,
    /// A device came too often.
    DeviceRate,
    /// An operator came too often.
    OperatorRate,
}

impl Shed {
    /// The label of it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Handshakes => "handshakes",
            Self::HandshakeShare => "handshake_share",
            Self::HandshakeWait => "handshake_wait",
            Self::Renewal => "renewal",
            Self::RenewalTooLate => "renewal_too_late",
            Self::Enrolment => "enrolment",
            Self::Operator => "operator",
            Self::Requests => "requests",
            Self::DeviceRate => "device_rate",
            Self::OperatorRate => "operator_rate",
        }
    }
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Asks {
    asks: &'static str,
}

#[derive(Debug)]
pub(super) struct OverloadMetrics {
    waiting: Family<Asks, Gauge>,
    seconds: Family<Asks, Histogram, fn() -> Histogram>,
    reservations: Family<Asks, Gauge>,
    pace: Gauge<f64, AtomicU64>,
}

impl Default for OverloadMetrics {
    fn default() -> Self {
        Self {
            waiting: Family::default(),
            seconds: Family::new_with_constructor(fast),
            reservations: Family::default(),
            pace: Gauge::default(),
        }
    }
}

impl OverloadMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let text = "Handshakes and requests that wait for their turn";
        registry.register("admission_waiting", text, self.waiting.clone());
        let text = "How long handshakes and requests waited for their turn, or in vain";
        registry.register("admission_wait_seconds", text, self.seconds.clone());
        let text = "Devices that were given a time that is still to come";
        registry.register("admission_reservations", text, self.reservations.clone());
        let text = "Enrolments and renewals a second that reservations are given at";
        registry.register("admission_pace", text, self.pace.clone());
    }
}

impl Metrics {
    /// So many wait for their handshake.
    pub fn set_waiting_handshakes(&self, count: usize) {
        self.set_waiting("handshakes", count);
    }

    /// Somebody waited so long for its handshake, or in vain.
    pub fn handshake_waited(&self, took: Duration) {
        self.waited("handshakes", took);
    }

    /// Sets how many wait for admission, by what they ask for.
    pub fn set_waiting(&self, asks: &'static str, count: usize) {
        let gauge = self.overload.waiting.get_or_create(&Asks { asks });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A request waited so long for admission, or in vain.
    pub fn waited(&self, asks: &'static str, took: Duration) {
        let seconds = self.overload.seconds.get_or_create(&Asks { asks });
        seconds.observe(took.as_secs_f64());
    }

    /// Sets the pace, and the reservations to come, of renewals and enrolments.
    pub fn set_admission(&self, pace: f64, reservations: [u64; 2]) {
        self.overload.pace.set(pace);
        for (asks, count) in ["renewals", "enrolments"].into_iter().zip(reservations) {
            let gauge = self.overload.reservations.get_or_create(&Asks { asks });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
}
