//! Acts that take two operators: one asks, another agrees, and then exactly what was asked is done, in the names of both.

mod asked;

use std::time::Duration;

use pki_types::UnixTime;

use super::operators::Authenticated;
use super::{Act, Authority, Error, slots};
pub use asked::Asked;
use dc_pki::names::ZoneName;
use dc_store::registry::{
    Approval, ApprovalState, Change, DelegationState, Device, DeviceId, FourEyes, Operator,
    OperatorName, Sha256, Zone, ZoneDelegation,
};

/// A move of a zone to another delegation certificate.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Move {
    /// The slot; without one, the next one that lasts longest.
    pub to: Option<u32>,
    /// Set if signers that have not got its key are left behind: they issue nothing in the zone until they have.
    pub leave_signers_out: bool,
}

/// An act that was done, or waits for a second operator.
#[derive(Clone, Debug)]
pub enum Outcome<T> {
    /// It was done.
    Done(T),
    /// Another operator has to agree.
    Waits(Approval),
}

/// An act that was done because a second operator agreed.
#[derive(Debug)]
pub enum Approved {
    /// A slot was ended.
    Ended(Box<Zone>),
    /// An operator got a right.
    Granted(Box<Operator>),
    /// An operator is kept out.
    KeptOut(Box<Operator>),
    /// This takes two operators from now on.
    Lowered(FourEyes),
    /// A device has a new name.
    Renamed(Box<Device>),
    /// Devices were retired; those that could not be, with the reason.
    Retired(Vec<(String, Result<Device, Error>)>),
    /// A zone moved on.
    RolledOver(Box<Zone>),
}

impl Authority {
    /// Issues from the zone's next delegation certificate, or asks for a second operator if that takes two; with nobody's name, as
    /// without a credential, it takes one.
    ///
    /// Fails with [`Error::AlreadyActive`] for the slot that the zone issues from, and as
    /// [`Self::rollover`] and [`Self::rollover_to`] do.
    pub async fn rollover_or_ask(
        &self,
        zone: &ZoneName,
        Move {
            to,
            leave_signers_out: leave_out,
        }: Move,
        who: Option<&OperatorName>,
        by: &Act,
    ) -> Result<Outcome<Zone>, Error> {
        if let Some(number) = to {
            slots::can_move(&self.managed(zone).await?, number)?;
        }
        let takes_two = self.four_eyes().await?.rollover;
        let Some(who) = who.filter(|_| takes_two) else {
            let moved = match to {
                Some(number) => self.rollover_to(zone, number, leave_out, by).await?,
                None => self.rollover(zone, leave_out, by).await?,
            };
            return Ok(Outcome::Done(moved));
        };
        let certificate_sha256 = match to {
            Some(number) => slots::slot(&self.managed(zone).await?, number)?.certificate_sha256,
            None => self.next_certificate(zone, by.at).await?,
        };
        let asked = Asked::Rollover {
            zone: zone.to_string(),
            certificate_sha256: certificate_sha256.to_string(),
            leave_signers_out: leave_out,
        };
        Ok(Outcome::Waits(self.ask(&asked, who, by).await?))
    }

    /// Ends a slot, or asks for a second operator if that takes two, as it may for one that is not next.
    ///
    /// Fails as [`Self::end_slot`] does.
    pub async fn end_or_ask(
        &self,
        zone: &ZoneName,
        number: u32,
        who: Option<&OperatorName>,
        by: &Act,
    ) -> Result<Outcome<Zone>, Error> {
        let managed = self.managed(zone).await?;
        let slot = slots::can_end(&managed, number)?;
        // Nothing was issued under one that is next, and whoever sees that it is wrong must be able to stop it.
        let is_used = slot.state != DelegationState::Next;
        let takes_two = is_used && self.four_eyes().await?.zones_end;
        let Some(who) = who.filter(|_| takes_two) else {
            return Ok(Outcome::Done(self.end_slot(zone, number, by).await?));
        };
        let asked = Asked::EndSlot {
            zone: zone.to_string(),
            slot: number,
            certificate_sha256: slot.certificate_sha256.to_string(),
        };
        Ok(Outcome::Waits(self.ask(&asked, who, by).await?))
    }

    /// Fails with [`Error::NobodyElse`] if there is no other operator who could agree.
    pub(super) async fn ask(
        &self,
        asked: &Asked,
        who: &OperatorName,
        by: &Act,
    ) -> Result<Approval, Error> {
        let needed = asked.needed();
        let others = self.store.operators().await?;
        let may = |other: &Operator| {
            let is_in = !other.disabled && other.expires.is_none_or(|end| end > by.at);
            other.name != *who && other.role >= needed && is_in
        };
        let mut is_somebody_there = false;
        for other in others.iter().filter(|other| may(other)) {
            if self.store.may_act(other).await? {
                is_somebody_there = true;
                break;
            }
        }
        if !is_somebody_there {
            return Err(Error::NobodyElse { needed });
        }
        let what = serde_json::to_string(asked).expect("texts are JSON");
        let valid = self.settings.load().approval.valid;
        let ends = Duration::from_secs(by.at.as_secs().saturating_add(valid.as_secs()));
        let ends = UnixTime::since_unix_epoch(ends);
        let approval = self.store.ask_approval(&what, who, ends, by).await?;
        tracing::info!(number = approval.number, %who, %asked, "an act waits for a second operator");
        Ok(approval)
    }

    /// The last acts that took two operators, the newest first.
    ///
    /// Fails with [`Error::Store`].
    pub async fn approvals(&self) -> Result<Vec<Approval>, Error> {
        Ok(self.store.approvals().await?)
    }

    /// Agrees to what another operator has asked for, and does it in the names of both.
    ///
    /// Fails with [`Error::RoleTooLow`], with [`Error::AskerGone`] if whoever asked may not do it any more, with
    /// [`Error::KeyElsewhere`], as [`Store::approve`](dc_store::Store::approve) does, and with what doing it fails with: then the same
    /// again tries it again, and [refusing](Self::refuse) takes it back.
    pub async fn approve(
        &self,
        number: u64,
        who: &Authenticated,
        by: &Act,
    ) -> Result<Approved, Error> {
        let asked = self.store.approval(number).await?;
        let what = Asked::of(&asked)?;
        let (role, needed) = (who.role(), what.needed());
        if role < needed {
            return Err(Error::RoleTooLow { role, needed });
        }
        let asker = self.store.operator(&asked.asked_by).await?;
        if asker.is_none_or(|asker| asker.disabled || asker.role < needed) {
            let name = asked.asked_by;
            return Err(Error::AskerGone { name });
        }
        self.check_possible(&what, asked.state).await?;
        let name = who.operator_name();
        let agreed = self.store.approve(number, name, by).await?;
        // It was checked against the log just now.
        let what = Asked::of(&agreed)?;
        let actor = format!("operator:{}+{name}", agreed.asked_by);
        let both = Act::new(actor, by.at)
            .because(agreed.reason.clone())
            .coming_from(by.from);
        let done = self.execute(&what, &both).await?;
        self.store.mark_done(number, &both).await?;
        tracing::info!(number, %what, "done, because a second operator agreed");
        Ok(done)
    }

    /// Shows, before anybody's word is on record, that an act of slots can be done, and here.
    async fn check_possible(&self, what: &Asked, state: ApprovalState) -> Result<(), Error> {
        // It may be done and not marked so, if this process ended between the two.
        let is_new = state == ApprovalState::Waiting;
        match what {
            Asked::Rollover {
                zone,
                certificate_sha256,
                ..
            } => {
                let (zone, slot) = self.slot_with(zone, certificate_sha256).await?;
                let view = self.delegations.refresh(&self.store).await?;
                let found = view.zone(&zone)?;
                if is_new {
                    slots::can_move(&found.managed, slot.number)?;
                }
                match self.check_key(found, &slot).await {
                    Err(error) if !matches!(error, Error::NotForClients { .. }) => {
                        let why = error.to_string();
                        Err(Error::KeyElsewhere { why })
                    }
                    checked => checked,
                }
            }
            Asked::EndSlot {
                zone,
                certificate_sha256,
                ..
            } if is_new => {
                let (zone, slot) = self.slot_with(zone, certificate_sha256).await?;
                slots::can_end(&self.managed(&zone).await?, slot.number)?;
                Ok(())
            }
            Asked::AddOperator(_)
            | Asked::DisableOperator { .. }
            | Asked::EndSlot { .. }
            | Asked::EnableOperator(_)
            | Asked::LowerApproval { .. }
            | Asked::NewName { .. }
            | Asked::RenewOperator(_)
            | Asked::Retire { .. } => Ok(()),
        }
    }

    /// Refuses what an operator has asked for, who may do so too, until it is done.
    ///
    /// Fails with [`Error::RoleTooLow`], and as [`Store::refuse_approval`](dc_store::Store::refuse_approval) does.
    pub async fn refuse(
        &self,
        number: u64,
        who: &Authenticated,
        by: &Act,
    ) -> Result<Approval, Error> {
        let what = Asked::of(&self.store.approval(number).await?)?;
        let (role, needed) = (who.role(), what.needed());
        if role < needed {
            return Err(Error::RoleTooLow { role, needed });
        }
        let name = who.operator_name();
        Ok(self.store.refuse_approval(number, name, by).await?)
    }

    async fn execute(&self, what: &Asked, by: &Act) -> Result<Approved, Error> {
        match what {
            Asked::Retire { devices } => {
                let mut done = Vec::with_capacity(devices.len());
                for device in devices {
                    let id: DeviceId = device.parse()?;
                    let retired = self.change_device(id, &Change::Retire, by).await;
                    done.push((device.clone(), retired));
                }
                Ok(Approved::Retired(done))
            }
            Asked::Rollover {
                zone,
                certificate_sha256,
                leave_signers_out,
            } => {
                let (zone, slot) = self.slot_with(zone, certificate_sha256).await?;
                let moved = self
                    .rollover_to(&zone, slot.number, *leave_signers_out, by)
                    .await?;
                Ok(Approved::RolledOver(Box::new(moved)))
            }
            Asked::EndSlot {
                zone,
                certificate_sha256,
                ..
            } => {
                let (zone, slot) = self.slot_with(zone, certificate_sha256).await?;
                let ended = self.end_slot(&zone, slot.number, by).await?;
                Ok(Approved::Ended(Box::new(ended)))
            }
            Asked::NewName { device } => {
                let renamed = self.rename(device.parse()?, by).await?;
                Ok(Approved::Renamed(Box::new(renamed)))
            }
            Asked::DisableOperator { operator } => {
                let out = self.keep_out(&operator.parse()?, by).await?;
                Ok(Approved::KeptOut(Box::new(out)))
            }
            Asked::LowerApproval { policy } => {
                let policy: FourEyes = policy.parse()?;
                self.store.set_four_eyes(&policy, by).await?;
                Ok(Approved::Lowered(policy))
            }
            Asked::AddOperator(new) | Asked::EnableOperator(new) | Asked::RenewOperator(new) => {
                let granted = self.grant_asked(what, new, by).await?;
                Ok(Approved::Granted(Box::new(granted)))
            }
        }
    }

    /// The slot of a zone that has a certificate now.
    async fn slot_with(
        &self,
        zone: &str,
        certificate_sha256: &str,
    ) -> Result<(ZoneName, ZoneDelegation), Error> {
        let zone = ZoneName::parse(zone)?;
        let certificate: Sha256 = certificate_sha256.parse()?;
        let managed = self.managed(&zone).await?;
        let mut slots = managed.delegations.into_iter();
        let slot = slots.find(|slot| slot.certificate_sha256 == certificate);
        let slot = slot.ok_or_else(|| Error::NoNextDelegation { zone: zone.clone() })?;
        Ok((zone, slot))
    }
}

/// True if a second operator can still agree to it.
#[must_use]
pub fn waits(approval: &Approval, now: UnixTime) -> bool {
    let is_open = matches!(
        approval.state,
        ApprovalState::Waiting | ApprovalState::Approved
    );
    is_open && now < approval.ends
}

/// Who agreed to it, if it is not done for all that, with what can be done; none of what is over.
#[must_use]
pub fn agreed_in_vain(approval: &Approval, now: UnixTime) -> Option<String> {
    let is_agreed = approval.state == ApprovalState::Approved && waits(approval, now);
    let by = approval.decided_by.as_ref().filter(|_| is_agreed)?;
    Some(format!(
        "by {by}, and not done: it is being done now, or {by} was told what was in its way; agreeing again tries it again, refusing takes it back"
    ))
}

/// The state in a word; `ended` if it was not done in time.
#[must_use]
pub fn word(approval: &Approval, now: UnixTime) -> &'static str {
    match approval.state {
        ApprovalState::Waiting | ApprovalState::Approved if now >= approval.ends => "ended",
        state => state.as_str(),
    }
}

/// How many devices a line names.
pub(super) const NAMED: usize = 10;
