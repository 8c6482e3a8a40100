//! Acts that wait for a second operator: asked for, agreed to, refused, done.

use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::{self, Action, Approval, ApprovalState, Mismatch, OperatorName, Sha256};
use crate::sql::corrupt;
use crate::{Act, Error, Store};

use super::audit;
use super::work::Work;

impl Store {
    /// Asks for an act, as JSON, that another operator has to agree to before a time; the same one again is not asked twice.
    ///
    /// Fails with [`NoReason`](crate::registry::Error::NoReason).
    pub async fn ask_approval(
        &self,
        what: &str,
        asked_by: &OperatorName,
        ends: UnixTime,
        by: &Act,
    ) -> Result<Approval, Error> {
        self.write("ask_approval", async |work| {
            ask(work, what, asked_by, ends, by).await
        })
        .await
    }

    /// The act that was asked for under a number.
    ///
    /// Fails with [`UnknownApproval`](crate::registry::Error::UnknownApproval).
    pub async fn approval(&self, number: u64) -> Result<Approval, Error> {
        self.read("approval", async |session| one(session, number).await)
            .await
    }

    /// The last ones that were asked for, at most a hundred, the newest first.
    pub async fn approvals(&self) -> Result<Vec<Approval>, Error> {
        self.read("approvals", async |session| {
            let sql = format!("SELECT {COLUMNS} FROM approvals ORDER BY number DESC LIMIT 100");
            let rows = session.fetch(sql, Vec::new()).await?;
            rows.iter().map(approval).collect()
        })
        .await
    }

    /// Agrees to an act, which is then to be done and [marked so](Self::mark_done).
    ///
    /// Fails with [`UnknownApproval`](crate::registry::Error::UnknownApproval), as [`Approval::may_approve`] does, and with
    /// [`Mismatch::Approval`] if it is not what was asked for.
    pub async fn approve(
        &self,
        number: u64,
        who: &OperatorName,
        by: &Act,
    ) -> Result<Approval, Error> {
        self.write("approve", async |work| {
            let asked = unchanged(work, number).await?;
            asked.may_approve(who, by.at)?;
            decide(work, asked, ApprovalState::Approved, who, by).await
        })
        .await
    }

    /// Refuses an act.
    ///
    /// Fails with [`UnknownApproval`](crate::registry::Error::UnknownApproval), and as [`Approval::may_refuse`] does.
    pub async fn refuse_approval(
        &self,
        number: u64,
        who: &OperatorName,
        by: &Act,
    ) -> Result<Approval, Error> {
        self.write("refuse_approval", async |work| {
            let asked = one(&mut work.session, number).await?;
            asked.may_refuse(by.at)?;
            decide(work, asked, ApprovalState::Refused, who, by).await
        })
        .await
    }

    /// Remembers that an act was done that was agreed to.
    pub async fn mark_done(&self, number: u64) -> Result<(), Error> {
        self.write("mark_done", async |work| {
            let sql =
                "UPDATE approvals SET state = 'done' WHERE number = $1 AND state = 'approved'";
            work.session
                .execute(sql, vec![number.into()])
                .await
                .map(|_| ())
        })
        .await
    }
}

async fn ask(
    work: &mut Work,
    what: &str,
    asked_by: &OperatorName,
    ends: UnixTime,
    by: &Act,
) -> Result<Approval, Error> {
    let reason = by.reason.clone().ok_or(registry::Error::NoReason)?;
    let sql = format!(
        "SELECT {COLUMNS} FROM approvals WHERE state = 'waiting' AND ends > $1 AND asked_by = $2 \
         AND what = $3 LIMIT 1"
    );
    let values = vec![by.at.into(), asked_by.as_str().into(), what.into()];
    if let Some(row) = work.session.fetch_one(sql, values).await? {
        return approval(&row);
    }
    let mut entry = work.entry(Action::AskApproval, by);
    entry.expires = Some(ends);
    entry.detail_sha256 = Some(Approval::commit(what, asked_by, ends));
    let asked = Approval {
        number: work.log(entry),
        what: what.to_owned(),
        reason,
        asked_by: asked_by.clone(),
        asked: by.at,
        ends,
        state: ApprovalState::Waiting,
        decided_by: None,
    };
    let sql = "INSERT INTO approvals (number, what, reason, asked_by, asked, ends, state) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = vec![
        asked.number.into(),
        what.into(),
        asked.reason.as_str().into(),
        asked_by.as_str().into(),
        by.at.into(),
        ends.into(),
        asked.state.as_str().into(),
    ];
    work.session.execute(sql, values).await?;
    Ok(asked)
}

async fn decide(
    work: &mut Work,
    asked: Approval,
    state: ApprovalState,
    who: &OperatorName,
    by: &Act,
) -> Result<Approval, Error> {
    let sql = "UPDATE approvals SET state = $1, decided_by = $2 WHERE number = $3";
    let values = vec![
        state.as_str().into(),
        who.as_str().into(),
        asked.number.into(),
    ];
    work.session.execute(sql, values).await?;
    let action = match state {
        ApprovalState::Refused => Action::RefuseApproval,
        _ => Action::Approve,
    };
    let mut entry = work.entry(action, by);
    entry.detail_sha256 = Some(asked.commitment());
    entry.scope = Some(format!("asked-in={}", asked.number));
    work.log(entry);
    Ok(Approval {
        state,
        decided_by: Some(who.clone()),
        ..asked
    })
}

/// The act that was asked for, if it is what the audit log says: nobody agrees to what somebody has put in its place.
async fn unchanged(work: &mut Work, number: u64) -> Result<Approval, Error> {
    let asked = one(&mut work.session, number).await?;
    let records = audit::from(&mut work.session, number, 1).await?;
    let is_asked = records.first().is_some_and(|record| {
        let entry = &record.entry;
        let is_it: Option<Sha256> = Some(asked.commitment());
        record.seq == number
            && entry.action == Action::AskApproval
            && entry.detail_sha256 == is_it
            && entry.reason.as_deref() == Some(asked.reason.as_str())
    });
    match is_asked {
        true => Ok(asked),
        false => Err(Mismatch::Approval { seq: number }.into()),
    }
}

async fn one(session: &mut Session, number: u64) -> Result<Approval, Error> {
    let sql = format!("SELECT {COLUMNS} FROM approvals WHERE number = $1");
    let row = session.fetch_one(sql, vec![number.into()]).await?;
    approval(&row.ok_or(registry::Error::UnknownApproval)?)
}

/// All of them, for comparing them with the log.
pub(super) async fn all(session: &mut Session) -> Result<Vec<Approval>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM approvals ORDER BY number");
    let rows = session.fetch(sql, Vec::new()).await?;
    rows.iter().map(approval).collect()
}

fn approval(row: &Row) -> Result<Approval, Error> {
    let decided_by = row.maybe_text("decided_by")?.map(|name| name.parse());
    Ok(Approval {
        number: row.number("number")?,
        what: row.text("what")?,
        reason: row.parse("reason")?,
        asked_by: row.parse("asked_by")?,
        asked: row.time("asked")?,
        ends: row.time("ends")?,
        state: row.parse("state")?,
        decided_by: decided_by.transpose().map_err(|_| corrupt("decided_by"))?,
    })
}

const COLUMNS: &str = "number, what, reason, asked_by, asked, ends, state, decided_by";
