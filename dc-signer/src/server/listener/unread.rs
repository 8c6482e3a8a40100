//! Answers that are not taken: whoever asks and does not read is not kept for it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::requests::InProgress;

/// The answers of a connection of which something is ready for the client to take.
#[derive(Debug)]
pub(super) struct Unread {
    limit: Duration,
    answers: Mutex<Answers>,
    /// Rung for the first one.
    some: Notify,
}

#[derive(Debug, Default)]
struct Answers {
    next: u64,
    /// Each with the time until which something of it has to be taken.
    ready: BTreeMap<u64, (Instant, InProgress)>,
}

impl Unread {
    /// None yet. A client that has not taken more of an answer for the limit does not want it.
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            answers: Mutex::default(),
            some: Notify::new(),
        }
    }

    /// Makes the request last as long as its answer is being made and taken.
    pub(super) fn last_as(self: Arc<Self>, request: InProgress, response: Response) -> Response {
        request.answer();
        let limit = match response.body().size_hint().exact() {
            // All of it is ready.
            Some(_) => self.limit.min(AT_ONCE),
            None => self.limit,
        };
        let number = {
            let mut answers = self.lock();
            answers.next += 1;
            answers.next
        };
        response.map(|body| {
            let lasting = Lasting {
                body,
                number,
                limit,
                request,
                unread: self,
            };
            lasting.is_ready();
            Body::new(lasting)
        })
    }

    /// Ends the requests whose answers are not taken; waits for ever.
    pub(super) async fn end(&self) {
        loop {
            let next = self.end_until(Instant::now());
            match next {
                Some(deadline) => sleep_until(deadline).await,
                None => self.some.notified().await,
            }
        }
    }

    /// Returns when the next one is due.
    fn end_until(&self, now: Instant) -> Option<Instant> {
        let mut late = Vec::new();
        let mut answers = self.lock();
        answers.ready.retain(|_, (deadline, request)| {
            let is_late = *deadline <= now;
            if is_late {
                late.push(request.clone());
            }
            !is_late
        });
        let next = answers.ready.values().map(|(deadline, _)| *deadline).min();
        drop(answers);
        late.iter().for_each(InProgress::end);
        next
    }

    /// Nothing that can panic is done while it is locked.
    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The body of an answer, with its request.
#[derive(Debug)]
struct Lasting {
    body: Body,
    number: u64,
    limit: Duration,
    request: InProgress,
    unread: Arc<Unread>,
}

impl Lasting {
    /// There is something to take.
    fn is_ready(&self) {
        let until = Instant::now() + self.limit;
        let mut answers = self.unread.lock();
        answers
            .ready
            .insert(self.number, (until, self.request.clone()));
        if answers.ready.len() == 1 {
            self.unread.some.notify_one();
        }
    }

    /// There is nothing to take, which is not the client's fault.
    fn is_not_ready(&self) {
        let removed = self.unread.lock().ready.remove(&self.number);
        drop(removed);
    }
}

impl HttpBody for Lasting {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let taken = Pin::new(&mut self.body).poll_frame(context);
        match taken.is_ready() {
            true => self.is_ready(),
            false => self.is_not_ready(),
        }
        taken
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.is_not_ready();
    }
}

/// The time that an answer that is ready as a whole may wait for its client, before its connection may be sent away.
const AT_ONCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::server::listener::requests::{Phase, Requests, SHORT};

    async fn none_yet() -> (Requests, Arc<Unread>) {
        (Requests::none_yet().await, Arc::new(Unread::new(SHORT)))
    }

    fn stream(text: &'static str) -> Response {
        let body = Body::new(Body::from(text).map_frame(|frame| frame));
        Response::new(Body::from_stream(body.into_data_stream()))
    }

    #[tokio::test]
    async fn an_answer_lasts_until_it_has_been_taken() {
        let (requests, unread) = none_yet().await;
        for answer in [Response::new(Body::from("known")), stream("known")] {
            let answer = unread
                .clone()
                .last_as(requests.begin(Phase::Answering), answer);
            assert!(!requests.is_quiet().await);
            let read = answer.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(read, "known");
            assert!(requests.is_quiet().await);
        }
    }

    #[tokio::test]
    async fn an_answer_that_nobody_takes_does_not_last() {
        let (requests, unread) = none_yet().await;
        let mut first = unread
            .clone()
            .last_as(requests.begin(Phase::Answering), stream("one"));
        let ending = async {
            tokio::select! {
                () = unread.end() => {}
                () = sleep(5 * SHORT) => {}
            }
        };
        let began = async {
            // It is taken again and again.
            first.body_mut().frame().await.unwrap().unwrap();
            assert!(requests.are_in_progress());
            sleep(2 * SHORT).await;
            assert!(!requests.are_in_progress());
        };
        tokio::join!(ending, began);
    }

    #[tokio::test]
    async fn an_answer_that_takes_long_to_make_lasts() {
        let (requests, unread) = none_yet().await;
        let answer = Response::new(Body::new(Never));
        let mut answer = unread
            .clone()
            .last_as(requests.begin(Phase::Answering), answer);
        let making = timeout(5 * SHORT, answer.body_mut().frame());
        tokio::select! {
            () = unread.end() => {}
            made = making => assert!(made.is_err()),
        }
        assert!(requests.are_in_progress());
    }

    /// Nothing, and no end.
    struct Never;

    impl HttpBody for Never {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Pending
        }
    }
}
