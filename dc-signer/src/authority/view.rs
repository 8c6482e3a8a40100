//! The zones with their loaded keys, as they were at one time.

use std::sync::Arc;
use std::time::Instant;

use super::loaded::Loaded;
use super::missing::{Missing, Waiting};
use crate::registry::{self, Sha256, Zone};
use dc_pki::names::ZoneName;

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
    pub(super) missing: Vec<Missing>,
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

    pub(super) fn loaded(&self, certificate_sha256: &Sha256) -> Option<&Arc<Loaded>> {
        let all = self.zones.iter().flat_map(|zone| &zone.loaded);
        find(all, certificate_sha256)
    }
}

impl ZoneView {
    /// The reason that the key of a slot cannot be used.
    pub(super) fn why_missing(&self, slot: u32) -> &str {
        let missing = self.missing.iter().find(|missing| missing.slot == slot);
        missing.map_or("it is not loaded yet", |missing| &missing.brief)
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
