//! Every table of a run.

mod clients;
mod costs;
mod counts;
mod verdicts;

pub(crate) use counts::OUTAGES;
pub(crate) use verdicts::without_reason;

use super::grid::{Cell, Grid, Line};
use super::settle;
use crate::measure::Measure;
use crate::report::{Report, RowReport};
use crate::rows::Group;

/// In the order in which they are read; without those of which nothing was asked in this run.
pub(crate) fn sections(report: &Report) -> Vec<Grid> {
    use Measure::{Authority, Clients, Cost, Interactions, Names, Outages, RawKeyPeers};
    type Section = fn(&Report) -> Grid;
    let all: [(&[Measure], Section); 11] = [
        (&[Interactions, Authority, Clients], verdicts::table_1),
        (&[Interactions, Authority, Clients], verdicts::differences),
        (&[Interactions], counts::interactions),
        (&[Outages, Interactions], counts::outages),
        (&[Authority], costs::authority),
        (&[Clients], clients::clients),
        (&[Clients], clients::theft),
        (&[Clients], clients::twins),
        (&[Cost], costs::costs),
        (&[RawKeyPeers], costs::raw_key_peers),
        (&[Names], costs::names),
    ];
    let asked = |measures: &[Measure]| measures.iter().any(|one| report.measures.contains(one));
    let mut grids: Vec<Grid> = { all.iter() }
        .filter(|(measures, _)| asked(measures))
        .map(|(_, section)| section(report))
        .filter(|grid| !grid.lines.is_empty())
        .collect();
    // What is judged by reading belongs to the whole.
    if asked(&[Interactions]) && asked(&[Clients]) {
        grids.extend(settle::grids(report));
    }
    grids
}

/// The clients as they are delivered, in the order in which they were asked.
fn unmodified(report: &Report) -> Vec<&'static str> {
    let clients = report.programs.iter().filter(|program| program.is_client);
    clients.map(|program| program.name).collect()
}

fn rows(report: &Report, cells: impl Fn(&RowReport) -> Vec<Cell>) -> Vec<Line> {
    lines(&report.rows.iter().collect::<Vec<_>>(), cells)
}

/// A line for each of these rows, with a rule above the first of the newer ones.
pub(super) fn lines(rows: &[&RowReport], cells: impl Fn(&RowReport) -> Vec<Cell>) -> Vec<Line> {
    let mut newer = false;
    let lines = rows.iter().map(|row| {
        let apart = row.group == Group::Newer && !newer;
        newer |= row.group == Group::Newer;
        Line {
            name: row.title.to_owned(),
            cells: cells(row),
            apart,
        }
    });
    lines.collect()
}

pub(super) fn columns(names: &[&str]) -> Vec<String> {
    std::iter::once(&"Solution")
        .chain(names)
        .map(|name| (*name).to_owned())
        .collect()
}

fn cells(texts: Vec<String>, evidence: String) -> Vec<Cell> {
    texts
        .into_iter()
        .map(|text| Cell::new(text, evidence.clone()))
        .collect()
}

pub(super) fn command(row: &RowReport, measure: &str) -> String {
    format!(
        "cargo run -p dc-solutions -- --row {} --measure {measure}",
        row.id
    )
}
