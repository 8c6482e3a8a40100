//! Activation codes: kept, tried, used up.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::{
    self, Action, Change, CodeError, CodeId, CodeUse, Device, DeviceId, PendingCode, State,
};
use crate::sql::{Batch, Kind};
use crate::{Act, Error, Keep, Kept, Redeemed, Redemption, Store};

use super::asked::{Answered, What};
use super::queue::closed;
use super::work::Work;
use super::{devices, rows};

impl Store {
    /// Keeps activation codes, all in one transaction; says for each, in order, whether it is kept, and until when it is good: a
    /// device that has to wait for its name gets that time on top.
    ///
    /// Others wait meanwhile, as with [`Self::add_devices`]. One is not kept because of
    /// [`UnknownDevice`](crate::registry::Error::UnknownDevice),
    /// [`NotInState`](crate::registry::Error::NotInState) if the device is not preregistered, and
    /// [`CodeTaken`](crate::registry::Error::CodeTaken), after which another code is worth a try.
    pub async fn put_codes(
        &self,
        codes: &[PendingCode],
        keep: Keep,
        by: &Act,
    ) -> Result<Vec<Result<Kept, registry::Error>>, Error> {
        let what = What::PutCodes(codes.into(), keep);
        match self.ask("put_codes", what, by).await? {
            Answered::PutCodes(kept) => Ok(kept),
            _ => Err(closed()),
        }
    }

    /// The code with this public part.
    pub async fn find_code(&self, code: CodeId) -> Result<Option<PendingCode>, Error> {
        let found = self.timed("find_code", self.code_finder.ask(code));
        found.await
    }

    /// Uses a code up and pins the device's enrolment key, or counts the try, in one transaction.
    ///
    /// The same key may redeem its code again until it expires. Fails as [`Self::change_device`]
    /// does.
    pub async fn redeem_code(&self, redemption: &Redemption, by: &Act) -> Result<Redeemed, Error> {
        let what = What::Redeem(redemption.clone());
        match self.ask("redeem_code", what, by).await? {
            Answered::Redeemed(redeemed) => Ok(redeemed),
            _ => Err(closed()),
        }
    }
}

/// Keeps codes. A refusal of one leaves the others as they are: it comes before anything is written.
pub(super) async fn put(
    work: &mut Work,
    codes: &[PendingCode],
    keep: Keep,
    by: &Act,
) -> Result<Vec<Result<Kept, registry::Error>>, Error> {
    let devices: HashSet<DeviceId> = codes.iter().map(|code| code.device).collect();
    let ids: HashSet<CodeId> = codes.iter().map(|code| code.id).collect();
    if devices.len().min(ids.len()) < codes.len() {
        work.session.read_own_writes()?;
    }
    let mut outcomes = Vec::with_capacity(codes.len());
    for code in codes {
        outcomes.push(match put_one(work, code, keep, by).await {
            Ok(kept) => Ok(kept),
            Err(Error::Refused { source }) => Err(source),
            Err(error) => return Err(error),
        });
    }
    Ok(outcomes)
}

async fn put_one(work: &mut Work, code: &PendingCode, keep: Keep, by: &Act) -> Result<Kept, Error> {
    work.touch(code.id.as_bytes());
    let device = devices::by_id(work, code.device).await?;
    if device.state != State::Preregistered {
        return Err(registry::Error::NotInState {
            state: device.state,
        }
        .into());
    }
    if find(&mut work.session, code.id).await?.is_some() {
        return Err(registry::Error::CodeTaken.into());
    }
    if keep == Keep::Missing
        && let Some(until) = good_until(work, &device, by.at).await?
    {
        return Ok(Kept::Before(until));
    }
    // A code that got lost is worth nothing once there is a new one.
    let sql = "DELETE FROM codes WHERE device = $1 AND used_by IS NULL";
    let id = device.id.as_bytes()[..].into();
    work.session.tell(sql, vec![id]).await?;
    // It is of no use before.
    let wait = device
        .waits_until(by.at)
        .map_or(0, |from| from.as_secs() - by.at.as_secs());
    let expires = UnixTime::since_unix_epoch(Duration::from_secs(
        code.expires.as_secs().saturating_add(wait),
    ));
    let sql = "INSERT INTO codes (id, device, mac, expires, tries, used_by) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let values = vec![
        code.id.as_bytes()[..].into(),
        code.device.as_bytes()[..].into(),
        (&code.mac).into(),
        expires.into(),
        code.tries.into(),
        code.used_by.as_ref().into(),
    ];
    work.session.tell(sql, values).await?;
    let mut entry = work.entry(Action::NewCode, by);
    entry.name = Some(device.name.to_string());
    entry.zone = Some(device.zone.to_string());
    entry.expires = Some(expires);
    entry.detail_sha256 = work.detail(code.commitment(), by).await?;
    work.log(entry);
    Ok(Kept::Now(expires))
}

/// Until when a device's unused code is good, if it has one that is.
async fn good_until(
    work: &mut Work,
    device: &Device,
    now: UnixTime,
) -> Result<Option<UnixTime>, Error> {
    let sql = "SELECT expires FROM codes \
               WHERE device = $1 AND used_by IS NULL AND tries < $2 AND expires > $3 \
               ORDER BY expires DESC LIMIT 1";
    let tries = PendingCode::MAX_TRIES;
    let values = vec![device.id.as_bytes()[..].into(), tries.into(), now.into()];
    let row = work.session.fetch_one(sql, values).await?;
    row.map(|row| row.time("expires")).transpose()
}

pub(super) async fn find(
    session: &mut Session,
    code: CodeId,
) -> Result<Option<PendingCode>, Error> {
    let sql = format!("SELECT {} FROM codes WHERE id = $1", rows::CODE);
    let row = session.fetch_one(sql, vec![code.as_bytes()[..].into()]);
    row.await?.as_ref().map(rows::code).transpose()
}

/// The codes with these public parts.
pub(super) async fn find_all(
    session: &mut Session,
    codes: &[CodeId],
) -> Result<HashMap<CodeId, Result<PendingCode, Error>>, Error> {
    let batch = Batch {
        columns: &[("wanted", Kind::Blob)],
        rows: codes
            .iter()
            .map(|id| vec![id.as_bytes()[..].into()])
            .collect(),
    };
    let sql = format!(
        "SELECT {} FROM {{rows}} CROSS JOIN codes WHERE id = r.wanted",
        rows::CODE
    );
    let found = session.fetch_batch(&sql, batch).await?;
    let code = |row: &Row| Ok((row.bytes("id").map(CodeId::from_bytes)?, rows::code(row)));
    found.iter().map(code).collect()
}

pub(super) async fn redeem(
    work: &mut Work,
    redemption: &Redemption,
    by: &Act,
) -> Result<Redeemed, Error> {
    let Redemption { code, mac, key } = redemption;
    work.touch(code.as_bytes());
    let Some(pending) = find(&mut work.session, *code).await? else {
        return Ok(Redeemed::Refused(CodeError::Unknown));
    };
    match pending.check(mac, key, by.at) {
        Ok(CodeUse::First) if !is_by_log(work, &pending).await? => {
            tracing::error!(
                target: LOG,
                code = %code,
                "an activation code is not used, because no record of the audit log makes it as it is in the database: see 'Audit mismatch' in the runbook"
            );
            Ok(Redeemed::Refused(CodeError::Unknown))
        }
        Ok(CodeUse::First) => {
            let change = Change::Enrol { key: *key };
            let used = work.detail(pending.commitment(), by).await?;
            let device = devices::change_by(work, pending.device, &change, used, by).await?;
            let sql = "UPDATE codes SET used_by = $2 WHERE id = $1";
            let values = vec![code.as_bytes()[..].into(), key.into()];
            work.session.tell(sql, values).await?;
            Ok(Redeemed::Enrolled(Box::new(device)))
        }
        Ok(CodeUse::Again) => enrolled_before(work, &pending, redemption).await,
        Err(refusal) => {
            if matches!(refusal, CodeError::Wrong { .. }) {
                let sql = "UPDATE codes SET tries = tries + 1 WHERE id = $1";
                let values = vec![code.as_bytes()[..].into()];
                work.session.tell(sql, values).await?;
            }
            Ok(Redeemed::Refused(refusal))
        }
    }
}

/// True if the code is the last one that the log makes for its device, and it was not used: whoever writes the table alone makes none
/// good for another device, or for longer, or once more.
async fn is_by_log(work: &mut Work, pending: &PendingCode) -> Result<bool, Error> {
    let sql = "SELECT audit.action, audit.expires, audit.detail_sha256 FROM devices \
               JOIN audit ON audit.name = devices.name WHERE devices.id = $1 AND audit.action <> 'issue' \
               AND audit.action IN ('new-code', 'enrol', 'replace') ORDER BY audit.seq DESC";
    let values = vec![pending.device.as_bytes()[..].into()];
    let commitment = pending.commitment();
    for row in work.session.fetch(sql, values).await? {
        let detail = row.maybe_hash("detail_sha256")?;
        match row.parse("action")? {
            Action::Enrol if detail == Some(commitment) => return Ok(false),
            Action::Enrol => {}
            Action::NewCode => {
                let is_it = detail.is_none_or(|detail| detail == commitment);
                return Ok(is_it && row.maybe_time("expires")? == Some(pending.expires));
            }
            _ => return Ok(false),
        }
    }
    Ok(false)
}

/// The device may have been suspended or replaced since.
async fn enrolled_before(
    work: &mut Work,
    pending: &PendingCode,
    redemption: &Redemption,
) -> Result<Redeemed, Error> {
    let device = devices::by_id(work, pending.device).await?;
    let state = device.state;
    match (state, device.key == Some(redemption.key)) {
        (State::Active, true) => Ok(Redeemed::Enrolled(Box::new(device))),
        (State::Active | State::Preregistered, _) => Ok(Redeemed::Refused(CodeError::Used)),
        _ => Err(registry::Error::NotInState { state }.into()),
    }
}

/// The target of its lines in the log: filters that name the signer hold for its database as well.
const LOG: &str = "dc_signer::store";
