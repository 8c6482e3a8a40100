//! The service's configuration: one TOML file, in which every key is known or refused.
//!
//! `sample.toml` beside this file documents every key; a test loads it and checks that none is
//! missing.

mod database;
mod devices;
mod listen;
mod log;
mod problem;
mod reader;
mod restart;
mod values;

use std::path::{Path, PathBuf};

pub use devices::{
    Credentials, Enrolment, Limits, Manufacturer, NameMode, Names, Retention, Serials,
};
pub use listen::Listen;
pub use log::{Log, LogFormat, Metrics, MetricsAccess};
pub use problem::{Problem, Wrong};

use crate::error::Error;
use crate::store::Location;
use dc_pki::files;
use reader::{Report, Section};

/// The sample file, which is the documentation of all keys.
pub const SAMPLE: &str = include_str!("sample.toml");

/// All that the service is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder of the service's own secrets and of the SQLite database.
    pub data: PathBuf,
    /// Goes into the derivation of names, so it never changes.
    pub tenant: String,
    /// What the audit log calls this machine.
    pub node: String,
    /// Where the service is reached.
    pub listen: Listen,
    /// Where it keeps what it knows.
    pub database: Location,
    /// How unique names are made.
    pub names: Names,
    /// What is issued.
    pub credentials: Credentials,
    /// How devices get in.
    pub enrolment: Enrolment,
    /// Whose certificates devices may enrol with.
    pub manufacturers: Vec<Manufacturer>,
    /// How long history is kept.
    pub retention: Retention,
    /// How often a device may come.
    pub limits: Limits,
    /// What is logged, and how.
    pub log: Log,
    /// Who may read the metrics.
    pub metrics: Metrics,
}

impl Config {
    /// Reads a file; paths in it are relative to its folder.
    ///
    /// Fails with [`Error::Read`], [`Error::TooLarge`] and [`Error::BadConfig`], which has
    /// everything that is wrong.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let bad = |problems| Error::BadConfig {
            path: path.into(),
            problems,
        };
        let file = files::read(path)?;
        let text = str::from_utf8(&file).map_err(|error| bad(vec![not_utf8(&file, error)]))?;
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        Self::parse(text, base).map_err(bad)
    }

    /// Reads the text of a file whose relative paths begin at `base`.
    ///
    /// Fails with everything that is wrong, in the order of the lines.
    pub fn parse(text: &str, base: &Path) -> Result<Self, Vec<Problem>> {
        let (report, table) = Report::open(text);
        let config = Self::read(Section::root(&report, table), base);
        match (config, report.finish()) {
            (Some(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(problems),
        }
    }

    fn read(mut root: Section<'_, '_>, base: &Path) -> Option<Self> {
        let data = root.required("data", "data = \"/var/lib/dc-signer\"", values::path(base));
        let tenant = root.optional("tenant", values::word);
        let node = root.optional("node", values::word);
        let listen = Listen::read(root.section("listen"), base);
        let data_folder = data.clone().unwrap_or_default();
        let database = database::read(root.section("database"), &data_folder);
        let names = Names::read(root.section("names"));
        let credentials = Credentials::read(root.section("credentials"));
        let enrolment = Enrolment::read(root.section("enrolment"));
        let manufacturers = Manufacturer::read_all(root.sections("manufacturers"), base);
        let retention = Retention::read(root.section("retention"));
        let limits = Limits::read(root.section("limits"));
        let log = Log::read(root.section("log"));
        let metrics = Metrics::read(root.section("metrics"));
        root.finish();
        Some(Self {
            data: data?,
            tenant: tenant.unwrap_or_else(|| "default".to_owned()),
            node: node.unwrap_or_else(|| "signer".to_owned()),
            listen: listen?,
            database,
            names,
            credentials,
            enrolment,
            manufacturers,
            retention,
            limits,
            log,
            metrics,
        })
    }
}

/// The line of a key such as `["manufacturers", "0", "anchors"]` in the text of a file.
pub(crate) fn line_of(text: &str, key: &[&str]) -> usize {
    reader::line_of(text, key)
}

fn not_utf8(file: &[u8], error: std::str::Utf8Error) -> Problem {
    let before = file.get(..error.valid_up_to()).unwrap_or_default();
    Problem {
        line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        key: String::new(),
        wrong: Wrong::Syntax {
            message: "this line is not UTF-8".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests;
