//! What a handshake costs as what there is grows: identities of a server, certificates of a chain, schemes of an offer.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::callgrind;
use crate::cases::{CHAIN, IDENTITIES, OFFER, VERIFICATION};
use crate::plot::{Curve, Panel, draw};

/// What grows, and what is counted while it does.
struct Growth {
    title: &'static str,
    /// Between the name of what is counted and the number.
    word: &'static str,
    numbers: &'static [u32],
    /// True if each number is the last one several times.
    is_logarithmic: bool,
    curves: &'static [Counted],
}

struct Counted {
    label: &'static str,
    name: &'static str,
    /// True if stock rustls verifies one signature less, which is added.
    verifies_less: bool,
    /// True if the number is nothing to it.
    is_constant: bool,
}

const fn counted(label: &'static str, name: &'static str) -> Counted {
    Counted {
        label,
        name,
        verifies_less: false,
        is_constant: false,
    }
}

impl Counted {
    const fn and_a_verification(self) -> Self {
        Self {
            verifies_less: true,
            ..self
        }
    }

    const fn constant(self) -> Self {
        Self {
            is_constant: true,
            ..self
        }
    }

    /// What is counted for this number.
    fn of(&self, word: &str, number: u32) -> String {
        match self.is_constant {
            true => self.name.to_owned(),
            false => format!("{}{word}{number}", self.name),
        }
    }
}

/// Counts everything, prints it, and draws it into the file.
pub(crate) fn count(rounds: usize, file: PathBuf) {
    let mut names = vec![VERIFICATION.to_owned()];
    for growth in GROWTHS {
        for number in growth.numbers {
            names.extend(
                growth
                    .curves
                    .iter()
                    .map(|curve| curve.of(growth.word, *number)),
            );
        }
    }
    names.sort_by_key(|name| name.contains(IDENTITIES));
    names.dedup();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let counts = callgrind::count_all(&names, rounds);
    let panels: Vec<_> = GROWTHS.iter().map(|growth| growth.panel(&counts)).collect();
    panels.iter().for_each(Panel::print);
    std::fs::write(&file, draw(&panels)).unwrap();
    println!("drawn: {}", file.display());
}

impl Growth {
    fn panel(&self, counts: &HashMap<&str, u64>) -> Panel {
        let count = |curve: &Counted, number: u32| {
            let added = match curve.verifies_less {
                true => counts[VERIFICATION],
                false => 0,
            };
            (number, counts[curve.of(self.word, number).as_str()] + added)
        };
        let curve = |curve: &Counted| Curve {
            label: curve.label,
            points: (self.numbers.iter())
                .map(|number| count(curve, *number))
                .collect(),
        };
        Panel {
            title: self.title,
            is_logarithmic: self.is_logarithmic,
            curves: self.curves.iter().map(curve).collect(),
        }
    }
}

const GROWTHS: [Growth; 3] = [
    Growth {
        title: "identities installed",
        word: IDENTITIES,
        numbers: &[1, 10, 100, 1000, 10_000],
        is_logarithmic: true,
        curves: &[
            counted("server", "server, named credential"),
            counted("stock server", "server, stock").constant(),
        ],
    },
    Growth {
        title: "certificates in the chain",
        word: CHAIN,
        numbers: &[1, 2, 3, 4],
        is_logarithmic: false,
        curves: &[
            counted("server", "server, named credential"),
            counted("stock server", "server, stock"),
            counted("client", "client, named credential"),
            counted("stock client + 1 verification", "client, stock").and_a_verification(),
            counted(
                "client that remembers",
                "client, named credential, remembered",
            ),
        ],
    },
    Growth {
        title: "schemes in the offer",
        word: OFFER,
        numbers: &[1, 4, 16, 64],
        is_logarithmic: true,
        curves: &[
            counted("server, up to its flight", "server, named credential"),
            counted("stock server, the same", "server, stock"),
        ],
    },
];
