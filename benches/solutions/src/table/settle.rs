//! The requirements of the IETF's SETTLE working group, and those of the individual draft before it.
//!
//! Verdicts and reasons come from reading, in the files of `settle/`. Where the run measured what a column asks, its
//! verdict stands in the cell, and one that reading did not expect is a complaint.

use super::grid::{Cell, Grid};
use super::requirements::{answers, connects};
use super::sections::{columns, command, lines};
use crate::clients::Outcome;
use crate::ledger::{Act, Party, Phase};
use crate::measure::encounters::{Encounter, Encounters, Question};
use crate::measure::interactions::Interactions;
use crate::report::{Report, RowReport};

/// All tables: four for the requirements of the individual draft, one for those of the working group.
pub(crate) fn grids(report: &Report) -> Vec<Grid> {
    let parts = read(INDIVIDUAL).into_iter().map(|part| {
        let title = format!("SETTLE requirements: {}", part.title.to_lowercase());
        (title, INDIVIDUAL_NOTE, part)
    });
    let group = read(WORKING_GROUP).into_iter().map(|part| {
        let title = "SETTLE requirements: the working group's newest".to_owned();
        (title, WORKING_GROUP_NOTE, part)
    });
    parts
        .chain(group)
        .map(|(title, note, part)| grid(report, title, note, &part))
        .collect()
}

/// Where the run and the files of `settle/` say something else.
pub(crate) fn contradictions(report: &Report) -> Vec<String> {
    let mut all = Vec::new();
    for part in read(INDIVIDUAL) {
        for row in report.rows.iter().filter(|row| row.group.is_judged()) {
            for (column, text) in part.columns.iter().zip(part.cells(row.id)) {
                if let Some((word, numbers)) = measured(column, row)
                    && !text.starts_with(word)
                {
                    all.push(format!(
                        "{}, {column}: the run says '{word}' ({numbers}), the table says '{text}'",
                        row.title
                    ));
                }
            }
        }
    }
    all
}

fn grid(report: &Report, title: String, note: &str, part: &Part) -> Grid {
    let judged = report.rows.iter().filter(|row| row.group.is_judged());
    let lines = lines(&judged.collect::<Vec<_>>(), |row| {
        let cells = part.columns.iter().zip(part.cells(row.id));
        let cells = cells.map(|(column, text)| match measured(column, row) {
            Some((_, numbers)) => Cell::new(format!("{text} [{numbers}]"), evidence(column, row)),
            None => Cell::new(text, "by reading"),
        });
        cells.collect()
    });
    Grid {
        title,
        note: note.to_owned(),
        columns: columns(&part.columns),
        lines,
    }
}

/// The verdict of the run, and the numbers behind it; nothing if the run does not ask what the column asks.
fn measured(column: &str, row: &RowReport) -> Option<(&'static str, String)> {
    match column {
        "R-VALIDATE" => row.encounters.value().map(validates),
        "R-AVOID-CENTRAL" => row.interactions.value().map(avoids_central),
        "R-AVOID-VENDOR" => row.interactions.value().map(avoids_vendor),
        "R-STANDALONE" => row.interactions.value().map(stands_alone),
        _ => None,
    }
}

fn evidence(column: &str, row: &RowReport) -> String {
    let measure = match column {
        "R-VALIDATE" => "clients",
        _ => "interactions",
    };
    command(row, measure)
}

/// Yes: no client takes the twin for the device. Partly: one does at the first connection, if the user accepts what it
/// warns of. No: one that knows the device does, or none connects to the device without a warning.
fn validates(of: &Encounters) -> (&'static str, String) {
    let accepts = |question, wanted: fn(&Outcome) -> bool| {
        let of_twin = of.all.iter().filter(move |one| one.question == question);
        of_twin.filter(|one| wanted(&one.outcome)).count()
    };
    let quiet = |one: &Encounter| connects(&answers(&of.all, one.client));
    let always = accepts(Question::Twin, |outcome| *outcome == Outcome::Connected);
    let at_first = accepts(Question::TwinAtFirst, |outcome| {
        matches!(outcome, Outcome::Connected | Outcome::Warned(_))
    });
    match (always, at_first) {
        _ if !of.all.iter().any(quiet) => ("no", "no client connects without a warning".to_owned()),
        (0, 0) => ("yes", "no client takes the twin".to_owned()),
        (0, some) => (
            "partly",
            format!("clients that let users take the twin at first: {some}"),
        ),
        (some, _) => ("no", format!("clients that take the twin: {some}")),
    }
}

/// Yes: neither a public CA nor the vendor signs anything.
fn avoids_central(of: &Interactions) -> (&'static str, String) {
    let signed = [Party::PublicCa, Party::Vendor]
        .map(|party| of.total(party, Act::Signature, &ALWAYS, 1.0))
        .iter()
        .sum::<f64>();
    match signed > 0.0 {
        true => (
            "no",
            format!("{signed:.0} signatures from outside in the first year"),
        ),
        false => ("yes", "no signature from outside".to_owned()),
    }
}

/// Yes: the vendor is never asked. Partly: at the start alone. No: later too.
fn avoids_vendor(of: &Interactions) -> (&'static str, String) {
    let asked = |phases: &[Phase]| {
        [Act::Request, Act::Signature].map(|act| of.total(Party::Vendor, act, phases, 1.0))
    };
    let [requests, signatures] = asked(&[Phase::Renewal, Phase::News]);
    match (requests + signatures > 0.0, asked(&ALWAYS) != [0.0; 2]) {
        (true, _) => (
            "no",
            format!("{requests:.0} requests and {signatures:.0} signatures a year"),
        ),
        (false, true) => ("partly", "only at the start".to_owned()),
        (false, false) => ("yes", "never asked".to_owned()),
    }
}

/// Yes: nobody outside the home is needed. Partly: not for two weeks. No: sooner.
fn stands_alone(of: &Interactions) -> (&'static str, String) {
    match of.alone.at_least {
        Some(seconds) if of.renews_outside() => {
            let word = if seconds >= TWO_WEEKS { "partly" } else { "no" };
            (word, format!("{} at least", super::words::time(seconds)))
        }
        Some(_) if of.renews_at_home() => ("yes", "the home renews".to_owned()),
        Some(seconds) => ("yes", super::words::time(seconds)),
        None => ("yes", "for ever".to_owned()),
    }
}

/// A table of a file.
struct Part {
    title: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<&'static str>>,
}

impl Part {
    /// What it says of a row; nothing if it does not know it.
    fn cells(&self, row: &str) -> Vec<&'static str> {
        let found = self.rows.iter().find(|cells| cells.first() == Some(&row));
        found.map_or_else(
            || vec!["not judged"; self.columns.len()],
            |cells| cells[1..].to_vec(),
        )
    }
}

/// The tables of a file, each behind a heading.
fn read(file: &'static str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for line in file.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            parts.push(Part {
                title,
                columns: Vec::new(),
                rows: Vec::new(),
            });
        }
        let Some(part) = parts.last_mut() else {
            continue;
        };
        let Some(inner) = line
            .strip_prefix("| ")
            .and_then(|line| line.strip_suffix(" |"))
        else {
            continue;
        };
        let cells: Vec<&str> = inner.split(" | ").collect();
        match cells.first() {
            Some(&"row") => part.columns = cells[1..].to_vec(),
            Some(cell) if cell.starts_with("---") => {}
            _ => part.rows.push(cells),
        }
    }
    parts
}

const INDIVIDUAL: &str = include_str!("settle/individual.md");
const WORKING_GROUP: &str = include_str!("settle/working-group.md");
const INDIVIDUAL_NOTE: &str = "The R- names are those of draft-wing-settle-requirements-00 (March 2025). In brackets: what the run measured. \
     The rest is judged by reading.";
const WORKING_GROUP_NOTE: &str = "The REQ- names are those of draft-ietf-settle-requirements-02 (February 2026), which asks for more than the draft before \
     it: names in local name spaces, no global DNS, no Internet. Judged by reading.";
const ALWAYS: [Phase; 4] = [Phase::Fleet, Phase::FirstIssue, Phase::Renewal, Phase::News];
const TWO_WEEKS: u64 = 14 * 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::ROWS;

    #[test]
    fn every_row_has_every_cell() {
        for (file, tables) in [(INDIVIDUAL, 4), (WORKING_GROUP, 1)] {
            let parts = read(file);
            assert_eq!(parts.len(), tables);
            for part in parts {
                assert_eq!(
                    part.rows.len(),
                    ROWS.iter().filter(|row| row.group.is_judged()).count(),
                    "{}",
                    part.title
                );
                for row in ROWS.iter().filter(|row| row.group.is_judged()) {
                    let cells = part.cells(row.id);
                    assert_eq!(cells.len(), part.columns.len(), "{} {}", part.title, row.id);
                    for cell in cells {
                        assert_ne!(cell, "not judged", "{} {}", part.title, row.id);
                    }
                }
            }
        }
    }
}
