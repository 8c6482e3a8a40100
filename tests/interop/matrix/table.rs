//! The cells of one peer and role, their judgement, and the table of all.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::Write as _,
    sync::{Mutex, PoisonError},
};

use serde_json::{Value, json};

use super::{
    Peer,
    cell::{Case, Cell, Expected, Role, Said},
    exceptions,
};
use crate::setup;

/// What was tried with a peer in one role.
#[derive(Debug)]
pub(crate) struct Matrix {
    peer: &'static str,
    role: Role,
    cells: Vec<Cell>,
}

impl Matrix {
    pub(crate) fn of((peer, role): Peer) -> Self {
        Self {
            peer,
            role,
            cells: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, case: Case, expected: Expected, client: Said, server: Said) {
        self.cells.push(Cell {
            case,
            expected,
            client,
            server,
        });
    }

    pub(crate) fn extend(&mut self, cells: Vec<Cell>) {
        self.cells.extend(cells);
    }

    /// Files all cells in the table; panics with every one that is not as it should be.
    pub(crate) fn finish(self) {
        let exceptions = exceptions::of(self.peer, self.role.name());
        let mut used = vec![false; exceptions.len()];
        let (mut rows, mut wrong) = (Vec::new(), Vec::new());
        for cell in &self.cells {
            let key = cell.case.to_json(self.peer, self.role);
            let exception = exceptions.iter().position(|e| e.is_about(&key));
            let complaint = match exception {
                Some(at) => {
                    used[at] = true;
                    exceptions[at].contradiction(cell)
                }
                None if cell.is_as_expected() => None,
                None if cell.is_of_the_kind() => Some("unexpected"),
                None => Some("another kind of handshake"),
            };
            let reason = exception.map(|at| exceptions[at].reason.as_str());
            let mut row = cell.to_json(self.peer, self.role, reason);
            row["ok"] = json!(complaint.is_none());
            wrong.extend(complaint.map(|complaint| format!("{complaint}: {row:#}")));
            rows.push(row);
        }
        let unused = exceptions.iter().zip(used).filter(|(_, used)| !used);
        wrong.extend(unused.map(|(e, _)| format!("exceptions.json: no such cell: {e:?}")));
        file(self.peer, self.role, rows);
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }
}

/// Writes and prints what is known by now.
fn file(peer: &'static str, role: Role, rows: Vec<Value>) {
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let text = table(peer, role, &rows);
    all.insert((peer, role.name()), (text.clone(), rows));
    let table: String = all.values().map(|(text, _)| text.as_str()).collect();
    let json: Vec<&Value> = all.values().flat_map(|(_, rows)| rows).collect();
    lay(
        "matrix.json",
        &serde_json::to_string_pretty(&json).unwrap_or_default(),
    );
    lay("matrix.txt", &table);
    // Not `println!`: libtest shows that only for tests that fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn lay(name: &str, text: &str) {
    let path = setup::cache().join(name);
    fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// One line for each pair of keys and for each wrong credential, with the handshakes that ended in the same way.
fn table(peer: &str, role: Role, rows: &[Value]) -> String {
    let mut text = format!("\n{peer} as {}: {} cells\n", role.name(), rows.len());
    let mut lines: Vec<(String, BTreeMap<String, usize>)> = Vec::new();
    for row in rows {
        let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let head = match row["wrong"].as_str() {
            Some(wrong) => wrong.to_owned(),
            None => format!(
                "{} under {}",
                word("credential_key"),
                word("delegation_key")
            ),
        };
        let line = lines.iter().position(|(other, _)| *other == head);
        let line = line.unwrap_or_else(|| {
            lines.push((head, BTreeMap::new()));
            lines.len() - 1
        });
        *lines[line].1.entry(result(row)).or_default() += 1;
    }
    let width = lines.iter().map(|(head, _)| head.len()).max().unwrap_or(0);
    for (head, results) in lines {
        let results: Vec<String> = results
            .iter()
            .map(|(result, count)| format!("{count} × {result}"))
            .collect();
        let _ = writeln!(text, "  {head:width$}  {}", results.join(", "));
    }
    text
}

fn result(row: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let got = &row["got"];
    let mut text = format!("{} / {}", word(&got["client"]), word(&got["server"]));
    for key in ["because", "exception"] {
        match row[key].as_str() {
            Some(reason) if !reason.is_empty() => {
                let _ = write!(text, " ({reason})");
                break;
            }
            _ => {}
        }
    }
    if row["ok"] != true {
        text += " UNEXPECTED";
    }
    text
}

type Filed = (String, Vec<Value>);

static ALL: Mutex<BTreeMap<(&str, &str), Filed>> = Mutex::new(BTreeMap::new());
