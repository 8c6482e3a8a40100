//! The devices that a command names, on its command line or in a file.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::Error;

/// Devices that all get the same done to them.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// The devices, each by its external id, its id or its name
    #[arg(required_unless_present = "file", value_name = "DEVICE")]
    devices: Vec<String>,
    /// A file with one device a line, besides those that are named, or that of 'devices add --file'; - is standard input
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Which {
    /// All that are named, each once, in order.
    ///
    /// Fails with [`Error::Read`] and [`Error::NoDevices`].
    pub(super) fn read(&self) -> Result<Vec<String>, Error> {
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
