//! Whether a device may have credentials now: pure, and the only maker of [`Approved`].

use std::fmt;

use dc_core::UniqueName;
use pki_types::UnixTime;

use crate::registry::{self, Device, DeviceId, Forms, Sha256, Slot, State, Zone};
use dc_pki::Wanted;
use dc_pki::human::Moment;
use dc_pki::names::ZoneName;

/// A request for credentials, with all that is known about whom it came from.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// The device that the enrolment key belongs to.
    pub device: &'a Device,
    /// The zone of its name.
    pub zone: &'a Zone,
    /// SHA-256 of the SubjectPublicKeyInfo of the enrolment key that asks.
    pub enrolment_key: Sha256,
    /// The key that the credentials are to be for, a DER SubjectPublicKeyInfo.
    pub spki: &'a [u8],
}

/// That a device may have credentials for one key: good for one issuance.
#[derive(Debug)]
#[must_use]
pub struct Approved<'a> {
    device: DeviceId,
    zone: &'a ZoneName,
    slot: &'a Slot,
    wanted: Wanted,
    name: UniqueName<'static>,
    enrolment_key: Sha256,
    spki: &'a [u8],
    now: UnixTime,
}

/// Decides about a request at a time.
///
/// A device may ask at any time of its credential's life, so nothing is too early; how often it may ask is
/// for others to limit. Which types of keys are allowed is RFC 9345's to say, when it is signed for. Fails with
/// [`Denied`].
pub fn approve<'a>(ask: &Ask<'a>, now: UnixTime) -> Result<Approved<'a>, Denied> {
    let Ask {
        device,
        zone,
        enrolment_key,
        spki,
    } = *ask;
    device.may_issue(&device.name, &enrolment_key, now)?;
    if device.zone != zone.zone {
        return Err(Denied::OtherZone);
    }
    // A key that answers handshakes of strangers must not be the one that the device is known by here.
    let credential_key = Sha256::of(spki);
    let next = device.next_key.map(|next| next.spki_sha256);
    if [Some(enrolment_key), device.key, next].contains(&Some(credential_key)) {
        return Err(Denied::EnrolmentKey);
    }
    Ok(Approved {
        device: device.id,
        zone: &zone.zone,
        slot: usable(zone, now)?,
        wanted: wanted(zone.forms, &device.name),
        name: device.name.clone(),
        enrolment_key,
        spki,
        now,
    })
}

/// The slot that a zone issues from now.
pub(crate) fn usable(zone: &Zone, now: UnixTime) -> Result<&Slot, Denied> {
    let slot = zone.active().ok_or(Denied::NoDelegation)?;
    let (not_before, not_after) = (slot.not_before, slot.not_after);
    match slot.may_issue(now) {
        _ if now < not_before => Err(Denied::NotBegun { not_before, now }),
        true => Ok(slot),
        false => Err(Denied::TooLittleLeft { not_after, now }),
    }
}

fn wanted(forms: Forms, name: &UniqueName<'static>) -> Wanted {
    match forms {
        Forms::Named => Wanted::Named(name.clone()),
        Forms::Both => Wanted::Both(name.clone()),
        Forms::Rfc9345 => Wanted::Rfc9345,
    }
}

impl<'a> Approved<'a> {
    /// Whose credentials they will be.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.device
    }

    /// The zone of its name.
    #[must_use]
    pub fn zone(&self) -> &'a ZoneName {
        self.zone
    }

    /// The delegation certificate to sign under.
    #[must_use]
    pub fn slot(&self) -> &'a Slot {
        self.slot
    }

    /// Which forms of credentials.
    #[must_use]
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// The device's name, also if no form carries it.
    #[must_use]
    pub fn name(&self) -> &UniqueName<'static> {
        &self.name
    }

    /// SHA-256 of the enrolment key that asked.
    #[must_use]
    pub fn enrolment_key(&self) -> Sha256 {
        self.enrolment_key
    }

    /// The key that the credentials are for.
    #[must_use]
    pub fn spki(&self) -> &'a [u8] {
        self.spki
    }

    /// When it was approved, which is when the credentials begin.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.now
    }
}

/// Why a device gets no credentials.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Denied {
    /// The device is enrolled with another key: this may be a copy of it.
    CloneSuspected,
    /// The key is the delegation certificate's own.
    DelegationKey,
    /// The key is an enrolment key of the device, which is for nothing else.
    EnrolmentKey,
    /// RFC 9345 allows no credential for such a key.
    KeyType(dc_core::Error),
    /// The zone has no delegation certificate to sign with.
    NoDelegation,
    /// The device is not in a state, or the enrolment key not in a use, in which it gets any.
    NotAllowed(registry::Error),
    /// The zone's delegation certificate is not valid yet.
    NotBegun {
        /// When it begins.
        not_before: UnixTime,
        /// What the clock says.
        now: UnixTime,
    },
    /// The device's name is in another zone.
    OtherZone,
    /// The zone's delegation certificate has too little left.
    TooLittleLeft {
        /// When it ends.
        not_after: UnixTime,
        /// What the clock says.
        now: UnixTime,
    },
}

impl From<registry::Error> for Denied {
    fn from(error: registry::Error) -> Self {
        Self::NotAllowed(error)
    }
}

impl Denied {
    /// The state that the device is in, if that is why.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        match self {
            Self::NotAllowed(registry::Error::NotActive { state }) => Some(*state),
            _ => None,
        }
    }
}

impl std::error::Error for Denied {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::KeyType(source) => Some(source),
            Self::NotAllowed(source) => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CloneSuspected => f.write_str(
                "the device is enrolled with another key, so this may be a copy of it: replace the device if its key is lost",
            ),
            Self::DelegationKey => f.write_str(
                "the key is the delegation certificate's own, which must never be on a device: make a new key there",
            ),
            Self::EnrolmentKey => f.write_str(
                "the key is the device's enrolment key, which is for nothing else: make a new key for each request",
            ),
            Self::KeyType(source) => write!(f, "the key cannot have a credential: {source}"),
            Self::NoDelegation => f.write_str(
                "the zone has no active delegation certificate: import one with 'dc-signer zones rollover ZONE --import DIR --config FILE'",
            ),
            Self::NotAllowed(source) => fmt::Display::fmt(source, f),
            Self::NotBegun { not_before, now } => write!(
                f,
                "the zone's delegation certificate is not valid yet: it begins at {}, and the signer's clock says {}: wait, or set the clock",
                Moment(*not_before),
                Moment(*now)
            ),
            Self::OtherZone => f.write_str("the device's name is in another zone"),
            Self::TooLittleLeft { not_after, now } => {
                let ends = match now > not_after {
                    true => "ended",
                    false => "ends",
                };
                write!(
                    f,
                    "the zone's delegation certificate {ends} at {}, too early to issue under it: import a newer one with 'dc-signer zones rollover ZONE --import DIR --config FILE'",
                    Moment(*not_after)
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::registry::{NextKey, SlotState};
    use crate::testing::registry::{at, device, key};

    const NOW: u64 = 1_800_000_000;
    const SPKI: &[u8] = b"a key of the device";

    fn active() -> Device {
        Device {
            state: State::Active,
            key: Some(key(1)),
            ..device()
        }
    }

    fn zone() -> Zone {
        Zone {
            zone: device().zone,
            forms: Forms::Named,
            renew_issued_before: None,
            withdrawn_sequence: 0,
            slots: vec![Slot {
                number: 1,
                state: SlotState::Active,
                certificate_sha256: key(9),
                not_before: at(NOW - 86_400),
                not_after: at(NOW + 60 * 86_400),
                since: at(NOW - 86_400),
            }],
        }
    }

    fn ask<'a>(device: &'a Device, zone: &'a Zone, enrolment: u8) -> Ask<'a> {
        Ask {
            device,
            zone,
            enrolment_key: key(enrolment),
            spki: SPKI,
        }
    }

    fn denied(device: &Device, zone: &Zone, enrolment: u8) -> Denied {
        approve(&ask(device, zone, enrolment), at(NOW)).unwrap_err()
    }

    #[test]
    fn approves_an_active_device_for_its_own_name() {
        let (device, zone) = (active(), zone());
        let approved = approve(&ask(&device, &zone, 1), at(NOW)).unwrap();
        assert_eq!(approved.name(), &device.name);
        assert_eq!(approved.wanted(), &Wanted::Named(device.name.clone()));
        assert_eq!(approved.slot().number, 1);
        assert_eq!(approved.device(), device.id);
    }

    #[test]
    fn the_zone_decides_about_the_forms() {
        let device = active();
        for (forms, wanted) in [
            (Forms::Named, Wanted::Named(device.name.clone())),
            (Forms::Both, Wanted::Both(device.name.clone())),
            (Forms::Rfc9345, Wanted::Rfc9345),
        ] {
            let zone = Zone { forms, ..zone() };
            let approved = approve(&ask(&device, &zone, 1), at(NOW)).unwrap();
            assert_eq!(approved.wanted(), &wanted);
        }
    }

    #[test]
    fn denies_every_state_but_active() {
        for state in [State::Preregistered, State::Suspended, State::Retired] {
            let device = Device { state, ..active() };
            let denied = denied(&device, &zone(), 1);
            assert_eq!(denied.state(), Some(state), "{denied}");
        }
    }

    #[test]
    fn denies_another_key_than_the_devices() {
        let denied = denied(&active(), &zone(), 2);
        assert_eq!(denied, Denied::NotAllowed(registry::Error::UnknownKey));
    }

    #[test]
    fn denies_a_device_of_another_zone() {
        let zone = Zone {
            zone: ZoneName::parse("other.example.com").unwrap(),
            ..zone()
        };
        assert_eq!(denied(&active(), &zone, 1), Denied::OtherZone);
    }

    #[test]
    fn denies_a_credential_for_an_enrolment_key() {
        let zone = zone();
        let reused = Sha256::of(SPKI);
        let next = NextKey {
            spki_sha256: reused,
            since: at(NOW),
        };
        let with_key = Device {
            key: Some(reused),
            ..active()
        };
        let with_next = Device {
            next_key: Some(next),
            ..active()
        };
        for (device, enrolment_key) in [(&with_key, reused), (&with_next, key(1))] {
            let ask = Ask {
                device,
                zone: &zone,
                enrolment_key,
                spki: SPKI,
            };
            assert_eq!(approve(&ask, at(NOW)).unwrap_err(), Denied::EnrolmentKey);
        }
    }

    #[test]
    fn denies_under_a_certificate_with_less_than_eight_days_left() {
        for (left, good) in [(8 * 86_400, true), (8 * 86_400 - 1, false)] {
            let (device, mut zone) = (active(), zone());
            zone.slots[0].not_after = at(NOW + left);
            let approved = approve(&ask(&device, &zone, 1), at(NOW));
            assert_eq!(approved.is_ok(), good, "{:?}", Duration::from_secs(left));
        }
    }

    #[test]
    fn denies_without_an_active_certificate() {
        let mut zone = zone();
        zone.slots[0].state = SlotState::Next;
        assert_eq!(denied(&active(), &zone, 1), Denied::NoDelegation);
    }
}
