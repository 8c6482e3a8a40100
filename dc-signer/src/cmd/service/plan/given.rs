//! The scenario that a file and the command line give.

use std::str::FromStr;
use std::time::Duration;

use dc_admission::{AdmissionLimits, QueueLimits};
use dc_pki::names::ZoneName;
use dc_plan::{Capacity, Certificates, Of, Outage, PowerCut, Scenario};
use dc_schedule::Draw;
use dc_signer::config::{
    PlanCertificates, PlanConfig, PlanOf, PlanOutage, PlanPowerCut, parse_share,
};
use dc_signer::renewal::plan::Plan;
use dc_signer::renewal::schedule::{self, failed};
use dc_signer::renewal::source::OrderError;
use dc_store::Renewal;
use pki_types::UnixTime;

/// The command line's part, which counts more than the file.
#[derive(Debug, clap::Args)]
pub(super) struct Given {
    /// How many devices there are
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    devices: Option<u32>,
    /// How long the run is, such as 30d
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    run: Option<Duration>,
    /// How many credentials a second each site issues at most
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// How many sites there are
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100))]
    sites: Option<u32>,
    /// Another number gives another course of events with the same chances
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u32>,
    /// An outage beside those of the file: signer, region, site or ca; when it begins; how long it is; and the part of the
    /// devices, or the number of the site. May be given several times
    #[arg(long, value_name = "OF,START,LENGTH[,PART]")]
    outage: Vec<Written>,
}

/// An outage as it is written on the command line.
#[derive(Clone, Copy, Debug)]
struct Written(PlanOutage);

impl FromStr for Written {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(',');
        let of = match parts.next() {
            Some("signer") => PlanOf::Signer,
            Some("region") => PlanOf::Region,
            Some("site") => PlanOf::Site,
            Some("ca") => PlanOf::Ca,
            _ => return Err("it has to begin with signer, region, site or ca".to_owned()),
        };
        let mut time = |what: &str| {
            let text = parts.next().unwrap_or_default();
            humantime::parse_duration(text)
                .map_err(|_| format!("{what} is '{text}': it has to be a time such as 5d or 72h"))
        };
        let (start, length) = (time("the beginning")?, time("the length")?);
        let (mut share, mut site) = (None, None);
        match (of, parts.next()) {
            (_, None) => {}
            (PlanOf::Site, Some(text)) => {
                let number = text.parse();
                let said = |_| format!("the site is '{text}': it has to be the number of one");
                site = Some(number.map_err(said)?);
            }
            (PlanOf::Signer | PlanOf::Region, Some(text)) => {
                let said = || format!("the part is '{text}': it has to be one from 0% to 100%");
                share = Some(parse_share(text).ok_or_else(said)?);
            }
            (PlanOf::Ca, Some(text)) => {
                return Err(format!("'{text}' says nothing of a CA: leave it out"));
            }
        }
        match parts.next() {
            Some(more) => Err(format!("'{more}' is too much: leave it out")),
            None => Ok(Self(PlanOutage {
                of,
                start,
                length,
                share,
                site,
            })),
        }
    }
}

impl Given {
    /// The file with what the command line says in its place.
    pub(super) fn over(self, mut config: PlanConfig) -> PlanConfig {
        let size = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        config.devices = self.devices.map_or(config.devices, size);
        config.run = self.run.unwrap_or(config.run);
        config.overload.rate = self.rate.unwrap_or(config.overload.rate);
        config.site.sites = self.sites.map_or(config.site.sites, size);
        config.seed = self.seed.map_or(config.seed, size);
        config
            .outages
            .extend(self.outage.iter().map(|Written(outage)| *outage));
        config
    }
}

/// The scenario of a configuration.
pub(super) fn scenario(config: &PlanConfig) -> Scenario {
    let percent = |part: f64| whole((part * 100.0).round() as usize);
    let credentials = &config.credentials;
    Scenario {
        seed: u64::try_from(config.seed).unwrap_or(u64::MAX),
        devices: whole(config.devices),
        span: seconds(config.run),
        lifetime: seconds(credentials.lifetime),
        window: (
            percent(credentials.renew_from),
            percent(credentials.renew_until),
        ),
        poll: seconds(config.renewals.poll),
        spread: seconds(config.renewals.spread),
        start_delay: seconds(config.start.delay),
        capacity: capacity(config),
        certificates: certificates(&config.certificates),
        outages: config.outages.iter().map(outage).collect(),
        power_cuts: config.power_cuts.iter().map(cut).collect(),
        stolen_keys: config
            .stolen_keys
            .iter()
            .map(|key| seconds(key.found))
            .collect(),
    }
}

fn capacity(config: &PlanConfig) -> Capacity {
    let (site, overload) = (&config.site, &config.overload);
    Capacity {
        sites: whole(site.sites),
        requests: AdmissionLimits {
            rate: f64::from(overload.rate),
            at_once: overload.at_once,
            waiting: overload.waiting,
            wait: overload.wait,
            operators: overload.operator_requests,
            operator_wait: overload.operator_wait,
        },
        handshakes: QueueLimits {
            inside: site.max_handshakes,
            waiting: site.max_waiting_handshakes,
            patience: site.handshake_wait,
            // As the service has it.
            grace: (site.handshake_timeout / 5).min(Duration::from_secs(1)),
        },
        handshake: site.handshake,
        handshake_rate: f64::from(whole(site.handshakes)),
        answer: site.answer,
        signature_rate: f64::from(whole(site.signatures)),
    }
}

/// By the plan that the service has for certificates of this life.
fn certificates(given: &PlanCertificates) -> Certificates {
    let plan = Plan::of(given.lifetime, whole(given.order_after));
    Certificates {
        zones: whole(given.zones),
        life: seconds(plan.life),
        order_after: seconds(plan.order_after),
        spread: seconds(plan.slack),
        soak: seconds(plan.soak),
        min_left: seconds(plan.min_left),
    }
}

fn outage(given: &PlanOutage) -> Outage {
    let (share, site) = (given.share.unwrap_or(1.0), given.site.unwrap_or(1));
    Outage {
        of: match given.of {
            PlanOf::Signer => Of::Signer(share),
            PlanOf::Region => Of::Region(share),
            PlanOf::Site => Of::Site(whole(site)),
            PlanOf::Ca => Of::Ca,
        },
        start: seconds(given.start),
        length: seconds(given.length),
    }
}

fn cut(given: &PlanPowerCut) -> PowerCut {
    PowerCut {
        share: given.share,
        start: seconds(given.start),
        length: seconds(given.length),
        wrong_clocks: given.wrong_clocks,
    }
}

/// After how many seconds the service orders again when it has failed so many times, as its own schedule says.
pub(super) fn ca_tries_again(failures: u32, draw: Draw) -> u32 {
    let Ok(zone) = ZoneName::parse("cpe.example.com") else {
        return HOUR;
    };
    let renewal = Renewal {
        attempts: failures,
        ..Renewal::of(zone)
    };
    let away = OrderError::Later(None, String::new());
    let now = UnixTime::since_unix_epoch(Duration::ZERO);
    let renewal = failed(renewal, None, &away, now, schedule::Draw(draw.0));
    let at = renewal.try_at.map(|at| at.as_secs());
    at.and_then(|at| u32::try_from(at).ok()).unwrap_or(HOUR)
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

fn whole(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

const HOUR: u32 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_written_in_one_word_and_a_mistake_says_what_to_write() {
        let Written(outage) = "region,5d,72h,12.5%".parse().unwrap();
        assert_eq!((outage.of, outage.share), (PlanOf::Region, Some(0.125)));
        assert_eq!(outage.length, Duration::from_secs(72 * 3600));
        let Written(outage) = "site,1d,1h,2".parse().unwrap();
        assert_eq!(outage.site, Some(2));
        for (wrong, said) in [
            ("sginer,5d,72h", "signer, region, site or ca"),
            ("signer,5,72h", "the beginning is '5'"),
            ("signer,5d", "the length is ''"),
            ("signer,5d,72h,120%", "0% to 100%"),
            ("site,5d,72h,one", "the number of one"),
            ("ca,5d,72h,5%", "leave it out"),
            ("signer,5d,72h,5%,6", "leave it out"),
        ] {
            let error = wrong.parse::<Written>().unwrap_err();
            assert!(error.contains(said), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_ca_is_asked_again_after_minutes_and_later_after_hours() {
        let waits = [1, 2, 3, 20].map(|failures| ca_tries_again(failures, Draw(0)));
        assert_eq!(waits, [150, 300, 600, 3 * HOUR]);
    }

    #[test]
    fn the_defaults_are_the_products_own() {
        let scenario = scenario(&PlanConfig::default());
        let window = dc_protocol::RenewalWindow::of_life(0, 100);
        assert_eq!(window.from, u64::from(scenario.window.0));
        assert_eq!(window.until, u64::from(scenario.window.1));
        let listen =
            "data = 'data'\n[listen]\naddress = '127.0.0.1:0'\ncertificate = 'c'\nkey = 'k'\n";
        let service = dc_signer::config::Config::parse(listen, "/etc".as_ref()).unwrap();
        assert_eq!(
            service.overload.limits(&service.listen),
            scenario.capacity.requests
        );
        assert_eq!(service.listen.handshakes(), scenario.capacity.handshakes);
        assert_eq!(
            service.credentials.lifetime.as_secs(),
            u64::from(scenario.lifetime)
        );
        assert_eq!(service.renewals.poll.as_secs(), u64::from(scenario.poll));
    }
}
