//! The commands of the runbook, beside a service that runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pki_types::CertificateDer;
use pki_types::pem::PemObject;

use crate::reasons::reason_of;
use crate::rig::{Rig, as_operator};

pub(super) const ZONE: &str = "cpe.example.com";

/// The end of a command, and what it said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) done: bool,
    pub(super) out: String,
    pub(super) err: String,
    pub(super) took: Duration,
}

impl Said {
    /// What it printed, if it did what it was told.
    pub(super) fn ok(self) -> String {
        assert!(self.done, "{self:?}");
        self.out
    }

    /// What it said instead of doing it.
    pub(super) fn refused(self) -> String {
        assert!(!self.done, "{self:?}");
        self.err
    }
}

/// Runs `dc-signer` with the configuration of a service as its operator, for a reason if it takes one.
pub(super) fn run(rig: &Rig, arguments: &[&str]) -> Said {
    let config = rig.data().join("config.toml");
    let config = ["--config", config.to_str().unwrap()];
    said(as_operator(config[1].as_ref()).args([arguments, reason_of(arguments), &config].concat()))
}

/// Runs `dc-signer` as nobody.
pub(super) fn tool(arguments: &[&str]) -> Said {
    said(Command::new(env!("CARGO_BIN_EXE_dc-signer")).args(arguments))
}

fn said(command: &mut Command) -> Said {
    let began = Instant::now();
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said {
        done: output.status.success(),
        out: text(output.stdout),
        err: text(output.stderr),
        took: began.elapsed(),
    }
}

/// The state of each slot of the zone, by number.
pub(super) fn slots(rig: &Rig) -> Vec<String> {
    let zones = rig.admin().get("/v1/admin/zones").ok();
    let slots = zones[0]["slots"].as_array().unwrap();
    let states = slots.iter().map(|slot| slot["state"].as_str().unwrap());
    states.map(ToOwned::to_owned).collect()
}

/// The folders of delegation certificates in the data folder that have a key.
pub(super) fn keys(rig: &Rig) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(rig.data().join("data/delegations")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path());
    folders
        .filter(|folder| folder.join("key.pem").exists())
        .collect()
}

/// SHA-256 of the delegation certificate in a folder.
pub(super) fn sha256(folder: &Path) -> String {
    let chain = CertificateDer::from_pem_file(folder.join("chain.pem")).unwrap();
    dc_pki::Sha256::of(&chain).to_string()
}
