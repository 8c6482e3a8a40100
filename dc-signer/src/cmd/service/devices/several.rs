//! Doing the same to many devices: all that can be done, and a list of the rest.

use dc_signer::authority::approvals::Outcome;
use dc_signer::authority::json;
use dc_store::registry::{Change, Device, Role};
use serde_json::json;

use crate::cmd::service::approvals;
use crate::cmd::service::confirm::confirm;
use crate::cmd::service::error::Error;
use crate::cmd::service::place::{Acting, Actor, Open, Why};
use crate::cmd::service::print;
use crate::cmd::service::rest::Rest;
use crate::cmd::service::selection::Which;

/// A change of several devices.
#[derive(Debug, clap::Args)]
pub(super) struct Several {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
    /// Print the devices as JSON, one a line, with a problem for each that it was not done to
    #[arg(long)]
    json: bool,
}

/// The same for what cannot be undone.
#[derive(Debug, clap::Args)]
pub(super) struct ForGood {
    #[command(flatten)]
    several: Several,
    /// Do not ask whether it is meant
    #[arg(long)]
    yes: bool,
}

impl ForGood {
    pub(super) fn retire(self) -> Result<(), Error> {
        let devices = self.several.which.read()?;
        let what = match &devices[..] {
            [one] => format!("Retire {one} for good?"),
            many => format!("Retire {} devices for good?", many.len()),
        };
        let cost = "Nobody can resume a retired device, and nobody ever gets its name.";
        confirm(&format!("{what} {cost}"), self.yes)?;
        self.several.retire_all(&devices)
    }
}

impl Several {
    pub(super) fn change(self, change: &Change) -> Result<(), Error> {
        let devices = self.which.read()?;
        self.change_all(&devices, change)
    }

    fn change_all(&self, devices: &[String], change: &Change) -> Result<(), Error> {
        let why = Some(&self.why.reason);
        self.acting
            .with_authority(Role::Operator, why, async |open, who| {
                let mut rest = Rest::of(devices.len());
                for text in devices {
                    if let Some(device) =
                        rest.keep(text, change_one(open, who, text, change).await)?
                    {
                        self.show(&device)?;
                    }
                }
                rest.end(self.json)
            })
    }

    /// All at once, because many may take a second operator.
    fn retire_all(&self, devices: &[String]) -> Result<(), Error> {
        let why = Some(&self.why.reason);
        self.acting
            .with_authority(Role::Operator, why, async |open, who| {
                let mut rest = Rest::of(devices.len());
                let (mut ids, mut names) = (Vec::new(), Vec::new());
                for text in devices {
                    if let Some(device) = rest.keep(text, open.device(text).await)? {
                        ids.push(device.id);
                        names.push(text);
                    }
                }
                let (name, act) = (who.caller().name(), who.act()?);
                let retired = open.authority.retire_or_ask(&ids, name, &act);
                match retired.await? {
                    Outcome::Waits(approval) => {
                        let waits = approvals::waits_for(&approval, &self.acting, self.json);
                        return rest.end(self.json).and(Err(waits));
                    }
                    Outcome::Done(done) => {
                        for (text, done) in names.into_iter().zip(done) {
                            if let Some(device) = rest.keep(text, done.map_err(Error::from))? {
                                self.show(&device)?;
                            }
                        }
                    }
                }
                rest.end(self.json)
            })
    }

    fn show(&self, device: &Device) -> Result<(), Error> {
        match self.json {
            true => print(&json!(json::Device::from(device))),
            false => print(&format!(
                "{} ({}) is {}",
                device.external_id, device.name, device.state
            )),
        }
    }
}

async fn change_one(
    open: &Open,
    who: &Actor,
    text: &str,
    change: &Change,
) -> Result<Device, Error> {
    let device = open.device(text).await?;
    let changed = open
        .store
        .change_device(device.id, change, &who.act()?)
        .await?;
    Ok(changed)
}
