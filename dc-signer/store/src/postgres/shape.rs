//! The things on a server beside rows, compared with what the migrations make.

use crate::Error;
use crate::shape::{Column, Expected, ShapeFault};
use crate::sql::{Batch, Kind, Value, corrupt};
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::PostgresSession;

/// Things that change what is written or read: what is left of it once a transaction has written to these tables was there before, and
/// stays to its end, because nobody else can change them meanwhile.
pub(super) async fn doers(
    session: &mut PostgresSession,
    expected: &Expected,
) -> Result<Vec<ShapeFault>, Error> {
    let rows = session.fetch_batch(DOERS, names(expected)).await?;
    let fault = |row: &PgRow| {
        let (table, name) = (text(row, "tab")?, text(row, "name")?);
        Ok(match text(row, "kind")?.as_str() {
            "rule" => ShapeFault::Rule { table, rule: name },
            "rows" => ShapeFault::Rows { table },
            "trigger" => ShapeFault::Trigger {
                table,
                trigger: name,
            },
            "trigger-off" => ShapeFault::TriggerOff { table },
            _ => ShapeFault::NotATable { table },
        })
    };
    rows.iter().map(fault).collect()
}

/// All that is not as it was made.
pub(super) async fn faults(
    session: &mut PostgresSession,
    expected: &Expected,
) -> Result<Vec<ShapeFault>, Error> {
    let mut found = doers(session, expected).await?;
    found.extend(columns(session, expected).await?);
    found.extend(indexes(session, expected).await?);
    for row in session.fetch_batch(FUNCTIONS, names(expected)).await? {
        let (table, function) = (text(&row, "tab")?, text(&row, "function")?);
        found.push(ShapeFault::Function { table, function });
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Fails with [`Error::SchemaChanged`] if there are any.
pub(super) fn changed(faults: Vec<ShapeFault>) -> Result<(), Error> {
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Error::SchemaChanged { faults }),
    }
}

async fn columns(
    session: &mut PostgresSession,
    expected: &Expected,
) -> Result<Vec<ShapeFault>, Error> {
    let mut there = std::collections::BTreeMap::new();
    for row in session.fetch_batch(COLUMNS, names(expected)).await? {
        let default: Option<String> = row.try_get("initial").map_err(|_| corrupt("pg_attrdef"))?;
        let column = Column {
            kind: text(&row, "kind")?,
            // The server says the type as well.
            default: default.map(|text| text.split("::").next().unwrap_or_default().to_owned()),
        };
        there.insert((text(&row, "tab")?, text(&row, "name")?), column);
    }
    let mut found = Vec::new();
    for (table, made) in &expected.tables {
        // The migrations' own table is the library's, with other types.
        let is_own = table != MIGRATIONS;
        for (name, column) in made.columns.iter().filter(|_| is_own) {
            let (table, name) = (table.clone(), name.clone());
            if there.get(&(table.clone(), name.clone())) != Some(column) {
                found.push(ShapeFault::Column {
                    table,
                    column: name,
                });
            }
        }
    }
    Ok(found)
}

async fn indexes(
    session: &mut PostgresSession,
    expected: &Expected,
) -> Result<Vec<ShapeFault>, Error> {
    let mut unique = std::collections::BTreeSet::new();
    let mut named = std::collections::BTreeSet::new();
    for row in session.fetch_batch(INDEXES, names(expected)).await? {
        let table = text(&row, "tab")?;
        named.insert((table.clone(), text(&row, "name")?));
        let columns: Option<String> = row.try_get("columns").map_err(|_| corrupt("pg_index"))?;
        unique.extend(columns.map(|columns| (table, columns)));
    }
    let mut found = Vec::new();
    for (table, made) in &expected.tables {
        for columns in &made.unique {
            let (table, columns) = (table.clone(), columns.clone());
            if !unique.contains(&(table.clone(), columns.clone())) {
                found.push(ShapeFault::Unique { table, columns });
            }
        }
    }
    let made = expected.made.iter().filter(|(_, made)| !made.is_table);
    for (index, made) in made {
        if !named.contains(&(made.table.clone(), index.clone())) {
            let index = index.clone();
            found.push(ShapeFault::Index { index });
        }
    }
    Ok(found)
}

fn names(expected: &Expected) -> Batch {
    let row = |name: &String| vec![Value::from(name.as_str())];
    Batch {
        columns: &[("name", Kind::Text)],
        rows: expected.tables.keys().map(row).collect(),
    }
}

fn text(row: &PgRow, column: &'static str) -> Result<String, Error> {
    row.try_get(column).map_err(|_| corrupt(column))
}

const MIGRATIONS: &str = "_sqlx_migrations";

/// Of each table that is used, also those of weeks, which is what its name means on this connection.
pub(super) const DOERS: &str = "WITH ours AS (SELECT r.name AS tab, c.oid, c.relkind, c.relpersistence, c.relrowsecurity \
    FROM {rows} LEFT JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(r.name) \
    UNION ALL SELECT c.relname::text, c.oid, c.relkind, c.relpersistence, c.relrowsecurity \
    FROM pg_catalog.pg_class c WHERE c.relname ~ '^issues_[0-9]+$' AND pg_catalog.pg_table_is_visible(c.oid)) \
    SELECT 'table' AS kind, tab, '' AS name FROM ours \
    WHERE oid IS NULL OR relkind <> 'r' OR relpersistence <> 'p' \
    UNION ALL SELECT 'rows', tab, '' FROM ours WHERE relrowsecurity \
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_inherits WHERE oid IN (inhparent, inhrelid)) \
    UNION ALL SELECT 'rule', tab, rulename::text FROM ours \
    JOIN pg_catalog.pg_rewrite ON ev_class = ours.oid \
    UNION ALL SELECT CASE WHEN tgisinternal THEN 'trigger-off' ELSE 'trigger' END, tab, tgname::text \
    FROM ours JOIN pg_catalog.pg_trigger ON tgrelid = ours.oid WHERE NOT tgisinternal OR tgenabled <> 'O'";

const COLUMNS: &str = "SELECT r.name AS tab, a.attname::text AS name, \
    pg_catalog.format_type(a.atttypid, a.atttypmod) || a.attgenerated::text || a.attidentity::text AS kind, \
    pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS initial \
    FROM {rows} JOIN pg_catalog.pg_attribute a ON a.attrelid = pg_catalog.to_regclass(r.name) \
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    WHERE a.attnum > 0 AND NOT a.attisdropped";

/// With the columns of those that are unique, whatever the rest of a row is.
const INDEXES: &str = "SELECT r.name AS tab, c.relname::text AS name, \
    CASE WHEN i.indisunique AND i.indpred IS NULL AND i.indimmediate THEN \
    (SELECT string_agg(a.attname::text, ',' ORDER BY a.attname::text COLLATE \"C\") FROM pg_catalog.pg_attribute a \
    WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)) END AS columns \
    FROM {rows} JOIN pg_catalog.pg_index i ON i.indrelid = pg_catalog.to_regclass(r.name) \
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indisvalid AND i.indisready";

/// Functions that somebody has written, and not the server's own or an extension's.
const FUNCTIONS: &str = "WITH users AS (SELECT adrelid AS rel, 'pg_catalog.pg_attrdef'::regclass AS class, oid FROM pg_catalog.pg_attrdef \
    UNION ALL SELECT conrelid, 'pg_catalog.pg_constraint'::regclass, oid FROM pg_catalog.pg_constraint \
    UNION ALL SELECT indrelid, 'pg_catalog.pg_class'::regclass, indexrelid FROM pg_catalog.pg_index) \
    SELECT r.name AS tab, p.oid::regprocedure::text AS function FROM {rows} \
    JOIN users ON users.rel = pg_catalog.to_regclass(r.name) \
    JOIN pg_catalog.pg_depend d ON d.classid = users.class AND d.objid = users.oid \
    AND d.refclassid = 'pg_catalog.pg_proc'::regclass \
    JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid \
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang WHERE l.lanname NOT IN ('internal', 'c')";
