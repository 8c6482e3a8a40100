//! The operations that devices and operators ask for most, which are written together.

use std::sync::Arc;

use crate::registry::{self, Change, Device, DeviceId, PendingCode, State};
use crate::{Act, Added, Error, Issuance, Keep, Kept, NewDevice, Redeemed, Redemption};

use super::at_once::Job;
use super::record;
use super::work::Work;
use super::{add, codes, devices};

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

/// Issuances that are recorded together.
pub(super) struct Recording<'a>(pub(super) &'a [Issuance]);

impl Job for Recording<'_> {
    type Done = Vec<record::Outcome>;

    async fn work(&self, work: &mut Work) -> Result<Self::Done, Error> {
        record::record(work, self.0).await
    }
}
