//! What was tried, for people.

use std::{
    fs::OpenOptions,
    io::Write as _,
    sync::{Mutex, PoisonError},
};

use crate::setup;

/// The handshakes of one test.
#[derive(Debug)]
pub(crate) struct Table {
    what: &'static str,
    lines: Vec<String>,
    wrong: usize,
}

impl Table {
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            lines: Vec::new(),
            wrong: 0,
        }
    }

    pub(crate) fn add(&mut self, peer: &str, case: &str, is_ok: bool, evidence: &str) {
        let result = if is_ok { "ok" } else { "FAILED" };
        let evidence = evidence.replace('\n', " | ");
        let evidence: String = evidence.chars().take(WIDEST).collect();
        self.lines
            .push(format!("  {peer:24} {case:45} {result:6}  {evidence}\n"));
        self.wrong += usize::from(!is_ok);
    }

    /// Files the rows, and panics with them if one was not as expected.
    pub(crate) fn finish(self) {
        let text = format!("{}\n{}\n", self.what, self.lines.concat());
        print!("{text}");
        let mut tables = FILE.lock().unwrap_or_else(PoisonError::into_inner);
        let path = setup::cache().join("client_auth.txt");
        let mut options = OpenOptions::new();
        // The first table of a run begins the file.
        let file = options
            .create(true)
            .write(true)
            .append(*tables > 0)
            .truncate(*tables == 0);
        file.open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        *tables += 1;
        assert_eq!(self.wrong, 0, "\n{text}");
    }
}

/// How many tables are in the file.
static FILE: Mutex<usize> = Mutex::new(0);
const WIDEST: usize = 240;
