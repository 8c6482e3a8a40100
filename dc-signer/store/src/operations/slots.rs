//! Slots of zones: the delegation certificates that they were, are and will be issued from.

use crate::connection::Session;
use crate::registry::{
    self, Action, DelegationState, Record, SharedDelegation, Zone, ZoneDelegation,
};
use crate::{Act, Error, NewDelegation, Store};
use dc_pki::names::ZoneName;

use super::work::Work;
use super::{four_eyes, shared_delegations, zones};

impl Store {
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

pub(super) async fn import_delegation(
    work: &mut Work,
    new: &NewDelegation,
    by: &Act,
) -> Result<u32, Error> {
    let zone = zones::load(&mut work.session, &new.zone).await?;
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
    let found = zones::load(&mut work.session, zone).await?;
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
        // What a signer has ended by a wrong clock is not lost: its key goes a day later.
        if delegation.state == DelegationState::Gone && Act::is_somebodys(&by.actor) {
            let ended = &delegation.certificate_sha256;
            shared_delegations::forget_ended(&mut work.session, ended, by.at).await?;
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
    shared_delegations::forget_ended(&mut work.session, certificate, record.entry.time).await?;
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
               AND credential_sha256 = $1";
    let rows = session.fetch(sql, vec![certificate_sha256.into()]).await?;
    // One that no record has nobody has checked, and once by hand is always.
    let mut is_by_hand = rows.is_empty();
    for row in &rows {
        is_by_hand |= Act::is_somebodys(&row.text("actor")?);
    }
    Ok(is_by_hand)
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
    if let Some(said) = scope {
        entry.scope = Some(work.scope(said, by).await?);
    }
    work.log(entry);
    Ok(())
}
