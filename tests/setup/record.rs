//! What was left out of a run, in a file that all its test programs add to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::{say, target};

/// Notes that the test on this thread is not run, or not whole: what it is about, and why, which is the variable that left it
/// out or what it needs. Says it at once too, once in a process.
pub fn left_out(what: &str, why: &str) {
    static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let line = format!("left out: {what} ({why})");
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if !said.contains(&line) {
        say(&line);
        said.push(line);
    }
    let this = thread::current();
    let test = this.name().unwrap_or("?");
    if let Err(error) = note(&file(), &[what, why, test]) {
        say(&format!("{}: {error}", file().display()));
    }
}

/// Everything that was left out of this run so far, for its last lines; none if nothing was.
pub fn report() -> Option<String> {
    let text = fs::read_to_string(file()).unwrap_or_default();
    table(&text)
}

/// One line for each thing that was left out, with how many tests it concerned.
fn table(text: &str) -> Option<String> {
    let mut tests: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for line in text.lines() {
        if let [what, why, test] = line.split('\t').collect::<Vec<_>>()[..] {
            let of_this = tests.entry((what, why)).or_default();
            if !of_this.contains(&test) {
                of_this.push(test);
            }
        }
    }
    if tests.is_empty() {
        return None;
    }
    let mut table = "left out of this run:".to_owned();
    for ((what, why), tests) in tests {
        let _ = match tests.len() {
            1 => write!(table, "\n  {what}, 1 test: {why}"),
            several => write!(table, "\n  {what}, {several} tests: {why}"),
        };
    }
    Some(table)
}

/// One write for a line, because others write as well.
fn note(file: &Path, fields: &[&str]) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
        remove_old(folder);
    }
    let mut open = File::options().create(true).append(true).open(file)?;
    open.write_all(format!("{}\n", fields.join("\t")).as_bytes())
}

/// Files of runs that are over.
fn remove_old(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The file of this run: the run is the nearest process above this one that is called `cargo`, or else the one above.
fn file() -> PathBuf {
    let parent = std::os::unix::process::parent_id();
    let mut above = std::iter::successors(Process::read(parent), |process| {
        Process::read(process.parent)
    });
    let cargo = above.find(|process| process.name.starts_with("cargo"));
    let run = cargo.or_else(|| Process::read(parent));
    let name = run.map_or_else(
        || format!("{parent}-"),
        |run| format!("{}-{}", run.id, run.start),
    );
    target().join("setup/left-out").join(name)
}

/// What Linux says of a process.
#[derive(Debug, PartialEq)]
struct Process {
    id: u32,
    name: String,
    parent: u32,
    /// In ticks since the machine started, so that an id that comes again is another run.
    start: u64,
}

impl Process {
    fn read(id: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    /// `1234 (name) S parent …`; the start is the 22nd field, and a name may have anything in it.
    fn parse(stat: &str) -> Option<Self> {
        let (id, rest) = stat.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        Some(Self {
            id: id.parse().ok()?,
            name: name.to_owned(),
            parent: fields.get(1)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_counts_tests_and_not_how_often_they_ask() {
        let text = "tests with PostgreSQL\tX=skip\ta\n\
                    tests with PostgreSQL\tX=skip\tb\n\
                    tests with PostgreSQL\tX=skip\tb\n\
                    a full disk\tonly root can mount one\tc\n\
                    half a li";
        assert_eq!(
            table(text).unwrap(),
            "left out of this run:\n  \
             a full disk, 1 test: only root can mount one\n  \
             tests with PostgreSQL, 2 tests: X=skip"
        );
        assert_eq!(table(""), None);
    }

    #[test]
    fn what_is_noted_is_in_the_file_and_files_of_runs_that_are_over_go() {
        let folder = target().join(format!("setup/record-test-{}", std::process::id()));
        let file = folder.join(format!("{}-1", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // No process has an id as large as this.
        let over = folder.join("4194305-1");
        fs::write(&over, "").unwrap();
        note(&file, &["a", "b", "c"]).unwrap();
        note(&file, &["d", "e", "f"]).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "a\tb\tc\nd\te\tf\n");
        assert!(!over.exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "71 (a) b) S 70 1 1 0 -1 4 1 0 0 0 1 2 0 0 20 0 1 0 5345 2 3";
        let process = Process::parse(stat).unwrap();
        assert_eq!((process.id, process.parent, process.start), (71, 70, 5345));
        assert_eq!(process.name, "a) b");
        assert!(Process::read(std::process::id()).unwrap().start > 0);
        assert_eq!(Process::parse(""), None);
    }
}
