//! The alert rules and the dashboard: Prometheus takes them, and the service exports what they name.
//!
//! `promtool` is Prometheus's own tool.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::rig::Rig;
use crate::router::{Router, csr};

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ops/prometheus-alerts.yaml");
const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ops/grafana-dashboard.json");
const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ops/alerts.yaml");

/// It has to be content.
fn promtool(arguments: &[&str]) {
    if !apparatus::have(apparatus::Part::Promtool) {
        return;
    }
    let output = Command::new(apparatus::program("promtool"))
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "{said}");
}

/// All expressions of the dashboard, as Prometheus gets them from Grafana.
fn expressions() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                let expr = fields.get("expr").and_then(Value::as_str);
                found.extend(expr.map(|expr| expr.replace("$__rate_interval", "5m")));
                fields.values().for_each(|field| collect(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let dashboard = std::fs::read_to_string(DASHBOARD).unwrap();
    let mut found = Vec::new();
    collect(&serde_json::from_str(&dashboard).unwrap(), &mut found);
    assert!(found.len() > 20, "{found:?}");
    found
}

#[test]
fn prometheus_takes_the_rules_and_every_alert_fires_and_rests_when_it_should() {
    promtool(&["check", "rules", RULES]);
    promtool(&["test", "rules", TESTS]);
    let [rules, tests] = [RULES, TESTS].map(|path| std::fs::read_to_string(path).unwrap());
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        let fires = format!("alertname=\"{alert}\"");
        assert!(tests.contains(&fires), "{alert} is not tested");
    }
}

#[test]
fn prometheus_takes_every_expression_of_the_dashboard() {
    let rules = expressions().into_iter().enumerate().map(
        |(number, expr)| serde_json::json!({"record": format!("dashboard:{number}"), "expr": expr}),
    );
    let rules: Vec<Value> = rules.collect();
    // JSON is YAML too.
    let file = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dashboard.yaml");
    std::fs::write(&path, file.to_string()).unwrap();
    promtool(&["check", "rules", path.to_str().unwrap()]);
}

/// The names of metrics in a text, without what Prometheus appends to histograms.
fn named_in(text: &str) -> BTreeSet<String> {
    let other = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let names = text.split(other).filter(|name| name.starts_with("dc_"));
    let base = |name: &str| name.trim_end_matches("_bucket").to_owned();
    names.map(base).collect()
}

#[test]
fn a_running_service_exports_every_metric_that_rules_and_dashboard_name() {
    let rig = Rig::start_with(
        "max_waiting_handshakes = 1\n[[order_command]]\ncommand = ['/bin/false']\n[checkpoints]\nname = 'log'\nkey = 'audit.pem'\n[[checkpoint_places]]\nfile = 'outside'",
    );
    let (router, _) = Router::enrolled(&rig, "one");
    router.renew("no request", "k").refused(422, "bad-csr");
    router.renew(&csr(), "k").ok();
    // The zone issues none for clients.
    let both = json!({"csr": csr(), "client_csr": csr(), "idempotency_key": "both"});
    router.client.post(dc_protocol::RENEW, &both).ok();
    // The second makes the first go.
    let _silent = (rig.client().tcp(), rig.client().tcp());
    let mut wanted = named_in(&std::fs::read_to_string(RULES).unwrap());
    wanted.extend(named_in(&expressions().join(" ")));
    rig.wait_until("every metric has a value", || {
        let metrics = rig.client().get("/metrics").body;
        let is_there = |name: &String| metrics.contains(&format!("\n{name}"));
        wanted.iter().all(is_there)
    });
}

#[test]
fn the_unit_waits_for_the_clock_and_nothing_that_is_over_keeps_it_from_starting() {
    let unit = include_str!("../../ops/dc-signer.service");
    for key in ["Wants=", "After="] {
        let mut lines = unit.lines().filter(|line| line.starts_with(key));
        assert!(lines.any(|line| line.contains("time-sync.target")), "{key}");
    }
    let check = unit.lines().find(|line| line.starts_with("ExecStartPre="));
    assert!(
        check.is_none_or(|line| line.starts_with("ExecStartPre=-")),
        "{check:?}"
    );
}
