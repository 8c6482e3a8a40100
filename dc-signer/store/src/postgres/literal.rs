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
        // Connections say that a backslash is one, so that nothing but the quote ends a text.
        Value::Text(Some(text)) => {
            if text.contains('\0') {
                return Err(no_text());
            }
            out.push('\'');
            out.push_str(&text.replace('\'', "''"));
            out.push_str("'::text");
        }
        Value::Blob(None) => out.push_str(null(Kind::Blob)),
        Value::Int(None) => out.push_str(null(Kind::Int)),
        Value::Text(None) => out.push_str(null(Kind::Text)),
    }
    Ok(())
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
    use super::*;

    #[test]
    fn a_text_ends_at_no_quote_and_no_backslash_of_its_own() {
        let values = ["it's", "\\", "'; DROP TABLE audit; --"].map(Value::from);
        let sql = inline("SELECT $1, $2, $3, $10", &values).unwrap();
        assert_eq!(
            sql,
            "SELECT 'it''s'::text, '\\'::text, '''; DROP TABLE audit; --'::text, NULL::bigint"
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
}
