//! Certificates that somebody has imported by hand, where moving a zone on takes two operators.

use pki_types::UnixTime;

use super::missing::Waiting;
use super::rollover::{Step, due};
use super::view::{View, ZoneView};
use dc_store::Store;
use dc_store::registry::{DelegationState, Sha256};

/// Certificates that somebody has imported by hand, where moving on takes two operators: one alone would have done it by waiting. What
/// the signer has ordered itself came from the CA that is configured, and was checked.
pub(super) async fn held(store: &Store, view: &View) -> Result<Vec<Sha256>, dc_store::Error> {
    let mut held = Vec::new();
    let policy = store.four_eyes().await?.unwrap_or_default();
    if !policy.rollover {
        return Ok(held);
    }
    for zone in &view.zones {
        let slots = &zone.managed.delegations;
        // With a zone's first certificate no device has anything to lose.
        if slots.iter().all(|slot| slot.state == DelegationState::Next) {
            continue;
        }
        for slot in slots
            .iter()
            .filter(|slot| slot.state == DelegationState::Next)
        {
            if store.is_imported_by_hand(&slot.certificate_sha256).await? {
                held.push(slot.certificate_sha256);
            }
        }
    }
    Ok(held)
}

/// The slot that would be used now if it did not wait for two operators.
pub(super) fn waits_for_two(zone: &ZoneView, held: &[Sha256], now: UnixTime) -> Option<Waiting> {
    let mut steps = due(zone, now).into_iter();
    let slot = steps.find_map(|step| match step {
        Step::Activate(number) => Some(number),
        Step::End(_) => None,
    })?;
    let mut slots = zone.managed.delegations.iter();
    let found = slots.find(|one| one.number == slot)?;
    held.contains(&found.certificate_sha256).then(|| Waiting {
        zone: zone.managed.zone.clone(),
        slot,
        nodes: Vec::new(),
    })
}
