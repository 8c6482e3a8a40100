//! Working together: who asks while others are being answered shares the next answer.
//!
//! A commit waits for the disk, and a query for another thread or a server, as long for one as for a hundred.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::Error;

/// One task that answers all questions of a kind, as many at once as wait.
#[derive(Debug)]
pub(super) struct Queue<Q, A> {
    /// Gone once the store is closed.
    sender: Mutex<Option<mpsc::Sender<Job<Q, A>>>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// How many calls are under way at the same time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flights {
    pub(super) most: usize,
    /// Another one beside those that are under way is for so many at least: fewer wait until one of them has ended.
    pub(super) least: usize,
}

impl Flights {
    /// True if another call may begin.
    const fn has_room(self, under_way: usize, waiting: usize) -> bool {
        under_way == 0 || under_way < self.most && waiting >= self.least
    }
}

#[derive(Debug)]
struct Job<Q, A> {
    question: Q,
    done: oneshot::Sender<Result<A, Error>>,
}

/// Nothing that can panic is done while the value is locked.
fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<Q: Send + 'static, A: Send + 'static> Queue<Q, A> {
    /// `answer` has an answer for each of its questions, in their order. While several come
    /// at once it is called once in a `pace` at most, so that more share a call; who comes alone waits for nothing.
    pub(super) fn start<F, R>(pace: Duration, flights: Flights, answer: F) -> Self
    where
        F: Fn(Vec<Q>) -> R + Send + Sync + 'static,
        R: Future<Output = Vec<Result<A, Error>>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let task = tokio::spawn(run(receiver, pace, flights, answer));
        Self {
            sender: Mutex::new(Some(sender)),
            task: Mutex::new(Some(task)),
        }
    }

    /// Waits for the answer. Once it is in the queue it may be worked on whether anybody waits or not.
    pub(super) async fn ask(&self, question: Q) -> Result<A, Error> {
        let (done, answered) = oneshot::channel();
        let sender = lock(&self.sender).clone().ok_or_else(closed)?;
        let job = Job { question, done };
        sender.send(job).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Fails with [`Error::Unavailable`] if nothing is answered any more.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &*lock(&self.sender) {
            Some(sender) if !sender.is_closed() => Ok(()),
            _ => Err(closed()),
        }
    }

    /// Answers what is in the queue, and stops.
    pub(super) async fn stop(&self) {
        lock(&self.sender).take();
        let task = lock(&self.task).take();
        if let Some(task) = task {
            // It only fails if it panicked, and then there is nothing to wait for.
            let _ = task.await;
        }
    }
}

pub(super) fn closed() -> Error {
    Error::Unavailable {
        source: Arc::new(sqlx::Error::PoolClosed),
    }
}

async fn run<Q, A, F, R>(
    mut receiver: mpsc::Receiver<Job<Q, A>>,
    pace: Duration,
    flights: Flights,
    answer: F,
) where
    Q: Send + 'static,
    A: Send + 'static,
    F: Fn(Vec<Q>) -> R + Send + Sync + 'static,
    R: Future<Output = Vec<Result<A, Error>>> + Send + 'static,
{
    let (mut jobs, mut is_open) = (Vec::with_capacity(MOST), true);
    let mut under_way = JoinSet::new();
    loop {
        if jobs.is_empty() || !flights.has_room(under_way.len(), jobs.len()) {
            let room = MOST - jobs.len();
            tokio::select! {
                Some(done) = under_way.join_next() => landed(done),
                taken = receiver.recv_many(&mut jobs, room), if is_open && room > 0 => is_open = taken > 0,
                else => break,
            }
            continue;
        }
        let next = Instant::now() + pace;
        let (questions, waiting): (Vec<_>, Vec<_>) = jobs
            .drain(..)
            .map(|job: Job<Q, A>| (job.question, job.done))
            .unzip();
        let are_several = questions.len() > 1;
        let answers = answer(questions);
        under_way.spawn(async move {
            for (done, answer) in waiting.into_iter().zip(answers.await) {
                // Whoever asked may have hung up.
                let _ = done.send(answer);
            }
        });
        if are_several && Instant::now() < next {
            sleep_until(next).await;
        }
    }
}

/// Nobody is answered any more behind a call that has panicked.
fn landed(done: Result<(), JoinError>) {
    if let Err(error) = done
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// How many may wait; the next ones wait to wait.
const QUEUE: usize = 4096;
/// The most that are answered at once.
const MOST: usize = 1024;

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    const ONE: Flights = Flights { most: 1, least: 1 };

    #[tokio::test]
    async fn who_asks_meanwhile_shares_the_next_answer() {
        let (gate, batches) = (
            Arc::new(Semaphore::new(0)),
            Arc::new(Mutex::new(Vec::new())),
        );
        let (theirs, counted) = (Arc::clone(&gate), Arc::clone(&batches));
        let queue = Arc::new(Queue::start(
            Duration::ZERO,
            ONE,
            move |questions: Vec<usize>| {
                let (gate, batches) = (Arc::clone(&theirs), Arc::clone(&counted));
                async move {
                    gate.acquire().await.unwrap().forget();
                    lock(&batches).push(questions.len());
                    questions.into_iter().map(|q| Ok(q * 2)).collect()
                }
            },
        ));
        let ask = |question| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { queue.ask(question).await.unwrap() })
        };
        let first = ask(1);
        tokio::task::yield_now().await;
        let others: Vec<_> = (2..10).map(ask).collect();
        tokio::task::yield_now().await;
        gate.add_permits(2);
        assert_eq!(first.await.unwrap(), 2);
        for (other, expected) in others.into_iter().zip(2..) {
            assert_eq!(other.await.unwrap(), expected * 2);
        }
        assert_eq!(*lock(&batches), [1, 8]);
    }

    #[tokio::test]
    async fn several_wait_for_more_and_one_alone_for_nothing() {
        let pace = Duration::from_millis(500);
        let batches = Arc::new(Mutex::new(Vec::new()));
        let counted = Arc::clone(&batches);
        let queue = Queue::start(pace, ONE, move |questions: Vec<()>| {
            lock(&counted).push(questions.len());
            async move { questions.into_iter().map(Ok).collect() }
        });
        let began = Instant::now();
        queue.ask(()).await.unwrap();
        queue.ask(()).await.unwrap();
        let two = async || tokio::join!(queue.ask(()), queue.ask(()));
        let (one, other) = two().await;
        assert!(one.is_ok() && other.is_ok());
        assert!(began.elapsed() < pace);
        let (one, other) = two().await;
        assert!(one.is_ok() && other.is_ok());
        assert!(began.elapsed() >= pace);
        assert_eq!(*lock(&batches), [1, 1, 2, 2]);
    }

    /// The sizes of the calls that five askers get, one behind the other, while no call ends; and then all of them do.
    async fn calls(flights: Flights) -> Vec<usize> {
        let gate = Arc::new(Semaphore::new(0));
        let batches = Arc::new(Mutex::new(Vec::new()));
        let (theirs, counted) = (Arc::clone(&gate), Arc::clone(&batches));
        let queue = Arc::new(Queue::start(
            Duration::ZERO,
            flights,
            move |questions: Vec<()>| {
                lock(&counted).push(questions.len());
                let gate = Arc::clone(&theirs);
                async move {
                    gate.acquire().await.unwrap().forget();
                    questions.into_iter().map(Ok).collect()
                }
            },
        ));
        let mut asked = JoinSet::new();
        for _ in 0..5 {
            let queue = Arc::clone(&queue);
            asked.spawn(async move { queue.ask(()).await });
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
        gate.add_permits(5);
        assert!(asked.join_all().await.iter().all(Result::is_ok));
        lock(&batches).clone()
    }

    #[tokio::test]
    async fn a_second_call_is_for_as_many_as_are_worth_it() {
        let flights = |most, least| Flights { most, least };
        assert_eq!(calls(flights(1, 1)).await, [1, 4]);
        assert_eq!(calls(flights(2, 1)).await, [1, 1, 3]);
        assert_eq!(calls(flights(2, 3)).await, [1, 3, 1]);
        assert_eq!(calls(flights(2, 5)).await, [1, 4]);
    }

    #[tokio::test]
    async fn what_waits_is_answered_before_it_stops_and_nothing_after() {
        let queue = Arc::new(Queue::start(
            Duration::ZERO,
            ONE,
            |questions: Vec<()>| async move { questions.into_iter().map(Ok).collect() },
        ));
        queue.check().unwrap();
        let (asked, ()) = tokio::join!(queue.ask(()), queue.stop());
        asked.unwrap();
        assert!(queue.check().is_err());
        assert!(queue.ask(()).await.is_err());
    }

    #[tokio::test]
    async fn a_task_that_died_is_an_error() {
        let queue: Queue<(), ()> =
            Queue::start(Duration::ZERO, ONE, |_| async { panic!("on purpose") });
        assert!(queue.ask(()).await.is_err());
        assert!(queue.check().is_err());
    }
}
