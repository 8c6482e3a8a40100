//! Going on with an older copy of the database: what was issued since is not known any more.

use crate::registry::{AHEAD, Action, Head};
use crate::{Act, Error, Store};

use super::people;
use super::shared::Shared;
use super::withdrawn::LONGEST;
use super::work::Work;

impl Store {
    /// Goes on with this database although it is an older copy than was seen before, and records that.
    ///
    /// Returns the end of the log.
    pub async fn accept_older(&self, by: &Act) -> Result<Head, Error> {
        self.timed("accept_older", accept(&self.shared, by)).await
    }

    /// Fails with [`Error::OlderThanSeen`] if the database is an older copy than was seen before.
    pub async fn is_newest(&self) -> Result<(), Error> {
        self.timed("is_newest", self.shared.compare()).await
    }
}

/// Records that an operator goes on with an older copy, and takes for valid what may have been issued since.
///
/// A device without an enrolment key may have got one since, and credentials with it: whoever enrols as that device waits until
/// those are over. A box that was replaced since has its key in the copy, and nothing here tells it from the one that has the name
/// now: it gets credentials. What a device holds is not known, so that nobody is taken for a copy who shows something newer.
async fn accept(shared: &Shared, by: &Act) -> Result<Head, Error> {
    let written = shared.write_to_any(async |work| write(work, by).await);
    let head = written.await?;
    if let Some(seen) = &shared.seen {
        seen.accept(head)?;
    }
    Ok(head)
}

async fn write(work: &mut Work, by: &Act) -> Result<Head, Error> {
    let over = by.at.as_secs().saturating_add(LONGEST.as_secs());
    let free = over.saturating_add(1).saturating_add(AHEAD.as_secs());
    // The clock of whoever says so may be behind: nothing that is known ends earlier for it.
    let sql = "UPDATE devices SET credential_sha256 = NULL, credential_spki = NULL, issued = NULL, \
               expires = NULL, shown_sha256 = NULL, held_until = CASE \
               WHEN held_until > $1 THEN CASE WHEN expires > held_until THEN expires ELSE held_until END \
               WHEN expires > $1 THEN expires ELSE $1 END, \
               free_from = CASE WHEN enrolment_key IS NOT NULL OR free_from > $2 THEN free_from ELSE $2 END";
    let values = vec![over.into(), free.into()];
    work.session.execute(sql, values).await?;
    if by.is_without_credential() {
        people::break_glass(work, by).await?;
    }
    let entry = work.entry(Action::AcceptOlder, by);
    work.log(entry);
    Ok(work.head)
}
