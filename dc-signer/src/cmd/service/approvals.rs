//! `dc-signer approvals`: acts that take two operators.

use clap::Subcommand;
use dc_pki::clock;
use dc_pki::time::Moment;
use dc_signer::authority::approvals::{Approved, Asked, waits, word};
use dc_signer::authority::json;
use dc_store::registry::{Approval, Role};
use serde_json::json;

use super::error::Error;
use super::place::{Acting, Actor, Why};
use super::print;
use super::rest::Rest;
use crate::cmd::table::Table;

/// Agree to acts that take two operators, or refuse them
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List what waits for a second operator, and what did
    List(List),
    /// Agree to what another operator has asked for, and do it, in the names of both
    Approve(Approve),
    /// Refuse what another operator has asked for, or take back what you have
    Refuse(Refuse),
}

#[derive(Debug, clap::Args)]
struct List {
    /// Also what was done, was refused, or had its time: the last hundred
    #[arg(long)]
    all: bool,
    /// Print them as JSON, one a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
struct Approve {
    /// Its number
    number: u64,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, clap::Args)]
struct Refuse {
    /// Its number
    number: u64,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        match self.what {
            What::List(list) => list.run(),
            What::Approve(approve) => approve.run(),
            What::Refuse(refuse) => refuse.run(),
        }
    }
}

impl List {
    fn run(self) -> Result<(), Error> {
        let needed = Role::Viewer;
        self.acting.with_authority(needed, None, async |open, _| {
            let now = clock::now()?;
            let mut found = open.authority.approvals().await?;
            found.retain(|approval| self.all || waits(approval, now));
            if self.json {
                let known = found.iter().filter_map(|one| json::Approval::at(now, one));
                return known.into_iter().try_for_each(|one| print(&json!(one)));
            }
            let mut table = Table::new(["NUMBER", "STATE", "ASKED BY", "UNTIL", "WHAT", "WHY"]);
            for one in &found {
                table.row([
                    one.number.to_string(),
                    word(one, now).to_owned(),
                    one.asked_by.to_string(),
                    Moment(one.ends).to_string(),
                    Asked::of(one)?.to_string(),
                    one.reason.to_string(),
                ]);
            }
            print(&table)
        })
    }
}

impl Approve {
    fn run(self) -> Result<(), Error> {
        self.acting.is_an_operators()?;
        let needed = Role::Operator;
        self.acting.with_authority(needed, None, async |open, who| {
            let me = who.caller().operator().ok_or(Error::NobodyAgrees)?;
            match open.authority.approve(self.number, me, &who.act()?).await? {
                Approved::RolledOver(zone) => print(&format!("zone {} has moved on", zone.zone)),
                Approved::Retired(devices) => {
                    let mut rest = Rest::of(devices.len());
                    for (id, done) in devices {
                        if let Some(device) = rest.keep(&id, done.map_err(Error::from))? {
                            let (name, state) = (&device.name, device.state);
                            print(&format!("{} ({name}) is {state}", device.external_id))?;
                        }
                    }
                    rest.end(false)
                }
            }
        })
    }
}

impl Refuse {
    fn run(self) -> Result<(), Error> {
        self.acting.is_an_operators()?;
        let (needed, why) = (Role::Operator, Some(&self.why.reason));
        self.acting.with_authority(needed, why, async |open, who| {
            let me = who.caller().operator().ok_or(Error::NobodyAgrees)?;
            let refused = open.authority.refuse(self.number, me, &who.act()?).await?;
            print(&format!("{} is refused", refused.number))
        })
    }
}

/// Says that an act waits, and what to do about it.
pub(super) fn tell(approval: &Approval, who: &Actor) -> Result<(), Error> {
    let number = approval.number;
    let me = who.caller().name().map(ToString::to_string);
    print(&format!(
        "nothing was done yet: another operator than {} has to agree to it until {}, with 'dc-signer approvals approve {number} --config FILE' or on the pages",
        me.unwrap_or_default(),
        Moment(approval.ends)
    ))
}

const HELP: &str = "\
Which acts take two is in [approval] of the configuration. An act that was asked for is bound to exactly what was asked, ends after
approval.valid, and is done in the moment that another operator agrees. With --as-root-because nobody else is asked, and that
raises an alert.

Examples:
  dc-signer approvals list --config /etc/dc-signer/config.toml
  dc-signer approvals approve 4711 --config /etc/dc-signer/config.toml
  dc-signer approvals refuse 4711 --reason 'wrong certificate' --config /etc/dc-signer/config.toml";
