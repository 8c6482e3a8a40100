//! A device to test with.

use std::time::Duration;

use pki_types::UnixTime;

use super::domain::{Device, DeviceId, Hold, Sha256, Shown, State};
use dc_pki::names::{self, ZoneName};

pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

pub(crate) fn key(number: u8) -> Sha256 {
    Sha256::from_bytes([number; 32])
}

pub(crate) fn device() -> Device {
    Device {
        id: DeviceId::from_bytes([7; 16]),
        external_id: "customer-1".parse().unwrap(),
        state: State::Preregistered,
        zone: ZoneName::parse("cpe.example.com").unwrap(),
        name: names::parse("k3v.cpe.example.com").unwrap(),
        slot: 0,
        epoch: 0,
        key: None,
        next_key: None,
        manufactured: None,
        credential: None,
        hold: Hold::default(),
        shown: Shown::Unknown,
        possible_clone: false,
        created: at(1),
        changed: at(1),
    }
}
