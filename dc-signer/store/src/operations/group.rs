//! Group commit: issuances that are recorded together.

use crate::{Error, Issuance, Recorded};

use super::at_once::Done;
use super::jobs::Recording;
use super::queue::closed;
use super::record::Outcome;
use super::shared::Shared;

/// Records all of them, in one transaction if that can be, and none in a copy that is older than was seen.
pub(super) async fn record_all(
    shared: &Shared,
    issuances: &[Issuance],
) -> Vec<Result<Recorded, Error>> {
    match together(shared, issuances).await {
        Ok(outcomes) => outcomes
            .into_iter()
            .map(|outcome| outcome.map_err(Error::from))
            .collect(),
        Err(error) if error.is_temporary() || issuances.len() < 2 => {
            vec![Err(error); issuances.len()]
        }
        // One of them is what the database cannot take; the others shall not suffer for it.
        Err(_) => one_by_one(shared, issuances).await,
    }
}

async fn one_by_one(shared: &Shared, issuances: &[Issuance]) -> Vec<Result<Recorded, Error>> {
    let mut outcomes = Vec::with_capacity(issuances.len());
    for issuance in issuances {
        let outcome = together(shared, std::slice::from_ref(issuance)).await;
        outcomes.push(outcome.and_then(|mut outcomes| match outcomes.pop() {
            Some(outcome) => outcome.map_err(Error::from),
            None => Err(closed()),
        }));
    }
    outcomes
}

async fn together(shared: &Shared, issuances: &[Issuance]) -> Result<Vec<Outcome>, Error> {
    let mut done = shared.write_jobs(&[Recording(issuances)]).await;
    let Done { mut value, shift } = done.pop().unwrap_or_else(|| Err(closed()))?;
    for outcome in value.iter_mut().flatten() {
        if let Recorded::Now { seq, .. } = outcome {
            *seq += shift;
        }
    }
    Ok(value)
}
