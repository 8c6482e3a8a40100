//! `dc-signer audit list`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dc_pki::clock;
use dc_pki::time::Moment;
use dc_signer::authority::reads;
use dc_store::export::record_line;
use dc_store::registry::{Action, DeviceId, Record, Role};
use dc_store::{AuditFilter, Store};
use pki_types::UnixTime;

use crate::cmd::service::devices::note_read;
use crate::cmd::service::error::Error;
use crate::cmd::service::place::Acting;
use crate::cmd::service::print;
use crate::cmd::table::Table;

/// Which records, and how many.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    acting: Acting,
    /// Only those since then: a time such as 2027-01-31T12:00:00Z, or so long ago, such as 2d
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<UnixTime>,
    /// Only those until then
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<UnixTime>,
    /// Only those of this action, such as suspend or change-operator; may be given several times
    #[arg(long, value_name = "ACTION", value_parser = action)]
    action: Vec<Action>,
    /// Only those by this actor, such as operator:alice, root:uid=0,login=1000 or device
    #[arg(long)]
    actor: Option<String>,
    /// Only those about this device: its external id, its id or its name, and under all names that it had. This takes an operator's
    /// credential, and is recorded
    #[arg(long)]
    device: Option<String>,
    /// Only those about this unique name, or this operator
    #[arg(long)]
    name: Option<String>,
    /// Only those of this zone
    #[arg(long)]
    zone: Option<String>,
    /// At most so many, the newest
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Print one JSON object a line, as 'audit export' does
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        match &self.device {
            None => {
                let place = &self.acting.place;
                place.with_store(async |store| self.list(store, None).await)
            }
            // Which names somebody's device has had is personal data; the log itself has none.
            Some(text) => self
                .acting
                .with_authority(Role::Viewer, None, async |open, who| {
                    let device = open.device(text).await?;
                    note_read(open, who, reads::one(&device)).await?;
                    self.list(&open.store, Some(device.id)).await
                }),
        }
    }

    async fn list(&self, store: &Store, device: Option<DeviceId>) -> Result<(), Error> {
        let filter = self.filter(device);
        let store = store.pages().await;
        let (mut found, mut before) = (Vec::new(), None);
        let more = loop {
            let left = self
                .limit
                .saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
            if left == 0 {
                break true;
            }
            let page = store
                .find_records_before(&filter, before, left.min(PAGE))
                .await?;
            found.extend(page.records);
            before = page.next;
            if before.is_none() {
                break false;
            }
        };
        self.show(&found)?;
        if more {
            eprintln!("note: there may be more; use --limit, or 'audit export'");
        }
        Ok(())
    }

    fn filter(&self, device: Option<DeviceId>) -> AuditFilter {
        AuditFilter {
            since: self.since,
            until: self.until,
            actions: self.action.clone(),
            actor: self.actor.clone(),
            device,
            name: self.name.clone(),
            zone: self.zone.clone(),
        }
    }

    fn show(&self, found: &[Record]) -> Result<(), Error> {
        if self.json {
            return found
                .iter()
                .try_for_each(|record| print(&record_line(record).trim_end()));
        }
        let head = ["RECORD", "TIME", "AT", "BY", "FROM", "WHAT", "ABOUT", "WHY"];
        let mut table = Table::new(head);
        for Record { seq, entry, .. } in found {
            let [name, zone] = [&entry.name, &entry.zone].map(Option::as_deref);
            let about = name.or(zone).or_else(|| entry.said());
            let from = entry.came_from().map(|from| from.to_string());
            table.row([
                seq.to_string(),
                Moment(entry.time).to_string(),
                entry.node.clone(),
                entry.actor.clone(),
                from.unwrap_or_default(),
                entry.action.to_string(),
                about.unwrap_or_default().to_owned(),
                entry.reason.clone().unwrap_or_default(),
            ]);
        }
        print(&table)
    }
}

/// An action, or which there are.
fn action(text: &str) -> Result<Action, String> {
    text.parse().map_err(|_| {
        let all: Vec<String> = Action::ALL.iter().map(ToString::to_string).collect();
        format!("no record has this action: there are {}", all.join(", "))
    })
}

/// A time, or so long ago.
pub(super) fn time(text: &str) -> Result<UnixTime, String> {
    let seconds = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    if let Ok(time) = humantime::parse_rfc3339_weak(text) {
        let since: Result<Duration, _> = SystemTime::duration_since(&time, UNIX_EPOCH);
        let since = since.map_err(|_| "it is before 1970".to_owned())?;
        return Ok(seconds(since.as_secs()));
    }
    let ago = humantime::parse_duration(text).map_err(|_| {
        "it is neither a time such as 2027-01-31T12:00:00Z nor one ago such as 2d".to_owned()
    })?;
    let now = clock::now().map_err(|error| error.to_string())?;
    Ok(seconds(now.as_secs().saturating_sub(ago.as_secs())))
}

const PAGE: u32 = 1000;
