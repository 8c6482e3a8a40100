//! Operators: put, found, kept out.

use pki_types::UnixTime;

use crate::connection::Session;
use crate::registry::{
    self, Access, Action, Mismatch, Operator, OperatorName, Sha256, operators_of, role_scope,
};
use crate::sql::Value;
use crate::{Act, Error, Store};

use super::origin::Sound;
use super::work::Work;
use super::{four_eyes, rows, standing};

impl Store {
    /// Adds an operator, or changes the one with this name.
    ///
    /// Fails with [`KeyTaken`](crate::registry::Error::KeyTaken) if another one has this token or key, with
    /// [`AccessKeptOut`](crate::registry::Error::AccessKeptOut) if it let them in before they were kept out, and with
    /// [`LastAdmin`](crate::registry::Error::LastAdmin) if nobody would be an admin any more.
    pub async fn put_operator(&self, operator: &Operator, by: &Act) -> Result<(), Error> {
        self.write("put_operator", async |work| put(work, operator, by).await)
            .await
    }

    /// Keeps an operator out from now on.
    ///
    /// Fails with [`UnknownOperator`](crate::registry::Error::UnknownOperator), and with
    /// [`LastAdmin`](crate::registry::Error::LastAdmin) if nobody would be an admin any more.
    pub async fn disable_operator(&self, name: &OperatorName, by: &Act) -> Result<(), Error> {
        self.write("disable_operator", async |work| {
            disable(work, name, by).await
        })
        .await
    }

    /// Lets an operator in again who was kept out, with another token or certificate: whatever let them in before may be why they
    /// were kept out, and lets nobody in any more.
    ///
    /// Fails with [`UnknownOperator`](crate::registry::Error::UnknownOperator), with
    /// [`OperatorEnabled`](crate::registry::Error::OperatorEnabled), with
    /// [`AccessKeptOut`](crate::registry::Error::AccessKeptOut), and with [`KeyTaken`](crate::registry::Error::KeyTaken) if another
    /// one has it.
    pub async fn enable_operator(
        &self,
        name: &OperatorName,
        next: (Access, Option<UnixTime>),
        by: &Act,
    ) -> Result<Operator, Error> {
        self.write("enable_operator", async |work| {
            enable(work, name, next, by).await
        })
        .await
    }

    /// Gives an operator another token or certificate; the one of now is good until a time, or its own end if that is sooner.
    ///
    /// Fails with [`UnknownOperator`](crate::registry::Error::UnknownOperator), with
    /// [`OperatorDisabled`](crate::registry::Error::OperatorDisabled), with
    /// [`LastAdmin`](crate::registry::Error::LastAdmin) if they are the last one and would soon be none, and with
    /// [`KeyTaken`](crate::registry::Error::KeyTaken) if another one has it.
    pub async fn renew_operator(
        &self,
        name: &OperatorName,
        next: (Access, Option<UnixTime>),
        overlap: UnixTime,
        by: &Act,
    ) -> Result<Operator, Error> {
        self.write("renew_operator", async |work| {
            renew(work, name, next, overlap, by).await
        })
        .await
    }

    /// The operator with this name, also one who is disabled.
    pub async fn operator(&self, name: &OperatorName) -> Result<Option<Operator>, Error> {
        self.read("operator", async |session| named(session, name).await)
            .await
    }

    /// The operator with this token or key, of now or before, also one who is disabled.
    ///
    /// Fails with a [`Mismatch`] if they are another one than the last record about them says: a role or a token that was written into
    /// the table counts for nothing.
    pub async fn find_operator(&self, access: &Access) -> Result<Option<Operator>, Error> {
        self.read("find_operator", async |session| {
            let found = find(session, access).await?;
            // Nobody comes in who was kept out, whoever did that.
            if let Some(operator) = found.as_ref().filter(|operator| !operator.disabled) {
                check_audited(session, operator, &self.shared.signer.sound).await?;
            }
            Ok(found)
        })
        .await
    }

    /// The operators who could do nothing, because they are not what the audit log says, or were made by somebody who could not: each
    /// with the reason.
    pub async fn wrong_operators(&self) -> Result<Vec<Error>, Error> {
        self.read("wrong_operators", async |session| {
            let mut wrong = Vec::new();
            for operator in all(session).await?.iter().filter(|one| !one.disabled) {
                wrong.extend(fault(session, operator, &self.shared.signer.sound).await?);
            }
            Ok(wrong)
        })
        .await
    }

    /// True if an operator is what the audit log says, and was made by somebody who could.
    pub async fn may_act(&self, operator: &Operator) -> Result<bool, Error> {
        self.read("may_act", async |session| {
            let fault = fault(session, operator, &self.shared.signer.sound).await?;
            Ok(fault.is_none())
        })
        .await
    }

    /// The first record of the audit log that made an operator; none if there never was one, whatever the table says.
    pub async fn first_operator(&self) -> Result<Option<u64>, Error> {
        self.read("first_operator", async |session| {
            let sql = "SELECT seq FROM audit WHERE action <> 'issue' AND name IS NOT NULL \
                       AND action = 'change-operator' ORDER BY seq LIMIT 1";
            let row = session.fetch_one(sql, Vec::new()).await?;
            row.map(|row| row.number("seq")).transpose()
        })
        .await
    }

    /// All operators, by name.
    pub async fn operators(&self) -> Result<Vec<Operator>, Error> {
        self.read("operators", async |session| all(session).await)
            .await
    }
}

pub(super) async fn put(work: &mut Work, operator: &Operator, by: &Act) -> Result<(), Error> {
    write(work, operator, by).await?;
    log(work, Action::ChangeOperator, operator, by).await?;
    Ok(())
}

async fn write(work: &mut Work, operator: &Operator, by: &Act) -> Result<(), Error> {
    keeps_admins(work, operator, by).await?;
    let all = all(&mut work.session).await?;
    if let Some(before) = all.iter().find(|one| one.name == operator.name) {
        before.may_become(operator)?;
    }
    let accesses = [
        Some(operator.access),
        operator.previous.map(|one| one.access),
    ];
    for access in accesses.into_iter().flatten() {
        let other = find(&mut work.session, &access).await?;
        if other.is_some_and(|other| other.name != operator.name) {
            return Err(registry::Error::KeyTaken.into());
        }
    }
    let (token, key) = columns(Some(&operator.access));
    let previous = operator.previous.as_ref();
    let (previous_token, previous_key) = columns(previous.map(|previous| &previous.access));
    let sql = "INSERT INTO operators (name, role, token_sha256, key_sha256, expires, \
               previous_token_sha256, previous_key_sha256, previous_expires, disabled) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (name) DO UPDATE SET \
               role = excluded.role, token_sha256 = excluded.token_sha256, \
               key_sha256 = excluded.key_sha256, expires = excluded.expires, \
               previous_token_sha256 = excluded.previous_token_sha256, \
               previous_key_sha256 = excluded.previous_key_sha256, \
               previous_expires = excluded.previous_expires, disabled = excluded.disabled";
    let values = vec![
        operator.name.as_str().into(),
        operator.role.as_str().into(),
        token,
        key,
        operator.expires.into(),
        previous_token,
        previous_key,
        previous.map(|previous| previous.expires).into(),
        i64::from(operator.disabled).into(),
    ];
    work.session.execute(sql, values).await.map(|_| ())
}

/// Checks that a change leaves as many admins as acts take; two operators together may leave one.
async fn keeps_admins(work: &mut Work, changed: &Operator, by: &Act) -> Result<(), Error> {
    let all = all(&mut work.session).await?;
    let is_without = by.is_without_credential();
    registry::keeps_an_admin(&all, changed, by.at, is_without)?;
    let is_one = operators_of(&by.actor).is_some_and(|(_, agreed)| agreed.is_none());
    if is_one
        && four_eyes::current(&mut work.session, &work.sound)
            .await?
            .is_on()
    {
        registry::keeps_two_admins(&all, changed, by.at)?;
    }
    Ok(())
}

async fn log(work: &mut Work, action: Action, operator: &Operator, by: &Act) -> Result<(), Error> {
    let mut entry = work.entry(action, by);
    entry.name = Some(operator.name.to_string());
    entry.expires = operator.expires;
    entry.detail_sha256 = work.detail(operator.commitment(), by).await?;
    // So that whoever reads the log knows what they could do, whatever they are since.
    entry.scope = match entry.detail_sha256 {
        Some(_) => Some(work.scope(role_scope(operator.role), by).await?),
        None => None,
    };
    work.log(entry);
    Ok(())
}

async fn known(work: &mut Work, name: &OperatorName) -> Result<Operator, Error> {
    let found = named(&mut work.session, name).await?;
    Ok(found.ok_or(registry::Error::UnknownOperator)?)
}

async fn enable(
    work: &mut Work,
    name: &OperatorName,
    (access, expires): (Access, Option<UnixTime>),
    by: &Act,
) -> Result<Operator, Error> {
    let before = known(work, name).await?;
    if !before.disabled {
        return Err(registry::Error::OperatorEnabled.into());
    }
    let operator = Operator::new(before.name, before.role, access, expires);
    write(work, &operator, by).await?;
    log(work, Action::EnableOperator, &operator, by).await?;
    Ok(operator)
}

async fn renew(
    work: &mut Work,
    name: &OperatorName,
    (access, expires): (Access, Option<UnixTime>),
    overlap: UnixTime,
    by: &Act,
) -> Result<Operator, Error> {
    let before = known(work, name).await?;
    if before.disabled {
        return Err(registry::Error::OperatorDisabled.into());
    }
    let operator = before.renewed(access, expires, overlap);
    write(work, &operator, by).await?;
    log(work, Action::RenewOperator, &operator, by).await?;
    Ok(operator)
}

fn columns(access: Option<&Access>) -> (Value, Value) {
    match access {
        Some(Access::Token(sha256)) => (sha256.into(), Value::Blob(None)),
        // The column had the hash of its key once, which lets nobody in any more.
        Some(Access::Certificate(sha256)) => (Value::Blob(None), sha256.into()),
        None => (Value::Blob(None), Value::Blob(None)),
    }
}

/// Keeps an operator out who was disabled, or got another role or token, in a newer copy of the log: what lets them in here is
/// what they had before. True if they were not kept out already.
pub(super) async fn keep_out(
    work: &mut Work,
    name: &str,
    changed_to: Option<Sha256>,
) -> Result<bool, Error> {
    // No operator has a name that is none.
    let Ok(name) = name.parse() else {
        return Ok(false);
    };
    let Some(operator) = named(&mut work.session, &name).await? else {
        return Ok(false);
    };
    if changed_to == Some(operator.commitment()) {
        return Ok(false);
    }
    let sql = "UPDATE operators SET disabled = 1 WHERE name = $1 AND disabled = 0";
    let values = vec![name.as_str().into()];
    Ok(work.session.execute(sql, values).await? > 0)
}

pub(super) async fn disable(work: &mut Work, name: &OperatorName, by: &Act) -> Result<(), Error> {
    let out = Operator {
        disabled: true,
        ..known(work, name).await?
    };
    keeps_admins(work, &out, by).await?;
    let sql = "UPDATE operators SET disabled = 1 WHERE name = $1";
    let values = vec![name.as_str().into()];
    work.session.execute(sql, values).await?;
    let mut entry = work.entry(Action::DisableOperator, by);
    entry.name = Some(name.to_string());
    work.log(entry);
    Ok(())
}

/// Checks that an operator is what the last record about them says, before they decide something together with another.
///
/// Fails with a [`Mismatch`], and with [`UnknownOperator`](registry::Error::UnknownOperator).
pub(super) async fn as_audited(work: &mut Work, name: &OperatorName) -> Result<(), Error> {
    let operator = named(&mut work.session, name).await?;
    let operator = operator.ok_or(registry::Error::UnknownOperator)?;
    check_audited(&mut work.session, &operator, &work.sound).await
}

/// The reason that an operator may do nothing; none if they are what the log says.
async fn fault(
    session: &mut Session,
    operator: &Operator,
    sound: &Sound,
) -> Result<Option<Error>, Error> {
    match check_audited(session, operator, sound).await {
        Ok(()) => Ok(None),
        Err(error @ Error::NotAsAudited { .. }) => Ok(Some(error)),
        Err(error) => Err(error),
    }
}

async fn check_audited(
    session: &mut Session,
    operator: &Operator,
    sound: &Sound,
) -> Result<(), Error> {
    let last = standing::last(session, operator.name.as_str()).await?;
    let name = operator.name.to_string();
    let Some(last) = last else {
        let what = "the operator";
        return Err(Mismatch::NoRecord { what, name }.into());
    };
    let (seq, detail) = (last.seq, last.entry.detail_sha256);
    match last.entry.action {
        Action::DisableOperator if operator.disabled => Ok(()),
        Action::DisableOperator => Err(Mismatch::OperatorEnabled { name, seq }.into()),
        // Older records have none.
        _ if detail.is_none_or(|detail| detail == operator.commitment()) => {
            sound.check(session, &last).await
        }
        _ => Err(Mismatch::OperatorChanged { name, seq }.into()),
    }
}

/// The first record behind another by which somebody, or they themselves in another way than by renewing, gave an operator a right.
pub(super) async fn granted_after(
    session: &mut Session,
    name: &OperatorName,
    after: u64,
) -> Result<Option<u64>, Error> {
    let sql = "SELECT seq FROM audit WHERE name = $1 AND action <> 'issue' AND seq > $2 \
               AND (action IN ('change-operator', 'enable-operator') \
               OR action = 'renew-operator' AND actor <> $3) ORDER BY seq LIMIT 1";
    let own = format!("operator:{name}");
    let values = vec![name.as_str().into(), after.into(), own.as_str().into()];
    let row = session.fetch_one(sql, values).await?;
    row.map(|row| row.number("seq")).transpose()
}

/// The first record behind this one by which an operator was kept out.
pub(super) async fn kept_out_after(
    session: &mut Session,
    name: &OperatorName,
    after: u64,
) -> Result<Option<u64>, Error> {
    let sql = "SELECT seq FROM audit WHERE name = $1 AND action <> 'issue' AND seq > $2 \
               AND action = 'disable-operator' ORDER BY seq LIMIT 1";
    let values = vec![name.as_str().into(), after.into()];
    let row = session.fetch_one(sql, values).await?;
    row.map(|row| row.number("seq")).transpose()
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
    let sql =
        format!("SELECT {operator} FROM operators WHERE {column} = $1 OR previous_{column} = $1");
    let row = session.fetch_one(sql, vec![access.sha256().into()]).await?;
    row.as_ref().map(rows::operator).transpose()
}

async fn named(session: &mut Session, name: &OperatorName) -> Result<Option<Operator>, Error> {
    let sql = format!("SELECT {} FROM operators WHERE name = $1", rows::OPERATOR);
    let row = session.fetch_one(sql, vec![name.as_str().into()]).await?;
    row.as_ref().map(rows::operator).transpose()
}

pub(super) async fn all(session: &mut Session) -> Result<Vec<Operator>, Error> {
    let sql = format!("SELECT {} FROM operators ORDER BY name", rows::OPERATOR);
    let rows = session.fetch(sql, Vec::new()).await?;
    rows.iter().map(rows::operator).collect()
}
