//! Table 1: the verdicts, and where they are not the draft's.

use super::{columns, command, rows, unmodified};
use crate::report::{Report, RowReport};
use crate::table::draft::{self, Verdicts};
use crate::table::grid::{Cell, Grid, Line};
use crate::table::reasons;
use crate::table::requirements::{
    Verdict, eliminate_ca, reduce_ca, revoke, support_ca, support_client,
};

pub(super) fn table_1(report: &Report) -> Grid {
    let mut lines = rows(report, |row| {
        let cells = verdicts(report, row).into_iter().zip(MEASURES);
        cells
            .map(|((requirement, verdict, draft), measure)| {
                let draft = draft.map_or(String::new(), |draft| format!(" [draft: {draft}]"));
                let text = match verdict {
                    Some(verdict) => format!("{} ({}){draft}", verdict.word, verdict.numbers),
                    None => format!("{}{draft}", why_not(report, row, requirement)),
                };
                Cell::new(text, command(row, measure))
            })
            .collect()
    });
    // Here, because every other table has the same rows.
    for (line, row) in lines.iter_mut().zip(&report.rows) {
        line.name = format!("{} ({})", line.name, row.id);
    }
    Grid {
        title: "Table 1, executed".into(),
        note: "Each cell: the verdict by one rule for all rows, the numbers behind it, and the draft's verdict. Behind a row's name: what \
               --row takes. Reduce CA: no public CA \
               signs for each device. Eliminate CA: nobody else does either. CA support: yes as it is; some after a change of the CA's \
               software that was tried, whether or not a CA sells that. Client support: yes if seven in eight unmodified clients connect \
               without a warning. Revoke: yes if every client that did so refuses, or warns as of a stranger, at once after a report or \
               after what the user removes; some if a list helps some clients, or time all."
            .into(),
        columns: columns(&["Reduce CA", "Eliminate CA", "Existing CA support", "Existing client support", "Revoke auth"]),
        lines,
    }
}

/// What measures each requirement, in the order of [`verdicts`].
const MEASURES: [&str; 5] = [
    "interactions",
    "interactions",
    "authority",
    "clients",
    "clients",
];

pub(super) fn differences(report: &Report) -> Grid {
    let mut lines = Vec::new();
    for row in &report.rows {
        for ((requirement, verdict, draft), measure) in
            verdicts(report, row).into_iter().zip(MEASURES)
        {
            let (Some(verdict), Some(draft)) = (verdict, draft) else {
                continue;
            };
            if differs(verdict.word, draft) {
                let reason =
                    reasons::of(row.id, requirement).unwrap_or("no reason is written down");
                lines.push(Line {
                    name: format!("{}, {requirement}", row.title),
                    cells: vec![
                        Cell::new(verdict.word, command(row, measure)),
                        Cell::new(draft, "Table 1 of the draft"),
                        Cell::new(reason, "by reading, and the tables below"),
                    ],
                    apart: false,
                });
            }
        }
    }
    Grid {
        title: "Where the run contradicts the draft".into(),
        note: "Verdicts that differ, not only in their words.".into(),
        columns: ["Cell", "Run", "Draft", "Reason"]
            .map(str::to_owned)
            .to_vec(),
        lines,
    }
}

/// What is different from the draft's verdict without a reason that is written down.
pub(crate) fn without_reason(report: &Report) -> Vec<String> {
    let mut missing = Vec::new();
    for row in &report.rows {
        for (requirement, verdict, draft) in verdicts(report, row) {
            if let (Some(verdict), Some(draft)) = (verdict, draft)
                && differs(verdict.word, draft)
                && reasons::of(row.id, requirement).is_none()
            {
                missing.push(format!(
                    "{}, {requirement}: '{}' where the draft says '{draft}', and no reason is written down",
                    row.title, verdict.word
                ));
            }
        }
    }
    missing
}

fn verdicts(report: &Report, row: &RowReport) -> [Judged; 5] {
    let draft = draft::verdicts(row.id);
    let of = |choose: fn(&Verdicts) -> &'static str| draft.as_ref().map(choose);
    let interactions = row.interactions.value();
    let encounters = row.encounters.value();
    let authority = report.authority.value();
    [
        (
            "R-REDUCE-CA",
            interactions.map(reduce_ca),
            of(|draft| draft.reduce_ca),
        ),
        (
            "R-ELIMINATE-CA",
            interactions.map(eliminate_ca),
            of(|draft| draft.eliminate_ca),
        ),
        (
            "R-SUPPORT-CA",
            authority.map(|answers| support_ca(answers, row.id)),
            of(|draft| draft.support_ca),
        ),
        (
            "R-SUPPORT-CLIENT",
            encounters.map(|of| support_client(&of.all, &unmodified(report))),
            of(|draft| draft.support_client),
        ),
        (
            "R-REVOKE-AUTH",
            encounters.map(revoke),
            of(|draft| draft.revoke),
        ),
    ]
}

/// Whether two verdicts say something else, not only in other words.
fn differs(measured: &str, draft: &str) -> bool {
    let first = |verdict: &str| {
        verdict
            .split([',', ' '])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    first(measured) != first(draft)
}

/// Each requirement with the verdict of the run and of the draft.
type Judged = (&'static str, Option<Verdict>, Option<&'static str>);

fn why_not(report: &Report, row: &RowReport, requirement: &str) -> String {
    let why = match requirement {
        "R-SUPPORT-CA" => report.authority.why_not(),
        "R-SUPPORT-CLIENT" | "R-REVOKE-AUTH" => row.encounters.why_not(),
        _ => row.interactions.why_not(),
    };
    why.unwrap_or_default()
}
