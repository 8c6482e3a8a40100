//! Names: given, withdrawn, restored.

use std::time::Duration;

use dc_core::UniqueName;
use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::{self, Device};
use crate::{Error, Store, Withdrawn, WithdrawnNames};
use dc_pki::names::ZoneName;

use super::rows;
use super::work::Work;

impl Store {
    /// The withdrawn names of a zone under which a credential may still live.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone).
    pub async fn withdrawn(&self, zone: &ZoneName, now: UnixTime) -> Result<WithdrawnNames, Error> {
        // Whoever believes an older list believes names that were withdrawn.
        let listed = async {
            self.shared.check_seen()?;
            let listing = async |session: &mut Session| list(session, zone, now).await;
            self.shared.in_snapshot(listing).await
        };
        self.timed("withdrawn", listed).await
    }

    /// The number of the list's state, which grows whenever a name of the zone is withdrawn or restored.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone).
    pub async fn withdrawn_sequence(&self, zone: &ZoneName) -> Result<u64, Error> {
        let found = async {
            self.shared.check_seen()?;
            let asking = async |session: &mut Session| sequence(session, zone).await;
            self.shared.in_snapshot(asking).await
        };
        self.timed("withdrawn_sequence", found).await
    }

    /// Gives each withdrawn name of a zone under which a credential may live at this time or later to `each`, in any order,
    /// and the number of the list's state. However many names there are, few are in memory at once.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone).
    pub async fn each_withdrawn(
        &self,
        zone: &ZoneName,
        live_at: UnixTime,
        mut each: impl FnMut(&UniqueName<'_>) + Send,
    ) -> Result<u64, Error> {
        let listed = async {
            self.shared.check_seen()?;
            let giving =
                async |session: &mut Session| give_each(session, zone, live_at, &mut each).await;
            self.shared.in_snapshot(giving).await
        };
        self.timed("each_withdrawn", listed).await
    }
}

/// Withdraws a name, once, for as long as a credential may be valid: until all that are known are `over`, and for as long as one
/// may live from now, which the clock of whoever withdraws it may be wrong about.
pub(super) async fn withdraw(
    work: &mut Work,
    name: &UniqueName<'_>,
    device: &Device,
    over: Option<UnixTime>,
    now: UnixTime,
) -> Result<(), Error> {
    let sql = "UPDATE names SET withdrawn = $2, withdrawn_until = $3 \
               WHERE name = $1 AND withdrawn IS NULL";
    let longest = now.as_secs().saturating_add(LONGEST.as_secs());
    let until = longest.max(over.map_or(0, |over| over.as_secs()));
    if is_withdrawn(work, name).await? != Some(false) {
        return Ok(());
    }
    let values = vec![name.as_str().into(), now.into(), until.into()];
    work.session.tell(sql, values).await?;
    count(work, &device.zone.to_string()).await
}

/// Takes a device's name out of the list again.
pub(super) async fn restore(work: &mut Work, device: &Device) -> Result<(), Error> {
    let sql = "UPDATE names SET withdrawn = NULL, withdrawn_until = NULL \
               WHERE name = $1 AND withdrawn IS NOT NULL";
    if is_withdrawn(work, &device.name).await? != Some(true) {
        return Ok(());
    }
    let values = vec![device.name.as_str().into()];
    work.session.tell(sql, values).await?;
    count(work, &device.zone.to_string()).await
}

/// Says more closely until when a withdrawn name is in the list.
pub(super) async fn end(work: &mut Work, device: &Device, until: UnixTime) -> Result<(), Error> {
    let sql = "UPDATE names SET withdrawn_until = $2 WHERE name = $1 AND withdrawn IS NOT NULL";
    if is_withdrawn(work, &device.name).await? != Some(true) {
        return Ok(());
    }
    let values = vec![device.name.as_str().into(), until.into()];
    work.session.tell(sql, values).await?;
    count(work, &device.zone.to_string()).await
}

/// True if a name is withdrawn; none if it is not there.
async fn is_withdrawn(work: &mut Work, name: &UniqueName<'_>) -> Result<Option<bool>, Error> {
    let sql = "SELECT withdrawn FROM names WHERE name = $1";
    let row = work.session.fetch_one(sql, vec![name.as_str().into()]);
    let found = row
        .await?
        .map(|row| row.maybe_int("withdrawn"))
        .transpose()?;
    Ok(found.map(|since| since.is_some()))
}

/// The list of a zone has changed.
pub(super) async fn count(work: &mut Work, zone: &str) -> Result<(), Error> {
    let sql = "UPDATE zones SET withdrawn_sequence = withdrawn_sequence + 1 WHERE zone = $1";
    work.session.tell(sql, vec![zone.into()]).await
}

pub(super) async fn list(
    session: &mut Session,
    zone: &ZoneName,
    now: UnixTime,
) -> Result<WithdrawnNames, Error> {
    let sequence = sequence(session, zone).await?;
    let zone = zone.to_string();
    let sql = "SELECT name, withdrawn, withdrawn_until FROM names \
               WHERE zone = $1 AND withdrawn IS NOT NULL AND withdrawn_until > $2 \
               UNION ALL SELECT name, withdrawn, free_from AS withdrawn_until FROM lost_names \
               WHERE zone = $1 AND withdrawn IS NOT NULL AND free_from > $2 ORDER BY name";
    let found = session.fetch(sql, vec![zone.as_str().into(), now.into()]);
    let names = found
        .await?
        .iter()
        .map(withdrawn)
        .collect::<Result<_, _>>()?;
    Ok(WithdrawnNames { sequence, names })
}

async fn sequence(session: &mut Session, zone: &ZoneName) -> Result<u64, Error> {
    let sql = "SELECT withdrawn_sequence, (SELECT seq FROM audit_head WHERE one = 1) AS records, \
               (SELECT time FROM audit WHERE action = 'accept-older' ORDER BY seq DESC LIMIT 1) AS accepted \
               FROM zones WHERE zone = $1";
    let row = session.fetch_one(sql, vec![zone.to_string().as_str().into()]);
    let row = row.await?.ok_or(registry::Error::UnknownZone)?;
    let (found, records) = (number(&row), row.number::<u64>("records")?);
    // A client that has seen a number takes none that is lower, ever.
    let most = most_changes(records);
    match found <= most {
        true => Ok(published(found, row.maybe_time("accepted")?)),
        false => Err(Error::ListNumber {
            zone: zone.to_string(),
            found: Some(found).filter(|found| *found != NONE),
            most,
        }),
    }
}

/// The number that a list is signed with.
///
/// An older copy of a database has lower numbers than were signed, and no client would take what it signs. So the time at which
/// the last one was accepted stands in the bits above: whichever copy it was, and how far it had counted, the number is higher.
fn published(found: u64, accepted: Option<UnixTime>) -> u64 {
    let since = accepted.map_or(0, |at| at.as_secs());
    since.saturating_mul(1 << COUNTED).saturating_add(found)
}

/// The number of a list in a row of a zone; [`NONE`] if it is none, so that a zone whose list nobody can sign issues all the same.
pub(super) fn number(row: &Row) -> u64 {
    row.number("withdrawn_sequence").unwrap_or(NONE)
}

/// How often lists can have changed with so many records: each does at most two things to one.
pub(super) const fn most_changes(records: u64) -> u64 {
    records.saturating_mul(2).saturating_add(2)
}

/// Bits of the number that count changes: with those above it stays within 63 until the year 2242.
const COUNTED: u32 = 30;
/// No list has so high a number.
pub(super) const NONE: u64 = u64::MAX;

/// Page by page, along the index of what is withdrawn.
async fn give_each(
    session: &mut Session,
    zone: &ZoneName,
    live_at: UnixTime,
    each: &mut (impl FnMut(&UniqueName<'_>) + Send),
) -> Result<u64, Error> {
    let sequence = sequence(session, zone).await?;
    let zone = zone.to_string();
    let mut last = (live_at, String::new());
    loop {
        let sql = "SELECT name, withdrawn_until FROM names WHERE zone = $1 AND withdrawn IS NOT NULL \
                   AND (withdrawn_until, name) > ($2, $3) ORDER BY withdrawn_until, name LIMIT 10000";
        let values = vec![zone.as_str().into(), last.0.into(), last.1.as_str().into()];
        let rows = session.fetch(sql, values).await?;
        for row in &rows {
            each(&rows::name(row, "name")?);
        }
        let Some(end) = rows.last() else {
            break;
        };
        last = (end.time("withdrawn_until")?, end.text("name")?);
    }
    let sql =
        "SELECT name FROM lost_names WHERE zone = $1 AND withdrawn IS NOT NULL AND free_from >= $2";
    let values = vec![zone.as_str().into(), live_at.into()];
    for row in &session.fetch(sql, values).await? {
        each(&rows::name(row, "name")?);
    }
    Ok(sequence)
}

fn withdrawn(row: &Row) -> Result<Withdrawn, Error> {
    Ok(Withdrawn {
        name: rows::name(row, "name")?,
        since: row.time("withdrawn")?,
        until: row.time("withdrawn_until")?,
    })
}

/// RFC 9345 §4.1.3 (2): no client takes a credential that ends later than this from now. The one a
/// device was last given may not be the one that ends last.
pub(super) const LONGEST: Duration = dc_core::MAX_VALIDITY;
