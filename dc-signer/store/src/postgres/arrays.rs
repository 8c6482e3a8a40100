//! Values and rows as the parameters of a statement.

use sqlx::Arguments;
use sqlx::postgres::PgArguments;

use crate::Error;
use crate::sql::{Kind, Value};

use super::error::classify;

/// Values, as the server takes them.
pub(super) fn arguments(values: Vec<Value>) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        let added = match value {
            Value::Blob(blob) => Arguments::add(&mut arguments, blob),
            Value::Int(int) => Arguments::add(&mut arguments, int),
            Value::Text(text) => Arguments::add(&mut arguments, text),
        };
        added.map_err(|error| classify(sqlx::Error::Encode(error)))?;
    }
    Ok(arguments)
}

/// Hands rows over as one array for each column.
pub(super) fn expand(
    sql: &str,
    columns: &[(&'static str, Kind)],
    rows: Vec<Vec<Value>>,
) -> Result<(String, PgArguments), Error> {
    let mut arrays: Vec<Array> = columns.iter().map(|(_, kind)| Array::of(*kind)).collect();
    for row in rows {
        for (array, value) in arrays.iter_mut().zip(row) {
            array.push(value);
        }
    }
    let mut arguments = PgArguments::default();
    let mut types = Vec::new();
    for (number, array) in arrays.into_iter().enumerate() {
        types.push(format!("${}::{}", number + 1, array.sql_type()));
        let added = array.bind(&mut arguments);
        added.map_err(|error| classify(sqlx::Error::Encode(error)))?;
    }
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let rows = format!("UNNEST({}) AS r({})", types.join(", "), names.join(", "));
    Ok((sql.replace("{rows}", &rows), arguments))
}

/// A column of a batch.
enum Array {
    Blobs(Vec<Option<Vec<u8>>>),
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
}

impl Array {
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Blob => Self::Blobs(Vec::new()),
            Kind::Int => Self::Ints(Vec::new()),
            Kind::Text => Self::Texts(Vec::new()),
        }
    }

    /// A value of another kind than its column is a bug, and NULL is what the tables refuse.
    fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::Blobs(blobs), Value::Blob(blob)) => blobs.push(blob),
            (Self::Ints(ints), Value::Int(int)) => ints.push(int),
            (Self::Texts(texts), Value::Text(text)) => texts.push(text),
            (Self::Blobs(blobs), _) => blobs.push(None),
            (Self::Ints(ints), _) => ints.push(None),
            (Self::Texts(texts), _) => texts.push(None),
        }
    }

    const fn sql_type(&self) -> &'static str {
        match self {
            Self::Blobs(_) => "bytea[]",
            Self::Ints(_) => "bigint[]",
            Self::Texts(_) => "text[]",
        }
    }

    fn bind(self, arguments: &mut PgArguments) -> Result<(), sqlx::error::BoxDynError> {
        match self {
            Self::Blobs(blobs) => Arguments::add(arguments, blobs),
            Self::Ints(ints) => Arguments::add(arguments, ints),
            Self::Texts(texts) => Arguments::add(arguments, texts),
        }
    }
}
