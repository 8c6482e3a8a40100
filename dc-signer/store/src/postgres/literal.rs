//! Statements with their values written into them, so that many go to the server in one message.

use std::fmt::Write as _;

use crate::Error;
use crate::sql::{Batch, Kind, Value};

use super::error::classify;

/// A statement with its values in place of `$1`, `$2` and so on.
pub(super) fn inline(sql: &str, values: &[Value]) -> Result<String, Error> {
    fill(sql, |out, number| {
        literal(out, values.get(number - 1).unwrap_or(&Value::Int(None)))
    })
}

/// A statement with other words in place of its parameters, which are counted from 1.
pub(super) fn fill(
    sql: &str,
    mut each: impl FnMut(&mut String, usize) -> Result<(), Error>,
) -> Result<String, Error> {
    let mut out = String::with_capacity(sql.len() + 256);
    let mut parts = sql.split('$');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit());
        let (number, rest) = part.split_at(end.unwrap_or(part.len()));
        match number.parse::<usize>() {
            Ok(number) if number > 0 => each(&mut out, number)?,
            _ => {
                out.push('$');
                out.push_str(number);
            }
        }
        out.push_str(rest);
    }
    Ok(out)
}

/// A statement with the rows that it takes.
pub(super) fn inline_batch(sql: &str, batch: &Batch) -> Result<String, Error> {
    let names: Vec<&str> = batch.columns.iter().map(|(name, _)| *name).collect();
    let mut rows = String::from("(");
    match batch.rows.is_empty() {
        true => {
            let nulls = batch.columns.iter().map(|(_, kind)| null(*kind));
            let nulls: Vec<&str> = nulls.collect();
            let _ = write!(rows, "SELECT {} WHERE false", nulls.join(", "));
        }
        false => values(&mut rows, &batch.rows)?,
    }
    let _ = write!(rows, ") AS r({})", names.join(", "));
    Ok(sql.replace("{rows}", &rows))
}

/// Rows, all of whose values say what they are.
fn values(out: &mut String, rows: &[Vec<Value>]) -> Result<(), Error> {
    out.push_str("VALUES ");
    for (number, row) in rows.iter().enumerate() {
        out.push_str(if number == 0 { "(" } else { ", (" });
        list(out, row)?;
        out.push(')');
    }
    Ok(())
}

/// Values with commas between them.
pub(super) fn list(out: &mut String, values: &[Value]) -> Result<(), Error> {
    for (column, value) in values.iter().enumerate() {
        if column > 0 {
            out.push_str(", ");
        }
        literal(out, value)?;
    }
    Ok(())
}

fn literal(out: &mut String, value: &Value) -> Result<(), Error> {
    match value {
        Value::Blob(Some(bytes)) => {
            out.push_str("'\\x");
            data_encoding::HEXLOWER.encode_append(bytes, out);
            out.push_str("'::bytea");
        }
        Value::Int(Some(int)) => {
            let _ = write!(out, "({int})::bigint");
        }
        Value::Text(Some(text)) => {
            if text.contains('\0') {
                return Err(no_text());
            }
            text_literal(out, text);
        }
        Value::Blob(None) => out.push_str(null(Kind::Blob)),
        Value::Int(None) => out.push_str(null(Kind::Int)),
        Value::Text(None) => out.push_str(null(Kind::Text)),
    }
    Ok(())
}

/// Of what could end a text, or begin something else in it under any setting of the server, the message has the digits alone.
fn text_literal(out: &mut String, text: &str) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\');
    match text.bytes().all(is_plain) {
        true => {
            let _ = write!(out, "'{text}'::text");
        }
        false => {
            out.push_str("convert_from(decode('");
            data_encoding::HEXLOWER.encode_append(text.as_bytes(), out);
            out.push_str("', 'hex'), 'UTF8')");
        }
    }
}

const fn null(kind: Kind) -> &'static str {
    match kind {
        Kind::Blob => "NULL::bytea",
        Kind::Int => "NULL::bigint",
        Kind::Text => "NULL::text",
    }
}

/// No text of PostgreSQL has a zero byte, and a message would end there.
fn no_text() -> Error {
    classify(sqlx::Error::Encode("a text has a zero byte".into()))
}

#[cfg(test)]
mod tests {
    use proptest::strategy::{Strategy as _, ValueTree as _};
    use proptest::test_runner::TestRunner;
    use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

    use super::*;
    use crate::Location;
    use crate::testing::Database;

    #[test]
    fn a_text_ends_at_no_quote_and_no_backslash_of_its_own() {
        let values = ["it's", "\\", "a $1; --"].map(Value::from);
        let sql = inline("SELECT $1, $2, $3, $10", &values).unwrap();
        let hex = |hex: &str| format!("convert_from(decode('{hex}', 'hex'), 'UTF8')");
        let (first, second) = (hex("69742773"), hex("5c"));
        assert_eq!(
            sql,
            format!("SELECT {first}, {second}, 'a $1; --'::text, NULL::bigint")
        );
        assert!(inline("SELECT $1", &["a\0b".into()]).is_err());
    }

    #[test]
    fn rows_take_the_place_of_rows() {
        let batch = Batch {
            columns: &[("id", Kind::Blob), ("until", Kind::Int)],
            rows: vec![
                vec![Value::Blob(Some(vec![1, 255])), (-5_i64).into()],
                vec![Value::Blob(None), Value::Int(None)],
            ],
        };
        assert_eq!(
            inline_batch("SELECT * FROM {rows}", &batch).unwrap(),
            "SELECT * FROM (VALUES ('\\x01ff'::bytea, (-5)::bigint), (NULL::bytea, NULL::bigint)) AS r(id, until)"
        );
        let none = Batch {
            columns: &[("id", Kind::Blob)],
            rows: Vec::new(),
        };
        assert_eq!(
            inline_batch("SELECT * FROM {rows}", &none).unwrap(),
            "SELECT * FROM (SELECT NULL::bytea WHERE false) AS r(id)"
        );
    }

    /// Also under the setting in which a backslash means something.
    #[tokio::test]
    async fn the_server_reads_each_text_as_it_was_given() {
        let Some(database) = Database::postgres().await else {
            return;
        };
        let Location::Postgres(url) = &database.location else {
            panic!("not a server");
        };
        let mut connection = PgConnection::connect(url).await.unwrap();
        let text = r"[\x01-\x7f]{0,12}|[^\x00]{0,12}|['\\;$-]{0,6}";
        let texts = proptest::collection::vec(text, 500);
        let texts = texts.new_tree(&mut TestRunner::deterministic()).unwrap();
        for setting in ["on", "off"] {
            let set = format!("SET standard_conforming_strings = {setting}");
            let set = sqlx::raw_sql(AssertSqlSafe(set));
            set.execute(&mut connection).await.unwrap();
            for text in texts.current() {
                let sql = inline("SELECT $1 AS t", &[text.as_str().into()]).unwrap();
                let asked = sqlx::raw_sql(AssertSqlSafe(sql));
                let row = asked.fetch_one(&mut connection).await.unwrap();
                assert_eq!(row.get::<String, _>("t"), text, "{setting}");
            }
        }
        drop(connection);
        database.end().await;
    }
}
