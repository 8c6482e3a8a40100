//! `dc-signer audit verify --export`: checking exports with nothing but checkpoints, on an auditor's machine.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use dc_evidence::Checkpoint;
use dc_store::export::{Checked, ExportError, ExportReader, LogCheck};
use indicatif::ProgressBar;
use serde_json::json;

use super::findings;
use crate::cmd::service::error::Error;
use crate::cmd::service::print;

/// Checks files in their order, one behind the other.
pub(super) fn run(
    files: &[PathBuf],
    checkpoints: Vec<Checkpoint>,
    json: bool,
) -> Result<(), Error> {
    let bar = ProgressBar::new(files.iter().filter_map(|path| length(path)).sum());
    let given = checkpoints.len();
    let mut check = LogCheck::new(checkpoints);
    let checked = files
        .iter()
        .try_for_each(|path| one(path, &mut check, &bar));
    bar.finish_and_clear();
    checked?;
    let checked = check.end().map_err(|source| Error::Export {
        path: files.last().cloned().unwrap_or_default(),
        source: Box::new(source),
    })?;
    show(&checked, given, json)
}

fn one(path: &Path, check: &mut LogCheck, bar: &ProgressBar) -> Result<(), Error> {
    let wrong = |source: ExportError| Error::Export {
        path: path.into(),
        source: Box::new(source),
    };
    let file = File::open(path).map_err(|source| wrong(source.into()))?;
    let mut reader = ExportReader::new(BufReader::with_capacity(1 << 20, file)).map_err(wrong)?;
    check.begin(reader.after()).map_err(wrong)?;
    let (begun, mut count) = (bar.position(), 0u32);
    while let Some(record) = reader.next_record().map_err(wrong)? {
        check.follow(&record).map_err(wrong)?;
        count = count.wrapping_add(1);
        if count.is_multiple_of(4096) {
            bar.set_position(begun + reader.bytes());
        }
    }
    bar.set_position(begun + reader.bytes());
    match length(path).is_some_and(|length| length > reader.bytes()) {
        true => Err(wrong(ExportError::BadLine {
            line: u64::from(count).saturating_add(2),
            reason: "it breaks off: export again, or go on with '--resume'".to_owned(),
        })),
        false => Ok(()),
    }
}

fn length(path: &Path) -> Option<u64> {
    path.metadata().ok().map(|metadata| metadata.len())
}

fn show(checked: &Checked, given: usize, json: bool) -> Result<(), Error> {
    let Checked {
        first,
        head,
        compared,
        covered,
        back,
    } = checked;
    if json {
        return print(&json!({
            "first": first, "records": head.seq.saturating_sub(first.saturating_sub(1)), "last": head.seq,
            "head": head.hash.to_string(), "checkpoints": compared, "covered": covered, "time_goes_back": findings::back_json(*back),
        }));
    }
    findings::say_back(*back);
    print(&format!(
        "records {first} to {}, none missing or changed",
        head.seq
    ))?;
    match (given, head.seq.saturating_sub(*covered)) {
        (0, _) => print(
            &"no checkpoint was given, so they are chained, and nothing says that they are those that were signed for",
        ),
        (_, 0) => print(&format!("all of them are as {compared} checkpoints say")),
        (_, behind) => print(&format!(
            "up to record {covered} they are as {compared} checkpoints say; the last {behind} have none yet: give a later one"
        )),
    }
}
