//! Who is asked how often, and what happens when somebody is away.

use super::{cells, columns, command, rows};
use crate::ledger::{Act, Party, Phase};
use crate::measure::interactions::Interactions;
use crate::measure::outage::Outage;
use crate::report::Report;
use crate::table::grid::{Cell, Grid};
use crate::table::requirements::EVERY_YEAR;
use crate::table::words::{count, time, time_or_ever};

pub(super) fn interactions(report: &Report) -> Grid {
    let lines = rows(report, |row| {
        let texts = match row.interactions.value() {
            Some(of) => phases(of),
            None => vec![row.interactions.why_not().unwrap_or_default(); 6],
        };
        cells(texts, command(row, "interactions"))
    });
    Grid {
        title: "Who is asked, and who signs".into(),
        note: "Requests and signatures (r and s), by public CA, vendor, the home's own CA, and steps that the user does; a step in \
               a client is counted for one client, and has to be done in each. Questions bring no identity: the device asks whether \
               it should renew before its time. Measured with one device and with three, through a virtual year: what happens in a \
               device's life is the average, and what the fleet needs, in its first year, must not grow."
            .into(),
        columns: columns(&["First issue", "A year of renewals", "A year of questions", "Replacement", "The fleet, first year", "10^6 devices, a year without first issue and replacement"]),
        lines,
    }
}

fn phases(of: &Interactions) -> Vec<String> {
    let one = |phase| {
        asked(|party, act| {
            let total = |devices| of.total(party, act, &[phase], devices);
            total(1.0) - total(0.0)
        })
    };
    let year = |devices| asked(|party, act| of.total(party, act, &EVERY_YEAR, devices));
    vec![
        one(Phase::FirstIssue),
        one(Phase::Renewal),
        one(Phase::News),
        one(Phase::Replacement),
        year(0.0),
        year(1e6),
    ]
}

/// Who is asked how often and signs how often, in short.
fn asked(total: impl Fn(Party, Act) -> f64) -> String {
    let parts = PARTIES.into_iter().filter_map(|(party, name)| {
        let unit = match party {
            Party::User => " steps",
            _ => " r",
        };
        let acts = [(Act::Request, unit), (Act::Signature, " s")]
            .map(|(act, unit)| (total(party, act), unit));
        let acts = acts.into_iter().filter(|(number, _)| number.abs() > 0.04);
        let acts: Vec<String> = acts
            .map(|(number, unit)| plural(format!("{}{unit}", count(number))))
            .collect();
        (!acts.is_empty()).then(|| format!("{name} {}", acts.join(" + ")))
    });
    let parts: Vec<String> = parts.collect();
    match parts.is_empty() {
        true => "nobody".to_owned(),
        false => parts.join("; "),
    }
}

pub(super) fn outages(report: &Report) -> Grid {
    let lines = rows(report, |row| {
        let mut texts: Vec<String> = match row.outages.value() {
            Some(outages) => OUTAGES
                .map(|(party, days)| outage(outages, party, days))
                .to_vec(),
            None => vec![row.outages.why_not().unwrap_or_default(); OUTAGES.len()],
        };
        let mut evidence = vec![command(row, "outages"); OUTAGES.len()];
        texts.push(match row.interactions.value() {
            Some(of) => alone(of),
            None => row.interactions.why_not().unwrap_or_default(),
        });
        evidence.push(command(row, "interactions"));
        texts
            .into_iter()
            .zip(evidence)
            .map(|(text, evidence)| Cell::new(text, evidence))
            .collect()
    });
    Grid {
        title: "When somebody is away, and when the home has no Internet".into(),
        note: "An outage begins at the worst moment, when something is due. Time: how long the device that it hits worst has \
               nothing valid. Share: of a fleet whose renewals are spread evenly. Alone: how long a device goes on when nobody outside the home \
               can be reached any more, at its next renewal and right after the last, if names are still resolved in the home: of names in the public DNS, the \
               router has to know the addresses itself."
            .into(),
        columns: columns(&["CA away 3 d", "CA away 30 d", "Vendor away 3 d", "Vendor away 30 d", "Alone"]),
        lines,
    }
}

fn plural(text: String) -> String {
    match text.as_str() {
        "1 steps" => "1 step".to_owned(),
        _ => text,
    }
}

/// How long a device goes on without the Internet: for ever if the home itself renews.
fn alone(of: &Interactions) -> String {
    match (of.alone.at_least, of.alone.at_most) {
        (Some(least), Some(most)) if of.renews_outside() => {
            format!("{} to {}", time(least), time(most))
        }
        (Some(least), Some(most)) if of.renews_at_home() => {
            format!(
                "for ever; without the CPE {} to {}",
                time(least),
                time(most)
            )
        }
        (least, _) => time_or_ever(least),
    }
}

fn outage(outages: &[Outage], party: Party, days: u64) -> String {
    let found = outages
        .iter()
        .find(|outage| (outage.party, outage.days) == (party, days));
    match found {
        None => "not measured".to_owned(),
        Some(outage) if !outage.needed => "not needed".to_owned(),
        Some(outage) if outage.down == 0 => "nothing lost".to_owned(),
        Some(outage) => format!(
            "{}, {} % of the fleet",
            time(outage.down),
            count(100.0 * outage.share)
        ),
    }
}

/// What is measured of outages.
pub(crate) const OUTAGES: [(Party, u64); 4] = [
    (Party::PublicCa, 3),
    (Party::PublicCa, 30),
    (Party::Vendor, 3),
    (Party::Vendor, 30),
];

const PARTIES: [(Party, &str); 4] = [
    (Party::PublicCa, "CA"),
    (Party::Vendor, "vendor"),
    (Party::Home, "home"),
    (Party::User, "user"),
];
