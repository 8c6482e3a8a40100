//! Many rows in one statement: a statement for each would cost a change of threads each.

use std::iter::repeat_n;

use crate::sql::{Batch, Value};

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
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let mut values: Vec<Value> = rows.into_iter().flatten().collect();
        values.resize(names.len() * count, Value::Int(None));
        let times = sql.matches("{rows}").count();
        let sql = sql.replace("{rows}", &table(&names, count));
        statements.push((sql, repeat_n(values, times).flatten().collect()));
        if rest.is_empty() {
            return statements;
        }
        rows = rest;
    }
}

/// The text that stands for `{rows}`. Its parameters have no numbers: SQLite keeps those as names, in a list that is searched for
/// each value.
fn table(names: &[&str], count: usize) -> String {
    let columns: Vec<String> = (1..)
        .zip(names)
        .map(|(number, name)| format!("column{number} AS {name}"))
        .collect();
    let row = format!("({})", vec!["?"; names.len()].join(","));
    format!(
        "(SELECT {} FROM (VALUES {}) WHERE column1 IS NOT NULL) AS r",
        columns.join(", "),
        vec![row.as_str(); count].join(",")
    )
}

/// Rows of a statement: all that share a commit, and with the widest table far fewer parameters than SQLite takes
/// (32,766).
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Kind;

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
             FROM (VALUES (?,?),(?,?)) WHERE column1 IS NOT NULL) AS r"
        );
        assert_eq!(values.len(), 4);
    }

    #[test]
    fn rows_that_stand_twice_are_bound_twice() {
        let sql = "SELECT one FROM {rows} UNION ALL SELECT two FROM {rows}";
        let (_, values) = expand(sql, batch(1)).remove(0);
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
