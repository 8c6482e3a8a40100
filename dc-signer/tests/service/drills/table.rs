//! The tables of `docs/runbook.md` that drills make.
//!
//! `UPDATE_RUNBOOK=1 cargo test -p dc-signer --features service --test service drills` writes them anew.

use std::fs;
use std::sync::{Mutex, PoisonError};

const RUNBOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/runbook.md");

/// Tests write one after the other.
static WRITING: Mutex<()> = Mutex::new(());

/// Lines between two comments with the name of a table, as they are in the runbook now; written anew before, if that is wanted.
pub(super) fn of_runbook(name: &str, table: &str) -> String {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = fs::read_to_string(RUNBOOK).unwrap();
    let (begin, end) = (
        format!("<!-- {name} -->\n"),
        format!("<!-- end of {name} -->"),
    );
    let (before, rest) = text.split_once(&begin).expect("the table's first comment");
    let (written, after) = rest.split_once(&end).expect("the table's last comment");
    if std::env::var_os("UPDATE_RUNBOOK").is_some() {
        fs::write(RUNBOOK, format!("{before}{begin}{table}{end}{after}")).unwrap();
        return table.to_owned();
    }
    written.to_owned()
}

/// Seconds as people say them.
pub(super) fn hours(seconds: u64) -> String {
    format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60)
}

/// The first column of a table.
pub(super) fn labels(table: &str) -> Vec<&str> {
    table
        .lines()
        .filter_map(|line| line.split('|').nth(1))
        .collect()
}
