//! The zones with their loaded keys, as they were at one time.

use std::sync::Arc;
use std::time::Instant;

use super::loaded::Loaded;
use super::missing::{Missing, Waiting};
use dc_pki::names::ZoneName;
use dc_store::registry::{self, DelegationState, Sha256, Zone, ZoneDelegation};

/// The zones as they were at one time.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) zones: Vec<ZoneView>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) taken: Option<Instant>,
}

/// A zone with the keys of its slots.
#[derive(Debug)]
pub(super) struct ZoneView {
    pub(super) managed: Zone,
    pub(super) loaded: Vec<Arc<Loaded>>,
    /// Those that were opened, and cannot sign now; they are missing too.
    pub(super) away: Vec<Arc<Loaded>>,
    pub(super) missing: Vec<Missing>,
    /// Its devices come for credentials, and all of its certificates have ended.
    pub(super) is_left_behind: bool,
}

impl View {
    pub(super) fn zones(&self) -> &[ZoneView] {
        &self.zones
    }

    /// Fails with [`UnknownZone`](registry::Error::UnknownZone).
    pub(super) fn zone(&self, zone: &ZoneName) -> Result<&ZoneView, registry::Error> {
        let found = self.zones.iter().find(|view| view.managed.zone == *zone);
        found.ok_or(registry::Error::UnknownZone)
    }

    /// All keys that were opened, also if they cannot sign now.
    pub(super) fn opened(&self) -> impl Iterator<Item = &Arc<Loaded>> {
        self.zones.iter().flat_map(ZoneView::opened)
    }

    /// The key of a certificate, if it was opened.
    pub(super) fn opened_for(&self, certificate_sha256: &Sha256) -> Option<&Arc<Loaded>> {
        find(self.opened(), certificate_sha256)
    }
}

impl ZoneView {
    /// A zone without its keys.
    pub(super) fn of(managed: Zone) -> Self {
        Self {
            managed,
            loaded: Vec::new(),
            away: Vec::new(),
            missing: Vec::new(),
            is_left_behind: false,
        }
    }

    /// True if it has issued, or may issue, to a device, or has some that nothing can be issued to any more.
    pub(super) fn is_in_service(&self) -> bool {
        self.managed.is_in_service() || self.is_left_behind
    }

    /// The reason that the key of a slot cannot be used.
    pub(super) fn why_missing(&self, slot: u32) -> &str {
        let missing = self.missing.iter().find(|missing| missing.slot == slot);
        missing.map_or("it is not loaded yet", |missing| &missing.brief)
    }

    /// Its keys that were opened, also if they cannot sign now.
    pub(super) fn opened(&self) -> impl Iterator<Item = &Arc<Loaded>> {
        self.loaded.iter().chain(&self.away)
    }

    /// True if the key of a certificate was opened for it.
    pub(super) fn has_opened(&self, certificate_sha256: &Sha256) -> bool {
        find(self.opened(), certificate_sha256).is_some()
    }

    /// All keys that can be used.
    pub(super) fn all_loaded(&self) -> &[Arc<Loaded>] {
        &self.loaded
    }

    /// The key of a slot.
    pub(super) fn loaded(&self, certificate_sha256: &Sha256) -> Option<&Arc<Loaded>> {
        find(self.loaded.iter(), certificate_sha256)
    }
}

fn find<'a>(
    mut all: impl Iterator<Item = &'a Arc<Loaded>>,
    certificate_sha256: &Sha256,
) -> Option<&'a Arc<Loaded>> {
    all.find(|loaded| loaded.certificate_sha256 == *certificate_sha256)
}

/// True if a slot's key is or will be signed with.
pub(super) fn is_used(slot: &ZoneDelegation) -> bool {
    matches!(slot.state, DelegationState::Next | DelegationState::Active)
}
