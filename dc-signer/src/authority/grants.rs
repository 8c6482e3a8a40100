//! Rights that operators get from another: to be one, to come in again, another token or certificate.
//!
//! Where any act takes two operators, these do as well, if whoever gets one could agree to something: with a second operator of their
//! own, or with the token of another, one person would be two.

use pki_types::UnixTime;

use super::approvals::{Asked, Outcome};
use super::new_access::NewAccess;
use super::operators::Authenticated;
use super::{Act, Authority, Error};
use dc_store::registry::{self, Access, Operator, OperatorName, Role};

/// A right that an operator gets.
#[derive(Clone, Debug)]
pub enum Grant {
    /// To be an operator as this one is; whoever has the name has it in another way from then on.
    Add(Operator),
    /// To come in again after being kept out, with another token or certificate.
    Enable(OperatorName, (Access, UnixTime)),
    /// To come in with another token or certificate.
    Renew(OperatorName, (Access, UnixTime)),
}

impl Authority {
    /// Gives an operator a right, or asks for a second operator if that takes two; with nobody's name, as without a credential, it
    /// takes one. Renewing one's own takes one.
    ///
    /// Fails with [`Error::RenewWithNewer`] for whoever renews by their token of before, with [`Error::RoleTooLow`] for anybody but an
    /// admin who renews another's, with [`Error::NobodyElse`] if two are needed and there is one, and as the store does.
    pub async fn grant_or_ask(
        &self,
        grant: &Grant,
        who: Option<&Authenticated>,
        by: &Act,
    ) -> Result<Outcome<Operator>, Error> {
        let given = self.granted(grant).await?;
        let is_own = who.is_some_and(
            |who| matches!(grant, Grant::Renew(name, _) if name == who.operator_name()),
        );
        match (grant, who) {
            // Whoever has found an old token does not get the next one by it.
            (_, Some(who)) if is_own && who.shows_previous() => return Err(Error::RenewWithNewer),
            (_, Some(who)) if !is_own && who.role() < Role::Admin => {
                let (role, needed) = (who.role(), Role::Admin);
                return Err(Error::RoleTooLow { role, needed });
            }
            _ => {}
        }
        if by.reason.is_none() {
            return Err(registry::Error::NoReason.into());
        }
        // A viewer agrees to nothing.
        let takes_two = given.role > Role::Viewer && self.four_eyes().await?.is_on();
        let who = match (who.filter(|_| takes_two && !is_own), who) {
            (Some(who), _) => who,
            (None, who) => match (self.grant(grant, by).await, who) {
                // Making a viewer of an admin is no less than keeping them out.
                (Err(error), Some(who)) if error.is_of_too_few_admins() => who,
                (done, _) => return done.map(Outcome::Done),
            },
        };
        let new = NewAccess::of(&given);
        let asked = match grant {
            Grant::Add(_) => Asked::AddOperator(new),
            Grant::Enable(..) => Asked::EnableOperator(new),
            Grant::Renew(..) => Asked::RenewOperator(new),
        };
        let name = who.operator_name();
        Ok(Outcome::Waits(self.ask(&asked, name, by).await?))
    }

    /// The operator as they would be, without what was before; what cannot be done is refused before anybody is asked.
    async fn granted(&self, grant: &Grant) -> Result<Operator, Error> {
        let (name, (access, ends)) = match grant {
            Grant::Add(operator) => return Ok(operator.clone()),
            Grant::Enable(name, next) | Grant::Renew(name, next) => (name, *next),
        };
        let before = self.store.operator(name).await?;
        let before = before.ok_or(registry::Error::UnknownOperator)?;
        let given = Operator::new(before.name.clone(), before.role, access, Some(ends));
        match grant {
            Grant::Renew(..) if before.disabled => Err(registry::Error::OperatorDisabled)?,
            Grant::Enable(..) if !before.disabled => Err(registry::Error::OperatorEnabled)?,
            Grant::Enable(..) => before.may_become(&given)?,
            Grant::Add(_) | Grant::Renew(..) => {}
        }
        Ok(given)
    }

    async fn grant(&self, grant: &Grant, by: &Act) -> Result<Operator, Error> {
        let store = &self.store;
        let next = |(access, ends): (Access, UnixTime)| (access, Some(ends));
        Ok(match grant {
            Grant::Add(operator) => {
                store.put_operator(operator, by).await?;
                operator.clone()
            }
            Grant::Enable(name, new) => store.enable_operator(name, next(*new), by).await?,
            Grant::Renew(name, new) => {
                // Who acts without a credential does so because one was lost.
                let overlap = match by.is_without_credential() {
                    true => by.at,
                    false => self.overlap(by.at),
                };
                store.renew_operator(name, next(*new), overlap, by).await?
            }
        })
    }

    /// Gives what was asked for and agreed to.
    ///
    /// Fails with [`Error::OtherRole`] if the operator got another role in the meantime.
    pub(super) async fn grant_asked(
        &self,
        asked: &Asked,
        new: &NewAccess,
        by: &Act,
    ) -> Result<Operator, Error> {
        let given = new.read()?;
        let before = self.store.operator(&given.name).await?;
        // It was done, and nobody could say so any more.
        if let Some(done) = before
            .as_ref()
            .filter(|one| one.access == given.access && !one.disabled)
        {
            return Ok(done.clone());
        }
        let (name, access) = (given.name.clone(), given.access);
        let ends = given.expires.unwrap_or(by.at);
        let grant = match asked {
            Asked::EnableOperator(_) => Grant::Enable(name, (access, ends)),
            Asked::RenewOperator(_) => Grant::Renew(name, (access, ends)),
            _ => return self.grant(&Grant::Add(given), by).await,
        };
        match before {
            Some(before) if before.role != given.role => Err(Error::OtherRole { name: given.name }),
            _ => self.grant(&grant, by).await,
        }
    }
}
