//! Its status, for whoever runs it, in JSON.

use std::sync::PoisonError;
use std::time::UNIX_EPOCH;

use pki_types::UnixTime;
use serde_json::{Value, json};

use super::super::holder::Held;
use super::super::made::Waiting;
use super::Desk;
use dc_pki::clock;
use dc_pki::time::Moment;

impl Desk {
    pub(super) fn status(&self, now: UnixTime) -> Value {
        let held = self.holder.all();
        let certificates: Vec<Value> = held.iter().take(SHOWN).map(|held| shown(held)).collect();
        let zones: Vec<Value> = self.ceilings.0.iter().take(SHOWN).map(|ceiling| {
            let zone = ceiling.zone.to_string();
            let (minute, hour) = self.last(&zone);
            let pause = self.pause(&ceiling.zone, now).map(|pause| {
                json!({ "until": Moment(pause.until).to_string(), "because": pause.cause.as_str() })
            });
            json!({
                "zone": zone, "issued": self.counts.issued_in(&zone),
                "lifetime": ceiling.lifetime.as_secs(), "forms": ceiling.forms.as_str(), "roles": ceiling.roles.as_str(),
                "last_minute": minute, "per_minute": ceiling.per_minute,
                "last_hour": hour, "per_hour": ceiling.per_hour, "pause": pause,
            })
        }).collect();
        let checkpoint = self.checkpoints.as_ref().map(|log| {
            let last = log.last();
            json!({
                "origin": log.verifying_key().name(), "key": log.verifying_key().to_string(),
                "size": last.as_ref().map(|last| last.size),
                "root": last.map(|last| last.root.to_string()),
            })
        });
        let pending: Vec<Value> = self
            .made
            .waiting()
            .iter()
            .take(SHOWN)
            .map(pending)
            .collect();
        let end = self.record().end().clone();
        json!({
            "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id(),
            "began": Moment(self.began).to_string(), "time": Moment(now).to_string(),
            "certificates": certificates, "pending": pending, "zones": zones, "counts": self.counts.json(),
            "checkpoint": checkpoint, "log": { "seq": end.seq, "last": end.last.to_string() },
        })
    }
}

impl Desk {
    /// How many there were in a zone in the last minute and hour.
    fn last(&self, zone: &str) -> (usize, usize) {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = rates.get_mut(zone);
        rate.map_or((0, 0), |rate| rate.last(clock::uptime().as_secs()))
    }
}

fn shown(held: &Held) -> Value {
    let certificate = held.for_servers.certificate();
    json!({
        "sha256": held.sha256().to_string(),
        "names": certificate.dns_names().first(),
        "not_after": Moment(certificate.not_after()).to_string(),
        "for_clients": held.for_clients.is_some(),
        "used": held.is_used(),
        "last_issued": held.last_issued().map(|at| Moment::at(at).to_string()),
    })
}

fn pending(one: &Waiting) -> Value {
    let since = one
        .since
        .and_then(|since| since.duration_since(UNIX_EPOCH).ok());
    json!({
        "key": one.key, "zone": one.zone,
        "since": since.map(|since| Moment::at(since.as_secs()).to_string()),
    })
}

/// As many as fit an answer.
const SHOWN: usize = 80;
