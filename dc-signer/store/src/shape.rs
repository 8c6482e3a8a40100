//! The tables as the migrations make them, so that it is found when somebody has put a trigger, a rule or a view there: with those
//! a database does something else than it is told, and says that it is done.
//!
//! Things that an operator may add are let alone: indexes, tables, roles, and the columns that a newer version adds while this one runs.

use std::collections::{BTreeMap, BTreeSet};

/// Something in the database that no version of this program has made, or that is not as it was made.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeFault {
    /// A column is missing, or has another type or default.
    #[error(
        "the column {column} of {table} is missing, or has another type or default than it was made with: make it as it was"
    )]
    Column {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A default, a constraint or an index of a table calls a function, which could do anything.
    #[error(
        "a default, constraint or index of the table {table} calls the function {function}: remove it"
    )]
    Function {
        /// The table.
        table: String,
        /// The function, with the types that it takes.
        function: String,
    },
    /// An index is missing, or is on something else.
    #[error(
        "the index {index} is missing, or is another one than was made: make it as it was, with what the migrations have"
    )]
    Index {
        /// The index.
        index: String,
    },
    /// A table is missing, or a view or something else has its name.
    #[error(
        "{table} is missing, is no table any more, or has other columns or constraints than was made: remove what is there in its place, and bring the table back"
    )]
    NotATable {
        /// The table.
        table: String,
    },
    /// Row security or inheritance decides which rows are seen.
    #[error(
        "row security or inheritance changes which rows the table {table} has: remove the policy, or the table that inherits"
    )]
    Rows {
        /// The table.
        table: String,
    },
    /// A rule rewrites statements.
    #[error(
        "the table {table} has the rule {rule}: see what it does, and remove it with 'DROP RULE {rule} ON {table}'"
    )]
    Rule {
        /// The table.
        table: String,
        /// The rule.
        rule: String,
    },
    /// A trigger is there that was not made.
    #[error(
        "the table {table} has the trigger {trigger}: see what it does, and remove it with DROP TRIGGER"
    )]
    Trigger {
        /// The table.
        table: String,
        /// The trigger.
        trigger: String,
    },
    /// A trigger of the server's own, which keeps references whole, is off.
    #[error(
        "the server does not check the references of {table} any more: use 'ALTER TABLE {table} ENABLE TRIGGER ALL'"
    )]
    TriggerOff {
        /// The table.
        table: String,
    },
    /// Columns that were unique are so no more.
    #[error("nothing keeps {columns} of {table} unique any more: make the constraint again")]
    Unique {
        /// The table.
        table: String,
        /// The columns, by name.
        columns: String,
    },
}

/// All that the migrations make, as SQLite says it; PostgreSQL's are the same in its own words.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// The statements that made tables and indexes, by name.
    pub(super) made: BTreeMap<String, Made>,
    /// Tables in detail, by name.
    pub(super) tables: BTreeMap<String, Table>,
}

/// A table or an index.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) is_table: bool,
    pub(super) table: String,
    pub(super) sql: String,
}

/// The columns of a table, and those that are unique together.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) columns: BTreeMap<String, Column>,
    /// In the order of their names, behind commas.
    pub(super) unique: BTreeSet<String>,
}

/// A column, in PostgreSQL's words.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Column {
    pub(super) kind: String,
    pub(super) default: Option<String>,
}

/// True if a table was made with a statement, and only columns were added since: SQLite then puts them into its text.
pub(super) fn is_made_with(expected: &str, found: &str) -> bool {
    let [expected, found] = [expected, found].map(words);
    let start = common(expected.bytes(), found.bytes());
    let end = common(expected.bytes().rev(), found.bytes().rev());
    let added = found.len().checked_sub(expected.len());
    let Some(added) = added.filter(|_| start + end >= expected.len()) else {
        return false;
    };
    let from = expected.len() - end.min(expected.len());
    let new = found.get(from..from + added).unwrap_or_default();
    let new = new.to_ascii_uppercase();
    let does_more = [
        "CONFLICT",
        "CHECK",
        "GENERATED",
        " AS",
        "REFERENCES",
        "UNIQUE",
    ];
    !does_more.iter().any(|word| new.contains(word))
}

fn words(sql: &str) -> String {
    let lines = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or(line));
    let text: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    text.join(" ")
        .replace('"', "")
        .replace("( ", "(")
        .replace(" )", ")")
        .replace(" ,", ",")
}

fn common(one: impl Iterator<Item = u8>, two: impl Iterator<Item = u8>) -> usize {
    one.zip(two).take_while(|(one, two)| one == two).count()
}

/// The week of a table of issue rows.
pub(super) fn week(table: &str) -> Option<&str> {
    let week = table.strip_prefix("issues_")?;
    week.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(week)
}

/// The statement that makes a week's table.
pub(super) fn issue_table(week: &str, blob: &str) -> String {
    format!(
        "CREATE TABLE issues_{week} (device {blob} NOT NULL, name TEXT NOT NULL, \
         credential_sha256 {blob} NOT NULL, spki_sha256 {blob} NOT NULL, \
         delegation_sha256 {blob} NOT NULL, issued BIGINT NOT NULL, expires BIGINT NOT NULL)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_may_be_added_and_nothing_that_does_more() {
        let made = "CREATE TABLE t (\n  a TEXT NOT NULL, -- a word\n  b BLOB ,\n  UNIQUE (a)\n)";
        for (found, is_it) in [
            ("CREATE TABLE t (a TEXT NOT NULL, b BLOB, UNIQUE (a))", true),
            (
                "CREATE TABLE t (a TEXT NOT NULL, b BLOB, later BIGINT, UNIQUE (a))",
                true,
            ),
            (
                "CREATE TABLE t (a TEXT NOT NULL, b BLOB, UNIQUE (a), c INTEGER)",
                true,
            ),
            ("CREATE TABLE t (a TEXT NOT NULL, b BLOB)", false),
            ("CREATE TABLE t (a TEXT, b BLOB, UNIQUE (a))", false),
            (
                "CREATE TABLE t (a TEXT NOT NULL, b BLOB, UNIQUE (a) ON CONFLICT IGNORE)",
                false,
            ),
            (
                "CREATE TABLE t (a TEXT NOT NULL ON CONFLICT IGNORE, b BLOB, UNIQUE (a))",
                false,
            ),
            (
                "CREATE TABLE t (a TEXT NOT NULL, b BLOB, c GENERATED ALWAYS AS (1), UNIQUE (a))",
                false,
            ),
            ("CREATE VIEW t AS SELECT 1", false),
        ] {
            assert_eq!(is_made_with(made, found), is_it, "{found}");
        }
        assert_eq!(week("issues_2969"), Some("2969"));
        assert_eq!(week("issues_x"), None);
    }
}
