//! `dc-signer devices list` and `export`.

use std::io::{BufWriter, IsTerminal, Write};
use std::time::Duration;

use dc_pki::clock;
use dc_pki::names::ZoneName;
use dc_pki::time::Span;
use dc_signer::authority::{csv, json, reads};
use dc_store::registry::{Action, Device, Error as Registry, Role, Search, Sha256, State};
use dc_store::{Filter, Page};
use indicatif::ProgressBar;
use pki_types::UnixTime;
use serde_json::json;

use crate::cmd::service::error::Error;
use crate::cmd::service::place::{Acting, Actor, Open};
use crate::cmd::service::print;
use crate::cmd::table::Table;

/// Which devices.
#[derive(Debug, clap::Args)]
struct Which {
    /// Only those in this state: preregistered, active, suspended or retired
    #[arg(long)]
    state: Option<State>,
    /// Only those of this zone
    #[arg(long, value_parser = ZoneName::parse)]
    zone: Option<ZoneName>,
    /// Only those whose external id begins so
    #[arg(long)]
    prefix: Option<String>,
    /// Only those that two devices seem to be
    #[arg(long)]
    clones: bool,
    /// Only those whom this text means: the start of an external id or of a unique name, now or before, in capitals or small letters;
    /// or a serial number, the SHA-256 of an enrolment key or of the latest credential (8 digits or more), or the first two groups of
    /// an activation code
    #[arg(long, value_name = "TEXT")]
    search: Option<Search>,
    /// Only those whose credential ends within this time, or has ended: 6h, 2d
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    expires_within: Option<Duration>,
    /// Only those whose credential has not ended
    #[arg(long, conflicts_with = "ended")]
    not_ended: bool,
    /// Only those whose credential has ended
    #[arg(long, conflicts_with = "expires_within")]
    ended: bool,
    /// Only those that hold no credential: they have not enrolled, or were replaced and have not since
    #[arg(long, conflicts_with_all = ["ended", "not_ended", "expires_within"])]
    no_credential: bool,
    /// Only those whose latest credential is under this slot of the zone, as 'zones list' has it: those that are still on a
    /// certificate that they are to leave
    #[arg(long, value_name = "SLOT", requires = "zone")]
    on_slot: Option<u32>,
    #[command(flatten)]
    acting: Acting,
}

/// List devices
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

/// Export devices
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    #[command(flatten)]
    which: Which,
    /// Write CSV for spreadsheets: the first line says what is in each column
    #[arg(long)]
    csv: bool,
}

impl Which {
    async fn filter(&self, open: &Open, now: UnixTime) -> Result<Filter, Error> {
        let later = |within: Duration| {
            let seconds = now.as_secs().saturating_add(within.as_secs());
            UnixTime::since_unix_epoch(Duration::from_secs(seconds))
        };
        Ok(Filter {
            state: self.state,
            zone: self.zone.clone(),
            possible_clone: self.clones.then_some(true),
            external_id_prefix: self.prefix.clone(),
            expires_before: match self.ended {
                // Those that end in this very second are not valid any more.
                true => Some(later(Duration::from_secs(1))),
                false => self.expires_within.map(later),
            },
            expires_from: self.not_ended.then(|| later(Duration::from_secs(1))),
            has_credential: self.no_credential.then_some(false),
            search: self.search.clone(),
            delegation: match (&self.zone, self.on_slot) {
                (Some(zone), Some(slot)) => Some(certificate(open, zone, slot).await?),
                _ => None,
            },
        })
    }
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        self.which
            .acting
            .with_authority(Role::Viewer, None, async |open, who| {
                let now = clock::now()?;
                let mut table = Table::new(["EXTERNAL ID", "NAME", "STATE", "EXPIRES IN", "NOTE"]);
                let filter = self.which.filter(open, now).await?;
                let mut left = self.limit;
                let mut devices = Vec::new();
                let more = each(open, &filter, &mut left, |device| {
                    devices.push(device.clone());
                    Ok(())
                });
                let more = more.await?;
                note_read(open, who, reads::scope(&filter, devices.len())).await?;
                for device in &devices {
                    match self.json {
                        true => print(&json!(json::Device::from(device)))?,
                        false => table.row(row(device, now)),
                    }
                }
                if !self.json {
                    print(&table)?;
                }
                if more {
                    eprintln!("note: there are more; use --limit, or 'devices export'");
                }
                Ok(())
            })
    }
}

impl Export {
    pub(super) fn run(self) -> Result<(), Error> {
        self.which
            .acting
            .with_authority(Role::Viewer, None, async |open, who| {
                let bar = match std::io::stderr().is_terminal() && !std::io::stdout().is_terminal()
                {
                    true => ProgressBar::new_spinner().with_message("devices"),
                    false => ProgressBar::hidden(),
                };
                let mut out = BufWriter::new(std::io::stdout().lock());
                let failed = |source| Error::from(crate::cmd::Error::Output { source });
                let filter = self.which.filter(open, clock::now()?).await?;
                // Before the first one is shown.
                note(open, who, Action::Export, reads::filter(&filter)).await?;
                let (mut all, mut rows) = (usize::MAX, 0usize);
                if self.csv {
                    out.write_all(csv::HEAD.as_bytes()).map_err(failed)?;
                }
                let done = each(open, &filter, &mut all, |device| {
                    bar.inc(1);
                    rows += 1;
                    match self.csv {
                        true => out.write_all(csv::line(device).as_bytes()),
                        false => writeln!(out, "{}", json!(json::Device::from(device))),
                    }
                    .map_err(failed)
                });
                let done = done.await;
                bar.finish_and_clear();
                note(open, who, Action::ExportEnd, reads::scope(&filter, rows)).await?;
                done?;
                out.flush().map_err(failed)
            })
    }
}

/// SHA-256 of the certificate of a slot.
async fn certificate(open: &Open, zone: &ZoneName, number: u32) -> Result<Sha256, Error> {
    let zones = open.store.zones().await?;
    let found = zones.iter().find(|managed| managed.zone == *zone);
    let found = found.ok_or(Registry::UnknownZone).map_err(refused)?;
    let mut slots = found.delegations.iter();
    let slot = slots.find(|slot| slot.number == number);
    let slot = slot.ok_or(Registry::UnknownDelegation { number });
    Ok(slot.map_err(refused)?.certificate_sha256)
}

fn refused(source: Registry) -> dc_store::Error {
    dc_store::Error::Refused { source }
}

/// Records that somebody looked at devices. A database that takes no records now can be looked at nevertheless: that is when
/// somebody has to.
pub(in crate::cmd::service) async fn note_read(
    open: &Open,
    who: &Actor,
    scope: String,
) -> Result<(), Error> {
    if let Err(error) = note(open, who, Action::Read, scope).await {
        eprintln!("warning: this is not in the audit log: {error}");
    }
    Ok(())
}

/// Records that personal data was read.
pub(super) async fn note(
    open: &Open,
    who: &Actor,
    action: Action,
    scope: String,
) -> Result<(), Error> {
    Ok(open.store.note_read(action, scope, &who.act()?).await?)
}

/// Does something with each device that fits, up to a limit; says whether there are more.
async fn each(
    open: &Open,
    filter: &Filter,
    left: &mut usize,
    mut work: impl FnMut(&Device) -> Result<(), Error>,
) -> Result<bool, Error> {
    let mut after = None;
    loop {
        let limit = u32::try_from(*left).unwrap_or(Page::MAX).min(Page::MAX);
        let page = Page {
            after,
            limit,
            ..Page::default()
        };
        let store = open.store.pages().await;
        let first = page.after.is_none();
        let listed = store.list_devices(filter, &page).await?;
        for way in listed.crowded.iter().filter(|_| first) {
            let words = way.words();
            eprintln!(
                "note: more {words} begin so than are looked at, and those are left out; give more of it"
            );
        }
        listed.devices.iter().try_for_each(&mut work)?;
        *left = left.saturating_sub(listed.devices.len());
        after = listed.next;
        if after.is_none() || *left == 0 {
            return Ok(after.is_some());
        }
    }
}

fn row(device: &Device, now: UnixTime) -> [String; 5] {
    let expires = device.credential.map(|held| match held.expires > now {
        true => Span::about(now, held.expires).to_string(),
        false => "ended".to_owned(),
    });
    let waits = device
        .waits_until(now)
        .map(|from| format!("available in {}", Span::about(now, from)));
    let note = match device.possible_clone {
        true => "possible clone".to_owned(),
        false => waits.unwrap_or_default(),
    };
    [
        device.external_id.to_string(),
        device.name.to_string(),
        device.state.to_string(),
        expires.unwrap_or_else(|| "-".to_owned()),
        note,
    ]
}
