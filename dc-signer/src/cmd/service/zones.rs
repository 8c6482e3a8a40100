//! `dc-signer zones`: what names are issued under, and the certificates that sign them.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use dc_pki::names::ZoneName;
use dc_pki::time::Moment;
use dc_pki::{Forms, Roles, clock};
use dc_signer::authority::approvals::{Move, Outcome};
use dc_signer::authority::json;
use dc_signer::authority::{BothFormsWarning, Import};
use dc_store::owner;
use dc_store::registry::{DelegationState, Role, Zone};

use super::approvals;
use super::error::Error;
use super::place::{Acting, Actor, Open, Place, Why};
use super::print;
use crate::cmd::table::Table;
use crate::cmd::warn;

mod add;
mod end;
mod remove;

/// Manage zones and their delegation certificates
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Add(add::Args),
    End(end::Args),
    Forms(SetForms),
    Remove(remove::Args),
    Roles(SetRoles),
    /// List the zones with their delegation certificates
    List(List),
    PullRenewals(PullRenewals),
    /// Move a zone on to its next delegation certificate
    Rollover(Rollover),
}

/// Change which forms of credentials a zone's devices get
///
/// A service that runs goes by it some seconds later, and each device gets them when it renews next. A device takes what its zone
/// issues, so nothing changes on any device; and what it has stays valid to its end.
#[derive(Debug, clap::Args)]
struct SetForms {
    /// The zone
    #[arg(value_parser = ZoneName::parse)]
    zone: ZoneName,
    /// named, both or rfc9345. With the last two every device can pose as every other to clients that do not require
    /// the unique name
    forms: Forms,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

/// Change which ends of connections a zone's devices get credentials for
///
/// With 'both', a device that asks for it also gets a credential that it presents as a client to servers that ask for one, a
/// cloud service for example; always with its unique name. Every delegation certificate of the zone then needs clientAuth in its
/// extKeyUsage, or none. With 'server', a device gets no more of those and goes on serving; the last one stays valid to its end.
/// A service that runs goes by it some seconds later: what it issues until then is good, and valid to its end as well.
#[derive(Debug, clap::Args)]
struct SetRoles {
    /// The zone
    #[arg(value_parser = ZoneName::parse)]
    zone: ZoneName,
    /// server or both
    roles: Roles,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    place: Place,
    /// Print the zones as JSON
    #[arg(long)]
    json: bool,
}

/// Ask a zone's devices to renew before their time
///
/// All whose credential was issued before now renew within 20 hours: each asks every 12 hours, give or take 2, and takes up to 6 more,
/// so that they do not come all at once; '[renewals]' in the configuration has both times. For a change of the zone's forms, roles
/// or certificate that is not to wait for days.
#[derive(Debug, clap::Args)]
struct PullRenewals {
    /// The zone
    #[arg(value_parser = ZoneName::parse)]
    zone: ZoneName,
    /// Take it back: those that have not been asked yet renew in their own time
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
struct Rollover {
    /// The zone
    #[arg(value_parser = ZoneName::parse)]
    zone: ZoneName,
    /// A folder with the next delegation certificate's chain.pem and key.pem. It becomes active by itself 48 h after
    /// its notBefore, or at once when the active one has under 8 days left (an eighth and a quarter of its life, if less)
    #[arg(long, value_name = "DIR")]
    import: Option<PathBuf>,
    /// Issue at once from the certificate that is imported, or else from the next one
    #[arg(long)]
    now: bool,
    /// Issue from this slot at once: one that is next, though another lasts longer, or one that drains, to take back a move
    /// to the wrong certificate
    #[arg(long, value_name = "SLOT", conflicts_with_all = ["import", "now"])]
    to: Option<u32>,
    /// Leave signers behind that have not got the certificate's key, as one that is out of order or does not exist: they issue
    /// nothing in the zone until they have it
    #[arg(long)]
    leave_signers_out: bool,
    /// Print the zone as JSON, or what waits for a second operator
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        match self.what {
            What::Add(add) => add.run(),
            What::End(end) => end.run(),
            What::List(List { place, json }) => place.with_authority(async |open| {
                let zones = open.store.zones().await?;
                warn(&open.authority.pauses(&zones).await?);
                match json {
                    true => {
                        let now = clock::now()?;
                        let zones = zones.iter().map(|zone| json::Zone::at(now, zone));
                        print(&serde_json::json!(zones.collect::<Vec<_>>()))
                    }
                    false => tell(&zones),
                }
            }),
            What::Forms(forms) => forms.run(),
            What::Remove(remove) => remove.run(),
            What::Roles(roles) => roles.run(),
            What::PullRenewals(pull) => pull.run(),
            What::Rollover(rollover) => rollover.run(),
        }
    }
}

impl SetForms {
    fn run(self) -> Result<(), Error> {
        let (needed, why) = (Role::Admin, Some(&self.why.reason));
        self.acting.with_authority(needed, why, async |open, who| {
            let (zone, forms) = (&self.zone, self.forms);
            open.authority.set_forms(zone, forms, &who.act()?).await?;
            show(open, zone).await
        })
    }
}

impl SetRoles {
    fn run(self) -> Result<(), Error> {
        let (needed, why) = (Role::Admin, Some(&self.why.reason));
        self.acting.with_authority(needed, why, async |open, who| {
            let (zone, roles) = (&self.zone, self.roles);
            open.authority.set_roles(zone, roles, &who.act()?).await?;
            show(open, zone).await
        })
    }
}

impl PullRenewals {
    fn run(self) -> Result<(), Error> {
        let Self { zone, undo, .. } = &self;
        let (needed, why) = (Role::Admin, Some(&self.why.reason));
        self.acting.with_authority(needed, why, async |open, who| {
            let act = who.act()?;
            let before = (!*undo).then_some(act.at);
            open.authority.pull_renewals(zone, before, &act).await?;
            print(&match before {
                Some(before) => format!(
                    "devices of zone {zone} with a credential from before {} renew within {} hours",
                    Moment(before),
                    open.authority.pulled_within().as_secs().div_ceil(3600)
                ),
                None => format!("devices of zone {zone} renew in their own time"),
            })
        })
    }
}

impl Rollover {
    fn run(self) -> Result<(), Error> {
        let (needed, why) = (Role::Admin, Some(&self.why.reason));
        self.acting.with_authority(needed, why, async |open, who| {
            let mut to = self.to;
            if let Some(folder) = &self.import {
                // Another one may be next that lasts longer, and not be meant.
                let slot = import(open, who, &self.zone, read(open, folder)?).await?;
                // On the second signer it may be what the zone issues from already.
                if self.now && issues_from(open, &self.zone, slot).await? {
                    return show_as(open, &self.zone, self.json).await;
                }
                to = Some(slot);
            }
            if self.now || self.import.is_none() {
                let (name, act) = (who.caller().name(), who.act()?);
                let wanted = Move {
                    to,
                    leave_signers_out: self.leave_signers_out,
                };
                let rolled = open
                    .authority
                    .rollover_or_ask(&self.zone, wanted, name, &act);
                match rolled.await? {
                    Outcome::Waits(approval) => {
                        return Err(approvals::waits_for(&approval, &self.acting, self.json));
                    }
                    Outcome::Done(zone) => warn_of_next(&zone),
                }
            } else {
                open.authority.keep_zones(clock::now()?).await?;
                for waiting in open.authority.waiting() {
                    eprintln!("note: {waiting}");
                }
            }
            show_as(open, &self.zone, self.json).await
        })
    }
}

/// The folder is whoever's runs this, not the signer's.
fn read(open: &Open, folder: &Path) -> Result<Import, Error> {
    let now = clock::now()?;
    let _invoker = owner::as_invoker()?;
    Ok(Import::read(folder, open.authority.unlock(), now)?)
}

/// Says which certificates take the place of the one that was asked for, some time later.
fn warn_of_next(zone: &Zone) {
    let ends = zone.active().map(|active| active.not_after);
    let next = zone.delegations.iter().filter(|slot| {
        slot.state == DelegationState::Next && ends.is_some_and(|ends| slot.not_after > ends)
    });
    for slot in next {
        eprintln!(
            "warning: slot {0} is next and lasts longer, so it becomes active when it has soaked: if it is not to, do 'dc-signer zones end {1} {0} --reason WHY --config FILE'",
            slot.number, zone.zone
        );
    }
}

/// Takes a certificate as the next one of a zone; says its slot.
async fn import(open: &Open, who: &Actor, zone: &ZoneName, import: Import) -> Result<u32, Error> {
    let imported = open
        .authority
        .take_delegation(zone, import, &who.act()?)
        .await?;
    warn(&imported.warnings);
    if imported.known {
        eprintln!(
            "note: slot {} had this certificate already; its key is on this machine now",
            imported.slot
        );
    }
    Ok(imported.slot)
}

async fn issues_from(open: &Open, zone: &ZoneName, slot: u32) -> Result<bool, Error> {
    let zones = open.store.zones().await?;
    let managed = zones.iter().find(|managed| managed.zone == *zone);
    let active = managed.and_then(Zone::active);
    Ok(active.is_some_and(|active| active.number == slot))
}

async fn show(open: &Open, zone: &ZoneName) -> Result<(), Error> {
    show_as(open, zone, false).await
}

async fn show_as(open: &Open, zone: &ZoneName, json: bool) -> Result<(), Error> {
    let mut zones = open.store.zones().await?;
    zones.retain(|managed| managed.zone == *zone);
    match (json, zones.first()) {
        (true, Some(zone)) => print(&serde_json::json!(json::Zone::at(clock::now()?, zone))),
        _ => tell(&zones),
    }
}

/// Prints zones, and what is to be said against them.
fn tell(zones: &[Zone]) -> Result<(), Error> {
    let now = clock::now()?;
    let both = zones
        .iter()
        .filter_map(|zone| BothFormsWarning::of(zone, now));
    warn(&both.collect::<Vec<_>>());
    print(&table(zones))
}

fn table(zones: &[Zone]) -> Table<7> {
    let mut table = Table::new(["ZONE", "FORMS", "ROLES", "SLOT", "STATE", "BEGINS", "ENDS"]);
    for managed in zones {
        let (zone, forms) = (managed.zone.to_string(), managed.forms.as_str().to_owned());
        if managed.delegations.is_empty() {
            let none = || "-".to_owned();
            let roles = managed.roles.as_str().to_owned();
            table.row([
                zone.clone(),
                forms.clone(),
                roles,
                none(),
                none(),
                none(),
                none(),
            ]);
        }
        for slot in &managed.delegations {
            table.row([
                zone.clone(),
                forms.clone(),
                managed.roles.as_str().to_owned(),
                slot.number.to_string(),
                slot.state.to_string(),
                Moment(slot.not_before).to_string(),
                Moment(slot.not_after).to_string(),
            ]);
        }
    }
    table
}

const HELP: &str = "\
A zone's certificates go from next to active to draining to gone. Import the next one some weeks before the active
one ends: it becomes active by itself, and no device notices. Nothing is issued under a certificate with less
than 8 days left, or a quarter of its life if that is less. With several signers, import it on each of them: it becomes active when all that run have its key.

All devices of a zone are under one wildcard, so a zone is for devices that are to be trusted alike, and issues one form.
One that issues both is warned of here, by 'dc-signer check', in the log, in the metrics and on the page.

Examples:
  dc-signer zones add cpe.example.com --import vendor --config /etc/dc-signer/config.toml
  dc-signer zones remove cpq.example.com --reason 'mistyped' --config /etc/dc-signer/config.toml
  dc-signer zones rollover cpe.example.com --import vendor-2027 --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer zones rollover cpe.example.com --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer zones rollover cpe.example.com --to 1 --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer zones end cpe.example.com 1 --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer zones forms cpe.example.com named --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer zones roles cpe.example.com both --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer zones pull-renewals cpe.example.com --reason NOC-4711 --config /etc/dc-signer/config.toml
  dc-signer zones list --config /etc/dc-signer/config.toml";
