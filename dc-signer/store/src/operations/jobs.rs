//! The operations that devices and operators ask for most, which are written together.

use std::sync::Arc;

use pki_types::UnixTime;

use crate::registry::{self, Change, Device, DeviceId, PendingCode, State};
use crate::{
    Act, Added, Error, Issuance, Keep, Kept, NewDevice, Redeemed, Redemption, Report, Turn,
};

use super::at_once::Job;
use super::work::Work;
use super::{add, codes, devices, free_space, record, replicas, turns};

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

impl Job for Asked {
    type Done = Answered;

    async fn work(&self, work: &mut Work) -> Result<Answered, Error> {
        let by = &self.by;
        Ok(match &self.what {
            What::Add(new) => Answered::Added(add::add(work, new, by).await?),
            What::Change {
                device,
                change,
                unless_suspended,
            } => {
                if *unless_suspended {
                    let state = devices::by_id(work, *device).await?.state;
                    if state == State::Suspended {
                        return Err(registry::Error::NotInState { state }.into());
                    }
                }
                let changed = devices::change(work, *device, change, by).await?;
                Answered::Changed(changed.into())
            }
            What::PutCodes(codes, keep) => {
                Answered::PutCodes(codes::put(work, codes, *keep, by).await?)
            }
            What::Redeem(redemption) => {
                Answered::Redeemed(codes::redeem(work, redemption, by).await?)
            }
        })
    }
}

/// A write of as little as can be, which shows that writing works.
pub(super) struct Probe<'a> {
    pub(super) node: &'a str,
}

impl Job for Probe<'_> {
    type Done = ();

    async fn work(&self, work: &mut Work) -> Result<(), Error> {
        free_space::write_and_remove(&mut work.session, self.node).await
    }
}

/// What a signer says of itself.
pub(super) struct Reporting<'a> {
    pub(super) node: &'a str,
    pub(super) report: &'a Report,
    pub(super) now: UnixTime,
}

impl Job for Reporting<'_> {
    type Done = ();

    async fn work(&self, work: &mut Work) -> Result<(), Error> {
        replicas::write(&mut work.session, self.node, self.report, self.now).await
    }

    fn is_for_any_copy(&self) -> bool {
        true
    }
}

/// Takes the turn to sign checkpoints.
pub(super) struct Taking<'a> {
    pub(super) holder: &'a str,
    pub(super) now: UnixTime,
    pub(super) until: UnixTime,
}

impl Job for Taking<'_> {
    type Done = Turn;

    async fn work(&self, work: &mut Work) -> Result<Turn, Error> {
        turns::take(&mut work.session, self.holder, self.now, self.until).await
    }
}

/// Issuances that are recorded together.
pub(super) struct Recording<'a>(pub(super) &'a [Issuance]);

impl Job for Recording<'_> {
    type Done = Vec<record::Outcome>;

    async fn work(&self, work: &mut Work) -> Result<Self::Done, Error> {
        record::record(work, self.0).await
    }
}
