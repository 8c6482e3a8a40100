//! The file of `dc-signer plan`: a fleet, and what goes wrong.
//!
//! `plan.toml` beside this file documents every key; a test loads it.

use std::time::Duration;

use dc_core::{DEFAULT_LIFETIME, MAX_VALIDITY};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::overload::Overload;
use super::renewals::Renewals;
use super::values;

/// The sample file, which is the documentation of all keys.
pub const PLAN_SAMPLE: &str = include_str!("plan.toml");

/// The fleet that is simulated, and what goes wrong.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanConfig {
    /// How many devices there are.
    #[serde(deserialize_with = "values::count::<_, 1, 100_000_000>")]
    pub devices: usize,
    /// How long the run is.
    #[serde(deserialize_with = "values::time::<_, HOUR, { 400 * DAY }>")]
    pub run: Duration,
    /// Another one gives another course of events.
    #[serde(deserialize_with = "values::count::<_, 0, { u32::MAX }>")]
    pub seed: usize,
    /// Credentials.
    pub credentials: PlanCredentials,
    /// How often devices ask, and how they spread what they are asked for.
    pub renewals: Renewals,
    /// The limits of requests at each site.
    pub overload: Overload,
    /// The capacity of each site.
    pub site: PlanSite,
    /// The zones' certificates.
    pub certificates: PlanCertificates,
    /// How a device starts.
    pub start: PlanStart,
    /// Devices that are stolen.
    pub thefts: PlanThefts,
    /// When something cannot be reached.
    pub outages: Vec<PlanOutage>,
    /// When devices have no power.
    pub power_cuts: Vec<PlanPowerCut>,
    /// When a key is found to be stolen.
    pub stolen_keys: Vec<PlanStolenKey>,
    /// Clients whose clock is wrong.
    pub wrong_clients: Vec<PlanClient>,
}

impl Default for PlanConfig {
    fn default() -> Self {
        let behind = Some(Duration::from_secs(6 * 3600));
        Self {
            devices: 1_000_000,
            run: Duration::from_millis(30 * DAY),
            seed: 1,
            credentials: PlanCredentials::default(),
            renewals: Renewals::default(),
            overload: Overload::default(),
            site: PlanSite::default(),
            certificates: PlanCertificates::default(),
            start: PlanStart::default(),
            thefts: PlanThefts::default(),
            outages: Vec::new(),
            power_cuts: Vec::new(),
            stolen_keys: Vec::new(),
            wrong_clients: vec![PlanClient {
                behind,
                ahead: None,
            }],
        }
    }
}

/// `[credentials]`: how long they live, and when they are renewed.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct PlanCredentials {
    /// The lifetime.
    #[serde(deserialize_with = "values::time::<_, HOUR, { MAX_VALIDITY.as_secs() * 1000 }>")]
    pub lifetime: Duration,
    /// The part of it after which devices begin to renew.
    #[serde(deserialize_with = "share")]
    pub renew_from: f64,
    /// The part of it by which all have.
    #[serde(deserialize_with = "share")]
    pub renew_until: f64,
}

impl Default for PlanCredentials {
    fn default() -> Self {
        Self {
            lifetime: DEFAULT_LIFETIME,
            renew_from: 0.40,
            renew_until: 0.55,
        }
    }
}

/// `[site]`: what each site can do.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct PlanSite {
    /// How many there are.
    #[serde(deserialize_with = "values::count::<_, 1, 100>")]
    pub sites: usize,
    /// The most handshakes in progress.
    #[serde(deserialize_with = "values::count::<_, 1, 1_000_000>")]
    pub max_handshakes: usize,
    /// The most that wait for theirs.
    #[serde(deserialize_with = "values::count::<_, 1, 1_000_000>")]
    pub max_waiting_handshakes: usize,
    /// How long they wait.
    #[serde(deserialize_with = "values::time::<_, 100, { HOUR }>")]
    pub handshake_wait: Duration,
    /// How long a handshake may take.
    #[serde(deserialize_with = "values::time::<_, 100, { HOUR }>")]
    pub handshake_timeout: Duration,
    /// How long one takes.
    #[serde(deserialize_with = "values::time::<_, 1, 60_000>")]
    pub handshake: Duration,
    /// How many a second the processors can do.
    #[serde(deserialize_with = "values::count::<_, 1, 1_000_000>")]
    pub handshakes: usize,
    /// How long an answer takes.
    #[serde(deserialize_with = "values::time::<_, 1, 60_000>")]
    pub answer: Duration,
    /// How many signatures a second there are.
    #[serde(deserialize_with = "values::count::<_, 1, 1_000_000>")]
    pub signatures: usize,
}

impl Default for PlanSite {
    fn default() -> Self {
        Self {
            sites: 1,
            max_handshakes: 512,
            max_waiting_handshakes: 2000,
            handshake_wait: Duration::from_secs(10),
            handshake_timeout: Duration::from_secs(5),
            handshake: Duration::from_millis(100),
            handshakes: 4000,
            answer: Duration::from_millis(20),
            signatures: 20_000,
        }
    }
}

/// `[certificates]`: the zones' delegation certificates.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct PlanCertificates {
    /// How many zones there are.
    #[serde(deserialize_with = "values::count::<_, 1, 1_000_000>")]
    pub zones: usize,
    /// How long one lives.
    #[serde(deserialize_with = "values::time::<_, { 2 * HOUR }, { 4000 * DAY }>")]
    pub lifetime: Duration,
    /// After how many percent of that the next one is ordered.
    #[serde(deserialize_with = "values::count::<_, 1, 99>")]
    pub order_after: usize,
}

impl Default for PlanCertificates {
    fn default() -> Self {
        Self {
            zones: 1,
            lifetime: Duration::from_millis(90 * DAY),
            order_after: 66,
        }
    }
}

/// `[start]`: how a device starts.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct PlanStart {
    /// Over how long it spreads what is due already.
    #[serde(deserialize_with = "values::time::<_, 0, { DAY }>")]
    pub delay: Duration,
}

impl Default for PlanStart {
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(300),
        }
    }
}

/// `[thefts]`: devices that are stolen.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct PlanThefts {
    /// The part of the fleet in a year.
    #[serde(deserialize_with = "share")]
    pub a_year: f64,
    /// How long it takes until one is suspended.
    #[serde(deserialize_with = "values::time::<_, 0, { 400 * DAY }>")]
    pub suspended_after: Duration,
}

impl Default for PlanThefts {
    fn default() -> Self {
        Self {
            a_year: 0.001,
            suspended_after: Duration::from_millis(2 * DAY),
        }
    }
}

/// `[[outages]]`: a time in which something cannot be reached.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct PlanOutage {
    /// The thing.
    pub of: PlanOf,
    /// When it begins.
    #[serde(deserialize_with = "moment")]
    pub start: Duration,
    /// How long it is.
    #[serde(deserialize_with = "length")]
    pub length: Duration,
    /// The part of the devices, of a signer or a region: all if it says nothing.
    #[serde(default, deserialize_with = "some_share")]
    pub share: Option<f64>,
    /// The number of a site: the first if it says nothing.
    #[serde(default, deserialize_with = "some_site")]
    pub site: Option<usize>,
}

/// The thing that cannot be reached.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum PlanOf {
    /// The signer, for some devices.
    Signer,
    /// The signer, for the devices of some networks.
    Region,
    /// A site.
    Site,
    /// The CA.
    Ca,
}

/// `[[power_cuts]]`: a time in which devices have no power.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct PlanPowerCut {
    /// When it begins.
    #[serde(deserialize_with = "moment")]
    pub start: Duration,
    /// How long it is.
    #[serde(deserialize_with = "length")]
    pub length: Duration,
    /// The part of the devices.
    #[serde(default = "all", deserialize_with = "share")]
    pub share: f64,
    /// The part of them whose clock is wrong afterwards.
    #[serde(default, deserialize_with = "share")]
    pub wrong_clocks: f64,
}

/// `[[stolen_keys]]`: a key that is found to be stolen.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct PlanStolenKey {
    /// When.
    #[serde(deserialize_with = "moment")]
    pub found: Duration,
}

/// `[[wrong_clients]]`: clients whose clock is wrong.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct PlanClient {
    /// By so much behind.
    #[serde(deserialize_with = "error")]
    pub behind: Option<Duration>,
    /// By so much ahead.
    #[serde(deserialize_with = "error")]
    pub ahead: Option<Duration>,
}

fn moment<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    values::time::<D, 0, { 400 * DAY }>(value)
}

fn length<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    values::time::<D, 1000, { 400 * DAY }>(value)
}

fn error<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Duration>, D::Error> {
    values::time::<D, 0, { 30 * DAY }>(value).map(Some)
}

/// A part, such as "25%".
fn share<'de, D: Deserializer<'de>>(value: D) -> Result<f64, D::Error> {
    let text = values::text(value)?;
    parse_share(&text).ok_or_else(|| {
        D::Error::custom(format!(
            "is \"{text}\": it has to be a part from \"0%\" to \"100%\""
        ))
    })
}

fn some_share<'de, D: Deserializer<'de>>(value: D) -> Result<Option<f64>, D::Error> {
    share(value).map(Some)
}

fn some_site<'de, D: Deserializer<'de>>(value: D) -> Result<Option<usize>, D::Error> {
    values::count::<D, 1, 100>(value).map(Some)
}

/// A part such as `25%`, from 0 to 1; none if it is not one.
fn parse_share(text: &str) -> Option<f64> {
    let number: f64 = text.strip_suffix('%')?.trim().parse().ok()?;
    (0.0..=100.0).contains(&number).then_some(number / 100.0)
}

const fn all() -> f64 {
    1.0
}

/// In milliseconds.
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

#[cfg(test)]
mod tests {
    use super::*;

    /// With each key that may be left out.
    fn whole_sample() -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            // Nobody's clock is both.
            Some(key) if !key.starts_with(' ') => format!("{key}\n"),
            _ => format!("{line}\n"),
        };
        PLAN_SAMPLE.lines().map(line).collect()
    }

    #[test]
    fn the_sample_is_read_has_every_key_and_says_what_is_left_out() {
        let short = PlanConfig::parse(PLAN_SAMPLE).unwrap();
        let mut whole = PlanConfig::parse(&whole_sample()).unwrap();
        assert_eq!((whole.outages.len(), whole.power_cuts.len()), (2, 1));
        assert_eq!(whole.outages[0].of, PlanOf::Signer);
        assert_eq!(whole.outages[1].site, Some(1));
        assert_eq!(whole.stolen_keys[0].found, Duration::from_millis(20 * DAY));
        whole.outages.clear();
        whole.power_cuts.clear();
        whole.stolen_keys.clear();
        let default = PlanConfig::default();
        assert_eq!(format!("{short:?}"), format!("{default:?}"));
        assert_eq!(format!("{whole:?}"), format!("{default:?}"));
    }

    #[test]
    fn a_mistake_is_named_with_its_key_and_line_and_what_to_write() {
        for (text, said) in [
            ("devices = 0", "is 0: use 1 to 100000000"),
            ("\n[credentials]\nlifetime = '8d'", "is 8d: use 1h to 7days"),
            (
                "[[outages]]\nof = 'sginer'\nstart = '1d'\nlength = '1h'",
                "it has to be",
            ),
            ("[[outages]]\nof = 'ca'\nlength = '1h'", "start"),
            (
                "[[power_cuts]]\nstart = '1d'\nlength = '1h'\nshare = '101%'",
                "from \"0%\" to \"100%\"",
            ),
            ("deviecs = 5", "devices"),
        ] {
            let errors = PlanConfig::parse(text).unwrap_err();
            let error = errors[0].to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
