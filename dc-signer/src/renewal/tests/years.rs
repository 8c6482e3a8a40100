//! Three years in one test: zones that renew themselves through outages of their CA, and devices that never notice.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use super::ca::{Mood, TestCa, Wrong};
use super::fleet::Device;
use super::rig::{Rig, name};
use crate::renewal::Done;
use crate::testing::Database;
use dc_pki::time::Moment;
use dc_store::registry::DelegationState;
use dc_store::{Location, migrate, open};

/// 2027-01-01.
const START: u64 = 1_798_761_600;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY;
const DEVICES: u32 = 2;

/// An outage that begins when an order is due: the worst moment.
struct Outage {
    after: u64,
    length: u64,
    began: AtomicU64,
}

impl Outage {
    const fn new(after: u64, length: u64) -> Self {
        let began = AtomicU64::new(0);
        Self {
            after,
            length,
            began,
        }
    }

    fn is_on(&self, now: u64) -> bool {
        if now < self.after {
            return false;
        }
        // The first order after that finds the CA gone.
        let began = self
            .began
            .compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst);
        let began = began.unwrap_or_else(|began| began);
        began == 0 || now < began + self.length
    }
}

/// A CA that is away for five hours a day, returns a wrong certificate now and then, and is away for long once.
fn ca(days: u64, clock: &Arc<AtomicU64>, after: u64, outage: u64) -> Arc<TestCa> {
    let outage = Outage::new(START + after, outage);
    TestCa::new(days, clock.clone(), move |now, number| {
        let hour = now % DAY / HOUR;
        match number {
            _ if outage.is_on(now) || hour < 5 => Mood::Away,
            number if number % 5 == 3 => Mood::Wrong(Wrong::ALL[number as usize % 4]),
            _ => Mood::Well,
        }
    })
}

/// What has happened, a line each.
struct Table {
    lines: String,
    states: BTreeMap<(String, u32), DelegationState>,
}

impl Table {
    fn add(&mut self, now: u64, zone: &str, event: &str, served: usize) {
        let now = Moment(super::rig::time(now));
        let all = DEVICES;
        writeln!(
            self.lines,
            "{now}  {zone:<16}  {event:<60}  {served} of {all}"
        )
        .unwrap();
    }
}

/// In memory where there is such a folder: nobody waits for a disk for three years.
async fn database() -> Database {
    let folder = match Path::new("/dev/shm").is_dir() {
        true => TempDir::new_in("/dev/shm").unwrap(),
        false => TempDir::new().unwrap(),
    };
    let location = Location::File(folder.path().join("signer.db"));
    migrate(&location).await.unwrap();
    Database {
        store: open(&location, "node-1").await.unwrap(),
        location,
        folder,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_years_of_outages_cost_no_device_its_credential() {
    let certificates = live("long.example.com", 47, 3 * YEAR, 14 * DAY).await;
    assert!((40..=52).contains(&certificates), "{certificates}");
}

/// A CA cannot be away for longer than its certificates live: fifty hours are what the plan leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_year_of_week_long_certificates_costs_no_device_its_credential() {
    let certificates = live("week.example.com", 7, YEAR / 2, 50 * HOUR).await;
    assert!((70..=90).contains(&certificates), "{certificates}");
}

/// Lets a zone live for so long with certificates of so many days; prints what happened, and says how many certificates there were.
async fn live(zone: &'static str, days: u64, time: u64, outage: u64) -> usize {
    let database = database().await;
    let clock = Arc::new(AtomicU64::new(START));
    let ca = ca(days, &clock, time / 2, outage);
    let rig = Rig::new(&database, clock, "", &[(zone, ca.clone())]).await;
    let mut table = Table {
        lines: String::new(),
        states: BTreeMap::new(),
    };
    // The CA is away for the first hours: no device has anything to lose yet.
    while !upkeep(&rig, &mut table, &[]).await {
        rig.set(rig.now().as_secs() + HOUR);
    }
    let mut devices = Vec::new();
    for number in 0..DEVICES {
        devices.push((zone, Device::enrolled(&rig, zone, number).await));
    }
    let (renewals, refused) = run(&rig, &mut table, &mut devices, time).await;
    println!("{}", table.lines);
    let closest = devices.iter().map(|(_, device)| device.closest).min();
    let shortest = devices.iter().map(|(_, device)| device.lives.0).min();
    let longest = devices.iter().map(|(_, device)| device.lives.1).max();
    let [closest, shortest, longest] = [closest, shortest, longest].map(Option::unwrap);
    let certificates = rig.zone(&name(zone)).await.delegations.len();
    println!(
        "{zone}: {} orders, {certificates} certificates, {renewals} renewals, {refused} refused, credentials of {} to {} h, {} h left at the closest",
        ca.orders.load(Ordering::SeqCst),
        shortest / HOUR,
        longest / HOUR,
        closest / HOUR,
    );
    assert_eq!(refused, 0);
    assert!(closest > 6 * HOUR, "{closest}");
    rig.store.verify_audit().await.unwrap();
    certificates
}

/// Goes from one moment at which something is due to the next; counts what the devices got, and what they did not.
async fn run(
    rig: &Rig,
    table: &mut Table,
    devices: &mut [(&str, Device)],
    time: u64,
) -> (u32, u32) {
    let end = rig.now().as_secs() + time;
    let (mut renewals, mut refused, mut upkeep_at) = (0, 0, 0);
    while rig.now().as_secs() < end {
        let now = rig.now().as_secs();
        if now >= upkeep_at {
            upkeep(rig, table, devices).await;
            upkeep_at = wake(rig).await.clamp(now + 600, now + DAY);
        }
        for (_, device) in devices.iter_mut().filter(|(_, device)| device.next <= now) {
            match device.renew(rig).await {
                true => renewals += 1,
                false => refused += 1,
            }
        }
        assert!(devices.iter().all(|(_, device)| device.is_served(now)));
        let next = devices.iter().map(|(_, device)| device.next).min();
        rig.set(next.unwrap().min(upkeep_at).max(now + 1));
    }
    (renewals, refused)
}

/// What the signers do by themselves, and the keys are brought to both; true if all zones issue.
async fn upkeep(rig: &Rig, table: &mut Table, devices: &[(&str, Device)]) -> bool {
    let now = rig.now().as_secs();
    for (number, signer) in rig.signers.iter().enumerate() {
        // Several looks: for what is new, for the CA's window, for the order.
        for _ in 0..3 {
            let all = signer.renewer.look().await.unwrap();
            if all.is_empty() {
                break;
            }
            for (zone, done) in all {
                let event = match done {
                    Done::Ordered(slot) => format!("slot {slot} ordered by signer {}", number + 1),
                    Done::Failed(error) => format!("no certificate: {error}"),
                    Done::Looked | Done::Elsewhere => continue,
                };
                let event: String = event.chars().take(60).collect();
                let zone = zone.to_string();
                table.add(now, &zone, &event, served(devices, &zone, now));
            }
        }
    }
    if rig.keep_and_share().await {
        rig.keep_and_share().await;
    }
    let mut all_issue = true;
    for zone in rig.store.zones().await.unwrap() {
        let zone_name = zone.zone.to_string();
        all_issue &= zone.active().is_some();
        for slot in &zone.delegations {
            let key = (zone_name.clone(), slot.number);
            let before = table.states.insert(key, slot.state);
            if before != Some(slot.state) && slot.state == DelegationState::Active {
                let ends = Moment(slot.not_after);
                let event = format!("slot {} active, ends {ends}", slot.number);
                let served = served(devices, &zone_name, now);
                table.add(now, &zone_name, &event, served);
            }
        }
    }
    all_issue
}

fn served(devices: &[(&str, Device)], zone: &str, now: u64) -> usize {
    let of = devices.iter().filter(|(of, _)| *of == zone);
    of.filter(|(_, device)| device.is_served(now)).count()
}

/// When something is due next in a zone.
async fn wake(rig: &Rig) -> u64 {
    let renewals = rig.store.renewals().await.unwrap();
    let tries = renewals
        .iter()
        .map(|renewal| renewal.try_at.unwrap_or(renewal.order_at));
    let zones = rig.store.zones().await.unwrap();
    let slots = zones.iter().flat_map(|zone| &zone.delegations);
    let next = slots.filter(|slot| slot.state == DelegationState::Next);
    let soaked = next.map(dc_store::registry::ZoneDelegation::soaked_at);
    let moments = tries.chain(soaked).map(|moment| moment.as_secs());
    moments
        .filter(|at| *at > rig.now().as_secs())
        .min()
        .unwrap_or(u64::MAX)
}
