//! Zones whose devices come for credentials when all of their certificates have ended: that is a fault for as long as nothing can be
//! issued, also if people have ended them.

use super::view::ZoneView;
use dc_store::Store;
use dc_store::registry::DelegationState;

/// Marks the zones of which all certificates that were used have ended, and that have active devices.
///
/// Fails as the store does.
pub(super) async fn mark(store: &Store, zones: &mut [ZoneView]) -> Result<(), dc_store::Error> {
    let is_over = |zone: &&mut ZoneView| {
        let mut slots = zone.managed.delegations.iter();
        !zone.managed.is_in_service() && slots.any(|slot| slot.state == DelegationState::Gone)
    };
    for zone in zones.iter_mut().filter(is_over) {
        zone.is_left_behind = store.has_active_devices(&zone.managed.zone).await?;
    }
    Ok(())
}
