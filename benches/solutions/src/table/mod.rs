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
use crate::report::{Measured, Report};
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

/// Why the run does not pass: what could not be measured, and what differs from the draft without a reason.
pub(crate) fn complaints(report: &Report) -> Vec<String> {
    let missing = report.programs.iter().filter_map(|program| {
        let why = program.version.as_ref().err()?;
        (why != LEFT_OUT).then(|| format!("{}: {why}", program.name))
    });
    let encounters = { report.rows.iter() }.filter_map(|row| row.encounters.value());
    let visits = { encounters.flat_map(|of| &of.all) }.filter_map(|one| match &one.outcome {
        Outcome::Failed(why) if why != LEFT_OUT => {
            Some(format!("{} at {}: {why}", one.client, one.row))
        }
        _ => None,
    });
    let failures = report.rows.iter().flat_map(|row| row.failures());
    let authority = match &report.authority {
        Measured::Not(why) => Some(format!("the CA: {why}")),
        Measured::Is(_) | Measured::Cannot(_) | Measured::NotAsked => None,
    };
    let raw_key_peers = match &report.raw_key_peers {
        Measured::Not(why) => Some(format!("raw keys with GnuTLS: {why}")),
        Measured::Is(_) | Measured::Cannot(_) | Measured::NotAsked => None,
    };
    missing
        .chain(visits)
        .chain(raw_key_peers)
        .chain(failures)
        .chain(authority)
        .chain(sections::without_reason(report))
        .chain(settle::contradictions(report))
        .collect()
}
