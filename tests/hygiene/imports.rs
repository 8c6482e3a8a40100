//! The imports of each package follow its table in ARCHITECTURE.md, and none of them run in a circle.
//!
//! `UPDATE_TABLES=1 cargo test -p dc-tests --test hygiene imports::` writes into the tables what is imported now, in an
//! order in which nothing runs up if there is one; what is said about each row stays.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Once};

use crate::circles::{Edge, circular, edges};
use crate::known::{Import as Known, KNOWN};
use crate::modules::Package;
use crate::source::{files, members, root};
use crate::tables::{self, Row, Table};

const REWRITE: &str = "UPDATE_TABLES=1 makes the tables say what is imported";

fn architecture() -> Vec<Table> {
    if std::env::var_os("UPDATE_TABLES").is_some() {
        UPDATE.call_once(update);
    }
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    tables::read(&text).unwrap_or_else(|lost| panic!("rows outside any table: {lost:#?}"))
}

/// Rewrites the tables once, if that is asked for.
static UPDATE: Once = Once::new();

/// Read once for all tests.
static PACKAGES: LazyLock<Vec<Package>> = LazyLock::new(|| {
    let files = files();
    let published = members().into_iter().filter(|member| member.published);
    published
        .map(|member| Package::new(&member.name, &member.folder, &files))
        .collect()
});

fn update() {
    let path = root().join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let tables = tables::read(&text).unwrap_or_else(|lost| panic!("{lost:#?}"));
    for table in tables.iter().rev() {
        if let Some(package) = PACKAGES
            .iter()
            .find(|package| package.name == table.package)
        {
            let rows = rewritten(package, table, KNOWN);
            lines.splice(table.lines.clone(), rows.iter().map(Row::line));
        }
    }
    for package in PACKAGES.iter() {
        if tables.iter().all(|table| table.package != package.name) {
            let table = Table::empty(&package.name);
            let rows = rewritten(package, &table, KNOWN);
            lines.extend(["", &format!("### {}", package.name), ""].map(str::to_owned));
            lines.extend(tables::HEAD.map(str::to_owned));
            lines.extend(rows.iter().map(Row::line));
        }
    }
    std::fs::write(path, lines.join("\n") + "\n").unwrap();
}

/// The rows as the code is: lowest first, and of those that could come next the one that came first before.
fn rewritten(package: &Package, table: &Table, known: &[Known]) -> Vec<Row> {
    let mut table = with_all_rows(package, table);
    let imports = unit_imports(package, &table);
    for (number, row) in table.rows.iter_mut().enumerate() {
        if !row.allows("") {
            let mine = imports.iter().filter(|((mine, _), _)| *mine == number);
            let names: BTreeSet<&String> = mine.map(|(_, (_, to))| to).collect();
            row.may_import = names.into_iter().cloned().collect();
        }
    }
    let counts = imports.iter().filter(|((_, from), (_, to))| {
        !known.contains(&(package.name.as_str(), from.as_str(), to.as_str()))
    });
    let needs: BTreeSet<(usize, usize)> = counts.map(|((a, _), (b, _))| (*a, *b)).collect();
    let mut left: Vec<usize> = (0..table.rows.len()).collect();
    let mut sorted = Vec::new();
    while !left.is_empty() {
        let is_next = |row: &usize| !left.iter().any(|other| needs.contains(&(*row, *other)));
        let next = left.iter().position(is_next).unwrap_or(0);
        sorted.push(table.rows[left.remove(next)].clone());
    }
    sorted
}

/// Number of the row and name of a module, for both ends of each import from one row to another.
type UnitImport = ((usize, String), (usize, String));

fn unit_imports(package: &Package, table: &Table) -> BTreeSet<UnitImport> {
    let imports = package.imports().iter();
    let imports = imports.filter(|import| !import.is_within());
    let units = imports.filter_map(|import| {
        let (from, to) = (table.unit_of(&import.from)?, table.unit_of(&import.to)?);
        (from.0 != to.0).then_some((from, to))
    });
    units.collect()
}

/// Without what is gone, and with what is new at the end.
fn with_all_rows(package: &Package, table: &Table) -> Table {
    let mut table = table.clone();
    for row in &mut table.rows {
        row.places.retain(|place| package.has(place));
    }
    table.rows.retain(|row| !row.places.is_empty());
    for module in package.modules() {
        if table.unit_of(module).is_none() {
            let ends = [".rs", "/"].map(|end| format!("{}{end}", module[0]));
            let places = ends.into_iter().filter(|place| package.has(place));
            table.rows.push(Row {
                places: places.collect(),
                what: String::new(),
                may_import: Vec::new(),
            });
        }
    }
    table
}

#[test]
fn every_table_of_the_architecture_is_whole_and_runs_upwards() {
    let wrong: Vec<String> = architecture()
        .iter()
        .flat_map(|table| table.mistakes(KNOWN))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_of_a_published_package_has_a_row() {
    let tables = architecture();
    let is_gone = |table: &&Table| PACKAGES.iter().all(|package| package.name != table.package);
    let gone = tables.iter().filter(is_gone);
    let mut wrong: Vec<String> = gone
        .map(|table| format!("{}: a table without a published package", table.package))
        .collect();
    for package in PACKAGES.iter() {
        let table = tables.iter().find(|table| table.package == package.name);
        wrong.extend(without_row(package, table));
    }
    assert!(wrong.is_empty(), "{wrong:#?}\n{REWRITE}");
}

/// Modules without a row, and rows without a file.
fn without_row(package: &Package, table: Option<&Table>) -> Vec<String> {
    let Some(table) = table else {
        return vec![format!("{}: no table below `### {0}`", package.name)];
    };
    let modules = package
        .modules()
        .filter(|module| table.unit_of(module).is_none());
    let mut wrong: Vec<String> = modules
        .map(|module| format!("{}: no row for {}", package.name, module.join("::")))
        .collect();
    let places = table.rows.iter().flat_map(|row| &row.places);
    let gone = places.filter(|place| {
        !root()
            .join(&package.folder)
            .join("src")
            .join(place)
            .exists()
    });
    wrong.extend(gone.map(|place| format!("{}: no {place}", package.name)));
    wrong
}

#[test]
fn imports_follow_the_tables_in_architecture() {
    let tables = architecture();
    let mut wrong = Vec::new();
    for package in PACKAGES.iter() {
        if let Some(table) = tables.iter().find(|table| table.package == package.name) {
            wrong.extend(against(package, table, KNOWN));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}\n{REWRITE}");
}

/// Imports that their row does not allow, or that lead to a row below.
fn against(package: &Package, table: &Table, known: &[Known]) -> Vec<String> {
    let mut wrong = BTreeSet::new();
    for import in package
        .imports()
        .iter()
        .filter(|import| !import.is_within())
    {
        // The crate root only has what the modules export, and constants.
        let (Some((mine, from)), Some((other, to))) =
            (table.unit_of(&import.from), table.unit_of(&import.to))
        else {
            continue;
        };
        let is_known = known.contains(&(&package.name, &from, &to));
        if mine != other && !table.rows[mine].allows(&to) {
            wrong.insert(format!("{}: {to} is not in its row", import.place));
        } else if other > mine && !is_known {
            wrong.insert(format!("{}: {to} stands below {from}", import.place));
        }
    }
    wrong.into_iter().collect()
}

#[test]
fn no_imports_run_in_a_circle() {
    let tables = architecture();
    let mut wrong = Vec::new();
    for package in PACKAGES.iter() {
        let table = tables.iter().find(|table| table.package == package.name);
        wrong.extend(in_circles(package, table, KNOWN));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The imports of all circles that the known ones leave.
fn in_circles(package: &Package, table: Option<&Table>, known: &[Known]) -> Vec<String> {
    let unit = |module: &[String]| Some(table?.unit_of(module)?.1);
    let mut edges = edges(package.imports(), unit);
    edges.retain(|edge, _| {
        !known.contains(&(package.name.as_str(), edge.from.as_str(), edge.to.as_str()))
    });
    let all: BTreeSet<Edge> = edges.keys().cloned().collect();
    circular(&all)
        .iter()
        .map(|edge| format!("{} -> {}: {}", edge.from, edge.to, edges[edge]))
        .collect()
}

#[test]
fn every_known_exception_is_still_needed() {
    let tables = architecture();
    let mut done = Vec::new();
    for exception in KNOWN {
        let others: Vec<Known> = KNOWN.iter().copied().filter(|k| k != exception).collect();
        let package = PACKAGES.iter().find(|package| package.name == exception.0);
        let needed = package.is_some_and(|package| {
            let table = tables.iter().find(|table| table.package == package.name);
            let count = |known| {
                let rows = table.map_or(0, |table| against(package, table, known).len());
                rows + in_circles(package, table, known).len()
            };
            count(&others) > count(KNOWN)
        });
        if !needed {
            done.push(exception);
        }
    }
    assert!(done.is_empty(), "to be removed from KNOWN: {done:#?}");
}

#[cfg(test)]
fn example() -> (Package, Table) {
    let package = crate::modules::synthetic(&[
        ("lib.rs", "mod a; mod b; mod c; pub use b::Thing;"),
        ("a.rs", "use crate::Thing;"),
        ("b/mod.rs", "pub struct Thing; mod inner;"),
        ("b/inner.rs", "use super::super::c::Other;"),
        ("c.rs", "pub struct Other;"),
    ]);
    let text = "### some-package\n
| file | may import |
|---|---|
| `b/` | |
| `a.rs` | |
| `c.rs` | a, b |
";
    (package, tables::read(text).unwrap().remove(0))
}

#[test]
fn capitalised_names_and_ways_out_of_a_folder_are_held_against_the_table() {
    let (package, table) = example();
    assert_eq!(
        against(&package, &table, &[]),
        [
            "p/src/a.rs:1: crate::Thing: b is not in its row",
            "p/src/b/inner.rs:1: super::super::c::Other: c is not in its row",
        ]
    );
}

#[test]
fn an_import_from_a_row_below_is_noticed_unless_it_is_known() {
    let (package, _) = example();
    let text = "### some-package\n
| file | may import |
|---|---|
| `b/` | everything |
| `a.rs` | b |
| `c.rs` | |
";
    let table = tables::read(text).unwrap().remove(0);
    assert_eq!(
        against(&package, &table, &[]),
        ["p/src/b/inner.rs:1: super::super::c::Other: c stands below b"]
    );
    assert!(against(&package, &table, &[("some-package", "b", "c")]).is_empty());
}

#[test]
fn modules_without_a_row_and_packages_without_a_table_are_noticed() {
    let (package, mut table) = example();
    table.rows.remove(0);
    let wrong = without_row(&package, Some(&table));
    assert!(
        wrong.contains(&"some-package: no row for b".to_owned()),
        "{wrong:?}"
    );
    assert_eq!(without_row(&package, None).len(), 1);
}

#[test]
fn a_table_is_rewritten_lowest_first_with_what_is_imported() {
    let (package, mut table) = example();
    table.rows.remove(0);
    let rows = rewritten(&package, &table, &[]);
    let lines: Vec<String> = rows.iter().map(Row::line).collect();
    assert_eq!(
        lines,
        ["| `c.rs` | | |", "| `b/` | | c |", "| `a.rs` | | b |"]
    );
}

/// It knows no TLS stack, no runtime and no operating system.
#[test]
fn dc_core_uses_neither_std_nor_rustls_nor_tokio() {
    for file in files()
        .iter()
        .filter(|file| file.path.starts_with("dc-core/src/"))
    {
        for (number, line) in file.production().lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for package in ["std::", "rustls::", "tokio::"] {
                assert!(!code.contains(package), "{}:{}", file.path, number + 1);
            }
        }
    }
}
