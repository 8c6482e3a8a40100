//! Doing the same to many devices: all that can be done, and a list of the rest.

use std::io::Read;
use std::path::{Path, PathBuf};

use dc_protocol::{Kind, Problem};
use dc_signer::Error;
use dc_signer::authority::json;
use dc_store::registry::{Change, Device};
use serde_json::json;

use crate::cmd::confirm::confirm;
use crate::cmd::place::{Open, Place, act};
use crate::cmd::print;
use crate::cmd::table::Table;

/// Devices that all get the same done to them.
#[derive(Debug, clap::Args)]
pub(in crate::cmd) struct Which {
    /// The devices, each by its external id, its id or its name
    #[arg(required_unless_present = "file", value_name = "DEVICE")]
    devices: Vec<String>,
    /// A file with one device a line, besides those that are named, or that of 'devices add --file'; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What happens to several devices.
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

impl Which {
    /// All that are named, each once, in order.
    ///
    /// Fails with [`Error::Read`] and [`Error::NoDevices`].
    pub(in crate::cmd) fn read(&self) -> Result<Vec<String>, Error> {
        let mut devices = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let file = self.file.as_deref().map(lines).transpose()?;
        for device in self.devices.iter().chain(file.iter().flatten()) {
            if seen.insert(device) {
                devices.push(device.clone());
            }
        }
        match devices.is_empty() {
            true => Err(Error::NoDevices {
                path: self.file.clone().unwrap_or_default(),
            }),
            false => Ok(devices),
        }
    }
}

fn lines(path: &Path) -> Result<Vec<String>, Error> {
    let read = |source| dc_pki::Error::Read {
        path: path.into(),
        source,
    };
    let text = match path == Path::new("-") {
        true => {
            let mut text = Vec::new();
            std::io::stdin().read_to_end(&mut text).map_err(read)?;
            text
        }
        false => std::fs::read(path).map_err(read)?,
    };
    let text = String::from_utf8_lossy(&text);
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let named = lines.filter(|line| !line.is_empty());
    Ok(named.map(name).collect())
}

/// The file that devices were added from says more of each than its name.
fn name(line: &str) -> String {
    let added = match line.starts_with('{') {
        true => serde_json::from_str::<serde_json::Value>(line).ok(),
        false => None,
    };
    let name = added
        .as_ref()
        .and_then(|added| added["external_id"].as_str());
    name.unwrap_or(line).to_owned()
}

/// What was not done.
pub(in crate::cmd) struct Rest {
    of: usize,
    failed: Vec<(String, Error)>,
}

impl Rest {
    pub(in crate::cmd) fn of(of: usize) -> Self {
        let failed = Vec::new();
        Self { of, failed }
    }

    /// Keeps what failed for the end. If nothing can be done for the others either, or there are none, it fails with it.
    pub(in crate::cmd) fn keep<T>(
        &mut self,
        device: &str,
        done: Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match done {
            Ok(done) => Ok(Some(done)),
            Err(error) if self.of == 1 || !is_about_one(&error) => Err(error),
            Err(error) => {
                self.failed.push((device.to_owned(), error));
                Ok(None)
            }
        }
    }

    /// Lists it.
    pub(in crate::cmd) fn end(self, json: bool) -> Result<(), Error> {
        let refused = self.failed.len();
        if refused == 0 {
            return Ok(());
        }
        let mut table = Table::new(["NOT DONE", "WHY"]);
        for (device, error) in self.failed {
            match json {
                true => print(&json!({"device": device, "problem": problem(&error)}))?,
                false => table.row([device, error.to_string()]),
            }
        }
        if !json {
            eprintln!("{table}");
        }
        Err(Error::SomeRefused {
            refused,
            of: self.of,
        })
    }
}

/// Whether the others may fare better.
fn is_about_one(error: &Error) -> bool {
    match error {
        Error::Store { source } => matches!(source, dc_store::Error::Refused { .. }),
        Error::Authority { .. } => true,
        _ => false,
    }
}

fn problem(error: &Error) -> Problem {
    let unknown = dc_store::registry::Error::UnknownDevice;
    let kind = match error {
        Error::Store {
            source: dc_store::Error::Refused { source },
        } if *source == unknown => Kind::NotFound,
        _ => Kind::Conflict,
    };
    Problem::new(kind, error.to_string())
}
