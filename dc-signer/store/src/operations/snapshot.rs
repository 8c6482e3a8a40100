//! Transactions beside the audit log: reads that all see one state of the database, and writes that no record tells of.

use crate::Error;
use crate::connection::Session;

use super::shared::Shared;

impl Shared {
    /// Runs reads that all see the database as it is now.
    pub(super) async fn in_snapshot<T>(
        &self,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut session = self.database.snapshot().await?;
        let read = work(&mut session).await;
        // A connection with a transaction that is not over would have to be closed, and the next reader to connect anew.
        session.roll_back().await;
        read
    }

    /// Runs writes that are not in the audit log, as one transaction.
    pub(super) async fn in_transaction<T>(
        &self,
        work: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut session = self.database.write().await?;
        match work(&mut session).await {
            Ok(value) => session.commit().await.map(|()| value),
            Err(error) => {
                session.roll_back().await;
                Err(error)
            }
        }
    }
}
