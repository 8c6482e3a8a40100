//! The table of ratios, printed, remembered, and compared with what is remembered.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::callgrind;
use crate::cases::VERIFICATION;

/// What is compared with what.
struct Line {
    ours: &'static str,
    /// The sum of these.
    stock: &'static [&'static str],
    /// The most that it shall be.
    target: f64,
}

/// A ratio, by the name of what was counted.
pub(crate) type Table = Vec<(&'static str, f64)>;

/// All that is counted, each once.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let mut seen = Vec::new();
    LINES
        .iter()
        .flat_map(|line| line.stock.iter().copied().chain([line.ours]))
        .filter(move |name| {
            let is_new = !seen.contains(name);
            seen.push(name);
            is_new
        })
}

/// Counts everything, and prints it.
pub(crate) fn count(rounds: usize) -> Table {
    let names: Vec<_> = names().collect();
    let counts = callgrind::count_all(&names, rounds);
    println!("one verification: {} instructions", counts[VERIFICATION]);
    println!(
        "{:58} {:>12} {:>12} {:>6} {:>6}",
        "instructions", "stock", "ours", "ratio", "target"
    );
    LINES
        .iter()
        .map(|line| {
            let stock: u64 = line.stock.iter().map(|name| counts[name]).sum();
            let ours = counts[line.ours];
            let ratio = ours as f64 / stock as f64;
            let verdict = if ratio <= line.target { "" } else { "  missed" };
            let (name, target) = (line.ours, line.target);
            println!("{name:58} {stock:12} {ours:12} {ratio:6.3} {target:6.2}{verdict}");
            (name, ratio)
        })
        .collect()
}

pub(crate) fn write(table: &Table) {
    let mut text = String::new();
    for (name, ratio) in table {
        writeln!(text, "{ratio:.3} {name}").unwrap();
    }
    fs::write(path(), text).unwrap();
}

/// Says what costs more than is remembered; true if nothing does.
pub(crate) fn check(table: &Table) -> bool {
    let text = fs::read_to_string(path()).unwrap();
    let known: HashMap<&str, f64> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(ratio, name)| (name, ratio.parse().unwrap()))
        .collect();
    let mut is_fine = true;
    for (name, ratio) in table {
        let known = known.get(name).copied();
        if known.is_none_or(|known| *ratio > known * (1.0 + FENCE)) {
            println!(
                "{name}: {ratio:.3} of stock rustls, and it was {known:?}; `--write` if that is meant"
            );
            is_fine = false;
        }
    }
    is_fine
}

fn path() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "ratios.txt"].iter().collect()
}

const FENCE: f64 = 0.05;

const LINES: &[Line] = &[
    Line {
        ours: "client, certificate",
        stock: &["client, stock"],
        target: 1.02,
    },
    Line {
        ours: "client, RFC 9345 credential",
        stock: &["client, stock", VERIFICATION],
        target: 1.02,
    },
    Line {
        ours: "client, named credential",
        stock: &["client, stock", VERIFICATION],
        target: 1.02,
    },
    Line {
        ours: "client over tokio, named credential",
        stock: &["client over tokio, stock", VERIFICATION],
        target: 1.02,
    },
    Line {
        ours: "client, named credential, remembered, chain of 2",
        stock: &["client, stock, chain of 2"],
        target: 0.70,
    },
    Line {
        ours: "client, named credential, remembered",
        stock: &["client, stock"],
        target: 0.70,
    },
    Line {
        ours: "client, named credential, resumed",
        stock: &["client, stock, resumed"],
        target: 1.02,
    },
    Line {
        ours: "client, named credential, a megabyte each way",
        stock: &["client, stock, a megabyte each way", VERIFICATION],
        target: 1.01,
    },
    Line {
        ours: "server, fallback",
        stock: &["server, stock"],
        target: 1.02,
    },
    Line {
        ours: "server, RFC 9345 credential",
        stock: &["server, stock"],
        target: 1.02,
    },
    Line {
        ours: "server, named credential",
        stock: &["server, stock"],
        target: 1.02,
    },
    Line {
        ours: "server, named credential, one of 1000",
        stock: &["server, stock"],
        target: 1.02,
    },
    Line {
        ours: "server over tokio, named credential",
        stock: &["server over tokio, stock"],
        target: 1.02,
    },
    Line {
        ours: "server, named credential, resumed",
        stock: &["server, stock, resumed"],
        target: 1.02,
    },
    Line {
        ours: "server, named credential, a megabyte each way",
        stock: &["server, stock, a megabyte each way"],
        target: 1.01,
    },
];
