//! Metrics for Prometheus. `ops/` has a dashboard and alert rules for these.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

mod buckets;
mod checkpoints;
mod fleet;
mod labels;
mod overload;
mod people;
mod renewals;
mod servers;
mod zones;

use buckets::{fast, very_fast};
use checkpoints::CheckpointGauges;
pub use fleet::{DelegationExpiry, Fleet, Gone};
use labels::{
    Against, Certificate, InState, Issued, IssuedAsClient, OfPath, OfRoute, Operation, Outcome,
    Problem, Reason, Request, Within,
};
use overload::OverloadMetrics;
pub use overload::Shed;
pub use people::People;
use people::PeopleGauges;
use renewals::RenewalGauges;
pub use renewals::RenewalProgress;
use servers::ServerGauges;
use zones::ZoneGauges;
pub use zones::{KeyUsable, ZoneAble};

/// All metrics of a service.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    issued: Family<Issued, Counter>,
    as_clients: Family<IssuedAsClient, Counter>,
    issue_seconds: Histograms<OfPath>,
    requests: Family<Request, Counter>,
    request_seconds: Histograms<OfRoute>,
    problems: Family<Problem, Counter>,
    shed: Family<Reason, Counter>,
    connections: Gauge,
    handshakes: Gauge,
    handshakes_ended: Family<Outcome, Counter>,
    overload: OverloadMetrics,
    store_seconds: Histograms<Operation>,
    sign_seconds: Histogram,
    clock_skew: Family<Against, Gauge<f64, AtomicU64>>,
    certificates: Family<Certificate, Gauge>,
    devices: Family<InState, Gauge>,
    expiring: Family<Within, Gauge>,
    clones: Gauge,
    ready: Gauge,
    reload_failed: Gauge,
    own_certificate: [Gauge; 2],
    zones: ZoneGauges,
    people: PeopleGauges,
    renewals: RenewalGauges,
    begins: Family<Certificate, Gauge>,
    checkpoints: CheckpointGauges,
    servers: ServerGauges,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The end of a handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Handshake {
    /// Well.
    Done,
    /// It had to make room for others.
    Evicted,
    /// With an alert, or with the end of the connection.
    Failed,
    /// A proxy did not say whose connection it was, or somebody did who is none.
    ProxyHeader,
    /// Not within its time.
    TimedOut,
}

/// The request that credentials were issued for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Path {
    /// An enrolment.
    Enroll,
    /// A renewal.
    Renew,
}

impl Path {
    fn name(self) -> &'static str {
        match self {
            Self::Enroll => "enroll",
            Self::Renew => "renew",
        }
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let mut new = Self {
            registry: Registry::with_prefix("dc"),
            issued: Family::default(),
            as_clients: Family::default(),
            issue_seconds: Family::new_with_constructor(fast),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(fast),
            problems: Family::default(),
            shed: Family::default(),
            connections: Gauge::default(),
            handshakes: Gauge::default(),
            handshakes_ended: Family::default(),
            overload: OverloadMetrics::default(),
            store_seconds: Family::new_with_constructor(fast),
            sign_seconds: very_fast(),
            clock_skew: Family::default(),
            certificates: Family::default(),
            devices: Family::default(),
            expiring: Family::default(),
            clones: Gauge::default(),
            ready: Gauge::default(),
            reload_failed: Gauge::default(),
            own_certificate: [Gauge::default(), Gauge::default()],
            zones: ZoneGauges::default(),
            people: PeopleGauges::default(),
            renewals: RenewalGauges::default(),
            begins: Family::default(),
            checkpoints: CheckpointGauges::default(),
            servers: ServerGauges::default(),
        };
        new.register_requests();
        new.register_state();
        new.overload.register(&mut new.registry);
        new.zones.register(&mut new.registry);
        new.people.register(&mut new.registry);
        new.renewals.register(&mut new.registry);
        new.checkpoints.register(&mut new.registry);
        new.servers.register(&mut new.registry);
        new.into()
    }

    fn register_requests(&mut self) {
        let r = &mut self.registry;
        let text = "Enrolments and renewals, by how they ended";
        r.register("issued", text, self.issued.clone());
        let text =
            "Devices that asked for a credential as a client, too, by whether their zone has one";
        r.register("issued_as_client", text, self.as_clients.clone());
        let text = "How long enrolments and renewals took, with their commit";
        r.register("issue_seconds", text, self.issue_seconds.clone());
        let text = "HTTP requests that were answered";
        r.register("http_requests", text, self.requests.clone());
        let text = "How long HTTP requests took";
        r.register("http_request_seconds", text, self.request_seconds.clone());
        let text = "Problems that were answered";
        r.register("problems", text, self.problems.clone());
        let text = "What was turned away to protect the service";
        r.register("shed", text, self.shed.clone());
        let text = "Connections that are open";
        r.register("connections_open", text, self.connections.clone());
        let text = "TLS handshakes in progress";
        r.register("handshakes_in_progress", text, self.handshakes.clone());
        let text = "TLS handshakes that ended";
        r.register("handshakes", text, self.handshakes_ended.clone());
        let text = "How long the store took, with the wait for a commit";
        r.register("store_seconds", text, self.store_seconds.clone());
        let text = "How long the signatures of delegation keys took";
        r.register("sign_seconds", text, self.sign_seconds.clone());
    }

    fn register_state(&mut self) {
        let r = &mut self.registry;
        let text = "When a delegation certificate ends, in seconds since 1970";
        let name = "delegation_certificate_not_after_seconds";
        r.register(name, text, self.certificates.clone());
        let text = "When it begins, in seconds since 1970";
        let name = "delegation_certificate_not_before_seconds";
        r.register(name, text, self.begins.clone());
        let text = "Devices by state";
        r.register("fleet_devices", text, self.devices.clone());
        let text = "Active devices whose credential ends within this time, or has ended";
        r.register("fleet_expiring_devices", text, self.expiring.clone());
        let text = "Devices that two keys wanted to be";
        r.register("fleet_possible_clones", text, self.clones.clone());
        let text = "How far the clock is ahead, or below 0 behind";
        r.register("clock_skew_seconds", text, self.clock_skew.clone());
        let text = "Whether the service is ready";
        r.register("ready", text, self.ready.clone());
        let text = "Whether the configuration could not be read again when that was last wanted: the next start fails";
        r.register("reload_failed", text, self.reload_failed.clone());
        let [begins, ends] = &self.own_certificate;
        let text = "When the certificate that the service shows begins, in seconds since 1970";
        r.register(
            "server_certificate_not_before_seconds",
            text,
            begins.clone(),
        );
        let text = "When it ends, in seconds since 1970";
        r.register("server_certificate_not_after_seconds", text, ends.clone());
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        r.register("build", "Which version this is", version);
    }

    /// Credentials were issued, or not, and why not.
    pub fn issued(&self, zone: &str, path: Path, result: &'static str, took: Duration) {
        let labels = Issued {
            zone: zone.to_owned(),
            path: path.name(),
            result,
        };
        self.issued.get_or_create(&labels).inc();
        let labels = OfPath { path: path.name() };
        let seconds = self.issue_seconds.get_or_create(&labels);
        seconds.observe(took.as_secs_f64());
    }

    /// A device got a credential as a client, too, or its zone has none for it.
    pub fn issued_as_client(&self, zone: &str, result: &'static str) {
        let labels = IssuedAsClient {
            zone: zone.to_owned(),
            result,
        };
        self.as_clients.get_or_create(&labels).inc();
    }

    /// A request was answered.
    pub fn answered(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let route = route.to_owned();
        let labels = OfRoute {
            route: route.clone(),
        };
        let seconds = self.request_seconds.get_or_create(&labels);
        seconds.observe(took.as_secs_f64());
        let labels = Request {
            route,
            method,
            status,
        };
        self.requests.get_or_create(&labels).inc();
    }

    /// A problem was answered.
    pub fn problem(&self, kind: &'static str) {
        self.problems.get_or_create(&Problem { kind }).inc();
    }

    /// Something was turned away.
    pub fn shed(&self, reason: Shed) {
        let reason = reason.name();
        self.shed.get_or_create(&Reason { reason }).inc();
    }

    /// A connection is open until the result is dropped.
    pub fn connection(&self) -> Gone {
        self.connections.inc();
        Gone(self.connections.clone())
    }

    /// A handshake is in progress until the result is dropped.
    pub fn handshake(&self) -> Gone {
        self.handshakes.inc();
        Gone(self.handshakes.clone())
    }

    /// A handshake ended.
    pub fn handshake_ended(&self, outcome: Handshake) {
        let result = match outcome {
            Handshake::Done => "done",
            Handshake::Evicted => "evicted",
            Handshake::Failed => "failed",
            Handshake::ProxyHeader => "proxy_header",
            Handshake::TimedOut => "timed_out",
        };
        self.handshakes_ended
            .get_or_create(&Outcome { result })
            .inc();
    }

    /// The store has done something.
    pub fn stored(&self, operation: &'static str, took: Duration) {
        let seconds = self.store_seconds.get_or_create(&Operation { operation });
        seconds.observe(took.as_secs_f64());
    }

    /// A delegation key has signed.
    pub fn signed(&self, took: Duration) {
        self.sign_seconds.observe(took.as_secs_f64());
    }

    /// Sets the seconds that the clock is ahead of something else.
    pub fn set_clock_skew(&self, against: &'static str, seconds: f64) {
        let gauge = self.clock_skew.get_or_create(&Against { against });
        gauge.set(seconds);
    }

    /// Sets what is to be known of operators.
    pub fn set_people(&self, people: &People) {
        self.people.set(people);
    }

    /// The delegation certificates that are in use now.
    pub fn set_certificates(&self, slots: &[DelegationExpiry]) {
        self.certificates.clear();
        self.begins.clear();
        for slot in slots {
            let labels = Certificate {
                zone: slot.zone.clone(),
                slot: slot.slot,
                state: slot.state.clone(),
            };
            let gauge = self.certificates.get_or_create(&labels);
            gauge.set(signed(slot.not_after));
            let gauge = self.begins.get_or_create(&labels);
            gauge.set(signed(slot.not_before));
        }
    }

    /// Sets the counts of devices.
    pub fn set_fleet(&self, fleet: &Fleet) {
        for (state, count) in &fleet.states {
            let state = state.clone();
            let gauge = self.devices.get_or_create(&InState { state });
            gauge.set(signed(*count));
        }
        for (hours, count) in &fleet.expiring {
            let within = format!("{hours}h");
            let gauge = self.expiring.get_or_create(&Within { within });
            gauge.set(signed(*count));
        }
        self.clones.set(signed(fleet.clones));
    }

    /// Sets whether the configuration was refused when it was last read again.
    pub fn set_reload_failed(&self, failed: bool) {
        self.reload_failed.set(i64::from(failed));
    }

    /// Sets readiness.
    pub fn set_ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }

    /// The certificate that the service shows, from when and until when, in seconds since 1970.
    pub fn set_own_certificate(&self, not_before: u64, not_after: u64) {
        let [begins, ends] = &self.own_certificate;
        begins.set(signed(not_before));
        ends.set(signed(not_after));
    }

    /// Sets which zones can be issued in, and with which keys.
    pub fn set_zones(&self, zones: &[ZoneAble], keys: &[KeyUsable]) {
        self.zones.set(zones, keys);
    }

    /// How many signing processes could not be told of the end of a slot.
    pub fn set_untold(&self, count: usize) {
        self.zones.set_untold(count);
    }

    /// How far the renewals of delegation certificates are.
    pub fn set_renewals(&self, zones: &[RenewalProgress]) {
        self.renewals.set(zones);
    }

    /// All of it as OpenMetrics text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut encoded = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut encoded, &self.registry);
        encoded
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The content type of OpenMetrics text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[cfg(test)]
mod tests {
    use super::*;

    /// One of everything, so that every metric shows.
    fn used() -> Arc<Metrics> {
        let metrics = Metrics::new();
        let took = Duration::from_millis(3);
        metrics.issued("cpe.example.com", Path::Renew, "ok", took);
        metrics.issued_as_client("cpe.example.com", "left-out");
        metrics.answered("/v1/renew", "POST", 200, took);
        metrics.problem("bad-csr");
        metrics.shed(Shed::DeviceRate);
        metrics.set_waiting("renewals", 2);
        metrics.waited("renewals", took);
        metrics.set_admission(2000.0, [3, 1]);
        metrics.handshake_ended(Handshake::TimedOut);
        metrics.stored("issue", took);
        metrics.signed(took);
        metrics.set_clock_skew("database", -0.25);
        metrics.set_certificates(&[DelegationExpiry {
            zone: "cpe.example.com".to_owned(),
            slot: 1,
            state: "active".to_owned(),
            not_before: 1_900_000_000,
            not_after: 2_000_000_000,
        }]);
        metrics.set_renewals(&[RenewalProgress {
            zone: "cpe.example.com".to_owned(),
            ..RenewalProgress::default()
        }]);
        metrics.set_fleet(&Fleet {
            states: vec![("active".to_owned(), 7)],
            expiring: vec![(0, 1), (6, 2)],
            clones: 3,
        });
        metrics.set_people(&People {
            ends: vec![("noc".to_owned(), 2_000_000_000)],
            broken_glass: 1,
            broken_glass_at: 1_900_000_000,
            waiting: 1,
        });
        metrics.set_ready(true);
        metrics.set_checkpoint(7, 1_900_000_000, 1, 2);
        metrics.set_checkpoints_pending("/mnt/audit", 1);
        metrics.checkpoint_failed("/mnt/audit");
        metrics.set_own_certificate(1_900_000_000, 2_000_000_000);
        let zone = || "cpe.example.com".to_owned();
        let able = ZoneAble {
            zone: zone(),
            can_issue: true,
            until: 1_999_000_000,
            warn_before: 1_814_400,
            pause_until: 1_900_000_060,
            both_forms: true,
        };
        let key = KeyUsable {
            zone: zone(),
            slot: 1,
            state: "active".to_owned(),
            usable: false,
        };
        metrics.set_zones(&[able], &[key]);
        metrics
    }

    #[test]
    fn everything_that_happens_is_counted() {
        let metrics = used();
        let open = metrics.connection();
        let text = metrics.encode();
        for line in [
            "dc_issued_total{zone=\"cpe.example.com\",path=\"renew\",result=\"ok\"} 1",
            "dc_issued_as_client_total{zone=\"cpe.example.com\",result=\"left-out\"} 1",
            "dc_issue_seconds_bucket{le=\"0.005\",path=\"renew\"} 1",
            "dc_http_requests_total{route=\"/v1/renew\",method=\"POST\",status=\"200\"} 1",
            "dc_problems_total{kind=\"bad-csr\"} 1",
            "dc_shed_total{reason=\"device_rate\"} 1",
            "dc_connections_open 1",
            "dc_handshakes_total{result=\"timed_out\"} 1",
            "dc_store_seconds_count{operation=\"issue\"} 1",
            "dc_sign_seconds_count 1",
            "dc_clock_skew_seconds{against=\"database\"} -0.25",
            "dc_fleet_devices{state=\"active\"} 7",
            "dc_fleet_expiring_devices{within=\"6h\"} 2",
            "dc_fleet_possible_clones 3",
            "dc_ready 1",
            "dc_zone_can_issue{zone=\"cpe.example.com\"} 1",
            "dc_zone_can_issue_until_seconds{zone=\"cpe.example.com\"} 1999000000",
            "dc_zone_pause_until_seconds{zone=\"cpe.example.com\"} 1900000060",
            "dc_zone_has_both_forms{zone=\"cpe.example.com\"} 1",
            "dc_delegation_key_usable{zone=\"cpe.example.com\",slot=\"1\",state=\"active\"} 0",
            "dc_server_certificate_not_after_seconds 2000000000",
        ] {
            assert!(text.contains(line), "{line} not in {text}");
        }
        drop(open);
        assert!(metrics.encode().contains("dc_connections_open 0"));
    }

    /// The names in `ops/` that look like ours, without what Prometheus appends.
    fn named_in(file: &str) -> Vec<String> {
        let word = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let names = file.split(word).filter(|name| name.starts_with("dc_"));
        names.map(ToOwned::to_owned).collect()
    }

    #[test]
    fn every_metric_that_dashboard_and_alerts_name_exists() {
        let text = used().encode();
        let files = [
            include_str!("../../../ops/grafana-dashboard.json"),
            include_str!("../../../ops/prometheus-alerts.yaml"),
        ];
        for file in files {
            let names = named_in(file);
            assert!(names.len() > 5, "{names:?}");
            for name in names {
                let there = |end| text.contains(&format!("\n{name}{end}"));
                let there = ["{", " ", "_count{", "_count "].into_iter().any(there);
                assert!(there, "{name} is not in {text}");
            }
        }
    }

    #[test]
    fn every_metric_is_on_the_dashboard_or_in_an_alert() {
        let text = used().encode();
        let files = [
            include_str!("../../../ops/grafana-dashboard.json"),
            include_str!("../../../ops/prometheus-alerts.yaml"),
        ];
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let unused: Vec<&str> = types
            .filter_map(|line| line.split(' ').next())
            .filter(|name| !files.iter().any(|file| file.contains(name)))
            .collect();
        assert!(unused.is_empty(), "{unused:?}");
    }
}
