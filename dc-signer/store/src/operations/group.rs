//! Group commit: what devices come for is written together, so that the log is locked once for all of it.

use crate::{Error, Issuance, Recorded};

use super::asked::{Asked, DeviceAsks, DeviceGets};
use super::at_once::Done;
use super::jobs::{Together, TogetherDone};
use super::queue::closed;
use super::record::Outcome;
use super::shared::Shared;

/// Writes all of them, in one transaction if that can be, and nothing in a copy that is older than was seen. Says how each of them
/// went, in their order.
pub(super) async fn write_all(
    shared: &Shared,
    wanted: Vec<DeviceAsks>,
) -> Vec<Result<DeviceGets, Error>> {
    let (mut asked, mut issuances, mut are_issuances) = (Vec::new(), Vec::new(), Vec::new());
    for one in wanted {
        are_issuances.push(matches!(one, DeviceAsks::Record(_)));
        match one {
            DeviceAsks::Change(ask) => asked.push(ask),
            DeviceAsks::Record(issuance) => issuances.push(*issuance),
        }
    }
    let (answered, recorded) = together(shared, &asked, &issuances).await;
    let recorded = match recorded {
        // One of them is what the database cannot take; the others shall not suffer for it.
        Err(error) if !error.is_temporary() && issuances.len() > 1 => {
            one_by_one(shared, &issuances).await
        }
        Err(error) => vec![Err(error); issuances.len()],
        Ok(recorded) => recorded
            .into_iter()
            .map(|one| one.map_err(Error::from))
            .collect(),
    };
    let (mut answered, mut recorded) = (answered.into_iter(), recorded.into_iter());
    let granted = are_issuances
        .into_iter()
        .map(|is_issuance| match is_issuance {
            true => recorded.next().map(|one| one.map(DeviceGets::Recorded)),
            false => answered.next(),
        });
    granted
        .map(|one| one.unwrap_or_else(|| Err(closed())))
        .collect()
}

async fn one_by_one(shared: &Shared, issuances: &[Issuance]) -> Vec<Result<Recorded, Error>> {
    let mut outcomes = Vec::with_capacity(issuances.len());
    for issuance in issuances {
        let (_, recorded) = together(shared, &[], std::slice::from_ref(issuance)).await;
        outcomes.push(recorded.and_then(|mut recorded| match recorded.pop() {
            Some(outcome) => outcome.map_err(Error::from),
            None => Err(closed()),
        }));
    }
    outcomes
}

/// The answers, and how each issuance went.
async fn together(
    shared: &Shared,
    asked: &[Asked],
    issuances: &[Issuance],
) -> (Vec<Result<DeviceGets, Error>>, Result<Vec<Outcome>, Error>) {
    let mut jobs: Vec<Together<'_>> = asked.iter().map(Together::Ask).collect();
    if !issuances.is_empty() {
        jobs.push(Together::Record(issuances));
    }
    let (mut answered, mut recorded) = (Vec::with_capacity(asked.len()), Ok(Vec::new()));
    for done in shared.write_jobs(&jobs).await {
        match done {
            Ok(Done {
                value: TogetherDone::Answered(answer),
                ..
            }) => answered.push(Ok(DeviceGets::Answered(answer))),
            Ok(Done {
                value: TogetherDone::Recorded(outcomes),
                shift,
            }) => recorded = Ok(placed(outcomes, shift)),
            Err(error) if answered.len() < asked.len() => answered.push(Err(error)),
            Err(error) => recorded = Err(error),
        }
    }
    (answered, recorded)
}

/// Records have so much higher places than was said, because others stand before them.
fn placed(mut outcomes: Vec<Outcome>, shift: u64) -> Vec<Outcome> {
    for outcome in outcomes.iter_mut().flatten() {
        if let Recorded::Now { seq, .. } = outcome {
            *seq += shift;
        }
    }
    outcomes
}
