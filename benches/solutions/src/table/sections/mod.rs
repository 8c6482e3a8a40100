//! Every table of a run.

mod clients;
mod costs;
mod counts;
mod verdicts;

pub(crate) use counts::OUTAGES;
pub(crate) use verdicts::without_reason;

use super::grid::{Cell, Grid, Line};
use super::settle;
use crate::report::{Report, RowReport};
use crate::rows::Group;

/// In the order in which they are read.
pub(crate) fn sections(report: &Report) -> Vec<Grid> {
    let mut all = vec![
        verdicts::table_1(report),
        verdicts::differences(report),
        counts::interactions(report),
        counts::outages(report),
        costs::authority(report),
        clients::clients(report),
        clients::theft(report),
        clients::twins(report),
        costs::costs(report),
        costs::names(report),
    ];
    all.extend(settle::grids(report));
    all
}

/// The clients as they are delivered, in the order in which they were asked.
fn unmodified(report: &Report) -> Vec<&'static str> {
    let clients = report.programs.iter().filter(|program| program.is_client);
    clients.map(|program| program.name).collect()
}

fn rows(report: &Report, cells: impl Fn(&RowReport) -> Vec<Cell>) -> Vec<Line> {
    let mut newer = false;
    let lines = report.rows.iter().map(|row| {
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

fn columns(names: &[&str]) -> Vec<String> {
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

fn command(row: &RowReport, measure: &str) -> String {
    format!(
        "cargo run -p dc-solutions -- --row {} --measure {measure}",
        row.id
    )
}
