//! `dc-signer certificate status`: each zone's certificate, its CA, and when that wants it renewed.

use dc_pki::delegation::KEY;
use dc_pki::time::Moment;
use dc_pki::{clock, files};
use dc_signer::authority::active_by;
use dc_signer::config::Config;
use dc_signer::renewal;
use dc_signer::renewal::ordering::{self, ConfiguredCa};
use dc_signer::renewal::source::RenewalWindow;
use dc_store::registry::{DelegationState, Zone, ZoneDelegation};
use pki_types::UnixTime;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::place::{Open, Place};
use super::super::print;
use crate::cmd::table::Table;

/// Show each zone's certificate, its CA, and when that wants it renewed
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Do not ask any CA
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    place: Place,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Everything that is known of one zone.
struct Status {
    zone: Zone,
    ca: Option<String>,
    account: Option<String>,
    /// There is a key that waits for a certificate.
    has_order: bool,
    window: Option<RenewalWindow>,
    /// How far it is, what it waits for, and what to do.
    state: Vec<String>,
    /// The reasons that something could not be found out.
    problems: Vec<String>,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        self.place.with_config_and_authority(async |config, open| {
            let (mut all, now) = (Vec::new(), clock::now()?);
            let waiting = open.authority.waiting();
            let renewals = renewal::Status::all(config, &open.store, &waiting, now).await?;
            for zone in open.store.zones().await? {
                let renewal = renewals.iter().find(|one| one.zone == zone.zone);
                let mut status = self.status(config, open, zone).await?;
                status.state = state(&status, renewal, now);
                all.push(status);
            }
            if self.json {
                let all: Vec<Value> = all.iter().map(Status::to_json).collect();
                return print(&json!(all));
            }
            for status in &all {
                for problem in &status.problems {
                    eprintln!("warning: {}: {problem}", status.zone.zone);
                }
            }
            print(&table(&all))?;
            for status in &all {
                for line in &status.state {
                    print(line)?;
                }
                if let Some(account) = &status.account {
                    eprintln!("note: the account of {} is {account}", status.zone.zone);
                }
            }
            Ok(())
        })
    }

    async fn status(&self, config: &Config, open: &Open, zone: Zone) -> Result<Status, Error> {
        let ca = ConfiguredCa::of(config, &zone.zone);
        let own = ordering::folder(&config.data, &zone.zone, zone.roles);
        let mut status = Status {
            has_order: files::is_there(&own.join(KEY))?,
            ca: ca.as_ref().map(|ca| ca.name().to_owned()),
            account: None,
            window: None,
            state: Vec::new(),
            problems: Vec::new(),
            zone,
        };
        let Some(ca) = ca else {
            return Ok(status);
        };
        match ca.account_url() {
            Ok(account) => status.account = account,
            Err(error) => status.problems.push(error.to_string()),
        }
        let active = open.authority.active_certificate(&status.zone.zone).await?;
        if let Some(active) = active.filter(|_| !self.offline) {
            match ca.source().renewal_window(&active).await {
                Ok(window) => status.window = window,
                Err(error) => status.problems.push(error.to_string()),
            }
        }
        Ok(status)
    }
}

impl Status {
    /// `{zone, ca, account, active: {slot, not_after}, next: {…}, renewal: {from, to}, order_in_progress, state, problems}`; what there
    /// is not is null.
    fn to_json(&self) -> Value {
        let slot = |state| {
            let slot = self.slot(state)?;
            Some(json!({"slot": slot.number, "not_after": slot.not_after.as_secs()}))
        };
        let window = self
            .window
            .map(|(from, to, _)| json!({"from": from.as_secs(), "to": to.as_secs()}));
        json!({
            "zone": self.zone.zone.to_string(),
            "ca": self.ca,
            "account": self.account,
            "active": slot(DelegationState::Active),
            "next": slot(DelegationState::Next),
            "renewal": window,
            "order_in_progress": self.has_order,
            "state": self.state,
            "problems": self.problems,
        })
    }

    /// The newest one in a state.
    fn slot(&self, state: DelegationState) -> Option<&ZoneDelegation> {
        let mut slots = self.zone.delegations.iter().rev();
        slots.find(|slot| slot.state == state)
    }

    fn ends(&self, state: DelegationState) -> String {
        let slot = self.slot(state);
        slot.map_or_else(nothing, |slot| Moment(slot.not_after).to_string())
    }
}

/// How far a zone's certificate is, in words: what it waits for, and what there is to do.
fn state(status: &Status, renewal: Option<&renewal::Status>, now: UnixTime) -> Vec<String> {
    let zone = &status.zone.zone;
    let order = format!("'dc-signer certificate order --zone {zone} --reason WHY --config FILE'");
    let import =
        format!("'dc-signer zones rollover {zone} --import DIR --reason WHY --config FILE'");
    let mut lines = Vec::new();
    if status.has_order {
        lines.push(format!(
            "zone {zone}: an order that was placed by hand has not come to its end: {order} goes on with it, and --new-key begins anew"
        ));
    }
    match (renewal, &status.ca) {
        (Some(renewal), _) => {
            lines.push(renewal.to_string());
            let warnings = renewal.warnings(now).into_iter();
            lines.extend(warnings.map(|warning| format!("warning: {warning}")));
            return lines;
        }
        (None, Some(_)) => lines.push(format!(
            "zone {zone}: the service does not order by itself (certificate_renewal.automatic is false): {order} does"
        )),
        (None, None) => lines.push(format!(
            "zone {zone}: no CA is configured, so its certificates are brought by hand: {import}"
        )),
    }
    let next = status.slot(DelegationState::Next);
    match (status.zone.active(), next) {
        (_, Some(next)) => lines.push(format!(
            "zone {zone}: slot {} is the next one, and becomes active by itself from {} on, as soon as every signer has its key, or without \
             that once nothing may be issued from the active one; 'dc-signer zones rollover {zone} --now --reason WHY --config FILE' does not wait",
            next.number,
            Moment(active_by(&status.zone, next))
        )),
        (Some(active), None) => lines.push(format!(
            "zone {zone}: it needs the next certificate before {}, when nothing can be issued from this one any more",
            Moment(active.issues_until())
        )),
        (None, None) => lines.push(format!(
            "zone {zone}: it has no certificate, and nothing can be issued"
        )),
    }
    lines
}

fn table(all: &[Status]) -> Table<6> {
    let mut table = Table::new(["ZONE", "CA", "ACTIVE TO", "NEXT TO", "RENEW FROM", "ORDER"]);
    for status in all {
        let window = status.window.map(|(from, ..)| Moment(from).to_string());
        table.row([
            status.zone.zone.to_string(),
            status.ca.clone().unwrap_or_else(nothing),
            status.ends(DelegationState::Active),
            status.ends(DelegationState::Next),
            window.unwrap_or_else(nothing),
            match status.has_order {
                true => "in progress".to_owned(),
                false => nothing(),
            },
        ]);
    }
    table
}

fn nothing() -> String {
    "-".to_owned()
}
