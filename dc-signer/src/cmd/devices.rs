//! `dc-signer devices`: the fleet, from the command line.

use clap::Subcommand;
use dc_signer::registry::{Change, Sha256};
use dc_signer::{Error, protocol};
use serde_json::json;

use super::place::{Place, act};
use super::print;

mod add;
mod list;
mod show;

/// Manage devices
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add devices; adding the same ones again changes nothing
    Add(add::Args),
    /// List devices
    List(list::Args),
    /// Show a device and what happened to it
    Show(show::Args),
    /// Write all devices that fit, one JSON value a line
    Export(list::Export),
    /// Give devices no credentials from now on, and withdraw their names
    Suspend(Several),
    /// Let suspended devices get credentials again
    Resume(Several),
    /// Retire devices for good: nobody ever gets their names
    Retire(Several),
    /// Replace a device: another box takes its name over, or another customer the box
    Replace(Replace),
}

/// Devices that all get the same done to them.
#[derive(Debug, clap::Args)]
struct Several {
    /// The devices, each by its external id, its id or its name
    #[arg(required = true, value_name = "DEVICE")]
    devices: Vec<String>,
    #[command(flatten)]
    place: Place,
    /// Print the devices as JSON, one a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Replace {
    /// The device: its external id, its id or its name
    device: String,
    /// Somebody else has the box now: it gets a new name, and the old one is withdrawn
    #[arg(long)]
    new_name: bool,
    /// The SHA-256 of the new box's enrolment key: both boxes renew until the new one first does
    #[arg(long, value_name = "SHA256", conflicts_with = "new_name")]
    enrolment_key: Option<Sha256>,
    /// The manufacturer whose certificate the new box enrols with
    #[arg(long, requires = "serial", conflicts_with_all = ["new_name", "enrolment_key"])]
    manufacturer: Option<String>,
    /// The serial number in that certificate
    #[arg(long, requires = "manufacturer")]
    serial: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        match self.what {
            What::Add(args) => args.run(),
            What::List(args) => args.run(),
            What::Show(args) => args.run(),
            What::Export(args) => args.run(),
            What::Suspend(some) => some.change(&Change::Suspend),
            What::Resume(some) => some.change(&Change::Resume),
            What::Retire(some) => some.change(&Change::Retire),
            What::Replace(replace) => replace.run(),
        }
    }
}

impl Several {
    fn change(self, change: &Change) -> Result<(), Error> {
        self.place.with_desk(async |open| {
            for text in &self.devices {
                let device = open.device(text).await?;
                let device = open.store.change_device(device.id, change, &act()?).await?;
                match self.json {
                    true => print(&json!(protocol::Device::from(&device)))?,
                    false => print(&format!(
                        "{} ({}) is {}",
                        device.external_id, device.name, device.state
                    ))?,
                }
            }
            Ok(())
        })
    }
}

impl Replace {
    fn run(self) -> Result<(), Error> {
        self.place.with_desk(async |open| {
            let device = open.device(&self.device).await?;
            let how = protocol::Replace {
                new_name: self.new_name,
                enrolment_key: self.enrolment_key.as_ref().map(Sha256::to_string),
                manufacturer: self.manufacturer.clone(),
                serial: self.serial.clone(),
                at_once: false,
            };
            let replaced = open.desk.replace(device.id, &how, &act()?).await?;
            if self.json {
                return print(&json!(replaced));
            }
            let protocol::Device { name, state, .. } = &replaced.device;
            print(&format!("{} is {name}, and {state}", device.external_id))?;
            match &replaced.code {
                Some(code) => print(&super::codes::Shown { code, qr: true }),
                None => Ok(()),
            }
        })
    }
}

const HELP: &str = "\
Examples:
  dc-signer devices add customer-1 --code --config /etc/dc-signer/config.toml
  dc-signer devices add --file fleet.ndjson --json --config /etc/dc-signer/config.toml > added.ndjson
  dc-signer devices list --expires-within 24h --config /etc/dc-signer/config.toml
  dc-signer devices show customer-1 --config /etc/dc-signer/config.toml
  dc-signer devices suspend customer-1 --config /etc/dc-signer/config.toml
  dc-signer devices replace customer-1 --manufacturer acme --serial SN-7 --config /etc/dc-signer/config.toml
  dc-signer devices replace customer-1 --new-name --config /etc/dc-signer/config.toml";
