//! Group commit: issuances that are recorded together.

use std::sync::Arc;

use crate::store::sql::Database;
use crate::store::{Error, Issuance, Recorded};

use super::queue::closed;
use super::record::{self, Outcome};
use super::work::Work;

/// Records all of them, in one transaction if that can be.
pub(super) async fn record_all<D: Database>(
    database: &D,
    node: &Arc<str>,
    issuances: &[Issuance],
) -> Vec<Result<Recorded, Error>> {
    match together(database, node, issuances).await {
        Ok(outcomes) => outcomes
            .into_iter()
            .map(|outcome| outcome.map_err(Error::from))
            .collect(),
        Err(error) if error.is_temporary() || issuances.len() < 2 => {
            vec![Err(error); issuances.len()]
        }
        // One of them is what the database cannot take; the others shall not suffer for it.
        Err(_) => one_by_one(database, node, issuances).await,
    }
}

async fn one_by_one<D: Database>(
    database: &D,
    node: &Arc<str>,
    issuances: &[Issuance],
) -> Vec<Result<Recorded, Error>> {
    let mut outcomes = Vec::with_capacity(issuances.len());
    for issuance in issuances {
        let outcome = together(database, node, std::slice::from_ref(issuance)).await;
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
    issuances: &[Issuance],
) -> Result<Vec<Outcome>, Error> {
    let mut work = Work::begin(database, node).await?;
    let outcomes = record::record(&mut work, issuances).await;
    work.end(outcomes).await
}
