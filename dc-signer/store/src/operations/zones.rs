//! Zones and their delegations.

use std::collections::BTreeMap;
use std::time::Duration;

use pki_types::UnixTime;

use crate::connection::{Row, Session};
use crate::registry::{self, Action, Zone, ZoneDelegation};
use crate::sql::Value;
use crate::{Act, Error, NewZone, Store};
use dc_pki::names::ZoneName;
use dc_pki::{Forms, Roles};

use super::work::Work;
use super::{rows, withdrawn};

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

    /// True if a zone has active devices: they come for credentials.
    pub async fn has_active_devices(&self, zone: &ZoneName) -> Result<bool, Error> {
        self.read("has_active_devices", async |session| {
            let sql = "SELECT 1 AS one FROM devices WHERE state = 'active' AND zone = $1 LIMIT 1";
            let values = vec![zone.to_string().as_str().into()];
            Ok(session.fetch_one(sql, values).await?.is_some())
        })
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

pub(super) async fn load(session: &mut Session, zone: &ZoneName) -> Result<Option<Zone>, Error> {
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

async fn log(work: &mut Work, action: Action, zone: &ZoneName, by: &Act) -> Result<(), Error> {
    let mut entry = work.entry(action, by);
    entry.zone = Some(zone.to_string());
    if let Some(zone) = load(&mut work.session, zone).await? {
        entry.detail_sha256 = work.detail(zone.commitment(), by).await?;
    }
    work.log(entry);
    Ok(())
}
