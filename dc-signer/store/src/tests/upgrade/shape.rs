//! The tables of a server, and what a program that knows only some of it cannot work with.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Connection, PgConnection, Row};

/// Tables, with their columns and what is kept of them.
pub(super) struct Tables(BTreeMap<String, Table>);

#[derive(Default)]
struct Table {
    columns: BTreeMap<String, Column>,
    /// What refuses rows, by name: the columns that it looks at.
    rules: BTreeMap<String, BTreeSet<String>>,
}

#[derive(Eq, PartialEq)]
struct Column {
    kind: String,
    may_be_null: bool,
    has_default: bool,
}

/// The tables as they are.
pub(super) async fn look(url: &str) -> Tables {
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    let mut connection = PgConnection::connect(url).await.unwrap();
    for row in sqlx::query(COLUMNS)
        .fetch_all(&mut connection)
        .await
        .unwrap()
    {
        let column = Column {
            kind: row.get("kind"),
            may_be_null: row.get("may_be_null"),
            has_default: row.get("has_default"),
        };
        let table = tables.entry(row.get("owner")).or_default();
        table.columns.insert(row.get("name"), column);
    }
    for row in sqlx::query(RULES).fetch_all(&mut connection).await.unwrap() {
        let columns: Vec<String> = row.get("columns");
        let table = tables.entry(row.get("owner")).or_default();
        let columns = columns.into_iter().collect();
        table.rules.insert(row.get("name"), columns);
    }
    Tables(tables)
}

impl Tables {
    /// The reasons that a program which knows these tables cannot work with others.
    pub(super) fn faults_of(&self, after: &Self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, table) in &self.0 {
            match after.0.get(name) {
                None => faults.push(format!("{name} is gone")),
                Some(after) => table.compare(name, after, &mut faults),
            }
        }
        faults
    }
}

impl Table {
    fn compare(&self, name: &str, after: &Self, faults: &mut Vec<String>) {
        for (column, before) in &self.columns {
            match after.columns.get(column) {
                Some(after) if after.takes_what(before) => {}
                _ => faults.push(format!("{column} of {name} is not what it was")),
            }
        }
        for (column, new) in &after.columns {
            let is_filled = new.may_be_null || new.has_default;
            if !self.columns.contains_key(column) && !is_filled {
                faults.push(format!(
                    "{column} of {name} is given by nobody who is older"
                ));
            }
        }
        for (rule, columns) in &after.rules {
            let is_known = self.rules.contains_key(rule);
            let is_of_new = columns.iter().any(|one| !self.columns.contains_key(one));
            if !is_known && !is_of_new {
                faults.push(format!("{rule} of {name} refuses what was taken before"));
            }
        }
    }
}

impl Column {
    fn takes_what(&self, before: &Self) -> bool {
        self.kind == before.kind
            && (self.may_be_null || !before.may_be_null)
            && (self.has_default || !before.has_default)
    }
}

const COLUMNS: &str = "SELECT c.relname::text AS owner, a.attname::text AS name, \
    format_type(a.atttypid, a.atttypmod) AS kind, NOT a.attnotnull AS may_be_null, a.atthasdef AS has_default \
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid \
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped";
/// Constraints, unique indexes, and triggers that are nobody's constraint.
const RULES: &str = "SELECT c.relname::text AS owner, r.conname::text AS name, \
    ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum = ANY(r.conkey)) AS columns \
    FROM pg_constraint AS r JOIN pg_class AS c ON c.oid = r.conrelid WHERE c.relnamespace = 'public'::regnamespace \
    UNION ALL SELECT c.relname::text, i.relname::text, \
    ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum = ANY(x.indkey::int2[])) \
    FROM pg_index AS x JOIN pg_class AS c ON c.oid = x.indrelid JOIN pg_class AS i ON i.oid = x.indexrelid \
    WHERE x.indisunique AND c.relnamespace = 'public'::regnamespace \
    UNION ALL SELECT c.relname::text, t.tgname::text, ARRAY[]::text[] \
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid \
    WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace";
