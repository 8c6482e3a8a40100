//! Whether a configuration can be served with: the file itself, and the files that it names.

mod data;

use std::path::Path;

use pki_types::UnixTime;
use rustls::crypto::CryptoProvider;

use crate::authority::operators::read_certificates;
use crate::authority::{Authority, ClockError, Judgement, Missing, Secrets, SetupError};
use crate::config::{self, Config, Listen, Problem, Wrong};
use crate::database;
use crate::error::Error;
use crate::listener::{Identity, tls_config};
use crate::registry::Head;
use crate::store::{self, Location, Store};
use crate::telemetry::check_filter;
use crate::warning::Warning;
use dc_pki::files;

/// Reads a configuration and everything that it names, and looks at what is in its data folder, with the rights of this
/// process; starts nothing.
///
/// Returns and fails as [`check`] does. A service does without this: what it cannot read there stops nothing else.
pub fn check_with_data(
    path: &Path,
    provider: &CryptoProvider,
) -> Result<(Config, Vec<Warning>), Error> {
    check_and(path, provider, data::look)
}

/// Reads a configuration and everything that it names; starts nothing.
///
/// Returns the configuration, and what somebody should look at. Fails with [`Error::BadConfig`],
/// which has everything that is wrong, and with what reading the file itself fails with.
pub fn check(path: &Path, provider: &CryptoProvider) -> Result<(Config, Vec<Warning>), Error> {
    check_and(path, provider, data::is_folder)
}

fn check_and(
    path: &Path,
    provider: &CryptoProvider,
    data: impl FnOnce(&Config, &mut Findings<'_>),
) -> Result<(Config, Vec<Warning>), Error> {
    let config = Config::load(path)?;
    let text = files::read(path)?;
    let mut found = Findings {
        text: str::from_utf8(&text).unwrap_or_default(),
        problems: Vec::new(),
    };
    let mut warnings = check_identity(&config, provider, &mut found);
    warnings.extend(limits_not_reached(&config.listen));
    for (place, manufacturer) in config.manufacturers.iter().enumerate() {
        let key = ["manufacturers", &place.to_string(), "anchors"];
        found.keep(&key, read_certificates(&manufacturer.anchors));
    }
    found.keep(&["log", "filter"], check_filter(&config.log.filter));
    data(&config, &mut found);
    match found.problems.is_empty() {
        true => Ok((config, warnings)),
        false => Err(Error::BadConfig {
            path: path.into(),
            problems: found.problems,
        }),
    }
}

/// Why a service with this configuration would not be ready, and what will stop it soon: what readiness and the log of the
/// service say too. Looks at the database if it is there, and changes nothing.
///
/// Fails with what reading the certificate and its key fails with.
pub async fn readiness(
    config: &Config,
    provider: &CryptoProvider,
    now: UnixTime,
) -> Result<Readiness, Error> {
    let listen = &config.listen;
    let identity = Identity::load(&listen.certificate, &listen.key, provider)?;
    let validity = identity.validity();
    let mut found = Readiness::default();
    match (validity.fault(now), validity.warning(now)) {
        (Some(fault), _) => found.faults.push(fault.to_string()),
        (None, warning) => found
            .soon
            .extend(warning.map(|warning| warning.to_string())),
    }
    if let Location::File(path) = &config.database
        && !files::exists(path)
    {
        let gone = database::check_unseen(config).err();
        found.faults.extend(gone.map(|gone| gone.to_string()));
        return Ok(found);
    }
    match zones(config).await {
        Ok((mut judgement, missing)) => {
            // A service that is started now waits for some minutes, and whoever runs a check knows what time it is.
            if let Some(clock @ ClockError::Unsure { .. }) = judgement.clock {
                found.soon.push(clock.to_string());
                judgement.clock = None;
            }
            found.faults.extend(judgement.faults());
            found.soon.extend(judgement.moving());
            found.soon.extend(judgement.ending(now));
            found.soon.extend(missing.iter().map(ToString::to_string));
        }
        Err(error) => found.faults.push(error.to_string()),
    }
    Ok(found)
}

async fn zones(config: &Config) -> Result<(Judgement, Vec<Missing>), Error> {
    let store = store::open(&config.database, &config.node).await?;
    let looked = async {
        belongs_here(config, &*store).await?;
        Ok::<_, Error>(Authority::look(config, &*store).await?)
    };
    let looked = looked.await;
    store.close().await;
    looked
}

/// Whether the database is the newest that was seen here, and its secrets are here too.
async fn belongs_here(config: &Config, store: &Store) -> Result<(), Error> {
    store::check_newest(&config.data, store).await?;
    let folder = Secrets::folder(&config.data);
    match store.audit_head().await? == Head::EMPTY || files::is_there(&folder)? {
        true => Ok(()),
        false => Err(SetupError::MissingSecrets { folder }.into()),
    }
}

/// What [`readiness`] finds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Readiness {
    /// Why it would not be ready.
    pub faults: Vec<String>,
    /// What somebody should do something about.
    pub soon: Vec<String>,
}

fn check_identity(
    config: &Config,
    provider: &CryptoProvider,
    found: &mut Findings<'_>,
) -> Vec<Warning> {
    let listen = &config.listen;
    let identity = Identity::load(&listen.certificate, &listen.key, provider);
    let key = match &identity {
        Err(Error::Pki(
            dc_pki::Error::Read { path, .. }
            | dc_pki::Error::MissingPem { path, .. }
            | dc_pki::Error::BadPem { path, .. },
        )) if *path == listen.key => "key",
        Err(Error::Pki(
            dc_pki::Error::KeyMismatch { .. }
            | dc_pki::Error::UnsupportedKey { .. }
            | dc_pki::Error::EncryptedKey { .. },
        )) => "key",
        _ => "certificate",
    };
    let Some(identity) = found.keep(&["listen", key], identity) else {
        return Vec::new();
    };
    let tls = tls_config(&identity, listen, provider.clone().into());
    found.keep(&["listen", "tls12"], tls);
    identity.warning().cloned().into_iter().collect()
}

fn limits_not_reached(listen: &Listen) -> impl Iterator<Item = Warning> {
    let connections = listen.max_connections;
    let limits = [
        (
            "max_handshakes",
            listen.max_handshakes,
            listen.most_handshakes(),
        ),
        (
            "max_connections_per_address",
            listen.max_connections_per_address,
            connections,
        ),
        ("max_requests", listen.max_requests, listen.most_requests()),
    ];
    let unreached = limits.into_iter().filter(|(_, limit, most)| limit > most);
    unreached.map(move |(key, limit, most)| Warning::LimitNotReached {
        key,
        limit,
        most,
        connections,
    })
}

/// What is wrong so far.
struct Findings<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

impl Findings<'_> {
    fn keep<T, E: std::fmt::Display>(&mut self, key: &[&str], result: Result<T, E>) -> Option<T> {
        result
            .map_err(|error| self.add(key, error.to_string()))
            .ok()
    }

    fn add(&mut self, key: &[&str], reason: String) {
        let named = key.iter().filter(|part| part.parse::<usize>().is_err());
        self.problems.push(Problem {
            line: config::line_of(self.text, key),
            key: named.copied().collect::<Vec<_>>().join("."),
            wrong: Wrong::Unusable { reason },
        });
    }
}
