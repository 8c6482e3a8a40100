//! The operations that devices and operators ask for most, which are written together.

use crate::registry::{self, State};
use crate::{Error, Issuance, Turn};

use super::asked::{Answered, Asked, Probe, Reporting, Taking, What};
use super::at_once::Job;
use super::work::Work;
use super::{add, codes, devices, free_space, record, replicas, turns};

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

impl Job for Probe<'_> {
    type Done = ();

    async fn work(&self, work: &mut Work) -> Result<(), Error> {
        free_space::write_and_remove(&mut work.session, self.node).await
    }
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

impl Job for Taking<'_> {
    type Done = Turn;

    async fn work(&self, work: &mut Work) -> Result<Turn, Error> {
        turns::take(&mut work.session, self.holder, self.now, self.until).await
    }
}

/// An operation beside others that devices come for.
pub(super) enum Together<'a> {
    Ask(&'a Asked),
    /// Issuances that are recorded in one go.
    Record(&'a [Issuance]),
}

/// The result of each.
pub(super) enum TogetherDone {
    Answered(Answered),
    Recorded(Vec<record::Outcome>),
}

impl Job for Together<'_> {
    type Done = TogetherDone;

    async fn work(&self, work: &mut Work) -> Result<TogetherDone, Error> {
        Ok(match self {
            Self::Ask(asked) => TogetherDone::Answered(asked.work(work).await?),
            Self::Record(issuances) => {
                TogetherDone::Recorded(record::record(work, issuances).await?)
            }
        })
    }
}
