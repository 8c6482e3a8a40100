//! The things in a file beside rows, compared with what the migrations make.

use std::collections::BTreeMap;
use std::pin::Pin;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePoolOptions};
use tokio::sync::OnceCell;

use super::{MIGRATOR, classify};
use crate::Error;
use crate::shape::{Column, Expected, Made, ShapeFault, Table, is_made_with, issue_table, week};

/// All that the migrations make, as they do in a database that is in memory alone.
///
/// Fails if that has no room.
pub(crate) async fn expected() -> Result<&'static Expected, Error> {
    static EXPECTED: OnceCell<Expected> = OnceCell::const_new();
    EXPECTED.get_or_try_init(|| boxed(make())).await
}

/// So that the compiler knows of a future that it can be sent, which it does not see through this many layers.
pub(super) fn boxed<'a, T>(
    future: impl Future<Output = T> + Send + 'a,
) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    Box::pin(future)
}

async fn make() -> Result<Expected, Error> {
    let options = SqliteConnectOptions::new().in_memory(true);
    // One connection, whose database it is.
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options);
    let done = MIGRATOR.run(&pool).await;
    done.map_err(|error| classify(error.into()))?;
    let mut connection = pool.acquire().await.map_err(classify)?;
    let made = objects(&mut connection).await?;
    let mut expected = Expected::default();
    for object in made.into_iter().filter(|object| !object.sql.is_empty()) {
        let is_table = object.kind == "table";
        if is_table {
            let table = table(&mut connection, &object.name).await?;
            expected.tables.insert(object.name.clone(), table);
        }
        let made = Made {
            is_table,
            table: object.table,
            sql: object.sql,
        };
        expected.made.insert(object.name, made);
    }
    Ok(expected)
}

async fn table(connection: &mut SqliteConnection, name: &str) -> Result<Table, Error> {
    let mut table = Table::default();
    let sql = "SELECT name, type, dflt_value, pk FROM pragma_table_info($1) ORDER BY name";
    let rows = sqlx::query(sql).bind(name).fetch_all(&mut *connection);
    let mut key = Vec::new();
    for row in rows.await.map_err(classify)? {
        let column: String = row.try_get("name").map_err(classify)?;
        let kind: String = row.try_get("type").map_err(classify)?;
        let kind = match kind.as_str() {
            "BLOB" => "bytea",
            "TEXT" => "text",
            _ => "bigint",
        };
        if row.try_get::<i64, _>("pk").map_err(classify)? > 0 {
            key.push(column.clone());
        }
        let made = Column {
            kind: kind.to_owned(),
            default: row.try_get("dflt_value").map_err(classify)?,
        };
        table.columns.insert(column, made);
    }
    let sql = "SELECT group_concat(column, ',') AS columns FROM \
               (SELECT l.name AS of, i.name AS column FROM pragma_index_list($1) AS l \
               JOIN pragma_index_info(l.name) AS i WHERE l.\"unique\" = 1 AND l.partial = 0 \
               ORDER BY l.name, i.name) GROUP BY of";
    let rows = sqlx::query(sql).bind(name).fetch_all(connection);
    for row in rows.await.map_err(classify)? {
        table
            .unique
            .insert(row.try_get("columns").map_err(classify)?);
    }
    table.unique.insert(key.join(","));
    Ok(table)
}

/// Things that do not belong into a file, or are missing there.
pub(super) async fn faults(connection: &mut SqliteConnection) -> Result<Vec<ShapeFault>, Error> {
    let expected = expected().await?;
    let mut found = Vec::new();
    let mut there = BTreeMap::new();
    for object in objects(connection).await? {
        if object.kind == "trigger" {
            let (table, trigger) = (object.table, object.name);
            found.push(ShapeFault::Trigger { table, trigger });
            continue;
        }
        // Names are the same in capitals.
        let name = object.name.to_ascii_lowercase();
        if let Some(week) = week(&name)
            && !(object.kind == "table" && is_made_with(&issue_table(week, "BLOB"), &object.sql))
        {
            let table = object.name.clone();
            found.push(ShapeFault::NotATable { table });
        }
        there.insert(name, object);
    }
    for (name, made) in &expected.made {
        let kind = if made.is_table { "table" } else { "index" };
        let is_there = there.get(name).is_some_and(|object| {
            let is_its = object.kind == kind && object.table.eq_ignore_ascii_case(&made.table);
            is_its && is_made_with(&made.sql, &object.sql)
        });
        match (is_there, made.is_table, name.clone()) {
            (true, ..) => {}
            (_, true, table) => found.push(ShapeFault::NotATable { table }),
            (_, false, index) => found.push(ShapeFault::Index { index }),
        }
    }
    Ok(found)
}

/// A table, an index, a view or a trigger.
struct Object {
    kind: String,
    name: String,
    table: String,
    /// Empty for an index that a constraint makes.
    sql: String,
}

async fn objects(connection: &mut SqliteConnection) -> Result<Vec<Object>, Error> {
    let sql = "SELECT type, name, tbl_name, COALESCE(sql, '') AS sql FROM sqlite_master \
               WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' OR type NOT IN ('table', 'index')";
    let rows = sqlx::query(sql).fetch_all(connection).await;
    let object = |row: sqlx::sqlite::SqliteRow| {
        Ok(Object {
            kind: row.try_get("type")?,
            name: row.try_get("name")?,
            table: row.try_get("tbl_name")?,
            sql: row.try_get("sql")?,
        })
    };
    let rows = rows.map_err(classify)?.into_iter();
    rows.map(object).collect::<Result<_, _>>().map_err(classify)
}
