//! Many rows in one statement: a statement for each would cost a change of threads each.

use std::fmt::Write as _;

use crate::store::sql::{Batch, Value};

/// The statements, and what is bound to each; more than one only if there are very many rows.
///
/// Statements are prepared once for each text, so there are few texts: rows are padded with NULL to a power of two,
/// and a row whose first column is NULL does not count.
pub(super) fn expand(sql: &str, batch: Batch) -> Vec<(String, Vec<Value>)> {
    let Batch { columns, mut rows } = batch;
    let mut statements = Vec::with_capacity(1);
    loop {
        let rest = rows.split_off(rows.len().min(MOST));
        let count = rows.len().next_power_of_two();
        let table = table(columns.iter().map(|(name, _)| *name), columns.len(), count);
        let mut values: Vec<Value> = rows.into_iter().flatten().collect();
        values.resize(columns.len() * count, Value::Int(None));
        statements.push((sql.replace("{rows}", &table), values));
        if rest.is_empty() {
            return statements;
        }
        rows = rest;
    }
}

/// What stands for `{rows}`.
fn table(names: impl Iterator<Item = &'static str>, width: usize, count: usize) -> String {
    let mut sql = String::from("(SELECT ");
    for (at, name) in names.enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(sql, "{comma}column{} AS {name}", at + 1);
    }
    sql.push_str(" FROM (VALUES ");
    for number in 1..=width * count {
        let before = match (number - 1) % width {
            0 if number == 1 => "(",
            0 => "),(",
            _ => ",",
        };
        let _ = write!(sql, "{before}?{number}");
    }
    sql.push_str(")) WHERE column1 IS NOT NULL) AS r");
    sql
}

/// Rows of a statement: all that share a commit, and with the widest table far fewer parameters than SQLite takes
/// (32,766).
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::Kind;

    const COLUMNS: &[(&str, Kind)] = &[("one", Kind::Int), ("two", Kind::Int)];

    fn batch(rows: usize) -> Batch {
        let row = |number| vec![Value::from(number), Value::from(number)];
        Batch {
            columns: COLUMNS,
            rows: (0..i64::try_from(rows).unwrap()).map(row).collect(),
        }
    }

    #[test]
    fn every_value_has_its_parameter() {
        let statements = expand("SELECT one, two FROM {rows}", batch(2));
        let [(sql, values)] = &statements[..] else {
            panic!("{statements:?}");
        };
        assert_eq!(
            sql,
            "SELECT one, two FROM (SELECT column1 AS one, column2 AS two \
             FROM (VALUES (?1,?2),(?3,?4)) WHERE column1 IS NOT NULL) AS r"
        );
        assert_eq!(values.len(), 4);
    }

    #[test]
    fn counts_that_are_near_share_a_statement() {
        let text = |rows| expand("SELECT 1 FROM {rows}", batch(rows)).remove(0).0;
        assert_eq!(text(33), text(64));
        assert_ne!(text(64), text(65));
    }

    #[test]
    fn no_rows_are_a_statement_too() {
        let statements = expand("SELECT 1 FROM {rows}", batch(0));
        assert_eq!(statements.len(), 1);
        assert!(matches!(
            statements[0].1[..],
            [Value::Int(None), Value::Int(None)]
        ));
    }

    #[test]
    fn very_many_rows_are_several_statements() {
        let lengths: Vec<usize> = expand("SELECT 1 FROM {rows}", batch(513))
            .iter()
            .map(|(_, values)| values.len())
            .collect();
        assert_eq!(lengths, [512, 512, 2]);
    }
}
