//! Reads that all see one state of the database.

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
}
