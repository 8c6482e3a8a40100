//! The check of a configuration: the file itself, and the files that it names.

mod data;
mod database;
mod room;

use std::fmt::Display;
use std::path::Path;

use pki_types::UnixTime;
use rustls::crypto::CryptoProvider;

use crate::authority::operators::read_certificates;
use crate::authority::{self, ClockError};
use crate::checkpoints;
use crate::config::{
    self, CheckpointKey, Config, HealthListener, KeyError, KeyErrorKind, Listen, Step,
};

use crate::renewal;
use crate::server;
use crate::server::credential_listener;
use crate::server::exposed::{self, Exposed};
use crate::server::listener::{Proxies, ServiceCertificate, tls_config};
use crate::server::telemetry::check_filter;
use crate::server::warning::Warning;
use dc_pki::{files, keys, trust};
use dc_store::Location;
pub(crate) use room::is_full;

/// Reads a configuration and everything that it names, and looks at what is in its data folder, with the rights of this
/// process; starts nothing.
///
/// Returns and fails as [`check`] does. A service does without this: what it cannot read there stops nothing else.
pub fn check_with_data(
    path: &Path,
    provider: &CryptoProvider,
) -> Result<(Config, Vec<Warning>), config::Error> {
    check_and(path, provider, |config, found| {
        data::look(config, found);
        look_at_checkpoints(config, found);
        look_at_what_is_used_later(config, found);
        let (keys, rest): (Vec<_>, Vec<_>) = { exposed::look(config, path) }
            .into_iter()
            .partition(Exposed::is_key);
        for key in keys {
            let setting = key.setting.into_iter().filter(|word| !word.is_empty());
            let setting: Vec<Step> = setting.map(Step::from).collect();
            found.add(&setting, key.to_string());
        }
        rest
    })
}

/// Reads a configuration and everything that it names; starts nothing. A key that others may read is a warning here: a service that
/// does not start because of it helps nobody.
///
/// Returns the configuration, and what somebody should look at. Fails with [`config::Error::Invalid`],
/// which has everything that is wrong, and with what reading the file itself fails with.
pub fn check(
    path: &Path,
    provider: &CryptoProvider,
) -> Result<(Config, Vec<Warning>), config::Error> {
    check_and(path, provider, |config, found| {
        data::is_folder(config, found);
        exposed::look(config, path)
    })
}

fn check_and(
    path: &Path,
    provider: &CryptoProvider,
    data: impl FnOnce(&Config, &mut Findings<'_>) -> Vec<Exposed>,
) -> Result<(Config, Vec<Warning>), config::Error> {
    let config = Config::load(path)?;
    let text = files::read(path)?;
    let mut found = Findings {
        text: str::from_utf8(&text).unwrap_or_default(),
        errors: Vec::new(),
    };
    let mut warnings = check_certificate(&config, provider, &mut found);
    warnings.extend(limits_not_reached(&config.listen));
    check_credential_listener(&config, provider, &mut found);
    check_addresses(&config, &mut found);
    if let Some(proxied) = &config.listen.proxied {
        let key = ["listen", "proxied", "certificates"].map(Step::from);
        found.keep(&key, Proxies::read(proxied));
    }
    for (place, manufacturer) in config.manufacturers.iter().enumerate() {
        let key = ["manufacturers".into(), place.into(), "anchors".into()];
        found.keep(&key, read_certificates(&manufacturer.anchors));
    }
    check_authorities(&config, &mut found);
    found.keep(
        &["log".into(), "filter".into()],
        check_filter(&config.log.filter),
    );
    let exposed = data(&config, &mut found);
    warnings.extend(exposed.into_iter().map(Warning::Exposed));
    match found.errors.is_empty() {
        true => Ok((config, warnings)),
        false => {
            let (path, errors) = (path.into(), found.errors);
            Err(config::Error::Invalid { path, errors })
        }
    }
}

/// The key that the audit log is signed for with: a service that runs warns of what is wrong with it, and goes on.
fn look_at_checkpoints(config: &Config, found: &mut Findings<'_>) {
    let key = match config.checkpoints.as_ref().map(|table| &table.key) {
        Some(CheckpointKey::Process { .. }) => "log_key",
        _ => "key",
    };
    let key = ["checkpoints".into(), key.into()];
    found.keep(&key, checkpoints::look(config));
    for (place, why) in checkpoints::unwritable(config) {
        found.add(
            &["checkpoint_places".into(), place.into(), "file".into()],
            why,
        );
    }
}

/// The programs that orders start, and what a signing process on another machine is shown: a service runs without them for as long as
/// nobody orders and no key is there.
fn look_at_what_is_used_later(config: &Config, found: &mut Findings<'_>) {
    for (place, command) in config.order_command.iter().enumerate() {
        let key = ["order_command".into(), place.into(), "command".into()];
        found.keep(&key, renewal::look_for_program(&command.command));
    }
    for (place, acme) in config.acme.iter().enumerate() {
        let key = ["acme".into(), place.into(), "hook".into()];
        let hook = acme.hook.as_deref().unwrap_or_default();
        found.keep(&key, renewal::look_for_program(hook));
    }
    if let Some(process) = &config.keys.process {
        let key = |word: &'static str| ["keys".into(), "process".into(), word.into()];
        found.keep(&key("certificate"), read_certificates(&process.certificate));
        found.keep(&key("key"), keys::read(&process.key).map(|_| ()));
        found.keep(&key("peer"), read_certificates(&process.peer));
    }
}

/// The roots of the CAs that certificates are ordered from, and of what they issue.
fn check_authorities(config: &Config, found: &mut Findings<'_>) {
    for (place, acme) in config.acme.iter().enumerate() {
        for (key, roots) in [("roots", &acme.roots), ("anchors", &acme.anchors)] {
            let key = ["acme".into(), place.into(), key.into()];
            found.keep(&key, trust::read_roots(roots));
        }
    }
    for (place, command) in config.order_command.iter().enumerate() {
        let key = ["order_command".into(), place.into(), "anchors".into()];
        found.keep(&key, trust::read_roots(&command.anchors));
    }
}

/// Finds why a service with this configuration would not be ready, and what will stop it soon: what readiness and the log of the
/// service say too. Looks at the database if it is there, and changes nothing.
///
/// Fails with what reading the certificate and its key fails with.
pub async fn readiness(
    config: &Config,
    provider: &CryptoProvider,
    now: UnixTime,
) -> Result<Readiness, server::Error> {
    let listen = &config.listen;
    let certificate = ServiceCertificate::load(&listen.certificate, &listen.key, provider)?;
    let validity = certificate.validity();
    let mut found = Readiness::default();
    let asked = config.clone();
    let asking = tokio::task::spawn_blocking(move || checkpoints::ask(&asked));
    if let Ok(Err(error)) = asking.await {
        found
            .faults
            .push(format!("the audit log cannot be signed for: {error}"));
    }
    match (validity.fault(now), validity.warning(now)) {
        (Some(fault), _) => found.faults.push(fault.to_string()),
        (None, warning) => found
            .soon
            .extend(warning.map(|warning| warning.to_string())),
    }
    room::look(config, &mut found);
    if let Location::File(path) = &config.database
        && !files::exists(path)
    {
        let gone = authority::database::check_unseen(config).err();
        found.faults.extend(gone.map(|gone| gone.to_string()));
        let no_key = authority::look_at_key(config).await.err();
        found.faults.extend(no_key.map(|no_key| no_key.to_string()));
        return Ok(found);
    }
    match database::look(config).await {
        Ok(((mut status, missing, untold), renewals, log, one_name, others)) => {
            found.faults.extend(log);
            found.soon.extend(one_name.iter().map(ToString::to_string));
            // A service that is started now waits for some minutes, and whoever runs a check knows what time it is.
            if let Some(clock @ ClockError::Unsure { .. }) = status.clock {
                found.soon.push(clock.to_string());
                status.clock = None;
            }
            found.faults.extend(status.faults());
            found.soon.extend(status.pausing());
            found.soon.extend(status.moving());
            found.soon.extend(status.ending(now));
            let both_forms = status.both_forms.iter().map(ToString::to_string);
            found.soon.extend(both_forms);
            let servers_alone = status.servers_alone.iter().map(ToString::to_string);
            found.soon.extend(servers_alone);
            found.soon.extend(others);
            found.soon.extend(missing.iter().map(ToString::to_string));
            found.soon.extend(untold.iter().map(ToString::to_string));
            let warnings = renewals.iter().flat_map(|renewal| renewal.warnings(now));
            found.soon.extend(warnings);
            found.notes.extend(renewals.iter().map(ToString::to_string));
        }
        Err(error) => found.faults.push(error.to_string()),
    }
    Ok(found)
}

/// The findings of [`readiness`].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Readiness {
    /// Reasons that it would not be ready.
    pub faults: Vec<String>,
    /// Things that somebody should do something about.
    pub soon: Vec<String>,
    /// The things that the service will do by itself.
    pub notes: Vec<String>,
}

fn check_certificate(
    config: &Config,
    provider: &CryptoProvider,
    found: &mut Findings<'_>,
) -> Vec<Warning> {
    let listen = &config.listen;
    let certificate = ServiceCertificate::load(&listen.certificate, &listen.key, provider);
    let key = match &certificate {
        Err(server::Error::Pki(
            dc_pki::Error::Read { path, .. }
            | dc_pki::Error::MissingPem { path, .. }
            | dc_pki::Error::BadPem { path, .. },
        )) if *path == listen.key => "key",
        Err(server::Error::Pki(
            dc_pki::Error::KeyMismatch { .. }
            | dc_pki::Error::UnsupportedKey { .. }
            | dc_pki::Error::EncryptedKey { .. },
        )) => "key",
        _ => "certificate",
    };
    let Some(certificate) = found.keep(&["listen".into(), key.into()], certificate) else {
        return Vec::new();
    };
    let tls = tls_config(&certificate, listen, provider.clone().into());
    found.keep(&["listen".into(), "tls12".into()], tls);
    certificate.warning().cloned().into_iter().collect()
}

fn check_credential_listener(config: &Config, provider: &CryptoProvider, found: &mut Findings<'_>) {
    let Some(listener) = &config.credential_listener else {
        return;
    };
    let key = |key: &'static str| ["credential_listener".into(), key.into()];
    found.keep(
        &key("roots"),
        credential_listener::policy(listener, &provider.clone().into()),
    );
}

/// Addresses that two listeners have.
fn check_addresses(config: &Config, found: &mut Findings<'_>) {
    let Listen {
        operators,
        health,
        proxied,
        ..
    } = &config.listen;
    let credential = config.credential_listener.as_ref();
    let all = [
        (Some(config.listen.address), vec!["listen", "address"]),
        (
            operators.as_ref().map(|operators| operators.address),
            vec!["listen", "operators", "address"],
        ),
        (
            health.as_ref().and_then(HealthListener::address),
            vec!["listen", "health", "address"],
        ),
        (
            proxied.as_ref().map(|proxied| proxied.address),
            vec!["listen", "proxied", "address"],
        ),
        (
            credential.map(|listener| listener.address),
            vec!["credential_listener", "address"],
        ),
    ];
    for (place, (address, key)) in all.iter().enumerate() {
        let before = all.iter().take(place);
        // Any free port may be the same number twice.
        let address = address.filter(|address| address.port() != 0);
        let mut same = before.filter(|(other, _)| address.is_some() && *other == address);
        if let Some((_, other)) = same.next() {
            let key: Vec<Step> = key.iter().copied().map(Step::from).collect();
            let reason = format!(
                "it is {} too: give each an address or a port of its own",
                other.join(".")
            );
            found.add(&key, reason);
        }
    }
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
            "max_waiting_handshakes",
            listen.max_waiting_handshakes,
            listen.handshakes().waiting,
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

/// The mistakes so far.
struct Findings<'a> {
    text: &'a str,
    errors: Vec<KeyError>,
}

impl Findings<'_> {
    fn keep<T>(&mut self, key: &[Step], result: Result<T, impl Display>) -> Option<T> {
        result
            .map_err(|error| self.add(key, error.to_string()))
            .ok()
    }

    fn add(&mut self, key: &[Step], reason: String) {
        self.errors.push(KeyError {
            line: Step::line(self.text, key),
            key: Step::name(key),
            kind: KeyErrorKind::Unusable { reason },
        });
    }
}
