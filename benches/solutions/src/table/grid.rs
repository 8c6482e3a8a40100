//! A table of cells, as text for a terminal or as Markdown.

use std::fmt::Write as _;

use comfy_table::presets;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

/// A table with a title, and what is to be said about it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Grid {
    pub(crate) title: String,
    /// Sentences in front of it.
    pub(crate) note: String,
    /// The first is of the rows' names.
    pub(crate) columns: Vec<String>,
    pub(crate) lines: Vec<Line>,
}

/// A row of a table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) cells: Vec<Cell>,
    /// Whether a line is drawn above it.
    pub(crate) apart: bool,
}

/// A cell, and the command that measures it alone.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) evidence: String,
}

/// How tables are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Markdown,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>, evidence: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            evidence: evidence.into(),
        }
    }
}

/// The table and its notes.
pub(crate) fn render(grid: &Grid, format: Format) -> String {
    let mut out = String::new();
    let _ = match format {
        Format::Markdown => write!(out, "## {}\n\n{}\n\n", grid.title, grid.note),
        Format::Text => write!(out, "{}\n{}\n", grid.title, wrapped(&grid.note)),
    };
    match format {
        Format::Markdown => markdown(grid, &mut out),
        Format::Text => text(grid, &mut out),
    }
    let _ = writeln!(out, "\n{}", evidence(grid));
    out
}

/// The command for a cell of each column; a row's identifier is for the reader to put in.
fn evidence(grid: &Grid) -> String {
    let mut columns: Vec<(String, Vec<&str>)> = Vec::new();
    for (at, column) in grid.columns.iter().skip(1).enumerate() {
        let cells = grid.lines.iter().filter_map(|line| line.cells.get(at));
        for command in cells.map(|cell| of_any_row(&cell.evidence)) {
            match columns.iter_mut().find(|(of, _)| *of == command) {
                Some((_, names)) if names.contains(&column.as_str()) => {}
                Some((_, names)) => names.push(column),
                None => columns.push((command, vec![column])),
            }
        }
    }
    match &columns[..] {
        [(command, _)] => format!("A cell alone: {command}."),
        several => {
            let each = several
                .iter()
                .map(|(command, names)| format!("{}: {command}", names.join(", ")));
            format!("A cell alone. {}.", each.collect::<Vec<_>>().join(". "))
        }
    }
}

fn of_any_row(evidence: &str) -> String {
    let words: Vec<&str> = evidence.split(' ').collect();
    let row = words.iter().position(|word| *word == "--row");
    let words = { words.iter().enumerate() }.map(|(at, word)| match row {
        Some(row) if at == row + 1 => "ROW",
        _ => word,
    });
    let words = words.collect::<Vec<_>>().join(" ");
    match words.starts_with("cargo") {
        true => format!("`{words}`"),
        false => words,
    }
}

fn markdown(grid: &Grid, out: &mut String) {
    let _ = writeln!(out, "| {} |", grid.columns.join(" | "));
    let _ = writeln!(out, "|{}", "---|".repeat(grid.columns.len()));
    for line in &grid.lines {
        if line.apart {
            let _ = writeln!(out, "|{}", " |".repeat(grid.columns.len()));
        }
        let cells: Vec<String> = line
            .cells
            .iter()
            .map(|cell| cell.text.replace('|', "\\|"))
            .collect();
        let _ = writeln!(out, "| {} | {} |", line.name, cells.join(" | "));
    }
}

fn text(grid: &Grid, out: &mut String) {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(&grid.columns);
    for line in &grid.lines {
        if line.apart {
            table.add_row(vec!["·"; grid.columns.len()]);
        }
        let cells = line.cells.iter().map(|cell| &cell.text);
        table.add_row(std::iter::once(&line.name).chain(cells));
    }
    let _ = writeln!(out, "{table}");
}

/// Lines no wider than the table, broken between words.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if length > 0 && length + 1 + width > usize::from(WIDTH) {
            out.push('\n');
            length = 0;
        }
        if length > 0 {
            out.push(' ');
        }
        out.push_str(word);
        length += 1 + width;
    }
    out
}

/// Of a wide terminal, in characters.
const WIDTH: u16 = 150;

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let line = |name: &str, text: &str, apart| Line {
            name: name.into(),
            cells: vec![Cell::new(text, "command")],
            apart,
        };
        Grid {
            title: "Title".into(),
            note: "Note.".into(),
            columns: vec!["row".into(), "what".into()],
            lines: vec![
                line("a", &"word ".repeat(60), false),
                line("b", "x | y", true),
            ],
        }
    }

    #[test]
    fn a_text_table_is_no_wider_than_it_should_be() {
        let text = render(&grid(), Format::Text);
        assert!(
            text.lines()
                .all(|line| line.chars().count() <= usize::from(WIDTH)),
            "{text}"
        );
        assert_eq!(text.matches("word").count(), 60);
    }

    #[test]
    fn the_command_for_a_cell_is_below_the_table() {
        let cell = |row: &str, measure: &str| {
            Cell::new("", format!("cargo run -- --row {row} --measure {measure}"))
        };
        let line = |row: &str| Line {
            name: row.into(),
            cells: vec![cell(row, "a"), cell(row, "b"), Cell::new("", "by reading")],
            apart: false,
        };
        let grid = Grid {
            columns: ["row", "one", "two", "three"].map(str::to_owned).to_vec(),
            lines: vec![line("x"), line("y")],
            ..grid()
        };
        assert_eq!(
            evidence(&grid),
            "A cell alone. one: `cargo run -- --row ROW --measure a`. two: `cargo run -- --row ROW \
             --measure b`. three: by reading."
        );
        assert_eq!(evidence(&self::grid()), "A cell alone: command.");
    }

    #[test]
    fn markdown_escapes_what_would_end_a_cell() {
        let text = render(&grid(), Format::Markdown);
        assert!(text.contains("x \\| y"), "{text}");
        assert!(text.contains("\n| | |\n"), "{text}");
    }
}
