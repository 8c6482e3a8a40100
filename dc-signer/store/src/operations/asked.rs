//! The questions that devices, operators and signers ask of the database most.

use std::sync::Arc;

use pki_types::UnixTime;

use crate::registry::{self, Change, Device, DeviceId, PendingCode};
use crate::{Act, Added, Issuance, Keep, Kept, NewDevice, Recorded, Redeemed, Redemption, Report};

/// One of them, with whoever asks for it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) what: What,
    pub(super) by: Act,
}

#[derive(Debug)]
pub(super) enum What {
    Add(Arc<[NewDevice]>),
    Change {
        device: DeviceId,
        change: Change,
        unless_suspended: bool,
    },
    PutCodes(Arc<[PendingCode]>, Keep),
    Redeem(Redemption),
}

/// The result of each.
#[derive(Debug)]
pub(super) enum Answered {
    Added(Vec<Added>),
    Changed(Box<Device>),
    PutCodes(Vec<Result<Kept, registry::Error>>),
    Redeemed(Redeemed),
}

/// The things that devices come for, which are written together: to enrol, and to have their credentials recorded.
#[derive(Debug)]
pub(super) enum DeviceAsks {
    Change(Asked),
    Record(Box<Issuance>),
}

/// The result of each.
#[derive(Debug)]
pub(super) enum DeviceGets {
    Answered(Answered),
    Recorded(Recorded),
}

/// A write of as little as can be, which shows that writing works.
pub(super) struct Probe<'a> {
    pub(super) node: &'a str,
}

/// A report of a signer on itself.
pub(super) struct Reporting<'a> {
    pub(super) node: &'a str,
    pub(super) report: &'a Report,
    pub(super) now: UnixTime,
}

/// Takes the turn to sign checkpoints.
pub(super) struct Taking<'a> {
    pub(super) holder: &'a str,
    pub(super) now: UnixTime,
    pub(super) until: UnixTime,
}
