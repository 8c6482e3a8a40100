//! Tables for people: columns as wide as what is in them.

use std::fmt;

/// Rows of text under a head.
#[derive(Debug)]
pub(crate) struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
    widths: [usize; COLUMNS],
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new(head: [&str; COLUMNS]) -> Self {
        Self {
            rows: vec![head.map(str::to_owned)],
            widths: [0; COLUMNS],
        }
    }

    /// The same with columns of at least these widths.
    #[cfg_attr(
        not(feature = "service"),
        expect(dead_code, reason = "operators are listed so")
    )]
    pub(crate) fn at_least(self, widths: [usize; COLUMNS]) -> Self {
        Self { widths, ..self }
    }

    pub(crate) fn row(&mut self, row: [String; COLUMNS]) {
        self.rows.push(row);
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = self.widths;
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for (number, row) in self.rows.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            let cells = row.iter().zip(widths);
            let line: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            f.write_str(line.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["A", "LONG", "C"]);
        table.row(["wide".to_owned(), "x".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "A     LONG  C\nwide  x");
    }
}
