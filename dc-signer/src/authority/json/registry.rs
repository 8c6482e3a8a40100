//! Conversions from the registry's types to operators' JSON.

use pki_types::UnixTime;

use super::{
    Device, DeviceCount, DeviceHistory, DevicePage, HeldCredential, HistoryEntry, IssuedCredential,
    Slot, Zone,
};
use crate::authority::BothFormsWarning;
use dc_store::registry::{self, Sha256};
use dc_store::{Counted, History, Listed};

impl From<&registry::Device> for Device {
    fn from(device: &registry::Device) -> Self {
        let registry::Device {
            id,
            external_id,
            state,
            zone,
            name,
            slot,
            epoch,
            key,
            next_key,
            manufactured,
            credential,
            hold,
            shown: _,
            possible_clone,
            created,
            changed,
        } = device;
        Self {
            id: id.to_string(),
            external_id: external_id.to_string(),
            state: state.to_string(),
            zone: zone.to_string(),
            name: name.to_string(),
            slot: *slot,
            epoch: *epoch,
            enrolment_key: key.as_ref().map(Sha256::to_string),
            next_enrolment_key: next_key.map(|next| next.spki_sha256.to_string()),
            manufacturer: manufactured.as_ref().map(|m| m.manufacturer.clone()),
            serial: manufactured.as_ref().map(|m| m.serial.clone()),
            credential: credential.as_ref().map(HeldCredential::from),
            name_held_until: hold.until.as_ref().map(UnixTime::as_secs),
            available_from: hold.free_from.as_ref().map(UnixTime::as_secs),
            possible_clone: *possible_clone,
            created: created.as_secs(),
            changed: changed.as_secs(),
        }
    }
}

impl From<&registry::Held> for HeldCredential {
    fn from(held: &registry::Held) -> Self {
        let registry::Held {
            sha256,
            spki_sha256,
            issued,
            expires,
        } = held;
        Self {
            sha256: sha256.to_string(),
            spki_sha256: spki_sha256.to_string(),
            issued: issued.as_secs(),
            expires: expires.as_secs(),
        }
    }
}

impl From<&Listed> for DevicePage {
    fn from(listed: &Listed) -> Self {
        let Listed {
            devices,
            next,
            previous,
            count,
            crowded,
        } = listed;
        Self {
            devices: devices.iter().map(Device::from).collect(),
            next: next.as_ref().map(ToString::to_string),
            previous: previous.as_ref().map(ToString::to_string),
            count: count.map(|Counted { devices, more }| DeviceCount { devices, more }),
            crowded: crowded.iter().map(|way| way.as_str().to_owned()).collect(),
        }
    }
}

impl From<&History> for DeviceHistory {
    fn from(history: &History) -> Self {
        let issued = history.issues.iter().map(|issue| IssuedCredential {
            credential_sha256: issue.credential_sha256.to_string(),
            spki_sha256: issue.spki_sha256.to_string(),
            delegation_sha256: issue.delegation_sha256.to_string(),
            name: issue.name.to_string(),
            issued: issue.issued.as_secs(),
            expires: issue.expires.as_secs(),
        });
        let acts = history.acts.iter().map(|record| HistoryEntry {
            seq: record.seq,
            time: record.entry.time.as_secs(),
            actor: record.entry.actor.clone(),
            action: record.entry.action.to_string(),
            reason: record.entry.reason.clone(),
        });
        Self {
            issued: issued.collect(),
            acts: acts.collect(),
        }
    }
}

impl Zone {
    /// A zone as it is at a time.
    #[must_use]
    pub fn at(now: UnixTime, zone: &registry::Zone) -> Self {
        let warning = BothFormsWarning::of(zone, now);
        Self {
            zone: zone.zone.to_string(),
            forms: zone.forms.as_str().to_owned(),
            roles: zone.roles.as_str().to_owned(),
            warning: warning.map(|warning| warning.to_string()),
            renew_issued_before: zone.renew_issued_before.as_ref().map(UnixTime::as_secs),
            renewal: None,
            slots: zone.delegations.iter().map(Slot::from).collect(),
        }
    }
}

impl From<&registry::ZoneDelegation> for Slot {
    fn from(slot: &registry::ZoneDelegation) -> Self {
        Self {
            slot: slot.number,
            state: slot.state.to_string(),
            certificate_sha256: slot.certificate_sha256.to_string(),
            not_before: slot.not_before.as_secs(),
            not_after: slot.not_after.as_secs(),
        }
    }
}
