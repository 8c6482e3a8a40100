//! Zones and their delegations.

use std::collections::BTreeMap;
use std::time::Duration;

use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::{
    self, Action, DelegationState, Record, SharedDelegation, Zone, ZoneDelegation,
};
use crate::sql::Value;
use crate::{Act, Error, NewDelegation, NewZone, Store};
use dc_pki::names::ZoneName;
use dc_pki::{Forms, Roles};

use super::work::Work;
use super::{four_eyes, rows, shared_delegations, withdrawn};

impl Store {
    /// Adds a zone without delegation certificates.
    ///
    /// Fails with [`ZoneExists`](crate::registry::Error::ZoneExists).
    pub async fn add_zone(&self, zone: &NewZone, by: &Act) -> Result<(), Error> {
        self.write("add_zone", async |work| add(work, zone, by).await)
            .await
    }

    /// All zones with their delegations, by name.
    pub async fn zones(&self) -> Result<Vec<Zone>, Error> {
        self.snapshot("zones", async |session| all(session).await)
            .await
    }

    /// Changes which forms a zone's devices get.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone).
    pub async fn set_forms(&self, zone: &ZoneName, forms: Forms, by: &Act) -> Result<(), Error> {
        self.write("set_forms", async |work| {
            set_forms(work, zone, forms, by).await
        })
        .await
    }

    /// Changes which ends of connections a zone's devices get credentials for.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone).
    pub async fn set_roles(&self, zone: &ZoneName, roles: Roles, by: &Act) -> Result<(), Error> {
        self.write("set_roles", async |work| {
            set_roles(work, zone, roles, by).await
        })
        .await
    }

    /// Asks the devices of a zone whose credential was issued before a time to renew now; `None`
    /// takes that back.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone).
    pub async fn pull_renewals(
        &self,
        zone: &ZoneName,
        issued_before: Option<UnixTime>,
        by: &Act,
    ) -> Result<(), Error> {
        self.write("pull_renewals", async |work| {
            pull_renewals(work, zone, issued_before, by).await
        })
        .await
    }

    /// Gives a delegation certificate the next number of its zone, in state `next`.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone) and
    /// [`DelegationExists`](crate::registry::Error::DelegationExists).
    pub async fn import_delegation(
        &self,
        delegation: &NewDelegation,
        by: &Act,
    ) -> Result<u32, Error> {
        self.write("import_slot", async |work| {
            import_delegation(work, delegation, by).await
        })
        .await
    }

    /// Does what [`Self::import_delegation`] does, and shares the certificate and its key in the same transaction.
    ///
    /// Fails as that does.
    pub async fn import_shared_delegation(
        &self,
        new: &NewDelegation,
        shared: &SharedDelegation,
        by: &Act,
    ) -> Result<u32, Error> {
        self.write("import_slot", async |work| {
            let number = import_delegation(work, new, by).await?;
            shared_delegations::put(&mut work.session, shared).await?;
            Ok(number)
        })
        .await
    }

    /// Moves a delegation on, as [`Zone::move_delegation`] does, and says how the zone is now.
    ///
    /// Replicas that ask at the same time get the same answer. Fails as `move_delegation` does, and with
    /// [`UnknownZone`](crate::registry::Error::UnknownZone).
    pub async fn move_delegation(
        &self,
        zone: &ZoneName,
        number: u32,
        to: DelegationState,
        by: &Act,
    ) -> Result<Zone, Error> {
        self.write("move_slot", async |work| {
            move_delegation(work, zone, (number, to), &[], by).await
        })
        .await
    }

    /// Issues from a delegation from now on as [`Self::move_delegation`] does; the record says which signers, by node, were left out
    /// because they do not have its key.
    ///
    /// Fails as that does.
    pub async fn activate_without(
        &self,
        zone: &ZoneName,
        number: u32,
        left_out: &[String],
        by: &Act,
    ) -> Result<Zone, Error> {
        self.write("move_slot", async |work| {
            let step = (number, DelegationState::Active);
            move_delegation(work, zone, step, left_out, by).await
        })
        .await
    }
}

pub(super) async fn add(work: &mut Work, new: &NewZone, by: &Act) -> Result<(), Error> {
    if load(&mut work.session, &new.zone).await?.is_some() {
        return Err(registry::Error::ZoneExists.into());
    }
    let zone = new.zone.to_string();
    let sql = "INSERT INTO zones (zone, forms, roles) VALUES ($1, $2, $3)";
    let values = vec![
        zone.as_str().into(),
        new.forms.as_str().into(),
        new.roles.as_str().into(),
    ];
    work.session.execute(sql, values).await?;
    log(work, Action::NewZone, &new.zone, by).await
}

pub(super) async fn all(session: &mut Session) -> Result<Vec<Zone>, Error> {
    let sql = format!("SELECT {} FROM zones ORDER BY zone", rows::ZONE);
    let zones = session.fetch(sql, Vec::new()).await?;
    let mut delegations: BTreeMap<String, Vec<ZoneDelegation>> = BTreeMap::new();
    let sql = format!(
        "SELECT {} FROM slots ORDER BY zone, number",
        rows::DELEGATION
    );
    for row in session.fetch(sql, Vec::new()).await? {
        let of_zone = delegations.entry(row.text("zone")?).or_default();
        of_zone.push(rows::delegation(&row)?);
    }
    let with_delegations = |row| {
        let mut zone = managed(row)?;
        zone.delegations = delegations
            .remove(&zone.zone.to_string())
            .unwrap_or_default();
        Ok(zone)
    };
    zones.iter().map(with_delegations).collect()
}

async fn load(session: &mut Session, zone: &ZoneName) -> Result<Option<Zone>, Error> {
    let name: Value = zone.to_string().as_str().into();
    let sql = format!("SELECT {} FROM zones WHERE zone = $1", rows::ZONE);
    let Some(row) = session.fetch_one(sql, vec![name.clone()]).await? else {
        return Ok(None);
    };
    let mut zone = managed(&row)?;
    let delegation = rows::DELEGATION;
    let sql = format!("SELECT {delegation} FROM slots WHERE zone = $1 ORDER BY number");
    let delegations = session.fetch(sql, vec![name]).await?;
    zone.delegations = delegations
        .iter()
        .map(rows::delegation)
        .collect::<Result<_, _>>()?;
    Ok(Some(zone))
}

fn managed(row: &Row) -> Result<Zone, Error> {
    Ok(Zone {
        zone: rows::zone(row, "zone")?,
        forms: row.parse("forms")?,
        roles: row.parse("roles")?,
        other_forms_until: row.maybe_time("other_forms_until")?,
        renew_issued_before: row.maybe_time("renew_issued_before")?,
        withdrawn_sequence: withdrawn::number(row),
        delegations: Vec::new(),
    })
}

pub(super) async fn set_forms(
    work: &mut Work,
    zone: &ZoneName,
    forms: Forms,
    by: &Act,
) -> Result<(), Error> {
    let sql = "UPDATE zones SET forms = $2, other_forms_until = \
               CASE WHEN forms = $2 THEN other_forms_until ELSE $3 END WHERE zone = $1";
    let last = last_end(work, zone, by.at).await?;
    set(
        work,
        zone,
        sql,
        vec![forms.as_str().into(), last.into()],
        by,
    )
    .await
}

pub(super) async fn set_roles(
    work: &mut Work,
    zone: &ZoneName,
    roles: Roles,
    by: &Act,
) -> Result<(), Error> {
    let sql = "UPDATE zones SET roles = $2 WHERE zone = $1";
    set(work, zone, sql, vec![roles.as_str().into()], by).await
}

/// When the last credential ends that has been issued in a zone; none if none is valid.
///
/// Seven days from now, not the latest end that is noted: a signer that has not heard of a change yet may be issuing.
async fn last_end(
    work: &mut Work,
    zone: &ZoneName,
    now: UnixTime,
) -> Result<Option<UnixTime>, Error> {
    // What was issued for a name that its device has not any more, or that a backup lost, is valid too.
    let sql = "SELECT zone FROM devices WHERE zone = $1 AND held_until >= $2 \
               UNION ALL SELECT zone FROM names \
               WHERE zone = $1 AND withdrawn IS NOT NULL AND withdrawn_until > $2 \
               UNION ALL SELECT zone FROM lost_names WHERE zone = $1 AND free_from > $2 LIMIT 1";
    let values = vec![zone.to_string().as_str().into(), now.into()];
    let any = work.session.fetch_one(sql, values).await?;
    let end = now.as_secs().saturating_add(withdrawn::LONGEST.as_secs());
    Ok(any.map(|_| UnixTime::since_unix_epoch(Duration::from_secs(end))))
}

pub(super) async fn pull_renewals(
    work: &mut Work,
    zone: &ZoneName,
    issued_before: Option<UnixTime>,
    by: &Act,
) -> Result<(), Error> {
    let sql = "UPDATE zones SET renew_issued_before = $2 WHERE zone = $1";
    set(work, zone, sql, vec![issued_before.into()], by).await
}

async fn set(
    work: &mut Work,
    zone: &ZoneName,
    sql: &'static str,
    wanted: Vec<Value>,
    by: &Act,
) -> Result<(), Error> {
    let mut values = vec![zone.to_string().as_str().into()];
    values.extend(wanted);
    if work.session.execute(sql, values).await? == 0 {
        return Err(registry::Error::UnknownZone.into());
    }
    log(work, Action::ChangeZone, zone, by).await
}

pub(super) async fn import_delegation(
    work: &mut Work,
    new: &NewDelegation,
    by: &Act,
) -> Result<u32, Error> {
    let zone = load(&mut work.session, &new.zone).await?;
    let zone = zone.ok_or(registry::Error::UnknownZone)?;
    let same =
        |delegation: &&ZoneDelegation| delegation.certificate_sha256 == new.certificate_sha256;
    if let Some(delegation) = zone.delegations.iter().find(same) {
        let number = delegation.number;
        return Err(registry::Error::DelegationExists { number }.into());
    }
    let last = zone
        .delegations
        .iter()
        .map(|delegation| delegation.number)
        .max();
    let delegation = ZoneDelegation {
        number: last.unwrap_or(0) + 1,
        state: DelegationState::Next,
        certificate_sha256: new.certificate_sha256,
        not_before: new.not_before,
        not_after: new.not_after,
        since: by.at,
    };
    let sql = "INSERT INTO slots (zone, number, state, certificate_sha256, not_before, not_after, \
               since) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = vec![
        new.zone.to_string().as_str().into(),
        delegation.number.into(),
        delegation.state.as_str().into(),
        (&delegation.certificate_sha256).into(),
        delegation.not_before.into(),
        delegation.not_after.into(),
        delegation.since.into(),
    ];
    work.session.execute(sql, values).await?;
    log_delegation(work, &new.zone, &delegation, None, by).await?;
    Ok(delegation.number)
}

pub(super) async fn move_delegation(
    work: &mut Work,
    zone: &ZoneName,
    (number, to): (u32, DelegationState),
    left_out: &[String],
    by: &Act,
) -> Result<Zone, Error> {
    let found = load(&mut work.session, zone).await?;
    let mut managed = found.ok_or(registry::Error::UnknownZone)?;
    if to == DelegationState::Active && by.actor == SIGNER {
        may_move_alone(work, &managed, number).await?;
    }
    let mut changed = managed.move_delegation(number, to, by.at)?;
    // The index allows one active delegation at any moment, so the old one leaves first.
    changed.sort_by_key(|delegation| delegation.state == DelegationState::Active);
    for delegation in &changed {
        let sql = "UPDATE slots SET state = $3, since = $4 WHERE zone = $1 AND number = $2";
        let values = vec![
            zone.to_string().as_str().into(),
            delegation.number.into(),
            delegation.state.as_str().into(),
            delegation.since.into(),
        ];
        work.session.execute(sql, values).await?;
        if delegation.state == DelegationState::Gone {
            shared_delegations::forget_ended(&mut work.session, by.at).await?;
        }
        let scope = match delegation.state {
            DelegationState::Active if !left_out.is_empty() => {
                Some(format!("left-out={}", said_of(left_out)))
            }
            _ => None,
        };
        log_delegation(work, zone, delegation, scope, by).await?;
    }
    Ok(managed)
}

/// Ends a slot that people have ended in a newer copy of the log, in whatever state it is here; says which, unless it had ended.
pub(super) async fn end_again(work: &mut Work, record: &Record) -> Result<Option<String>, Error> {
    let (Some(zone), Some(certificate)) = (&record.entry.zone, &record.entry.credential_sha256)
    else {
        return Ok(None);
    };
    let sql = "UPDATE slots SET state = 'gone', since = $3 WHERE zone = $1 \
               AND certificate_sha256 = $2 AND state <> 'gone'";
    let values = vec![
        zone.as_str().into(),
        certificate.into(),
        record.entry.time.into(),
    ];
    if work.session.execute(sql, values).await? == 0 {
        return Ok(None);
    }
    shared_delegations::forget_ended(&mut work.session, record.entry.time).await?;
    let sql = "SELECT number FROM slots WHERE zone = $1 AND certificate_sha256 = $2";
    let values = vec![zone.as_str().into(), certificate.into()];
    let row = work.session.fetch_one(sql, values).await?;
    let number: Option<u32> = row.map(|row| row.number("number")).transpose()?;
    Ok(number.map(|number| format!("slot {number} of {zone}")))
}

/// Checks that no second operator has to agree: what takes two may have changed since the signer looked.
///
/// Fails with [`TakesTwo`](registry::Error::TakesTwo).
async fn may_move_alone(work: &mut Work, zone: &Zone, number: u32) -> Result<(), Error> {
    let slots = &zone.delegations;
    let has_begun = slots.iter().any(|slot| slot.state != DelegationState::Next);
    let mut found = slots.iter().filter(|slot| slot.number == number);
    let Some(slot) = found.next().filter(|_| has_begun) else {
        return Ok(());
    };
    let policy = four_eyes::current(&mut work.session, &work.sound).await?;
    match policy.rollover && by_hand(&mut work.session, &slot.certificate_sha256).await? {
        true => Err(registry::Error::TakesTwo.into()),
        false => Ok(()),
    }
}

async fn by_hand(
    session: &mut Session,
    certificate_sha256: &registry::Sha256,
) -> Result<bool, Error> {
    // Word for word the condition of the index.
    let sql = "SELECT actor FROM audit WHERE action = 'import-slot' \
               AND credential_sha256 = $1 ORDER BY seq DESC LIMIT 1";
    let row = session
        .fetch_one(sql, vec![certificate_sha256.into()])
        .await?;
    // One that no record has nobody has checked.
    row.map_or(Ok(true), |row| Ok(Act::is_somebodys(&row.text("actor")?)))
}

/// Signers, as a record has them: what is in their table anybody may have written there who has the database.
fn said_of(nodes: &[String]) -> String {
    let plain = |letter: char| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => letter,
        _ => '?',
    };
    let some = nodes.iter().take(MOST_NAMED);
    let mut said: Vec<String> = some
        .map(|node| node.chars().take(64).map(plain).collect())
        .collect();
    if let Some(more) = nodes.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
        said.push(format!("{more} more"));
    }
    said.join(",")
}

const MOST_NAMED: usize = 20;

/// The actor of what a signer does by itself.
const SIGNER: &str = "signer";

impl Store {
    /// True if an operator, or somebody at the machine, imported a delegation certificate, and not the signer that has ordered it.
    pub async fn is_imported_by_hand(
        &self,
        certificate_sha256: &registry::Sha256,
    ) -> Result<bool, Error> {
        self.read("is_imported_by_hand", async |session| {
            by_hand(session, certificate_sha256).await
        })
        .await
    }
}

async fn log_delegation(
    work: &mut Work,
    zone: &ZoneName,
    delegation: &ZoneDelegation,
    scope: Option<String>,
    by: &Act,
) -> Result<(), Error> {
    let action = match delegation.state {
        DelegationState::Next => Action::ImportDelegation,
        DelegationState::Active => Action::ActivateDelegation,
        DelegationState::Draining => Action::DrainDelegation,
        DelegationState::Gone => Action::EndDelegation,
    };
    let mut entry = work.entry(action, by);
    entry.zone = Some(zone.to_string());
    entry.credential_sha256 = Some(delegation.certificate_sha256);
    entry.expires = Some(delegation.not_after);
    entry.detail_sha256 = work.detail(delegation.commitment(zone), by).await?;
    entry.scope = scope;
    work.log(entry);
    Ok(())
}

async fn log(work: &mut Work, action: Action, zone: &ZoneName, by: &Act) -> Result<(), Error> {
    let mut entry = work.entry(action, by);
    entry.zone = Some(zone.to_string());
    if let Some(zone) = load(&mut work.session, zone).await? {
        entry.detail_sha256 = work.detail(zone.commitment(), by).await?;
    }
    work.log(entry);
    Ok(())
}
