//! A check that whoever acts may still do so when it is written, by the audit log: what they had when they came may be over by then, and
//! the table of operators counts for nothing that the log does not say.

use std::collections::BTreeMap;

use pki_types::UnixTime;

use crate::Error;
use crate::connection::Session;
use crate::registry::{ActorFault, Record, Role, Stand, operators_of};

use super::origin::Sound;
use super::rows;

/// Checks the operators whose names are on records that are about to be written.
///
/// Fails with [`Error::MayNot`], and with [`Mismatch::OperatorMadeWrongly`](crate::registry::Mismatch::OperatorMadeWrongly).
pub(super) async fn check(
    session: &mut Session,
    records: &[Record],
    sound: &Sound,
) -> Result<(), Error> {
    // By operator, the most that their acts take, and when.
    let mut acting: BTreeMap<&str, (Role, Option<UnixTime>)> = BTreeMap::new();
    for record in records {
        let entry = &record.entry;
        let (Some((asked, agreed)), Some(needed)) = (operators_of(&entry.actor), entry.needed())
        else {
            continue;
        };
        for (name, is_last) in [(Some(asked), agreed.is_none()), (agreed, true)] {
            let Some(name) = name else { continue };
            let at = is_last.then_some(entry.time);
            let most = acting.entry(name).or_insert((needed, at));
            *most = (most.0.max(needed), most.1.max(at));
        }
    }
    for (name, (needed, at)) in acting {
        let last = last(session, name).await?;
        let standing = last.as_ref().and_then(|record| {
            let entry = &record.entry;
            Stand::after(entry.action, entry, None)
        });
        let may = standing.map_or(Err(ActorFault::Unknown), |standing| {
            standing.may(needed, at)
        });
        may.map_err(|why| Error::MayNot {
            name: name.to_owned(),
            why,
        })?;
        if let Some(last) = &last {
            sound.check(session, last).await?;
        }
    }
    Ok(())
}

/// The last record about an operator that changed them; none if there is none.
pub(super) async fn last(session: &mut Session, name: &str) -> Result<Option<Record>, Error> {
    let sql = format!(
        "SELECT {} FROM audit WHERE name = $1 AND action <> 'issue' AND action IN \
         ('change-operator', 'renew-operator', 'enable-operator', 'disable-operator') \
         ORDER BY seq DESC LIMIT 1",
        rows::RECORD
    );
    let last = session.fetch_one(sql, vec![name.into()]).await?;
    last.as_ref().map(rows::record).transpose()
}
