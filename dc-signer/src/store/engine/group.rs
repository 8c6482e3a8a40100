//! Group commit: who records while another commit is under way shares the next one.
//!
//! A commit waits for the disk, and the disk takes as long for one credential as for a hundred.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::store::sql::Database;
use crate::store::{Error, Issuance, Recorded};

use super::record::{self, Outcome};
use super::work::Work;

/// The one task that records.
#[derive(Debug)]
pub(super) struct Group {
    /// Gone once the store is closed.
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Nothing that can panic is done while the value is locked.
fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Job {
    issuance: Issuance,
    done: oneshot::Sender<Result<Recorded, Error>>,
}

impl Group {
    pub(super) fn start<D: Database>(database: Arc<D>, node: Arc<str>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let task = tokio::spawn(run(database, node, receiver));
        Self {
            queue: Mutex::new(Some(sender)),
            task: Mutex::new(Some(task)),
        }
    }

    /// Waits until the issuance is on the disk. Once it is in the queue it may be recorded whether
    /// anybody waits or not.
    pub(super) async fn record(&self, issuance: Issuance) -> Result<Recorded, Error> {
        let (done, recorded) = oneshot::channel();
        let queue = lock(&self.queue).clone().ok_or_else(closed)?;
        let job = Job { issuance, done };
        queue.send(job).await.map_err(|_| closed())?;
        recorded.await.map_err(|_| closed())?
    }

    /// Fails with [`Error::Unavailable`] if nothing is recorded any more.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &*lock(&self.queue) {
            Some(queue) if !queue.is_closed() => Ok(()),
            _ => Err(closed()),
        }
    }

    /// Records what is in the queue, and stops.
    pub(super) async fn stop(&self) {
        lock(&self.queue).take();
        let task = lock(&self.task).take();
        if let Some(task) = task {
            // It only fails if it panicked, and then there is nothing to wait for.
            let _ = task.await;
        }
    }
}

fn closed() -> Error {
    Error::Unavailable {
        source: Arc::new(sqlx::Error::PoolClosed),
    }
}

async fn run<D: Database>(database: Arc<D>, node: Arc<str>, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(MOST);
    while queue.recv_many(&mut jobs, MOST).await > 0 {
        let (issuances, waiting): (Vec<_>, Vec<_>) = jobs
            .drain(..)
            .map(|job: Job| (job.issuance, job.done))
            .unzip();
        let outcomes = record_all(&*database, &node, &issuances).await;
        for (done, outcome) in waiting.into_iter().zip(outcomes) {
            // Whoever asked may have hung up.
            let _ = done.send(outcome);
        }
    }
}

async fn record_all<D: Database>(
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

/// How many may wait; the next ones wait to wait.
const QUEUE: usize = 4096;
/// The most that share a commit.
const MOST: usize = 256;
