//! What concerns devices: their names, credentials, ways in, and limits.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::problem::Wrong;
use super::reader::Section;
use super::values::{choice, count, duration, flag, path, word};

/// `[names]`: how unique names are made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Names {
    /// From what.
    pub mode: NameMode,
}

/// From what a device's name is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NameMode {
    /// From the external id, with a secret key.
    Hmac,
    /// From nothing but chance.
    Random,
}

impl Names {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let words = &[("hmac", NameMode::Hmac), ("random", NameMode::Random)];
        let mode = section.optional("mode", choice("\"hmac\" or \"random\"", words));
        section.finish();
        Self {
            mode: mode.unwrap_or(NameMode::Hmac),
        }
    }
}

/// `[credentials]`: what is issued.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Credentials {
    /// How long credentials are valid.
    pub lifetime: Duration,
}

impl Credentials {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let allowed = Duration::from_secs(3600)..=Duration::from_secs(7 * 86_400);
        let lifetime = section.optional("lifetime", duration(allowed));
        section.finish();
        Self {
            lifetime: lifetime.unwrap_or(Duration::from_secs(164 * 3600)),
        }
    }
}

/// `[enrolment]`: how devices get in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Enrolment {
    /// Whether activation codes are taken.
    pub codes: bool,
    /// How long a code is good.
    pub code_lifetime: Duration,
}

impl Enrolment {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let codes = section.optional("codes", flag);
        let allowed = Duration::from_secs(60)..=Duration::from_secs(366 * 86_400);
        let code_lifetime = section.optional("code_lifetime", duration(allowed));
        section.finish();
        Self {
            codes: codes.unwrap_or(true),
            code_lifetime: code_lifetime.unwrap_or(Duration::from_secs(7 * 86_400)),
        }
    }
}

/// `[[manufacturers]]`: whose certificates devices may enrol with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Manufacturer {
    /// What the audit log calls it.
    pub name: String,
    /// The certificates that its devices' certificates lead to, in PEM.
    pub anchors: PathBuf,
    /// Which of its devices may enrol.
    pub serials: Serials,
    /// The zone that devices nobody registered come to; none if there is one zone only.
    pub zone: Option<String>,
}

/// Which devices of a manufacturer may enrol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Serials {
    /// Those whose serial number an operator has registered.
    Registered,
    /// All.
    Any,
}

impl Manufacturer {
    pub(super) fn read_all(sections: Vec<Section<'_, '_>>, base: &Path) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for mut section in sections {
            let name = section.required("name", "name = \"acme\"", word);
            let anchors = section.required("anchors", "anchors = \"acme.pem\"", path(base));
            let words = &[("registered", Serials::Registered), ("any", Serials::Any)];
            let serials = section.optional("serials", choice("\"registered\" or \"any\"", words));
            let zone = section.optional("zone", word);
            if let Some(given) = name
                .clone()
                .filter(|name| found.iter().any(|m| m.name == *name))
            {
                section.wrong("name", Wrong::Duplicate { given });
            }
            section.finish();
            if let (Some(name), Some(anchors)) = (name, anchors) {
                found.push(Self {
                    name,
                    anchors,
                    serials: serials.unwrap_or(Serials::Registered),
                    zone,
                });
            }
        }
        found
    }
}

/// `[retention]`: how long history is kept. The audit log is kept for good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retention {
    /// What was issued to whom.
    pub issues: Duration,
    /// How many requests were refused, and why.
    pub refused: Duration,
}

impl Retention {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let mut days = |key| {
            let allowed = Duration::from_secs(7 * DAY)..=Duration::from_secs(3660 * DAY);
            let read = section.optional(key, duration(allowed));
            read.unwrap_or(Duration::from_secs(30 * DAY))
        };
        let new = Self {
            issues: days("issues"),
            refused: days("refused"),
        };
        section.finish();
        new
    }
}

/// `[limits]`: how often a device may come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// After how long a device may come once more.
    pub device_period: Duration,
    /// How often it may come at once.
    pub device_burst: NonZeroU32,
    /// How many requests an operator may make in a second.
    pub operator_rate: NonZeroU32,
}

impl Limits {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let allowed = Duration::from_millis(1)..=Duration::from_secs(86_400);
        let device_period = section.optional("device_period", duration(allowed));
        let mut number = |key, default| {
            let read = section.optional(key, count(1..=100_000));
            let read = read.and_then(|n| u32::try_from(n).ok());
            read.and_then(NonZeroU32::new).unwrap_or(default)
        };
        let device_burst = number("device_burst", FIVE);
        let operator_rate = number("operator_rate", HUNDRED);
        section.finish();
        Self {
            device_period: device_period.unwrap_or(Duration::from_secs(3600)),
            device_burst,
            operator_rate,
        }
    }
}

const DAY: u64 = 86_400;
const FIVE: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");
const HUNDRED: NonZeroU32 = NonZeroU32::new(100).expect("100 is not 0");
