//! Acts on one slot of a zone that an operator names: to issue from it, also again, and to end it before its time.

use super::issuing_status;
use super::view::ZoneView;
use super::{Authority, Error};
use dc_pki::Roles;
use dc_pki::names::ZoneName;
use dc_store::Act;
use dc_store::registry::{self, DelegationState, Zone, ZoneDelegation};

impl Authority {
    /// Issues from one delegation certificate of a zone from now on, whether it is a next one or one that drains; the one before
    /// drains.
    ///
    /// It need not be the one that lasts longest, so a move to the wrong one is taken back. A next one that lasts longer becomes
    /// active again when its time comes, unless it is [ended](Self::end_slot). With `leave_out` no signer is waited for. Fails with
    /// [`UnknownDelegation`](registry::Error::UnknownDelegation), with [`Error::NotForClients`] if the zone issues for clients and
    /// the certificate may not, with [`Error::KeyNotHere`], [`Error::KeyNotEverywhere`] and what loading its key fails with, and as
    /// [`Store::move_delegation`](dc_store::Store::move_delegation) does.
    pub async fn rollover_to(
        &self,
        zone: &ZoneName,
        number: u32,
        leave_out: bool,
        by: &Act,
    ) -> Result<Zone, Error> {
        let view = self.delegations.refresh(&self.store).await?;
        let found = view.zone(zone)?;
        let slot = slot(&found.managed, number)?;
        self.check_key(found, slot).await?;
        // Signers say what they can sign with of what is next or active; they keep the key of what drains until it is gone.
        let left_out = match slot.state {
            DelegationState::Next => {
                self.left_out(&found.managed, slot, leave_out, by.at)
                    .await?
            }
            _ => Vec::new(),
        };
        self.activate(zone, number, &left_out, by).await
    }

    /// Shows that a slot that may become active could be issued from here.
    pub(super) async fn check_key(
        &self,
        zone: &ZoneView,
        slot: &ZoneDelegation,
    ) -> Result<(), Error> {
        let tried;
        let key = match slot.state {
            DelegationState::Next => issuing_status::key(zone, slot)?,
            DelegationState::Draining => {
                tried = self
                    .delegations
                    .try_key(&self.store, &zone.managed, slot.certificate_sha256)
                    .await?;
                &*tried
            }
            // Nothing is to change, or nothing can.
            DelegationState::Active | DelegationState::Gone => return Ok(()),
        };
        match (zone.managed.roles, &key.for_clients) {
            (Roles::Both, None) => Err(Error::NotForClients {
                path: key.delegation.chain_path().into(),
            }),
            _ => Ok(()),
        }
    }

    /// Ends a slot that is not issued from: it never will be again, and its key is removed from this machine now, and from those of
    /// other signers within a minute or two. What was issued under it stays valid to its end. A signing process that has the key is
    /// told, if it answers: [`Self::untold`] has those that were not.
    ///
    /// Fails with [`SlotIsActive`](registry::Error::SlotIsActive) for the one that the zone issues from, with
    /// [`UnknownDelegation`](registry::Error::UnknownDelegation), with [`PkiError::Write`](super::error::PkiError::Write) if the key
    /// cannot be removed, though the slot has ended, and as [`Store::move_delegation`](dc_store::Store::move_delegation) does.
    pub async fn end_slot(&self, zone: &ZoneName, number: u32, by: &Act) -> Result<Zone, Error> {
        let view = self.delegations.refresh(&self.store).await?;
        inactive(&view.zone(zone)?.managed, number)?;
        let gone = DelegationState::Gone;
        let ended = self.store.move_delegation(zone, number, gone, by).await?;
        let view = self.delegations.refresh(&self.store).await?;
        self.forget_ended(&view, by.at).await?;
        Ok(ended)
    }
}

/// The slot, if it can be ended.
///
/// Fails with [`UnknownDelegation`](registry::Error::UnknownDelegation), [`SlotIsActive`](registry::Error::SlotIsActive) and
/// [`SlotIsGone`](registry::Error::SlotIsGone).
pub(super) fn can_end(zone: &Zone, number: u32) -> Result<&ZoneDelegation, registry::Error> {
    let slot = inactive(zone, number)?;
    match slot.state {
        DelegationState::Gone => Err(registry::Error::SlotIsGone { number }),
        _ => Ok(slot),
    }
}

/// The slot, if the zone can move on to it, or back.
///
/// Fails with [`UnknownDelegation`](registry::Error::UnknownDelegation), [`Error::AlreadyActive`] and
/// [`SlotIsGone`](registry::Error::SlotIsGone).
pub(super) fn can_move(zone: &Zone, number: u32) -> Result<&ZoneDelegation, Error> {
    let slot = slot(zone, number)?;
    match slot.state {
        DelegationState::Active => Err(Error::AlreadyActive { number }),
        DelegationState::Gone => Err(registry::Error::SlotIsGone { number }.into()),
        DelegationState::Next | DelegationState::Draining => Ok(slot),
    }
}

/// The slot, which may have ended, if the zone does not issue from it.
fn inactive(zone: &Zone, number: u32) -> Result<&ZoneDelegation, registry::Error> {
    let slot = slot(zone, number)?;
    match slot.state {
        DelegationState::Active => Err(registry::Error::SlotIsActive { number }),
        _ => Ok(slot),
    }
}

/// Fails with [`UnknownDelegation`](registry::Error::UnknownDelegation).
pub(super) fn slot(zone: &Zone, number: u32) -> Result<&ZoneDelegation, registry::Error> {
    let mut slots = zone.delegations.iter();
    let found = slots.find(|slot| slot.number == number);
    found.ok_or(registry::Error::UnknownDelegation { number })
}
