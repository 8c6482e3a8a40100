//! Which acts take two operators: by the configuration and by the audit log, whichever is stricter. Somebody else's configuration, of
//! another machine or another user, weakens nothing that the log has.

use pki_types::UnixTime;

use super::acts::by_signer;
use super::approvals::{Asked, Outcome};
use super::json::{Replace, Replaced};
use super::{Act, Authority, Error};
use crate::config;
use dc_store::registry::{Change, Device, DeviceId, FourEyes, Operator, OperatorName, Role};

impl From<config::Approval> for FourEyes {
    fn from(approval: config::Approval) -> Self {
        Self {
            rollover: approval.rollover,
            retire_above: approval.retire_above.map(|limit| limit as u64),
            zones_end: approval.zones_end,
        }
    }
}

impl Authority {
    /// The acts that take two operators now.
    ///
    /// Fails with [`Error::Store`].
    pub async fn four_eyes(&self) -> Result<FourEyes, Error> {
        let here = self.configured();
        let logged = self.store.four_eyes().await?;
        Ok(logged.map_or(here, |logged| logged.strictest(&here)))
    }

    fn configured(&self) -> FourEyes {
        FourEyes::from(self.settings.load().approval)
    }

    /// Puts what the configuration says into the audit log, as far as it is stricter than what is there: from then on no other
    /// configuration is laxer. Not before there are two who can agree to anything. Says what is recorded, if anything is.
    ///
    /// Fails with [`Error::Store`].
    pub async fn record_four_eyes(&self, now: UnixTime) -> Result<Option<FourEyes>, Error> {
        let logged = self.store.four_eyes().await?.unwrap_or_default();
        let strictest = logged.strictest(&self.configured());
        let is_admin = |one: &&Operator| {
            let is_in = !one.disabled && one.expires.is_none_or(|end| end > now);
            one.role == Role::Admin && is_in
        };
        if strictest == logged
            || self
                .store
                .operators()
                .await?
                .iter()
                .filter(is_admin)
                .count()
                < 2
        {
            return Ok(None);
        }
        match self.store.set_four_eyes(&strictest, &by_signer(now)).await {
            Ok(()) => Ok(Some(strictest)),
            // It would not know what to make of the record; later it is gone.
            Err(dc_store::Error::OlderSigner) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Has the log say what the configuration says, or asks for a second operator if that is less strict than before.
    ///
    /// Fails with [`Error::NobodyElse`], and with [`Error::Store`].
    pub async fn lower_or_ask(
        &self,
        who: Option<&OperatorName>,
        by: &Act,
    ) -> Result<Outcome<FourEyes>, Error> {
        let policy = self.configured();
        let logged = self.store.four_eyes().await?.unwrap_or_default();
        let Some(who) = who.filter(|_| policy.is_laxer_than(&logged)) else {
            self.store.set_four_eyes(&policy, by).await?;
            return Ok(Outcome::Done(policy));
        };
        let asked = Asked::LowerApproval {
            policy: policy.to_string(),
        };
        Ok(Outcome::Waits(self.ask(&asked, who, by).await?))
    }

    /// True if one operator has taken too many names away lately to take so many more: by retiring devices, or by giving them
    /// new names.
    async fn takes_names_for_two(&self, more: usize, by: &Act) -> Result<bool, Error> {
        let Some(limit) = self.four_eyes().await?.retire_above else {
            return Ok(false);
        };
        let retired = self.store.retired_lately(&by.actor, by.at).await?;
        let renamed = self.store.renamed_lately(&by.actor, by.at).await?;
        let before = retired.saturating_add(renamed);
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        Ok(before.saturating_add(more) > limit)
    }

    /// Replaces a device as [`Self::replace`] does; a new name takes a second operator when retiring it would, because the old one is as
    /// much gone.
    ///
    /// Fails as [`Self::replace`] does.
    pub async fn replace_or_ask(
        &self,
        device: DeviceId,
        how: &Replace,
        who: Option<&OperatorName>,
        by: &Act,
    ) -> Result<Outcome<Replaced>, Error> {
        if let Some(who) = who.filter(|_| how.new_name)
            && self.takes_names_for_two(1, by).await?
        {
            let device = device.to_string();
            let asked = self.ask(&Asked::NewName { device }, who, by).await?;
            return Ok(Outcome::Waits(asked));
        }
        Ok(Outcome::Done(self.replace(device, how, by).await?))
    }

    /// Keeps an operator out from now on, or asks for a second operator if fewer than two admins would be left, and acts take two.
    ///
    /// Fails with [`UnknownOperator`](dc_store::registry::Error::UnknownOperator), with
    /// [`LastAdmin`](dc_store::registry::Error::LastAdmin), and with [`Error::NobodyElse`].
    pub async fn keep_out_or_ask(
        &self,
        name: &OperatorName,
        who: Option<&OperatorName>,
        by: &Act,
    ) -> Result<Outcome<Operator>, Error> {
        match (self.keep_out(name, by).await, who) {
            (Err(error), Some(who)) if error.is_of_too_few_admins() => {
                let operator = name.to_string();
                let asked = self
                    .ask(&Asked::DisableOperator { operator }, who, by)
                    .await?;
                Ok(Outcome::Waits(asked))
            }
            (done, _) => done.map(Outcome::Done),
        }
    }

    /// Retires devices, or asks for a second operator if one has retired too many lately; says for each that was not, why.
    ///
    /// Fails with [`Error::TooManyDevices`], and with [`Error::Store`].
    pub async fn retire_or_ask(
        &self,
        devices: &[DeviceId],
        who: Option<&OperatorName>,
        by: &Act,
    ) -> Result<Outcome<Vec<Result<Device, Error>>>, Error> {
        if devices.len() > MAX_DEVICES {
            return Err(Error::TooManyDevices { max: MAX_DEVICES });
        }
        if let Some(who) = who
            && self.takes_names_for_two(devices.len(), by).await?
        {
            let devices = devices.iter().map(DeviceId::to_string).collect();
            let asked = self.ask(&Asked::Retire { devices }, who, by).await?;
            return Ok(Outcome::Waits(asked));
        }
        let mut done = Vec::with_capacity(devices.len());
        for device in devices {
            done.push(self.change_device(*device, &Change::Retire, by).await);
        }
        Ok(Outcome::Done(done))
    }
}

/// The most devices of one act.
const MAX_DEVICES: usize = 10_000;
