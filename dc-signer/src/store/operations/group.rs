//! Group commit: issuances that are recorded together.

use std::sync::Arc;

use crate::store::seen::Seen;
use crate::store::sql::Database;
use crate::store::{Error, Issuance, Recorded};

use super::known;
use super::queue::closed;
use super::record::{self, Outcome};

/// Records all of them, in one transaction if that can be, and none in a copy that is older than was seen.
pub(super) async fn record_all<D: Database>(
    database: &D,
    node: &Arc<str>,
    seen: Option<&Seen>,
    issuances: &[Issuance],
) -> Vec<Result<Recorded, Error>> {
    match together(database, node, seen, issuances).await {
        Ok(outcomes) => outcomes
            .into_iter()
            .map(|outcome| outcome.map_err(Error::from))
            .collect(),
        Err(error) if error.is_temporary() || issuances.len() < 2 => {
            vec![Err(error); issuances.len()]
        }
        // One of them is what the database cannot take; the others shall not suffer for it.
        Err(_) => one_by_one(database, node, seen, issuances).await,
    }
}

async fn one_by_one<D: Database>(
    database: &D,
    node: &Arc<str>,
    seen: Option<&Seen>,
    issuances: &[Issuance],
) -> Vec<Result<Recorded, Error>> {
    let mut outcomes = Vec::with_capacity(issuances.len());
    for issuance in issuances {
        let outcome = together(database, node, seen, std::slice::from_ref(issuance)).await;
        outcomes.push(outcome.and_then(|mut outcomes| match outcomes.pop() {
            Some(outcome) => outcome.map_err(Error::from),
            None => Err(closed()),
        }));
    }
    outcomes
}

async fn together<D: Database>(
    database: &D,
    node: &Arc<str>,
    seen: Option<&Seen>,
    issuances: &[Issuance],
) -> Result<Vec<Outcome>, Error> {
    let mut work = known::begin(database, node, seen).await?;
    let outcomes = record::record(&mut work, issuances).await;
    work.end(outcomes).await
}
