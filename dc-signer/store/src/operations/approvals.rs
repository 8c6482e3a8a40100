//! Acts that wait for a second operator: asked for, agreed to, refused, done.
//!
//! The audit log says what became of them; the column `state` is for whoever looks at the table, and decides nothing: whoever can
//! write rows would otherwise have an act done twice that was agreed to once.

use std::collections::BTreeMap;

use pki_types::UnixTime;

use crate::connection::Session;
use crate::registry::{
    self, Action, Approval, ApprovalState, Mismatch, OperatorName, Sha256, without_address,
};
use crate::{Act, Error, Store};

use super::rows::{APPROVAL, approval};
use super::work::Work;
use super::{audit, operators};

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
            let sql = format!("SELECT {APPROVAL} FROM approvals ORDER BY number DESC LIMIT 100");
            let rows = session.fetch(sql, Vec::new()).await?;
            let found = rows.iter().map(approval).collect::<Result<Vec<_>, _>>()?;
            as_logged(session, found).await
        })
        .await
    }

    /// Agrees to an act, which is then to be done and [marked so](Self::mark_done).
    ///
    /// Fails with [`UnknownApproval`](crate::registry::Error::UnknownApproval), as [`Approval::may_approve`] does, with
    /// [`Mismatch::Approval`] if it is not what was asked for, with another [`Mismatch`] if one of the two is not the operator that the
    /// log says, with [`AskerKeptOut`](crate::registry::Error::AskerKeptOut) if whoever asked was kept out since, and with
    /// [`ApproverIsNewer`](crate::registry::Error::ApproverIsNewer) for whoever got the right to agree later.
    pub async fn approve(
        &self,
        number: u64,
        who: &OperatorName,
        by: &Act,
    ) -> Result<Approval, Error> {
        self.write("approve", async |work| {
            let asked = unchanged(work, number).await?;
            asked.may_approve(who, by.at)?;
            for one in [who, &asked.asked_by] {
                operators::as_audited(work, one).await?;
            }
            let kept_out =
                operators::kept_out_after(&mut work.session, &asked.asked_by, number).await?;
            if let Some(seq) = kept_out {
                return Err(registry::Error::AskerKeptOut { seq }.into());
            }
            if let Some(seq) = operators::granted_after(&mut work.session, who, number).await? {
                return Err(registry::Error::ApproverIsNewer { seq }.into());
            }
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

    /// Records that an act was done that was agreed to, also if somebody refused it meanwhile.
    pub async fn mark_done(&self, number: u64, by: &Act) -> Result<(), Error> {
        self.write("mark_done", async |work| {
            let agreed = one(&mut work.session, number).await?;
            if matches!(agreed.state, ApprovalState::Waiting | ApprovalState::Done) {
                return Ok(());
            }
            let mut entry = work.entry(Action::FinishApproval, by);
            entry.detail_sha256 = Some(agreed.commitment());
            entry.scope = Some(work.scope(asked_in(number), by).await?);
            work.log(entry);
            set(
                work,
                number,
                ApprovalState::Done,
                agreed.decided_by.as_ref(),
            )
            .await
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
    let sql =
        format!("SELECT {APPROVAL} FROM approvals WHERE ends > $1 AND asked_by = $2 AND what = $3");
    let values = vec![by.at.into(), asked_by.as_str().into(), what.into()];
    let rows = work.session.fetch(sql, values).await?;
    let same = rows.iter().map(approval).collect::<Result<Vec<_>, _>>()?;
    let same = as_logged(&mut work.session, same).await?;
    let mut same = same.into_iter();
    if let Some(waiting) = same.find(|one| one.state == ApprovalState::Waiting) {
        return Ok(waiting);
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
    set(work, asked.number, state, Some(who)).await?;
    let action = match state {
        ApprovalState::Refused => Action::RefuseApproval,
        _ => Action::Approve,
    };
    let mut entry = work.entry(action, by);
    entry.detail_sha256 = Some(asked.commitment());
    entry.scope = Some(work.scope(asked_in(asked.number), by).await?);
    work.log(entry);
    Ok(Approval {
        state,
        decided_by: Some(who.clone()),
        ..asked
    })
}

async fn set(
    work: &mut Work,
    number: u64,
    state: ApprovalState,
    who: Option<&OperatorName>,
) -> Result<(), Error> {
    let sql = "UPDATE approvals SET state = $1, decided_by = $2 WHERE number = $3";
    let values = vec![
        state.as_str().into(),
        who.map(OperatorName::as_str).into(),
        number.into(),
    ];
    work.session.execute(sql, values).await.map(|_| ())
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
    let sql = format!("SELECT {APPROVAL} FROM approvals WHERE number = $1");
    let row = session.fetch_one(sql, vec![number.into()]).await?;
    let found = approval(&row.ok_or(registry::Error::UnknownApproval)?)?;
    let found = as_logged(session, vec![found]).await?.pop();
    Ok(found.ok_or(registry::Error::UnknownApproval)?)
}

/// The same with what the audit log says of them, whatever the rows say.
async fn as_logged(session: &mut Session, mut all: Vec<Approval>) -> Result<Vec<Approval>, Error> {
    let Some(first) = all.iter().map(|one| one.number).min() else {
        return Ok(all);
    };
    // Word for word the condition of the index.
    let sql = "SELECT actor, action, scope FROM audit \
               WHERE action IN ('approve', 'refuse-approval', 'finish-approval') \
               AND seq > $1 ORDER BY seq";
    let mut said: BTreeMap<String, (ApprovalState, Option<OperatorName>)> = BTreeMap::new();
    for row in session.fetch(sql, vec![first.into()]).await? {
        let (actor, Some(scope)) = (row.text("actor")?, row.maybe_text("scope")?) else {
            continue;
        };
        let scope = without_address(&scope).0.to_owned();
        let who = actor.strip_prefix("operator:").map(str::parse);
        let who = who.and_then(Result::ok);
        match row.parse("action")? {
            Action::FinishApproval => {
                if let Some((state, _)) = said.get_mut(&scope) {
                    *state = ApprovalState::Done;
                }
            }
            Action::RefuseApproval => {
                said.insert(scope, (ApprovalState::Refused, who));
            }
            _ => {
                said.insert(scope, (ApprovalState::Approved, who));
            }
        }
    }
    for one in &mut all {
        let said = said.remove(&asked_in(one.number));
        (one.state, one.decided_by) = said.unwrap_or((ApprovalState::Waiting, None));
    }
    Ok(all)
}

/// How the records that decide name the one that asks.
fn asked_in(number: u64) -> String {
    format!("asked-in={number}")
}
