//! Data for tests of pages.

use super::Who;
use crate::authority::{Fleet, ZoneCount};
use crate::testing::registry::{at, key};
use dc_pki::Forms;
use dc_pki::names::ZoneName;
use dc_store::registry::{DelegationState, Device, Held, Role, State, Zone, ZoneDelegation};

/// In 2026.
pub(super) const NOW: u64 = 1_790_000_000;

pub(super) fn who(role: Role) -> Who {
    Who {
        name: "alice".into(),
        role,
        form_token: "form token".into(),
        can_sign_out: true,
        ends: None,
    }
}

pub(super) fn device() -> Device {
    Device {
        state: State::Active,
        key: Some(key(1)),
        credential: Some(Held {
            sha256: key(2),
            spki_sha256: key(3),
            issued: at(NOW - 24 * 3600),
            expires: at(NOW + 140 * 3600),
        }),
        ..crate::testing::registry::device()
    }
}

pub(super) fn zone(slots: Vec<ZoneDelegation>) -> Zone {
    Zone {
        zone: ZoneName::parse("cpe.example.com").unwrap(),
        forms: Forms::Named,
        roles: dc_pki::Roles::Server,
        other_forms_until: None,
        renew_issued_before: None,
        withdrawn_sequence: 0,
        delegations: slots,
    }
}

/// A slot whose certificate has so many seconds left.
pub(super) fn slot(number: u32, state: DelegationState, left: u64) -> ZoneDelegation {
    ZoneDelegation {
        number,
        state,
        certificate_sha256: key(9),
        not_before: at(0),
        not_after: at(NOW + left),
        since: at(NOW - 3600),
    }
}

pub(super) fn fleet() -> Fleet {
    let mut fleet = Fleet::default();
    let count = ZoneCount {
        states: [(State::Active, 1000), (State::Suspended, 2)].into(),
        possible_clones: 1,
        expiring: [1, 3, 6, 10],
        expired: 3,
    };
    fleet.zones.insert("cpe.example.com".into(), count);
    fleet.refused.insert("device-suspended".into(), 12);
    fleet
}
