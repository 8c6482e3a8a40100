//! The run: second by second, who comes where, and what begins and ends.

use std::collections::BTreeMap;
use std::time::Duration;

use dc_schedule::ask_again_after;

use crate::BEGINNING;
use crate::certificates::TryAgain;
use crate::count::Told;
use crate::fleet::Fleet;
use crate::outcome::Outcome;
use crate::random::Part;
use crate::scenario::{Checked, Of, Outage, PowerCut, Scenario};
use crate::site::{Guest, Site};

/// Simulates each device of a scenario, and says what became of them.
///
/// `try_again` says after how many seconds a CA is asked again. `progress` is told now and then how many seconds of the run are over.
pub fn simulate(
    checked: &Checked,
    try_again: TryAgain<'_>,
    progress: &mut dyn FnMut(u32),
) -> Outcome {
    let scenario = checked.scenario();
    let mut run = Run::new(scenario, try_again);
    for second in 0..scenario.span {
        run.second(second);
        if second % 3600 == 0 {
            progress(second);
        }
    }
    run.end()
}

struct Run<'s> {
    scenario: &'s Scenario,
    fleet: Fleet<'s>,
    sites: Vec<Site>,
    parts: Vec<Part>,
    guests: Vec<Vec<Guest>>,
    who: Vec<u32>,
    /// How many ask for the time in a second, after how many questions in vain, and whether in danger.
    questions: BTreeMap<(u32, u8, bool), u32>,
}

impl<'s> Run<'s> {
    fn new(scenario: &'s Scenario, try_again: TryAgain<'_>) -> Self {
        let parts = scenario.outages.iter().zip(1..).map(|(outage, number)| {
            let share = match outage.of {
                Of::Signer(share) => share,
                Of::Region(_) | Of::Site(_) | Of::Ca => 0.0,
            };
            Part::new(share, scenario.seed, number)
        });
        let sites = (0..scenario.capacity.sites).map(|_| Site::new(scenario));
        let sites: Vec<_> = sites.collect();
        Self {
            scenario,
            fleet: Fleet::new(scenario, try_again),
            guests: vec![Vec::new(); sites.len()],
            sites,
            parts: parts.collect(),
            who: Vec::new(),
            questions: BTreeMap::new(),
        }
    }

    fn second(&mut self, second: u32) {
        self.begin_and_end(second);
        let mut who = std::mem::take(&mut self.who);
        self.fleet.who_comes(second, &mut who);
        for device in who.drain(..) {
            match self.site_of(device, second) {
                Some(site) => self.guests[site].push(Guest::Device(device)),
                None => {
                    let now = Duration::from_secs(u64::from(BEGINNING + second));
                    self.fleet.told(device, Told::Unreachable, now);
                }
            }
        }
        self.who = who;
        self.ask_questions(second);
        for (site, guests) in self.sites.iter_mut().zip(&mut self.guests) {
            let count = u32::try_from(guests.len()).unwrap_or(u32::MAX);
            self.fleet.counter.come(count);
            site.second(second, guests, &mut self.fleet);
            guests.clear();
            for guest in site.turned_away.drain(..) {
                ask_again(&mut self.questions, guest, second, 1);
            }
        }
        self.fleet.counter.next_second();
    }

    fn begin_and_end(&mut self, second: u32) {
        let outages = self.scenario.outages.iter().map(Outage::end);
        let cuts = self.scenario.power_cuts.iter().map(PowerCut::end);
        for (number, end) in outages.chain(cuts).enumerate() {
            if end == second {
                self.fleet.counter.is_over(number, second);
            }
        }
        for (number, cut) in self.scenario.power_cuts.iter().enumerate() {
            if cut.end() == second {
                self.ask_after_start(number, cut.wrong_clocks, second);
            }
        }
        if self.scenario.stolen_keys.contains(&second) {
            self.fleet.pull(second);
        }
    }

    fn ask_after_start(&mut self, cut: usize, wrong_clocks: f64, second: u32) {
        for after in self.fleet.start_with_power(cut) {
            let is_in_danger = f64::from(self.fleet.draw().0) < wrong_clocks * 4_294_967_296.0;
            *self
                .questions
                .entry((second + after, 0, is_in_danger))
                .or_default() += 1;
        }
    }

    /// Those that start ask for the time.
    fn ask_questions(&mut self, second: u32) {
        while let Some(entry) = self
            .questions
            .first_entry()
            .filter(|entry| entry.key().0 <= second)
        {
            let ((_, times, is_in_danger), count) = entry.remove_entry();
            self.fleet.counter.asks(count);
            for _ in 0..count {
                let guest = Guest::Question(times, is_in_danger);
                let device = self.fleet.draw().0 % self.scenario.devices;
                match self.site_of(device, second) {
                    Some(site) => self.guests[site].push(guest),
                    None => ask_again(&mut self.questions, guest, second, 1),
                }
            }
        }
    }

    /// The site that a device reaches; none if it reaches none.
    fn site_of(&self, device: u32, second: u32) -> Option<usize> {
        let count = self.scenario.capacity.sites;
        let mut is_down = 0_u128;
        for (outage, part) in self.scenario.outages.iter().zip(&self.parts) {
            if !(outage.start..outage.end()).contains(&second) {
                continue;
            }
            match outage.of {
                Of::Signer(_) if part.has(device) => return None,
                Of::Region(share)
                    if f64::from(device) < share * f64::from(self.scenario.devices) =>
                {
                    return None;
                }
                Of::Site(number) => is_down |= 1 << (number - 1).min(127),
                Of::Signer(_) | Of::Region(_) | Of::Ca => {}
            }
        }
        // Networks are spread over the sites, so that an address comes to one of them.
        let home = (device / 256 + device) % count;
        let all = (0..count).map(|step| (home + step) % count);
        let site = all
            .into_iter()
            .find(|site| is_down & (1 << (*site).min(127)) == 0)?;
        usize::try_from(site).ok()
    }

    fn end(mut self) -> Outcome {
        let left = self.fleet.end();
        let orders = self.fleet.orders();
        let devices = self.fleet.waiting();
        // Those that are at a site in the last moment.
        let inside: usize = self.sites.iter().map(Site::inside).sum();
        let devices = devices + u32::try_from(inside).unwrap_or(u32::MAX);
        Outcome {
            left,
            orders,
            devices,
            ..self.fleet.counter.outcome()
        }
    }
}

fn ask_again(
    questions: &mut BTreeMap<(u32, u8, bool), u32>,
    guest: Guest,
    second: u32,
    count: u32,
) {
    let Guest::Question(times, is_in_danger) = guest else {
        return;
    };
    let wait = ask_again_after(u32::from(times), is_in_danger);
    let at = second.saturating_add(u32::try_from(wait).unwrap_or(u32::MAX));
    let next = times.saturating_add(1).min(MOST_TIMES);
    *questions.entry((at, next, is_in_danger)).or_default() += count;
}

/// After more the wait stays the same.
const MOST_TIMES: u8 = 16;
