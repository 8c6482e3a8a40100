//! The requests in progress on a connection, and how long there have been none: frames alone keep HTTP/2 open for ever.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::watch;

use super::open::Open;

/// The requests of one connection, which is busy as long as there is one.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    count: watch::Sender<usize>,
    open: Arc<Open>,
}

impl Requests {
    /// None yet.
    pub(super) fn of(open: Arc<Open>) -> Self {
        open.idle();
        let count = watch::Sender::default();
        Self { count, open }
    }

    /// One more is in progress until the result is dropped.
    pub(super) fn begin(&self) -> InProgress {
        // Both are changed in one step: the count is locked meanwhile.
        self.count.send_modify(|count| {
            if *count == 0 {
                self.open.busy();
            }
            *count += 1;
        });
        InProgress(self.clone())
    }

    /// Whether there is one.
    pub(super) fn are_in_progress(&self) -> bool {
        *self.count.borrow() > 0
    }

    /// Waits until there has been none for so long.
    pub(super) async fn quiet_for(&self, limit: Duration) {
        let mut seen = self.count.subscribe();
        // It fails only when nobody can begin any more, and then it is quiet.
        while seen.wait_for(|count| *count == 0).await.is_ok() {
            // One that began and ended meanwhile is a change too.
            if tokio::time::timeout(limit, seen.changed()).await.is_err() {
                return;
            }
        }
    }
}

/// A request in progress.
#[derive(Debug)]
pub(super) struct InProgress(Requests);

impl Drop for InProgress {
    fn drop(&mut self) {
        let Requests { count, open } = &self.0;
        count.send_modify(|count| {
            *count -= 1;
            if *count == 0 {
                open.idle();
            }
        });
    }
}

impl InProgress {
    /// Lasts as long as the answer is being made, which may take long if nobody knows its length.
    pub(super) fn last_as(self, response: Response) -> Response {
        match response.body().size_hint().exact() {
            Some(_) => response,
            None => response.map(|body| {
                Body::new(Lasting {
                    body,
                    _request: self,
                })
            }),
        }
    }
}

/// A body with its request.
#[derive(Debug)]
struct Lasting {
    body: Body,
    _request: InProgress,
}

impl HttpBody for Lasting {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
impl Requests {
    /// Those of a connection that nobody else has anything to do with.
    pub(super) async fn none_yet() -> Self {
        use super::open::{Connections, Entered, Most};
        let most = || Most { all: 1, of_one: 1 };
        let from = std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into();
        match Arc::<Connections>::default().enter(from, most).await {
            Entered::In(open, _) => Self::of(open.into()),
            Entered::TooMany => panic!("there is no other"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::time::{sleep, timeout};

    use super::*;

    const SHORT: Duration = Duration::from_millis(100);

    async fn is_quiet(requests: &Requests) -> bool {
        timeout(3 * SHORT, requests.quiet_for(SHORT)).await.is_ok()
    }

    #[tokio::test]
    async fn it_is_quiet_once_no_request_is_in_progress() {
        let requests = Requests::none_yet().await;
        let one = requests.begin();
        assert!(!is_quiet(&requests).await);
        drop(one);
        assert!(is_quiet(&requests).await);
    }

    #[tokio::test]
    async fn requests_that_are_answered_at_once_are_requests() {
        let requests = Requests::none_yet().await;
        let busy = async {
            loop {
                sleep(SHORT / 4).await;
                drop(requests.begin());
            }
        };
        tokio::select! {
            () = requests.quiet_for(10 * SHORT) => panic!("it was not quiet"),
            () = busy => {}
            () = sleep(15 * SHORT) => {}
        }
    }

    #[tokio::test]
    async fn an_answer_of_unknown_length_lasts_until_it_has_been_read() {
        let requests = Requests::none_yet().await;
        let known = requests.begin().last_as(Response::new(Body::from("known")));
        assert!(is_quiet(&requests).await);
        let body = Body::new(known.into_body().map_frame(|frame| frame));
        let stream = Body::from_stream(body.into_data_stream());
        let unknown = requests.begin().last_as(Response::new(stream));
        assert!(!is_quiet(&requests).await);
        let read = unknown.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(read, "known");
        assert!(is_quiet(&requests).await);
    }
}
