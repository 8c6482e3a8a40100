//! Going on with an older copy of the database: what was issued since is not known any more.

use crate::registry::{Action, Head};
use crate::store::sql::Session;
use crate::store::{Act, Error};

use super::withdrawn::LONGEST;
use super::work::Work;

/// Records that an operator goes on with an older copy, and takes for valid what may have been issued since.
///
/// A device without an enrolment key may have got one since, and credentials with it: whoever enrols as that device waits until
/// those are over. What a device holds is not known, so that nobody is taken for a copy who shows something newer.
pub(super) async fn accept<S: Session>(work: &mut Work<S>, by: &Act) -> Result<Head, Error> {
    let over = by.at.as_secs().saturating_add(LONGEST.as_secs());
    let sql = "UPDATE devices SET held_until = $1, credential_sha256 = NULL, credential_spki = NULL, issued = NULL, \
               expires = NULL, shown_sha256 = NULL, \
               free_from = CASE WHEN enrolment_key IS NULL THEN $2 ELSE free_from END";
    let values = vec![over.into(), over.saturating_add(1).into()];
    work.session.execute(sql, values).await?;
    let entry = work.entry(Action::AcceptOlder, by);
    work.log(entry);
    Ok(work.head)
}
