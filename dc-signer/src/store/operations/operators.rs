//! Operators: put, found, kept out.

use crate::registry::{self, Access, Action, Operator, OperatorName};
use crate::store::sql::{Session, Value};
use crate::store::{Act, Error};

use super::rows;
use super::work::Work;

pub(super) async fn put<S: Session>(
    work: &mut Work<S>,
    operator: &Operator,
    by: &Act,
) -> Result<(), Error> {
    let other = find(&mut work.session, &operator.access).await?;
    if other.is_some_and(|other| other.name != operator.name) {
        return Err(registry::Error::KeyTaken.into());
    }
    let (token, key) = columns(&operator.access);
    let sql = "INSERT INTO operators (name, role, token_sha256, key_sha256, disabled) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET \
               role = excluded.role, token_sha256 = excluded.token_sha256, \
               key_sha256 = excluded.key_sha256, disabled = excluded.disabled";
    let values = vec![
        operator.name.as_str().into(),
        operator.role.as_str().into(),
        token,
        key,
        i64::from(operator.disabled).into(),
    ];
    work.session.execute(sql, values).await?;
    let mut entry = work.entry(Action::ChangeOperator, by);
    entry.name = Some(operator.name.to_string());
    work.log(entry);
    Ok(())
}

fn columns(access: &Access) -> (Value, Value) {
    match access {
        Access::Token(sha256) => (sha256.into(), Value::Blob(None)),
        // The column had the hash of its key once, which lets nobody in any more.
        Access::Certificate(sha256) => (Value::Blob(None), sha256.into()),
    }
}

pub(super) async fn disable<S: Session>(
    work: &mut Work<S>,
    name: &OperatorName,
    by: &Act,
) -> Result<(), Error> {
    let sql = "UPDATE operators SET disabled = 1 WHERE name = $1";
    let values = vec![name.as_str().into()];
    if work.session.execute(sql, values).await? == 0 {
        return Err(registry::Error::UnknownOperator.into());
    }
    let mut entry = work.entry(Action::DisableOperator, by);
    entry.name = Some(name.to_string());
    work.log(entry);
    Ok(())
}

pub(super) async fn find<S: Session>(
    session: &mut S,
    access: &Access,
) -> Result<Option<Operator>, Error> {
    let column = match access {
        Access::Token(_) => "token_sha256",
        Access::Certificate(_) => "key_sha256",
    };
    let operator = rows::OPERATOR;
    let sql = format!("SELECT {operator} FROM operators WHERE {column} = $1");
    let row = session.fetch_one(sql, vec![access.sha256().into()]).await?;
    row.as_ref().map(rows::operator).transpose()
}

pub(super) async fn all<S: Session>(session: &mut S) -> Result<Vec<Operator>, Error> {
    let sql = format!("SELECT {} FROM operators ORDER BY name", rows::OPERATOR);
    let rows = session.fetch(sql, Vec::new()).await?;
    rows.iter().map(rows::operator).collect()
}
