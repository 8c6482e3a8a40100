//! Operators: put, found, kept out.

use crate::connection::Session;
use crate::registry::{self, Access, Action, Operator, OperatorName};
use crate::sql::Value;
use crate::{Act, Error, Store};

use super::rows;
use super::work::Work;

impl Store {
    /// Adds an operator, or changes the one with this name.
    ///
    /// Fails with [`KeyTaken`](crate::registry::Error::KeyTaken) if another one has this token or
    /// key.
    pub async fn put_operator(&self, operator: &Operator, by: &Act) -> Result<(), Error> {
        self.write("put_operator", async |work| put(work, operator, by).await)
            .await
    }

    /// Keeps an operator out from now on.
    ///
    /// Fails with [`UnknownOperator`](crate::registry::Error::UnknownOperator).
    pub async fn disable_operator(&self, name: &OperatorName, by: &Act) -> Result<(), Error> {
        self.write("disable_operator", async |work| {
            disable(work, name, by).await
        })
        .await
    }

    /// The operator with this token or key, also one who is disabled.
    pub async fn find_operator(&self, access: &Access) -> Result<Option<Operator>, Error> {
        self.read("find_operator", async |session| find(session, access).await)
            .await
    }

    /// All operators, by name.
    pub async fn operators(&self) -> Result<Vec<Operator>, Error> {
        self.read("operators", async |session| all(session).await)
            .await
    }
}

pub(super) async fn put(work: &mut Work, operator: &Operator, by: &Act) -> Result<(), Error> {
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
    entry.detail_sha256 = Some(operator.commitment());
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

pub(super) async fn disable(work: &mut Work, name: &OperatorName, by: &Act) -> Result<(), Error> {
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

pub(super) async fn find(
    session: &mut Session,
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

pub(super) async fn all(session: &mut Session) -> Result<Vec<Operator>, Error> {
    let sql = format!("SELECT {} FROM operators ORDER BY name", rows::OPERATOR);
    let rows = session.fetch(sql, Vec::new()).await?;
    rows.iter().map(rows::operator).collect()
}
