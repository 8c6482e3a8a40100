//! The issuing policy: pure, and the only maker of [`Approved`].

use dc_core::UniqueName;
use pki_types::UnixTime;

use dc_pki::names::ZoneName;
use dc_pki::time::Moment;
use dc_pki::{Roles, Wanted};
use dc_store::registry::{self, Device, DeviceId, Sha256, Zone, ZoneDelegation};

/// That a device, and the enrolment key that asks for it, may get credentials at a time.
#[derive(Debug)]
#[must_use]
pub struct Admitted {
    device: Device,
    enrolment_key: Sha256,
    now: UnixTime,
}

impl Admitted {
    /// The device that the enrolment key belongs to.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// When it was admitted.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.now
    }
}

/// Admits a device by the SHA-256 of the SubjectPublicKeyInfo of the enrolment key that asks.
///
/// Fails as [`Device::may_issue`] does.
pub fn admit(
    device: Device,
    enrolment_key: Sha256,
    now: UnixTime,
) -> Result<Admitted, registry::Error> {
    device.may_issue(&device.name, &enrolment_key, now)?;
    Ok(Admitted {
        device,
        enrolment_key,
        now,
    })
}

/// That a device may have credentials for one key: good for one issuance.
#[derive(Debug)]
#[must_use]
pub struct Approved<'a> {
    device: DeviceId,
    zone: &'a ZoneName,
    slot: &'a ZoneDelegation,
    wanted: Wanted,
    name: UniqueName<'static>,
    enrolment_key: Sha256,
    spki: &'a [u8],
    client_spki: Option<&'a [u8]>,
    now: UnixTime,
}

/// The keys that a device asks credentials for, each a DER SubjectPublicKeyInfo.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spkis {
    /// The server's.
    pub server: Vec<u8>,
    /// The client's, if it asks for that as well.
    pub client: Option<Vec<u8>>,
}

/// Decides which credentials an admitted device may have for its keys, in the zone of its name.
///
/// A zone that issues for servers alone gives a client nothing, and refuses nothing for it: what the device serves with must
/// not end because of what it asked for besides.
///
/// A device may ask at any time of its credential's life, so nothing is too early; how often it may ask is
/// for others to limit. Which types of keys are allowed is RFC 9345's to say, when it is signed for. Fails with
/// [`PolicyError`].
pub fn approve<'a>(
    admitted: &'a Admitted,
    zone: &'a Zone,
    keys: &'a Spkis,
) -> Result<Approved<'a>, PolicyError> {
    let Admitted {
        device,
        enrolment_key,
        now,
    } = admitted;
    let (enrolment_key, now) = (*enrolment_key, *now);
    if device.zone != zone.zone {
        return Err(PolicyError::OtherZone);
    }
    // A key that answers handshakes of strangers must not be the one that the device is known by here.
    let next = device.next_key.map(|next| next.spki_sha256);
    let own = [Some(enrolment_key), device.key, next];
    let Spkis { server, client } = keys;
    let is_own = |spki: &Vec<u8>| own.contains(&Some(Sha256::of(spki)));
    if is_own(server) || client.as_ref().is_some_and(is_own) {
        return Err(PolicyError::EnrolmentKey);
    }
    // Whoever breaks into the device's server, which strangers reach, must not be the device elsewhere.
    if client.as_ref() == Some(server) {
        return Err(PolicyError::OneKey);
    }
    let client_spki = client.as_deref();
    Ok(Approved {
        device: device.id,
        zone: &zone.zone,
        slot: usable(zone, now)?,
        wanted: zone.forms.with(&device.name),
        name: device.name.clone(),
        enrolment_key,
        spki: server,
        client_spki: client_spki.filter(|_| zone.roles == Roles::Both),
        now,
    })
}

/// The slot that a zone issues from now.
pub(crate) fn usable(zone: &Zone, now: UnixTime) -> Result<&ZoneDelegation, PolicyError> {
    let slot = zone.active().ok_or(PolicyError::NoDelegation)?;
    let (not_before, not_after) = (slot.not_before, slot.not_after);
    match slot.may_issue(now) {
        _ if now < not_before => Err(PolicyError::NotBegun { not_before, now }),
        true => Ok(slot),
        false => Err(PolicyError::TooLittleLeft { not_after, now }),
    }
}

impl<'a> Approved<'a> {
    /// The device that the credentials are for.
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
    pub fn slot(&self) -> &'a ZoneDelegation {
        self.slot
    }

    /// The forms of credentials.
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

    /// The key that the device presents credentials for as a client, if it may.
    #[must_use]
    pub fn client_spki(&self) -> Option<&'a [u8]> {
        self.client_spki
    }

    /// When it was approved, which is when the credentials begin.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.now
    }
}

/// A rule that denies credentials to an admitted device.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// The device is enrolled with another key: this may be a copy of it.
    #[error(
        "the device is enrolled with another key, so this may be a copy of it: replace the device if its key is lost"
    )]
    CloneSuspected,
    /// The key is the delegation certificate's own.
    #[error(
        "the key is the delegation certificate's own, which must never be on a device: make a new key there"
    )]
    DelegationKey,
    /// The key is an enrolment key of the device, which is for nothing else.
    #[error(
        "the key is the device's enrolment key, which is for nothing else: make a new key for each request"
    )]
    EnrolmentKey,
    /// RFC 9345 allows no credential for such a key.
    #[error("the key cannot have a credential: {0}")]
    KeyType(#[source] dc_core::Error),
    /// The zone has no delegation certificate to sign with.
    #[error(
        "the zone has no active delegation certificate: import one with 'dc-signer zones rollover ZONE --import DIR --reason WHY --config FILE'"
    )]
    NoDelegation,
    /// The zone's delegation certificate is not valid yet.
    #[error(
        "the zone's delegation certificate is not valid yet: it begins at {}, and the signer's clock says {}: wait, or set the clock",
        Moment(*not_before),
        Moment(*now)
    )]
    NotBegun {
        /// When it begins.
        not_before: UnixTime,
        /// The clock's time.
        now: UnixTime,
    },
    /// One key is to be a server's and a client's.
    #[error(
        "the key is to be the device's as a server and as a client: make one for each, so that whoever takes the server's cannot be the device elsewhere"
    )]
    OneKey,
    /// The device's name is in another zone.
    #[error("the device's name is in another zone")]
    OtherZone,
    /// The zone's delegation certificate has too little left.
    #[error(
        "the zone's delegation certificate {} at {}, too early to issue under it: import a newer one with 'dc-signer zones rollover ZONE --import DIR --reason WHY --config FILE'",
        if now > not_after { "ended" } else { "ends" },
        Moment(*not_after)
    )]
    TooLittleLeft {
        /// When it ends.
        not_after: UnixTime,
        /// The clock's time.
        now: UnixTime,
    },
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::registry::{at, device, key};
    use dc_pki::Forms;
    use dc_store::registry::{DelegationState, NextKey, State};

    const NOW: u64 = 1_800_000_000;
    const SPKI: &[u8] = b"a key of the device";

    fn keys() -> Spkis {
        Spkis {
            server: SPKI.to_vec(),
            client: None,
        }
    }

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
            roles: Roles::Server,
            other_forms_until: None,
            renew_issued_before: None,
            withdrawn_sequence: 0,
            delegations: vec![ZoneDelegation {
                number: 1,
                state: DelegationState::Active,
                certificate_sha256: key(9),
                not_before: at(NOW - 86_400),
                not_after: at(NOW + 60 * 86_400),
                since: at(NOW - 86_400),
            }],
        }
    }

    fn admitted(device: &Device) -> Admitted {
        admit(device.clone(), key(1), at(NOW)).unwrap()
    }

    fn denied(device: &Device, zone: &Zone) -> PolicyError {
        approve(&admitted(device), zone, &keys()).unwrap_err()
    }

    #[test]
    fn approves_an_active_device_for_its_own_name() {
        let (device, zone) = (active(), zone());
        let admitted = admitted(&device);
        let keys = keys();
        let approved = approve(&admitted, &zone, &keys).unwrap();
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
            let admitted = admitted(&device);
            let keys = keys();
            let approved = approve(&admitted, &zone, &keys).unwrap();
            assert_eq!(approved.wanted(), &wanted);
        }
    }

    #[test]
    fn a_client_gets_what_its_zone_issues_and_never_for_the_server_s_key_or_the_enrolment_key() {
        let device = active();
        let admitted = admitted(&device);
        let with = |client: &[u8]| Spkis {
            client: Some(client.to_vec()),
            ..keys()
        };
        let other = with(b"another key of the device");
        for (roles, expected) in [
            (Roles::Server, None),
            (Roles::Both, other.client.as_deref()),
        ] {
            let zone = Zone { roles, ..zone() };
            let approved = approve(&admitted, &zone, &other).unwrap();
            assert_eq!(approved.client_spki(), expected);
            let same = approve(&admitted, &zone, &with(SPKI)).map(|_| ());
            assert_eq!(same, Err(PolicyError::OneKey));
        }
        let known = Device {
            key: Some(Sha256::of(b"known")),
            ..active()
        };
        let admitted = admit(known, Sha256::of(b"known"), at(NOW)).unwrap();
        let denied = approve(&admitted, &zone(), &with(b"known")).map(|_| ());
        assert_eq!(denied, Err(PolicyError::EnrolmentKey));
    }

    #[test]
    fn denies_every_state_but_active() {
        for state in [State::Preregistered, State::Suspended, State::Retired] {
            let device = Device { state, ..active() };
            let denied = admit(device, key(1), at(NOW)).unwrap_err();
            assert_eq!(denied, registry::Error::NotActive { state });
        }
    }

    #[test]
    fn denies_another_key_than_the_devices() {
        let denied = admit(active(), key(2), at(NOW)).unwrap_err();
        assert_eq!(denied, registry::Error::UnknownKey);
    }

    #[test]
    fn denies_a_device_of_another_zone() {
        let zone = Zone {
            zone: ZoneName::parse("other.example.com").unwrap(),
            ..zone()
        };
        assert_eq!(denied(&active(), &zone), PolicyError::OtherZone);
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
            let admitted = admit(device.clone(), enrolment_key, at(NOW)).unwrap();
            let denied = approve(&admitted, &zone, &keys()).unwrap_err();
            assert_eq!(denied, PolicyError::EnrolmentKey);
        }
    }

    #[test]
    fn denies_under_a_certificate_with_less_than_eight_days_left() {
        for (left, good) in [(8 * 86_400, true), (8 * 86_400 - 1, false)] {
            let (device, mut zone) = (active(), zone());
            zone.delegations[0].not_before = at(NOW - 80 * 86_400);
            zone.delegations[0].not_after = at(NOW + left);
            let admitted = admitted(&device);
            let keys = keys();
            let approved = approve(&admitted, &zone, &keys);
            assert_eq!(approved.is_ok(), good, "{:?}", Duration::from_secs(left));
        }
    }

    #[test]
    fn denies_without_an_active_certificate() {
        let mut zone = zone();
        zone.delegations[0].state = DelegationState::Next;
        assert_eq!(denied(&active(), &zone), PolicyError::NoDelegation);
    }
}
