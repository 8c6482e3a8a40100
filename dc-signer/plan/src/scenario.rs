//! Scenarios: a fleet, its signer, and what goes wrong.

use std::time::Duration;

use dc_admission::{AdmissionLimits, QueueLimits};
use dc_protocol::RenewalWindow;

use crate::error::Error;

/// A fleet and what happens to it. Times are seconds, and moments are seconds from the beginning of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Another one gives another course of events with the same chances.
    pub seed: u64,
    /// How many devices there are.
    pub devices: u32,
    /// How long the run is.
    pub span: u32,
    /// The life of a credential.
    pub lifetime: u32,
    /// When devices renew, in percent of that life.
    pub window: (u32, u32),
    /// How often a device asks whether it is to renew before its time.
    pub poll: u32,
    /// Over how long devices spread that are to renew before their time.
    pub spread: u32,
    /// Over how long a device spreads after a start what is due already.
    pub start_delay: u32,
    /// The capacity for requests.
    pub capacity: Capacity,
    /// The zones and their certificates.
    pub certificates: Certificates,
    /// When something cannot be reached.
    pub outages: Vec<Outage>,
    /// When devices have no power.
    pub power_cuts: Vec<PowerCut>,
    /// Moments at which a delegation key is found to be stolen: all devices are asked to renew.
    pub stolen_keys: Vec<u32>,
}

/// The capacity for requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// Sites of the signer. Each device comes to one of them, and to another while that is down.
    pub sites: u32,
    /// The limits of requests at each site.
    pub requests: AdmissionLimits,
    /// The limits of handshakes at each site.
    pub handshakes: QueueLimits,
    /// How long a handshake takes over the network.
    pub handshake: Duration,
    /// How many handshakes a second the processors of a site can do.
    pub handshake_rate: f64,
    /// How long it takes to answer a request when nothing else is to do.
    pub answer: Duration,
    /// How many signatures a second a site can make.
    pub signature_rate: f64,
}

/// The zones and their certificates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Certificates {
    /// How many zones there are: each device is in one of them.
    pub zones: u32,
    /// The life of a certificate.
    pub life: u32,
    /// How old one is when the next one is ordered.
    pub order_after: u32,
    /// Over how long after that orders are spread.
    pub spread: u32,
    /// How old one is before it is used without need.
    pub soak: u32,
    /// How long before its end nothing is issued from it any more.
    pub min_left: u32,
}

/// A time in which something cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outage {
    /// The thing.
    pub of: Of,
    /// When it begins.
    pub start: u32,
    /// How long it is.
    pub length: u32,
}

/// The thing that cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Of {
    /// The signer, for this part of the devices, wherever they are.
    Signer(f64),
    /// The signer, for this part of the devices, which are those of some networks.
    Region(f64),
    /// One site, from 1 on: its devices come to the others.
    Site(u32),
    /// The CA: nobody gets a certificate.
    Ca,
}

/// A time in which devices have no power.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerCut {
    /// The part of the devices.
    pub share: f64,
    /// When it begins.
    pub start: u32,
    /// How long it is.
    pub length: u32,
    /// The part of these devices whose clock is wrong when the power is back, so that they ask for the time more often.
    pub wrong_clocks: f64,
}

/// A scenario that can be simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked(Scenario);

impl Scenario {
    /// The scenario, if it can be.
    ///
    /// Fails with the first thing that cannot, and says what to write instead.
    pub fn checked(self) -> Result<Checked, Error> {
        let Self {
            window: (from, until),
            devices,
            span,
            lifetime,
            ..
        } = self;
        within("the number of devices", devices, 1, MOST_DEVICES)?;
        within("the run, in seconds,", span, 3600, 400 * DAY)?;
        within(
            "the lifetime of credentials, in seconds,",
            lifetime,
            3600,
            7 * DAY,
        )?;
        if !self.window_of(0, lifetime).fits(0, u64::from(lifetime)) {
            return Err(Error::Window { from, until });
        }
        self.capacity.check(devices, self.steady_rate())?;
        self.certificates.check(lifetime)?;
        for outage in &self.outages {
            outage.check(span, self.capacity.sites)?;
        }
        for cut in &self.power_cuts {
            begins("a power cut", cut.start, span)?;
            share("the share of a power cut", cut.share)?;
            share("the share of wrong clocks", cut.wrong_clocks)?;
        }
        for start in &self.stolen_keys {
            begins("a theft of a key", *start, span)?;
        }
        Ok(Checked(self))
    }

    /// The mean time between two renewals of a device, in seconds.
    #[must_use]
    pub fn cycle(&self) -> f64 {
        let (from, until) = self.window;
        f64::from(self.lifetime) * f64::from(from + until) / 200.0
    }

    /// The credentials a second that the fleet needs if nothing goes wrong.
    #[must_use]
    pub fn steady_rate(&self) -> f64 {
        f64::from(self.devices) / self.cycle()
    }

    /// Nothing that a device waits for within the run is later than this second.
    pub(crate) fn horizon(&self) -> u32 {
        // The schedule's longest wait after a failure is shorter than a day and a half.
        self.span + self.lifetime.max(DAY) + DAY
    }

    pub(crate) fn window_of(&self, issued: u64, life: u32) -> RenewalWindow {
        let part = |percent: u32| issued + u64::from(life) * u64::from(percent) / 100;
        let (from, until) = self.window;
        RenewalWindow {
            from: part(from),
            until: part(until),
        }
    }
}

impl Checked {
    /// The scenario.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.0
    }
}

impl Capacity {
    /// The credentials a second that all sites together issue at most.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.requests.rate.min(self.signature_rate) * f64::from(self.sites)
    }

    fn check(&self, devices: u32, needed: f64) -> Result<(), Error> {
        within("the number of sites", self.sites, 1, 100)?;
        for (what, given) in [
            ("the rate of issuances", self.requests.rate),
            ("the rate of handshakes", self.handshake_rate),
            ("the rate of signatures", self.signature_rate),
        ] {
            real(what, given, 0.000_1, 10_000_000.0)?;
        }
        let rate = self.rate();
        match rate < needed {
            true => Err(Error::RateTooLow {
                devices,
                needed,
                rate,
            }),
            false => Ok(()),
        }
    }
}

impl Certificates {
    fn check(&self, lifetime: u32) -> Result<(), Error> {
        within("the number of zones", self.zones, 1, 1_000_000)?;
        let life = self.life;
        within(
            "the life of certificates, in seconds,",
            life,
            7200,
            4000 * DAY,
        )?;
        match life / 2 < lifetime {
            true => Err(Error::CertificateTooShort { life, lifetime }),
            false => Ok(()),
        }
    }
}

impl Outage {
    /// When it is over.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.start.saturating_add(self.length)
    }

    fn check(&self, span: u32, sites: u32) -> Result<(), Error> {
        begins("an outage", self.start, span)?;
        match self.of {
            Of::Signer(part) | Of::Region(part) => share("the share of an outage", part),
            Of::Site(given) if !(1..=sites).contains(&given) => {
                Err(Error::NoSuchSite { given, sites })
            }
            Of::Site(_) | Of::Ca => Ok(()),
        }
    }
}

impl PowerCut {
    /// When the power is back.
    #[must_use]
    pub fn end(&self) -> u32 {
        self.start.saturating_add(self.length)
    }
}

fn begins(what: &'static str, start: u32, span: u32) -> Result<(), Error> {
    match start < span {
        true => Ok(()),
        false => Err(Error::AfterTheEnd { what, start, span }),
    }
}

fn share(what: &'static str, given: f64) -> Result<(), Error> {
    real(what, given, 0.0, 1.0)
}

fn within(what: &'static str, given: u32, least: u32, most: u32) -> Result<(), Error> {
    real(what, f64::from(given), f64::from(least), f64::from(most))
}

fn real(what: &'static str, given: f64, least: f64, most: f64) -> Result<(), Error> {
    match (least..=most).contains(&given) {
        true => Ok(()),
        false => Err(Error::OutOfRange {
            what,
            given,
            least,
            most,
        }),
    }
}

/// 2 GB of memory.
const MOST_DEVICES: u32 = 100_000_000;
const DAY: u32 = 86_400;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small fleet, and nothing that goes wrong.
    pub(crate) fn small() -> Scenario {
        let requests = AdmissionLimits {
            rate: 2000.0,
            at_once: 256,
            waiting: 1000,
            wait: Duration::from_secs(2),
            operators: 8,
            operator_wait: Duration::from_secs(10),
        };
        let handshakes = QueueLimits {
            inside: 512,
            waiting: 2000,
            patience: Duration::from_secs(10),
            grace: Duration::from_secs(1),
        };
        Scenario {
            seed: 1,
            devices: 1000,
            span: 10 * DAY,
            lifetime: 164 * 3600,
            window: (40, 55),
            poll: 12 * 3600,
            spread: 6 * 3600,
            start_delay: 300,
            capacity: Capacity {
                sites: 1,
                requests,
                handshakes,
                handshake: Duration::from_millis(100),
                handshake_rate: 4000.0,
                answer: Duration::from_millis(20),
                signature_rate: 20_000.0,
            },
            certificates: Certificates {
                zones: 1,
                life: 47 * DAY,
                order_after: 22 * DAY,
                spread: DAY,
                soak: 2 * DAY,
                min_left: 8 * DAY,
            },
            outages: Vec::new(),
            power_cuts: Vec::new(),
            stolen_keys: Vec::new(),
        }
    }

    #[test]
    fn the_middle_of_the_window_is_the_mean_time_between_two_renewals() {
        assert!((small().cycle() - 0.475 * 164.0 * 3600.0).abs() < 1e-6);
        assert_eq!(small().checked().map(|checked| checked.0), Ok(small()));
    }
}
