//! `dc-signer devices show`: a device and what happened to it.

use std::fmt;

use dc_pki::clock;
use dc_pki::time::{Moment, Span};
use dc_signer::authority::json;
use dc_signer::authority::reads;
use dc_store::History;
use dc_store::registry::{Device, Role};
use pki_types::UnixTime;
use serde_json::json;

use super::list::note_read;
use crate::cmd::service::error::Error;
use crate::cmd::service::place::Acting;
use crate::cmd::service::print;
use crate::cmd::table::Table;

/// Show a device
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The device: its external id, its id or its name
    device: String,
    #[command(flatten)]
    acting: Acting,
    /// Print the device with its history as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        self.acting
            .with_authority(Role::Viewer, None, async |open, who| {
                let device = open.device(&self.device).await?;
                let store = open.store.pages().await;
                let history = store.history(device.id, HISTORY).await?;
                note_read(open, who, reads::one(&device)).await?;
                match self.json {
                    true => print(&json!({
                        "device": json::Device::from(&device),
                        "history": json::DeviceHistory::from(&history),
                    })),
                    false => print(&Shown {
                        device,
                        history,
                        now: clock::now()?,
                    }),
                }
            })
    }
}

struct Shown {
    device: Device,
    history: History,
    now: UnixTime,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let device = &self.device;
        writeln!(f, "external id:   {}", device.external_id)?;
        writeln!(f, "id:            {}", device.id)?;
        writeln!(f, "name:          {}", device.name)?;
        writeln!(f, "state:         {}", device.state)?;
        if device.possible_clone {
            writeln!(
                f,
                "note:          two devices seem to use its key or its name"
            )?;
        }
        if let Some(key) = &device.key {
            writeln!(f, "enrolment key: {key}")?;
        }
        if let Some(next) = &device.next_key {
            writeln!(f, "next key:      {}", next.spki_sha256)?;
        }
        if let Some(made) = &device.manufactured {
            writeln!(
                f,
                "made by:       {}, serial {}",
                made.manufacturer, made.serial
            )?;
        }
        if let Some(held) = &device.credential {
            let left = match held.expires > self.now {
                true => format!("in {}", Span::about(self.now, held.expires)),
                false => "which is over".to_owned(),
            };
            writeln!(f, "credential:    until {}, {left}", Moment(held.expires))?;
        }
        match (device.waits_until(self.now), device.held_until(self.now)) {
            (Some(from), _) => writeln!(
                f,
                "available:     from {}, when another box's credentials for the name are over",
                Moment(from)
            )?,
            (None, Some(until)) if device.credential.is_none_or(|held| held.expires < until) => {
                writeln!(
                    f,
                    "note:          another credential for its name is valid until {}",
                    Moment(until)
                )?;
            }
            _ => {}
        }
        writeln!(f)?;
        fmt::Display::fmt(&acts(&self.history), f)
    }
}

/// The acts on it, newest first, issuances included.
fn acts(history: &History) -> Table<5> {
    let mut table = Table::new(["WHEN", "WHAT", "WHO", "UNTIL", "WHY"]);
    for record in &history.acts {
        let entry = &record.entry;
        table.row([
            Moment(entry.time).to_string(),
            entry.action.to_string(),
            entry.actor.clone(),
            entry
                .expires
                .map_or_else(String::new, |time| Moment(time).to_string()),
            entry.reason.clone().unwrap_or_default(),
        ]);
    }
    table
}

/// The most entries of a history.
const HISTORY: u32 = 20;
