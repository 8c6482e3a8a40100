//! `[[acme]]` and `[[order_command]]`: the CAs that delegation certificates are ordered from.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::error::{KeyError, KeyErrorKind};
use super::path::Step;
use super::reader::Reading;
use super::{Config, keys, values};
use dc_pki::names::ZoneName;
use dc_pki::secret::SecretSource;

/// `[[acme]]`: a CA that speaks ACME (RFC 8555).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct Acme {
    /// The zones whose certificates come from it; all that no other entry names, if it is empty.
    #[serde(default, deserialize_with = "zones")]
    pub zones: Vec<ZoneName>,
    /// The URL of its directory.
    #[serde(deserialize_with = "https")]
    pub directory: String,
    /// Where the CA reaches its customer, as URLs.
    #[serde(default, deserialize_with = "texts")]
    pub contact: Vec<String>,
    /// The operator has read and agrees to the CA's terms of service.
    #[serde(default)]
    pub agree_to_terms: bool,
    /// The number of the customer's account at the CA (RFC 8555 §7.3.4), and the key that proves it.
    #[serde(default)]
    pub external_account: Option<ExternalAccount>,
    /// The kind of certificate, of those that the CA offers.
    #[serde(default, deserialize_with = "values::word")]
    pub profile: Option<String>,
    /// How the CA is shown whose the zone is.
    #[serde(default)]
    pub challenge: ChallengeKind,
    /// The program that puts records into DNS, for `dns-01` and `dns-account-01`.
    #[serde(default, deserialize_with = "values::argv")]
    pub hook: Option<Vec<String>>,
    /// The time that each run of it has.
    #[serde(
        default = "hook_timeout",
        deserialize_with = "values::time::<_, 1_000, HOUR>"
    )]
    pub hook_timeout: Duration,
    /// The time between a record's being there and the CA's looking at it.
    #[serde(
        default = "propagation",
        deserialize_with = "values::time::<_, 0, HOUR>"
    )]
    pub propagation: Duration,
    /// The root of a web server's files, for `http-01`.
    #[serde(default, deserialize_with = "values::path")]
    pub webroot: Option<PathBuf>,
    /// The address and port that answer `http-01` while an order is in progress, where no web server is.
    #[serde(default, deserialize_with = "some_address")]
    pub http_address: Option<SocketAddr>,
    /// The longest time that the CA has to look, and again to sign.
    #[serde(
        default = "timeout",
        deserialize_with = "values::time::<_, 1_000, HOUR>"
    )]
    pub timeout: Duration,
    /// The roots of the ACME server's own certificate, in PEM.
    #[serde(default = "system_roots", deserialize_with = "values::path")]
    pub roots: PathBuf,
    /// The roots that the ordered certificates lead to, in PEM.
    #[serde(default = "system_roots", deserialize_with = "values::path")]
    pub anchors: PathBuf,
}

/// `external_account`: what a CA gives to its customers, for the first order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct ExternalAccount {
    /// The key's name at the CA.
    #[serde(deserialize_with = "values::text")]
    pub kid: String,
    /// The place of the key, in base64url as the CA gives it.
    #[serde(deserialize_with = "secret")]
    pub hmac: SecretSource,
}

/// The way in which a CA is shown whose a zone is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(
    rename_all = "kebab-case",
    expecting = "\"dns-01\", \"dns-account-01\", \"dns-persist-01\" or \"http-01\""
)]
pub enum ChallengeKind {
    /// A record in DNS, for each order.
    #[default]
    #[serde(rename = "dns-01")]
    Dns01,
    /// The same, under a name of the account's own.
    #[serde(rename = "dns-account-01")]
    DnsAccount01,
    /// A record in DNS that stays.
    #[serde(rename = "dns-persist-01")]
    DnsPersist01,
    /// A file on the zone's web server, which public CAs do not take for wildcards.
    #[serde(rename = "http-01")]
    Http01,
}

impl ChallengeKind {
    /// Its name in ACME.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns01 => "dns-01",
            Self::DnsAccount01 => "dns-account-01",
            Self::DnsPersist01 => "dns-persist-01",
            Self::Http01 => "http-01",
        }
    }
}

impl Acme {
    /// With paths that begin at a folder.
    pub(super) fn begin_at(mut self, base: &Path) -> Self {
        self.roots = base.join(self.roots);
        self.anchors = base.join(self.anchors);
        self.webroot = self.webroot.map(|webroot| base.join(webroot));
        if let Some(account) = &mut self.external_account
            && let SecretSource::File(path) = &account.hmac
        {
            account.hmac = SecretSource::File(base.join(path));
        }
        self
    }

    /// The reason that its keys do not go together, if they do not.
    fn conflict(&self) -> Option<&'static str> {
        let is_of_dns = matches!(
            self.challenge,
            ChallengeKind::Dns01 | ChallengeKind::DnsAccount01
        );
        let is_of_http = self.challenge == ChallengeKind::Http01;
        match (
            self.hook.is_some(),
            self.webroot.is_some(),
            self.http_address.is_some(),
        ) {
            (false, ..) if is_of_dns => {
                Some("needs 'hook', the program that puts records into DNS, for this challenge")
            }
            (true, ..) if !is_of_dns => {
                Some("has a 'hook', which this challenge does not need: leave one out")
            }
            (_, true, true) | (_, false, false) if is_of_http => Some(
                "needs either 'webroot' or 'http_address' for http-01: give exactly one of them",
            ),
            (_, true, _) | (_, _, true) if !is_of_http => Some(
                "has 'webroot' or 'http_address', which are for the challenge http-01: leave them out",
            ),
            _ => None,
        }
    }
}

/// `[[order_command]]`: a CA behind a program.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct OrderCommand {
    /// The zones whose certificates come from it; all that no other entry names, if it is empty.
    #[serde(default, deserialize_with = "zones")]
    pub zones: Vec<ZoneName>,
    /// The program with its arguments.
    #[serde(deserialize_with = "command")]
    pub command: Vec<String>,
    /// The time that it has.
    #[serde(
        default = "timeout",
        deserialize_with = "values::time::<_, 1_000, DAY>"
    )]
    pub timeout: Duration,
    /// The roots that the ordered certificates lead to, in PEM.
    #[serde(default = "system_roots", deserialize_with = "values::path")]
    pub anchors: PathBuf,
}

impl OrderCommand {
    /// With paths that begin at a folder.
    pub(super) fn begin_at(mut self, base: &Path) -> Self {
        self.anchors = base.join(self.anchors);
        self
    }
}

/// Keys that do not go together, and zones that have more than one CA.
pub(super) fn conflicts(text: &str, reading: &Reading<Config>) -> Vec<KeyError> {
    let Config {
        acme,
        order_command,
        ..
    } = &reading.value;
    let mut errors = Vec::new();
    let mut say = |list: &str, place: usize, key: &str, why: String| {
        let path: [Step; 2] = [list.into(), place.into()];
        // What is mended is nobody's word.
        if !reading
            .mended
            .iter()
            .any(|mended| mended.starts_with(&path))
        {
            errors.push(KeyError {
                line: Step::line(text, &path),
                key: format!("{list}{key}"),
                kind: KeyErrorKind::Unfit(why),
            });
        }
    };
    for (place, acme) in acme.iter().enumerate() {
        if let Some(why) = acme.conflict() {
            say("acme", place, "", why.to_owned());
        }
    }
    let of_acme = acme.iter().enumerate();
    let of_acme = of_acme.map(|(place, acme)| ("acme", place, &acme.zones));
    let of_commands = order_command.iter().enumerate();
    let of_commands = of_commands.map(|(place, one)| ("order_command", place, &one.zones));
    let mut seen: Vec<Option<&ZoneName>> = Vec::new();
    for (list, place, zones) in of_acme.chain(of_commands) {
        let all: Vec<Option<&ZoneName>> = match zones.is_empty() {
            true => vec![None],
            false => zones.iter().map(Some).collect(),
        };
        for zone in all {
            if seen.contains(&zone) {
                let zone = zone.map_or_else(|| "all other zones".to_owned(), ToString::to_string);
                let why = format!("names {zone}, which another CA has: give each zone one");
                say(list, place, ".zones", why);
            }
            seen.push(zone);
        }
    }
    errors
}

fn zones<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<ZoneName>, D::Error> {
    let zones = texts(value)?.into_iter();
    zones
        .map(|zone| ZoneName::parse(&zone).map_err(D::Error::custom))
        .collect()
}

fn texts<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    Vec::<String>::deserialize(value)
}

fn https<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    let given = values::text(value)?;
    let uri: Option<hyper::Uri> = given.parse().ok();
    let is_https = uri.is_some_and(|uri| {
        uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| !host.is_empty())
    });
    match is_https {
        true => Ok(given),
        false => Err(D::Error::custom(format!(
            "is {given:?}: it has to be the URL of an ACME directory, such as \"https://acme.example.com/directory\""
        ))),
    }
}

fn some_address<'de, D: Deserializer<'de>>(value: D) -> Result<Option<SocketAddr>, D::Error> {
    values::address(value).map(Some)
}

fn command<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    Ok(values::argv(value)?.unwrap_or_default())
}

fn secret<'de, D: Deserializer<'de>>(value: D) -> Result<SecretSource, D::Error> {
    keys::source(value)?.ok_or_else(|| D::Error::custom("is missing"))
}

fn hook_timeout() -> Duration {
    Duration::from_secs(120)
}

fn propagation() -> Duration {
    Duration::from_secs(30)
}

fn timeout() -> Duration {
    Duration::from_secs(300)
}

fn system_roots() -> PathBuf {
    PathBuf::from("/etc/ssl/certs/ca-certificates.crt")
}

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
