//! Gauges of operators: whose credentials end, who acted without one, and what waits for a second one.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Facts about operators for the metrics.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct People {
    /// Enabled operators, and when what lets them in ends, in seconds since 1970; 0 for never.
    pub ends: Vec<(String, u64)>,
    /// How many acts there were without a credential.
    pub broken_glass: u64,
    /// When the last one was, or was first seen if that was later, in seconds since 1970; 0 for never.
    pub broken_glass_at: u64,
    /// How many acts wait for a second operator.
    pub waiting: u64,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct OfOperator {
    operator: String,
}

#[derive(Debug, Default)]
pub(super) struct PeopleGauges {
    ends: Family<OfOperator, Gauge>,
    broken_glass: Gauge,
    broken_glass_at: Gauge,
    waiting: Gauge,
}

impl PeopleGauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        let text =
            "When an operator's token or certificate ends, in seconds since 1970, or 0 for never";
        let name = "operator_credential_not_after_seconds";
        registry.register(name, text, self.ends.clone());
        let text = "Acts on the command line without an operator's credential, ever";
        registry.register("break_glass_acts", text, self.broken_glass.clone());
        let text = "When the last one was, or was first seen if that was later, in seconds since 1970, or 0 for never";
        let name = "break_glass_last_seconds";
        registry.register(name, text, self.broken_glass_at.clone());
        let text = "Acts that wait for a second operator";
        registry.register("approvals_waiting", text, self.waiting.clone());
    }

    pub(super) fn set(&self, people: &People) {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.ends.clear();
        for (operator, ends) in &people.ends {
            let operator = operator.clone();
            let gauge = self.ends.get_or_create(&OfOperator { operator });
            gauge.set(number(*ends));
        }
        self.broken_glass.set(number(people.broken_glass));
        self.broken_glass_at.set(number(people.broken_glass_at));
        self.waiting.set(number(people.waiting));
    }
}
