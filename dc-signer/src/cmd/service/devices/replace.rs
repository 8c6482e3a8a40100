//! `dc-signer devices replace`: another box, or another customer.

use std::fmt;
use std::time::Duration;

use dc_pki::clock;
use dc_pki::time::Moment;
use dc_signer::authority::approvals::Outcome;
use dc_signer::authority::json;
use dc_store::registry::{Device, Role, Sha256};
use pki_types::UnixTime;
use serde_json::json;

use crate::cmd::service::approvals;
use crate::cmd::service::codes::Shown;
use crate::cmd::service::confirm::confirm;
use crate::cmd::service::error::Error;
use crate::cmd::service::place::{Acting, Why};
use crate::cmd::service::print;

#[derive(Debug, clap::Args)]
pub(super) struct Replace {
    /// The device: its external id, its id or its name
    device: String,
    /// The box gets a new name at once, and the old one is withdrawn for good: it has another owner
    #[arg(long)]
    new_name: bool,
    /// The name of a suspended device goes to the new box: the old one was neither stolen nor sold
    #[arg(long, conflicts_with = "new_name")]
    keep_name: bool,
    /// The new box gets the name while the old one can still use it; asks before, and the audit log says so
    #[arg(long, conflicts_with = "new_name")]
    at_once: bool,
    /// With --at-once: do not ask whether it is meant
    #[arg(long, requires = "at_once")]
    yes: bool,
    /// The SHA-256 of the new box's enrolment key: then it needs not enrol
    #[arg(long, value_name = "SHA256", conflicts_with = "new_name")]
    enrolment_key: Option<Sha256>,
    /// The manufacturer whose certificate the new box enrols with
    #[arg(long, requires = "serial", conflicts_with_all = ["new_name", "enrolment_key"])]
    manufacturer: Option<String>,
    /// The serial number in that certificate
    #[arg(long, requires = "manufacturer")]
    serial: Option<String>,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Replace {
    pub(super) fn run(self) -> Result<(), Error> {
        let why = &self.why.reason;
        self.acting
            .with_authority(Role::Operator, Some(why), async |open, who| {
                let device = open.device(&self.device).await?;
                self.ask(&device)?;
                let how = json::Replace {
                    new_name: self.new_name,
                    keep_name: self.keep_name,
                    enrolment_key: self.enrolment_key.as_ref().map(Sha256::to_string),
                    manufacturer: self.manufacturer.clone(),
                    serial: self.serial.clone(),
                    at_once: self.at_once,
                    reason: why.to_string(),
                };
                let (name, act) = (who.caller().name(), who.act()?);
                let replaced = open.authority.replace_or_ask(device.id, &how, name, &act);
                let replaced = match replaced.await? {
                    Outcome::Done(replaced) => replaced,
                    Outcome::Waits(approval) => {
                        return Err(approvals::waits_for(&approval, &self.acting, self.json));
                    }
                };
                if self.json {
                    return print(&json!(replaced));
                }
                let can_rename = self.enrolment_key.is_none() && self.manufacturer.is_none();
                print(&Done(&replaced, can_rename))?;
                match &replaced.code {
                    Some(code) => print(&Shown { code, qr: true }),
                    None => Ok(()),
                }
            })
    }

    /// Asks before, with the cost of two boxes that have one name.
    fn ask(&self, device: &Device) -> Result<(), Error> {
        match device.held_until(clock::now()?) {
            Some(until) if self.at_once => confirm(
                &format!(
                    "Give {} to another box at once? The old box has a credential for it until {}: until then two boxes have one \
                     name, and whoever has the old one can pose as the new one.",
                    device.name,
                    Moment(until)
                ),
                self.yes,
            ),
            _ => Ok(()),
        }
    }
}

/// The replacement that was made, and its consequences.
struct Done<'a>(&'a json::Replaced, bool);

impl fmt::Display for Done<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(replaced, can_rename) = self;
        let json::Device {
            external_id,
            name,
            state,
            ..
        } = &replaced.device;
        write!(f, "{external_id} is {name}, and {state}")?;
        match (replaced.available_from, replaced.held_until) {
            (Some(from), _) => write!(
                f,
                "\nit gets credentials from {} on, when those of the old box are over; its agent waits for that by itself\n\
                 to have it work before: {}--at-once gives it the same name while the old box has it too",
                moment(from),
                match can_rename {
                    true => "--new-name gives it another name, and ",
                    false => "the same again with ",
                }
            ),
            (None, Some(until)) => write!(
                f,
                "\nnote: the old box has a credential for this name until {}, and can pose as the new one until then",
                moment(until)
            ),
            (None, None) => Ok(()),
        }
    }
}

fn moment(seconds: u64) -> Moment {
    Moment(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

pub(super) const ABOUT: &str = "\
Replace a device: another box takes its name over, or another customer the box

A name is one box's alone. The old box gets nothing from now on, but the credential that it holds is valid for up to a week. So the new \
box gets credentials when that is over. Two ways \
do not wait: --new-name gives the box a name that nobody has had, and --at-once the old name while the old box can still use it. \
If the box is the same one and has only lost its keys, nobody else has them, and --at-once costs nothing.

A box that has another owner gets a new name, always: whoever had it before may have its key, and people who know the name. After a \
theft the name is nobody's any more: retire the device, and add the new box as another one. So the name of a suspended device goes to \
another box only with --keep-name, and stays on the list of withdrawn names until the credentials of the old one are over.";
