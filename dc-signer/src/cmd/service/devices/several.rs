//! Doing the same to many devices: all that can be done, and a list of the rest.

use dc_signer::authority::json;
use dc_signer::registry::{Change, Device};
use serde_json::json;

use crate::cmd::service::confirm::confirm;
use crate::cmd::service::error::Error;
use crate::cmd::service::place::{Open, Place, act};
use crate::cmd::service::print;
use crate::cmd::service::rest::Rest;
use crate::cmd::service::selection::Which;

/// A change of several devices.
#[derive(Debug, clap::Args)]
pub(super) struct Several {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    place: Place,
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
        self.several.change_all(&devices, &Change::Retire)
    }
}

impl Several {
    pub(super) fn change(self, change: &Change) -> Result<(), Error> {
        let devices = self.which.read()?;
        self.change_all(&devices, change)
    }

    fn change_all(&self, devices: &[String], change: &Change) -> Result<(), Error> {
        self.place.with_authority(async |open| {
            let mut rest = Rest::of(devices.len());
            for text in devices {
                if let Some(device) = rest.keep(text, change_one(open, text, change).await)? {
                    self.show(&device)?;
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

async fn change_one(open: &Open, text: &str, change: &Change) -> Result<Device, Error> {
    let device = open.device(text).await?;
    let changed = open.store.change_device(device.id, change, &act()?).await?;
    Ok(changed)
}
