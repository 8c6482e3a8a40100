//! The tables of ARCHITECTURE.md that end in `| may import |`.
//!
//! A table belongs to the package in the heading above it. Its first column has files and folders
//! below `src`, its last the modules of the same package that they may import from, or `everything`. A part of a folder
//! may have a row of its own and is then named `folder::part`.
//! The rows stand on each other, the lowest first: a row may import from rows above it in the text
//! and from its own, never from rows below.

use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) package: String,
    pub(crate) rows: Vec<Row>,
    /// The lines of the text that the rows are.
    pub(crate) lines: std::ops::Range<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) places: Vec<String>,
    /// The cells between the first and the last.
    pub(crate) what: String,
    pub(crate) may_import: Vec<String>,
}

impl Row {
    /// Whether a file or folder of the row is this module's: `a`, or `a::b` for a part of a folder with a row of its own.
    pub(crate) fn has(&self, module: &str) -> bool {
        self.modules().any(|mine| mine == module)
    }

    fn modules(&self) -> impl Iterator<Item = String> {
        let places = self.places.iter();
        places.map(|place| {
            let place = place.trim_end_matches('/').trim_end_matches(".rs");
            place.trim_end_matches("/mod").replace('/', "::")
        })
    }

    /// The line in the table.
    pub(crate) fn line(&self) -> String {
        let places: Vec<String> = self.places.iter().map(|p| format!("`{p}`")).collect();
        let imports = self.may_import.join(", ");
        let cells = [places.join(", "), self.what.clone(), imports];
        let cells = cells.map(|cell| {
            if cell.is_empty() {
                cell
            } else {
                format!("{cell} ")
            }
        });
        format!("| {}|", cells.join("| "))
    }

    pub(crate) fn allows(&self, module: &str) -> bool {
        let all = |name: &String| name == module || name == "everything";
        self.may_import.iter().any(all)
    }
}

/// How a table begins.
pub(crate) const HEAD: [&str; 2] = ["| file | what | may import |", "|---|---|---|"];

impl Table {
    pub(crate) fn empty(package: &str) -> Self {
        Self {
            package: package.to_owned(),
            rows: Vec::new(),
            lines: 0..0,
        }
    }

    pub(crate) fn row_of(&self, module: &str) -> Option<(usize, &Row)> {
        let mut rows = self.rows.iter().enumerate();
        rows.find(|(_, row)| row.has(module))
    }

    /// The row that a module belongs to, and by which name: its own, or that of the nearest module around it.
    pub(crate) fn unit_of(&self, module: &[String]) -> Option<(usize, String)> {
        let names = (1..=module.len())
            .rev()
            .map(|length| module[..length].join("::"));
        names
            .filter_map(|name| Some((self.row_of(&name)?.0, name)))
            .next()
    }

    /// What is wrong with the table itself, whatever the code is.
    pub(crate) fn mistakes(&self, known: &[(&str, &str, &str)]) -> Vec<String> {
        let mut wrong = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            let me = format!("{}: {:?}", self.package, row.places);
            for name in row.may_import.iter().filter(|name| *name != "everything") {
                let excused = known.iter().any(|(package, from, to)| {
                    *package == self.package && row.has(from) && to == name
                });
                match self.row_of(name) {
                    None => wrong.push(format!("{me} may import {name}, which has no row")),
                    Some((other, _)) if other > number && !excused => {
                        wrong.push(format!("{me} may import {name}, which stands below it"));
                    }
                    Some(_) => {}
                }
            }
        }
        let all: BTreeSet<String> = self.rows.iter().flat_map(Row::modules).collect();
        for module in &all {
            let rows = self.rows.iter().filter(|row| row.has(module)).count();
            if rows != 1 {
                wrong.push(format!("{}: {module} has {rows} rows", self.package));
            }
        }
        wrong
    }
}

/// The tables, or the lines that look like rows and belong to none.
pub(crate) fn read(text: &str) -> Result<Vec<Table>, Vec<String>> {
    let (mut package, mut tables, mut lost) = ("", Vec::<Table>::new(), Vec::new());
    let lines: Vec<&str> = text.lines().collect();
    let mut inside = Inside::Text;
    for (at, line) in lines.iter().enumerate() {
        if let Some(heading) = line.strip_prefix("### ") {
            package = heading;
        }
        let Some(cells) = cells(line) else {
            inside = Inside::Text;
            continue;
        };
        match inside {
            Inside::Text if !lines.get(at + 1).is_some_and(|next| is_rule(next)) => {
                lost.push(format!("line {}: {line}", at + 1));
            }
            Inside::Text if cells.last() == Some(&"may import") => {
                inside = Inside::Imports;
                tables.push(Table {
                    lines: at + 2..at + 2,
                    ..Table::empty(package)
                });
            }
            Inside::Text => inside = Inside::Other,
            Inside::Imports if !is_rule(line) => {
                let table = tables.last_mut().unwrap();
                table.lines.end = at + 1;
                table.rows.push(Row {
                    places: words(cells[0]),
                    what: cells[1..cells.len() - 1].join(" | "),
                    may_import: words(cells[cells.len() - 1]),
                });
            }
            Inside::Imports | Inside::Other => {}
        }
    }
    if lost.is_empty() {
        Ok(tables)
    } else {
        Err(lost)
    }
}

enum Inside {
    Text,
    Imports,
    Other,
}

fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.trim().strip_prefix('|')?;
    let row = row.strip_suffix('|').unwrap_or(row);
    Some(row.split('|').map(str::trim).collect())
}

fn is_rule(line: &str) -> bool {
    line.starts_with("|-") || line.starts_with("|:-")
}

fn words(cell: &str) -> Vec<String> {
    cell.split(',')
        .map(|word| word.trim().trim_matches('`').to_owned())
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
const TABLE: &str = "### some-package

| file | what | may import |
|---|---|---|
| `error.rs`, `error/` | what is wrong | |
| `a/` | one | error |
";

#[test]
fn a_row_behind_a_blank_line_is_noticed() {
    let lost = read(&format!("{TABLE}\n| `b.rs` | two | a |\n")).unwrap_err();
    assert_eq!(lost, ["line 8: | `b.rs` | two | a |"]);
    let tables = read(&format!("{TABLE}| `b.rs` | two | a |\n")).unwrap();
    assert_eq!(tables[0].rows.len(), 3);
}

#[test]
fn a_row_that_imports_from_below_or_from_nowhere_is_noticed() {
    let table = |rows: &str| read(&format!("{TABLE}{rows}")).unwrap().remove(0);
    assert!(table("").mistakes(&[]).is_empty());
    assert_eq!(
        table("| `b.rs` | two | c, gone |\n| `c.rs` | | b |\n")
            .mistakes(&[])
            .len(),
        2
    );
    assert!(
        table("| `b.rs` | | c |\n| `c.rs` | | b |\n")
            .mistakes(&[("some-package", "b", "c")])
            .is_empty()
    );
    assert_eq!(table("| `a.rs` | again | |\n").mistakes(&[]).len(), 1);
}
