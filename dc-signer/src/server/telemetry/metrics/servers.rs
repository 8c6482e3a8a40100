//! Gauges of the servers of a database.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Metrics;
use dc_store::Servers;

#[derive(Debug, Default)]
pub(super) struct ServerGauges {
    primaries: Gauge,
    waits: Gauge,
    replica: Gauge,
}

impl Metrics {
    /// Sets how the database's servers stand; none if there is one alone.
    pub fn set_servers(&self, servers: Option<&Servers>) {
        self.servers.set(servers);
    }

    /// Sets that the replica is read from, or that there is none; or that it is left out.
    pub fn set_replica(&self, is_fine: bool) {
        self.servers.replica.set(i64::from(!is_fine));
    }
}

impl ServerGauges {
    pub(super) fn register(&self, registry: &mut Registry) {
        let text = "How many servers of the database say that each is the primary";
        registry.register("database_primaries", text, self.primaries.clone());
        let text = "1 if the database's primary confirms nothing before a standby has it too, or if it has no other server";
        registry.register("database_waits_for_standby", text, self.waits.clone());
        let text = "1 if there is a replica to read from that is not read from, because it is behind or does not answer";
        registry.register("database_replica_left_out", text, self.replica.clone());
        self.set(None);
    }

    pub(super) fn set(&self, servers: Option<&Servers>) {
        let others = servers.map_or(0, |servers| servers.others.len());
        let primaries = i64::try_from(others).unwrap_or(i64::MAX);
        self.primaries.set(primaries.saturating_add(1));
        let waits = servers.is_none_or(|servers| servers.waits);
        self.waits.set(i64::from(waits));
    }
}
