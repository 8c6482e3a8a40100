//! The queues of a store, one for each kind of question that many ask.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use crate::Error;
use crate::registry::{CodeId, Device, DeviceId, PendingCode, Sha256};

use super::asked::{Answered, Asked, DeviceAsks, DeviceGets};
use super::queue::{Flights, Queue};
use super::shared::Shared;
use super::{codes, devices, group};

/// A lookup is much shorter than a commit, so without a pace hardly any two would share one.
const LOOKUP_PACE: Duration = Duration::from_millis(3);

/// The disk takes less of this for a commit than the processor does for all around it, so under load more shall share
/// one; devices that renew once in days do not notice.
const RECORD_PACE: Duration = Duration::from_millis(20);
/// So many operations share a transaction beside another one.
const WORTH_A_TRANSACTION: usize = 64;

/// A second transaction of a signer waits for the log's lock, as the first one does, and costs the others as much.
fn writers(shared: &Shared) -> Flights {
    Flights {
        most: shared.database.flights(),
        least: WORTH_A_TRANSACTION,
    }
}

fn readers(shared: &Shared) -> Flights {
    Flights {
        most: shared.database.flights(),
        least: 1,
    }
}

pub(super) fn recorder(shared: Arc<Shared>) -> Queue<DeviceAsks, DeviceGets> {
    Queue::start(
        RECORD_PACE,
        writers(&shared),
        move |wanted: Vec<DeviceAsks>| {
            let shared = Arc::clone(&shared);
            async move { group::write_all(&shared, wanted).await }
        },
    )
}

pub(super) fn changer(shared: Arc<Shared>) -> Queue<Asked, Answered> {
    Queue::start(RECORD_PACE, writers(&shared), move |asked: Vec<Asked>| {
        let shared = Arc::clone(&shared);
        async move {
            let done = shared.write_jobs(&asked).await;
            done.into_iter()
                .map(|one| one.map(|done| done.value))
                .collect()
        }
    })
}

pub(super) fn finder(shared: Arc<Shared>) -> Queue<Sha256, Option<Device>> {
    Queue::start(LOOKUP_PACE, readers(&shared), move |keys: Vec<Sha256>| {
        let shared = Arc::clone(&shared);
        async move { each(&keys, find_by_keys(&shared, &keys).await) }
    })
}

pub(super) fn id_finder(shared: Arc<Shared>) -> Queue<DeviceId, Option<Device>> {
    Queue::start(LOOKUP_PACE, readers(&shared), move |ids: Vec<DeviceId>| {
        let shared = Arc::clone(&shared);
        async move {
            let found =
                async { devices::find_by_ids(&mut shared.database.look().await?, &ids).await };
            each(&ids, found.await)
        }
    })
}

pub(super) fn code_finder(shared: Arc<Shared>) -> Queue<CodeId, Option<PendingCode>> {
    Queue::start(LOOKUP_PACE, readers(&shared), move |ids: Vec<CodeId>| {
        let shared = Arc::clone(&shared);
        async move {
            let found = async { codes::find_all(&mut shared.database.look().await?, &ids).await };
            each(&ids, found.await)
        }
    })
}

/// The things that were found, for each that asked.
fn each<K: Eq + Hash, V: Clone>(
    asked: &[K],
    found: Result<HashMap<K, Result<V, Error>>, Error>,
) -> Vec<Result<Option<V>, Error>> {
    let of = |key: &K| match &found {
        Ok(found) => found.get(key).cloned().transpose(),
        Err(error) => Err(error.clone()),
    };
    asked.iter().map(of).collect()
}

async fn find_by_keys(
    shared: &Shared,
    keys: &[Sha256],
) -> Result<HashMap<Sha256, Result<Device, Error>>, Error> {
    devices::find_by_keys(&mut shared.database.look().await?, keys).await
}
