//! The tables: what was measured, beside what the draft says.

mod draft;
mod grid;
mod reasons;
mod requirements;
mod sections;
mod settle;
mod words;

use serde::Serialize;

use crate::Result;
use crate::clients::Outcome;
use crate::report::{Report, RowReport};
use crate::setup::LEFT_OUT;
use grid::{Format, Grid, render};
pub(crate) use sections::OUTAGES;

/// The whole report, as somebody reads it.
pub(crate) fn write(report: &Report, json: bool, markdown: bool) -> Result<String> {
    let tables = sections::sections(report);
    if json {
        let text = serde_json::to_string_pretty(&Everything {
            report,
            tables: &tables,
        })?;
        return Ok(text + "\n");
    }
    let format = if markdown {
        Format::Markdown
    } else {
        Format::Text
    };
    let mut parts = vec![about(report)];
    parts.extend(tables.iter().map(|table| render(table, format)));
    Ok(parts.join("\n"))
}

/// The numbers, and the cells made of them with the command that measures each.
#[derive(Serialize)]
struct Everything<'a> {
    #[serde(flatten)]
    report: &'a Report,
    tables: &'a [Grid],
}

/// Machine, time and programs.
fn about(report: &Report) -> String {
    let programs = report
        .programs
        .iter()
        .map(|program| match &program.version {
            Ok(version) => version.clone(),
            Err(why) => format!("{}: {why}", program.name),
        });
    format!(
        "Measured in {} s at {} on {}. Certificates of public CAs live {} days \
         (--certificate-days; at most 200 today, 100 from March 2027, 47 from March 2029).\n\nForeign programs: {}.\n",
        report.seconds,
        report.made,
        report.machine,
        report.certificate_days,
        programs.collect::<Vec<_>>().join("; ")
    )
}

/// Why the run does not pass: what could not be measured, and what differs from the draft without a reason. What the user
/// has left out is no complaint, except in CI; nor is then what follows from less than all programs.
pub(crate) fn complaints(report: &Report) -> Vec<String> {
    let is_excused = |why: &str| why == LEFT_OUT && std::env::var_os("CI").is_none();
    let programs = { report.programs.iter() }
        .filter_map(|program| Some((program.name.to_owned(), program.version.as_ref().err()?)));
    let encounters = { report.rows.iter() }.filter_map(|row| row.encounters.value());
    let visits = { encounters.flat_map(|of| &of.all) }.filter_map(|one| match &one.outcome {
        Outcome::Failed(why) => Some((format!("{} at {}", one.client, one.row), why)),
        _ => None,
    });
    let of_rows = report.rows.iter().flat_map(RowReport::failures);
    let of_all = [
        ("the CA", report.authority.failure()),
        ("raw keys with GnuTLS", report.raw_key_peers.failure()),
    ];
    let of_all = { of_all.into_iter() }.filter_map(|(what, why)| Some((what.to_owned(), why?)));
    let failures = programs.chain(visits).chain(of_rows).chain(of_all);
    let mut all: Vec<String> = failures
        .filter(|(_, why)| !is_excused(why))
        .map(|(what, why)| format!("{what}: {why}"))
        .collect();
    let is_whole = { report.programs.iter() }.all(|program| program.version.is_ok());
    if is_whole {
        all.extend(sections::without_reason(report));
        all.extend(settle::contradictions(report));
    }
    all
}
