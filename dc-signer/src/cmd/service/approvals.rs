//! `dc-signer approvals`: acts that take two operators.

use std::fmt;

use clap::Subcommand;
use dc_pki::clock;
use dc_pki::time::{Moment, Span};
use dc_signer::authority::approvals::{Approved, Asked, Outcome, agreed_in_vain, waits, word};
use dc_signer::authority::{database, json};
use dc_store::registry::{Approval, FourEyes, Role};
use pki_types::UnixTime;
use serde_json::{Value, json};

use super::error::Error;
use super::place::{Acting, Place, Why};
use super::print;
use super::rest::Rest;
use crate::cmd::warn;

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
    /// Show which acts take two operators, by the configuration and by the audit log
    Policy(Place),
    /// Have the audit log take what the configuration says, also if fewer acts take two operators then
    ///
    /// Whichever of the two is stricter holds: so a configuration alone makes nothing laxer. This does, and takes two operators itself.
    Lower(Lower),
}

#[derive(Debug, clap::Args)]
struct Lower {
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

impl Lower {
    fn run(self) -> Result<(), Error> {
        let why = Some(&self.why.reason);
        self.acting
            .with_authority(Role::Admin, why, async |open, who| {
                let (name, act) = (who.caller().name(), who.act()?);
                match open.authority.lower_or_ask(name, &act).await? {
                    Outcome::Done(policy) => print(&format!("two operators: {policy}")),
                    Outcome::Waits(approval) => Err(waits_for(&approval, &self.acting, false)),
                }
            })
    }
}

fn show_policy(place: &Place) -> Result<(), Error> {
    place.with_config(async |config| {
        let (store, _in_use) = database::open(&config).await?;
        let logged = store.four_eyes().await;
        store.close().await;
        let (here, logged) = (FourEyes::from(config.approval), logged?.unwrap_or_default());
        print(&format!(
            "configuration  {here}\naudit log      {logged}\nso             {}",
            here.strictest(&logged)
        ))
    })
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
            What::Policy(place) => show_policy(&place),
            What::Lower(lower) => lower.run(),
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
                let known = found.iter().filter(|one| Asked::of(one).is_ok());
                return known
                    .into_iter()
                    .try_for_each(|one| print(&as_json_at(one, &self.acting, now)));
            }
            if found.is_empty() {
                return print(&"nothing waits for a second operator; --all has what did");
            }
            for (place, one) in found.iter().enumerate() {
                if place > 0 {
                    print(&"")?;
                }
                let what = Asked::of(one)?;
                let would = match waits(one, now) {
                    true => open.authority.effect(&what).await?,
                    false => Vec::new(),
                };
                print(&Shown {
                    approval: one,
                    what,
                    would,
                    acting: &self.acting,
                    now,
                })?;
            }
            Ok(())
        })
    }
}

/// An act for people, a line for each thing that they ask.
struct Shown<'a> {
    approval: &'a Approval,
    what: Asked,
    would: Vec<String>,
    acting: &'a Acting,
    now: UnixTime,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            approval,
            what,
            would,
            acting,
            now,
        } = self;
        let (number, ends) = (approval.number, approval.ends);
        write!(f, "{number}  {}", word(approval, *now))?;
        let asked = format!("{}, on {}", approval.asked_by, Moment(approval.asked));
        let mut lines = vec![("asked by", asked), ("what", what.to_string())];
        let reason = approval.reason.to_string();
        lines.push(("reason", reason));
        let agreed = agreed_in_vain(approval, *now);
        lines.extend(agreed.map(|agreed| ("agreed", agreed)));
        let would = would.iter().cloned();
        lines.extend(would.map(|line| ("effect", line)));
        match (waits(approval, *now), &approval.decided_by) {
            (true, _) => {
                write!(f, " until {}, in {}", Moment(ends), Span::about(*now, ends))?;
                let [agree, refuse] = commands(number, acting);
                lines.extend([("agree", agree), ("refuse", refuse)]);
            }
            (false, Some(by)) => write!(f, ", by {by}")?,
            (false, None) => write!(f, " on {}", Moment(ends))?,
        }
        let mut before = "";
        for (head, text) in lines {
            let shown = if head == before { "" } else { head };
            write!(f, "\n    {shown:<10}{text}")?;
            before = head;
        }
        Ok(())
    }
}

/// The commands that another operator types, to agree and to refuse.
fn commands(number: u64, acting: &Acting) -> [String; 2] {
    let config = acting.place.config.display();
    [
        format!("dc-signer approvals approve {number} --config {config}"),
        format!("dc-signer approvals refuse {number} --reason WHY --config {config}"),
    ]
}

fn as_json_at(approval: &Approval, acting: &Acting, now: UnixTime) -> Value {
    let mut shown = json!(json::Approval::at(now, approval));
    if waits(approval, now) {
        let [agree, refuse] = commands(approval.number, acting);
        shown["agree_with"] = json!(agree);
        shown["refuse_with"] = json!(refuse);
    }
    shown
}

/// An act that waits since it was asked for, as JSON, with what another operator types.
pub(super) fn as_json(approval: &Approval, acting: &Acting) -> Value {
    as_json_at(approval, acting, approval.asked)
}

/// Says that an act waits, and what another operator types; what a command then ends with.
pub(super) fn waits_for(approval: &Approval, acting: &Acting, json: bool) -> Error {
    let told = match json {
        true => print(&as_json(approval, acting)),
        false => tell(approval, acting),
    };
    told.map_or_else(|error| error, |()| Error::Waits)
}

fn tell(approval: &Approval, acting: &Acting) -> Result<(), Error> {
    let needed = Asked::of(approval)?.needed();
    let [agree, _] = commands(approval.number, acting);
    print(&format!(
        "nothing was done yet: it waits as number {} until {} for another {needed} than {}, who agrees on the pages or with\n  {agree}",
        approval.number,
        Moment(approval.ends),
        approval.asked_by,
    ))
}

impl Approve {
    fn run(self) -> Result<(), Error> {
        self.acting.is_an_operators()?;
        let needed = Role::Operator;
        self.acting.with_authority(needed, None, async |open, who| {
            let me = who.caller().operator().ok_or(Error::NobodyAgrees)?;
            match open.authority.approve(self.number, me, &who.act()?).await? {
                Approved::Ended(zone) => {
                    warn(&open.authority.untold());
                    print(&format!("the slot of zone {} has ended", zone.zone))
                }
                Approved::KeptOut(operator) => {
                    print(&format!("{} is kept out from now on", operator.name))
                }
                Approved::Lowered(policy) => print(&format!("two operators: {policy}")),
                Approved::Renamed(device) => print(&format!(
                    "{} is {} now: make it a code with 'dc-signer codes new {}'",
                    device.external_id, device.name, device.external_id
                )),
                Approved::Granted(operator) => {
                    let (name, role) = (&operator.name, operator.role);
                    print(&format!("{name} is let in, with role {role}"))
                }
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

const HELP: &str = "\
Which acts take two is in [approval] of the configuration, and in the audit log once the service has started with it ('approvals policy').
Whichever is stricter holds; 'approvals lower' makes the log as lax as the configuration, and takes two operators.
 An act that was asked for is bound to exactly what was asked, ends after
approval.valid, and is done in the moment that another operator agrees, who has had the right to it since before it was asked for.
The command that asks ends with exit status 3. With --as-root-because nobody else is asked, and that raises an alert.

Examples:
  dc-signer approvals list --config /etc/dc-signer/config.toml
  dc-signer approvals approve 4711 --config /etc/dc-signer/config.toml
  dc-signer approvals refuse 4711 --reason 'wrong certificate' --config /etc/dc-signer/config.toml";
