//! The scenario that a file and the command line give.

use std::str::FromStr;
use std::time::Duration;

use dc_admission::{AdmissionLimits, QueueLimits};
use dc_pki::names::ZoneName;
use dc_plan::{Capacity, Certificates, Of, Outage, PowerCut, Scenario};
use dc_schedule::Draw;
use dc_signer::config::{
    PlanCertificates, PlanConfig, PlanOf, PlanOutage, PlanPowerCut, read_outage, read_setting,
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
    #[arg(long, value_name = "NUMBER", value_parser = |text: &str| read_setting("devices", text).map(|it| it.devices))]
    devices: Option<usize>,
    /// How long the run is, such as 30d
    #[arg(long, value_name = "TIME", value_parser = |text: &str| read_setting("run", text).map(|it| it.run))]
    run: Option<Duration>,
    /// How many credentials a second each site issues at most
    #[arg(long, value_name = "NUMBER", value_parser = |text: &str| read_setting("overload.rate", text).map(|it| it.overload.rate))]
    rate: Option<u32>,
    /// How many sites there are
    #[arg(long, value_name = "NUMBER", value_parser = |text: &str| read_setting("site.sites", text).map(|it| it.site.sites))]
    sites: Option<usize>,
    /// Another number gives another course of events with the same chances
    #[arg(long, value_name = "NUMBER", value_parser = |text: &str| read_setting("seed", text).map(|it| it.seed))]
    seed: Option<usize>,
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
        let parts: Vec<&str> = text.split(',').collect();
        let keys: &[&str] =
            match (parts.as_slice(), parts.first()) {
                ([_, _, _], _) => &["of", "start", "length"],
                ([_, _, _, _], Some(&"site")) => &["of", "start", "length", "site"],
                ([_, _, _, _], _) => &["of", "start", "length", "share"],
                _ => return Err(
                    "it has to be OF,START,LENGTH or OF,START,LENGTH,PART, such as signer,5d,72h"
                        .to_owned(),
                ),
            };
        let pairs: Vec<_> = keys.iter().copied().zip(parts).collect();
        read_outage(&pairs).map(Self)
    }
}

impl Given {
    /// The file with what the command line says in its place.
    pub(super) fn over(self, mut config: PlanConfig) -> PlanConfig {
        config.devices = self.devices.unwrap_or(config.devices);
        config.run = self.run.unwrap_or(config.run);
        config.overload.rate = self.rate.unwrap_or(config.overload.rate);
        config.site.sites = self.sites.unwrap_or(config.site.sites);
        config.seed = self.seed.unwrap_or(config.seed);
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
            ("sginer,5d,72h", "outages.of is \"sginer\": it has to be"),
            (
                "signer,5,72h",
                "outages.start is \"5\": it has to be a time",
            ),
            ("signer,5d", "OF,START,LENGTH"),
            ("signer,5d,0s", "outages.length is 0s: use 1s to 400days"),
            ("signer,401d,1h", "outages.start is 401d: use 0s to 400days"),
            ("signer,5d,72h,120%", "to \"100%\""),
            ("site,5d,72h,one", "outages.site is a text"),
            ("site,5d,72h,0", "outages.site is 0: use 1 to 100"),
            ("ca,5d,72h,5%", "leave it out"),
            ("signer,5d,72h,5%,6", "OF,START,LENGTH"),
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
