//! Which acts take two operators: the last record that says so.

use crate::connection::Session;
use crate::registry::{self, Action, FourEyes, operators_of};
use crate::{Act, Error, Store};

use super::replicas;

impl Store {
    /// Which acts take two operators, by the audit log; none if it never said so.
    pub async fn four_eyes(&self) -> Result<Option<FourEyes>, Error> {
        self.read("four_eyes", async |session| find(session).await)
            .await
    }

    /// Changes which acts take two operators, from now on.
    ///
    /// Fails with [`TakesTwo`](crate::registry::Error::TakesTwo) if it is less strict and one operator alone does it, and with
    /// [`Error::OlderSigner`] if a signer works here that could not read such a record.
    pub async fn set_four_eyes(&self, policy: &FourEyes, by: &Act) -> Result<(), Error> {
        self.write("set_four_eyes", async |work| {
            let before = current(&mut work.session).await?;
            let are_two = operators_of(&by.actor).is_some_and(|(_, agreed)| agreed.is_some());
            if policy.is_laxer_than(&before) && !are_two && !by.is_without_credential() {
                return Err(registry::Error::TakesTwo.into());
            }
            if replicas::has_older(&mut work.session, by.at).await? {
                return Err(Error::OlderSigner);
            }
            let mut entry = work.entry(Action::ChangeApproval, by);
            entry.scope = Some(policy.to_string());
            work.log(entry);
            Ok(())
        })
        .await
    }
}

/// All that takes two by the log.
pub(super) async fn current(session: &mut Session) -> Result<FourEyes, Error> {
    Ok(find(session).await?.unwrap_or_default())
}

async fn find(session: &mut Session) -> Result<Option<FourEyes>, Error> {
    // Word for word the condition of the index.
    let sql = "SELECT scope FROM audit WHERE action = 'change-approval' ORDER BY seq DESC LIMIT 1";
    let row = session.fetch_one(sql, Vec::new()).await?;
    row.map(|row| row.parse("scope")).transpose()
}
