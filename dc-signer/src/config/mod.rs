//! The service's configuration: one TOML file, in which every key is known or refused.
//!
//! `sample.toml` beside this file documents every key; a test loads it and checks that none is
//! missing.

mod authorities;
mod checkpoints;
mod credential_listener;
mod devices;
mod entrances;
mod error;
mod file;
mod keyd;
mod keys;
mod listen;
mod live;
mod log;
mod named_zones;
mod networks;
mod node;
mod operators;
mod overload;
mod path;
mod plan;
mod plan_file;
mod reader;
mod renewal;
mod renewals;
mod restart;
mod secrets;
mod values;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use authorities::{Acme, ChallengeKind, ExternalAccount, OrderCommand};
pub use checkpoints::{CheckpointKey, CheckpointPlace, Checkpoints, Server};
pub use credential_listener::CredentialListener;
pub use devices::{
    Addresses, Credentials, Enrolment, Limits, Manufacturer, NameMode, Names, Retention, Serials,
};
pub use entrances::{ClientHeader, HealthListener, OperatorListener, ProxiedListener};
pub use error::{Error, KeyError, KeyErrorKind};
pub use keyd::{
    Ceiling, KEYD_SAMPLE, KeydCaller, KeydCheckpoints, KeydConfig, KeydDelegation, KeydListen,
};
pub use keys::Keys;
pub use listen::Listen;
pub use live::Live;
pub use log::{Log, LogFormat, Metrics, MetricsAccess};
pub use named_zones::NamedZone;
pub use networks::Networks;
pub use operators::{Approval, Operators};
pub use overload::Overload;
pub(crate) use path::Step;
pub use plan::{
    PLAN_SAMPLE, PlanCertificates, PlanClient, PlanConfig, PlanCredentials, PlanOf, PlanOutage,
    PlanPowerCut, PlanSite, PlanStart, PlanStolenKey, PlanThefts,
};
pub use plan_file::{read_outage, read_setting};
pub use renewal::{Renewal, RenewalOfZone};
pub use renewals::Renewals;
pub use secrets::Secrets;

use serde::Deserialize;
use serde::de::{self, Deserializer};
use zeroize::Zeroizing;

use dc_store::{Location, Urls};
use reader::Reading;

/// The sample file, which is the documentation of all keys.
pub const SAMPLE: &str = include_str!("sample.toml");

/// The configuration of the service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder of the service's own secrets and of the SQLite database.
    #[serde(deserialize_with = "values::path")]
    pub data: PathBuf,
    /// Goes into the derivation of names, so it never changes.
    #[serde(default = "tenant", deserialize_with = "values::word")]
    pub tenant: String,
    /// This machine's name in the audit log.
    #[serde(default = "node", deserialize_with = "values::word")]
    pub node: String,
    /// The address and limits of the service.
    pub listen: Listen,
    /// Where devices are known by their credentials; nowhere if it is left out.
    #[serde(default)]
    pub credential_listener: Option<CredentialListener>,
    /// The database.
    #[serde(default = "sqlite", deserialize_with = "location")]
    pub database: Location,
    /// The keys of delegation certificates.
    #[serde(default)]
    pub keys: Keys,
    /// The key that seals what all signers of the database share.
    #[serde(default)]
    pub secrets: Secrets,
    /// The source of unique names.
    #[serde(default)]
    pub names: Names,
    /// The credentials that are issued.
    #[serde(default)]
    pub credentials: Credentials,
    /// How devices are asked to renew before their time.
    #[serde(default)]
    pub renewals: Renewals,
    /// Ways of enrolment.
    #[serde(default)]
    pub enrolment: Enrolment,
    /// Whose certificates devices may enrol with.
    #[serde(default)]
    pub manufacturers: Vec<Manufacturer>,
    /// CAs that speak ACME.
    #[serde(default)]
    pub acme: Vec<Acme>,
    /// CAs behind programs.
    #[serde(default)]
    pub order_command: Vec<OrderCommand>,
    /// When delegation certificates are ordered.
    #[serde(default)]
    pub certificate_renewal: Renewal,
    /// How long operators are let in.
    #[serde(default)]
    pub operators: Operators,
    /// Acts that take two operators.
    #[serde(default)]
    pub approval: Approval,
    /// The name and key of the audit log; nobody signs for it here if it is left out.
    #[serde(default)]
    pub checkpoints: Option<Checkpoints>,
    /// The places that checkpoints are sent to.
    #[serde(default)]
    pub checkpoint_places: Vec<CheckpointPlace>,
    /// The time that history is kept.
    #[serde(default)]
    pub retention: Retention,
    /// Rates of requests.
    #[serde(default)]
    pub limits: Limits,
    /// The order and the number of requests when more come than can be answered.
    #[serde(default)]
    pub overload: Overload,
    /// The log.
    #[serde(default)]
    pub log: Log,
    /// Access to the metrics.
    #[serde(default)]
    pub metrics: Metrics,
}

impl Config {
    /// Reads a file; paths in it are relative to its folder.
    ///
    /// Fails with [`Error::Read`], and with [`Error::Invalid`], which has everything that is wrong.
    pub fn load(path: &Path) -> Result<Self, Error> {
        file::load(path, Self::parse)
    }

    /// Reads the text of a file whose relative paths begin at `base`.
    ///
    /// Fails with everything that is wrong, in the order of the lines.
    pub fn parse(text: &str, base: &Path) -> Result<Self, Vec<KeyError>> {
        let mut reading = reader::read::<Self>(text);
        let more = duplicates(text, &reading);
        reading.errors.extend(more);
        let more = authorities::conflicts(text, &reading);
        reading.errors.extend(more);
        reading.errors.sort_by_key(|error| error.line);
        match reading.errors.is_empty() {
            true => Ok(reading.value.begin_at(base)),
            false => Err(reading.errors),
        }
    }

    /// With paths that begin at a folder.
    fn begin_at(mut self, base: &Path) -> Self {
        self.data = base.join(self.data);
        self.listen = self.listen.settle(base);
        let listener = self.credential_listener;
        self.credential_listener = listener.map(|listener| listener.begin_at(base));
        self.keys = self.keys.settle(base);
        let lifetime = self.credentials.lifetime;
        self.keys.unlock = self.keys.unlock.for_lifetime(lifetime);
        self.secrets = self.secrets.settle(base);
        self.checkpoints = self.checkpoints.map(|config| config.begin_at(base));
        let places = self.checkpoint_places.into_iter();
        self.checkpoint_places = places.map(|place| place.begin_at(base)).collect();
        for manufacturer in &mut self.manufacturers {
            manufacturer.anchors = base.join(&manufacturer.anchors);
        }
        let acme = self.acme.into_iter();
        self.acme = acme.map(|acme| acme.begin_at(base)).collect();
        let commands = self.order_command.into_iter();
        self.order_command = commands.map(|command| command.begin_at(base)).collect();
        if let Location::File(path) = self.database {
            self.database = Location::File(self.data.join(path));
        }
        self
    }
}

/// `[database]`: a SQLite file or a PostgreSQL server.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
struct Database {
    #[serde(default, deserialize_with = "values::path")]
    sqlite: Option<PathBuf>,
    #[serde(default, deserialize_with = "values::postgres")]
    postgres: Option<Zeroizing<String>>,
    #[serde(default, deserialize_with = "values::postgres")]
    read: Option<Zeroizing<String>>,
}

fn location<'de, D: Deserializer<'de>>(database: D) -> Result<Location, D::Error> {
    let Database {
        sqlite: file,
        postgres,
        read,
    } = Database::deserialize(database)?;
    match (file, postgres) {
        (_, None) if read.is_some() => Err(de::Error::custom(
            "has read, which names replicas of a PostgreSQL server: give postgres too",
        )),
        (Some(_), Some(_)) => Err(de::Error::custom(
            "needs either sqlite or postgres: give exactly one of them",
        )),
        (None, Some(url)) => Ok(Location::Postgres(Urls::new(url, read))),
        (Some(file), None) => Ok(Location::File(file)),
        (None, None) => Ok(sqlite()),
    }
}

fn sqlite() -> Location {
    Location::File("dc-signer.db".into())
}

fn tenant() -> String {
    "default".to_owned()
}

fn node() -> String {
    "signer".to_owned()
}

/// Manufacturers with the name of one before them.
fn duplicates(text: &str, reading: &Reading<Config>) -> Vec<KeyError> {
    let mut names = BTreeSet::new();
    let manufacturers = reading.value.manufacturers.iter().enumerate();
    let duplicates = manufacturers.filter(|(place, manufacturer)| {
        let path = ["manufacturers".into(), (*place).into(), "name".into()];
        // What is mended is nobody's name.
        !reading.mended.iter().any(|mended| *mended == path) && !names.insert(&manufacturer.name)
    });
    let error = |(place, Manufacturer { name: given, .. }): (usize, &Manufacturer)| KeyError {
        line: Step::line(text, &["manufacturers".into(), place.into()]),
        key: "manufacturers.name".to_owned(),
        kind: KeyErrorKind::Unfit(format!(
            "is {given:?}, which stands there before: give each its own"
        )),
    };
    duplicates.map(error).collect()
}

#[cfg(test)]
mod tests;
