//! A request's body on its way in: it has to be here soon, and what nobody has read of it is read before the answer leaves,
//! if that is little.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::intake::Ticket;
use super::open::Peer;
use super::requests::InProgress;

/// The rest of a body, after its request was answered.
#[derive(Debug)]
pub(super) struct Arrival {
    left: Left,
    /// A client that asked before it sends has not sent anything yet.
    asks_first: bool,
}

/// The rest of a body, and whether it was too slow; nothing while somebody has it, and when all of it is here.
type Left = Arc<Mutex<Option<(Body, bool)>>>;

/// Watches over the body of a request.
pub(super) fn watch(
    request: Request,
    ticket: Arc<Ticket>,
    in_progress: InProgress,
    peer: Peer,
) -> (Request, Arrival) {
    let asks_first = request.headers().contains_key(EXPECT);
    let left = Left::default();
    let request = request.map(|body| {
        if body.is_end_stream() {
            ticket.arrived();
        }
        Body::new(Arriving {
            body,
            ticket,
            in_progress,
            peer,
            left: left.clone(),
            deadline: None,
            too_slow: false,
        })
    });
    (request, Arrival { left, asks_first })
}

impl Arrival {
    /// Reads what nobody has read, if it is little and comes soon, and says whether nothing is left then: clients that
    /// are still sending may take an answer for a broken connection.
    pub(super) async fn finish(&self) -> bool {
        let left = self
            .left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some((mut body, too_slow)) = left else {
            return true;
        };
        if self.asks_first || too_slow || body.size_hint().lower() > MAX_DRAIN {
            return false;
        }
        let drain = async {
            let mut drained = 0;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return false };
                drained += frame.data_ref().map_or(0, size);
                if drained > MAX_DRAIN {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(DRAIN_TIME, drain)
            .await
            .unwrap_or(false)
    }
}

/// A body on its way in.
struct Arriving {
    body: Body,
    ticket: Arc<Ticket>,
    in_progress: InProgress,
    peer: Peer,
    left: Left,
    /// Set once it has to be waited for.
    deadline: Option<Pin<Box<Sleep>>>,
    too_slow: bool,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            return self.wait(context);
        };
        if frame.is_none() || self.body.is_end_stream() {
            self.ticket.arrived();
            self.in_progress.arrived();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Arriving {
    /// Those who are known may take longer, as long as whoever reads the body lets them.
    fn wait(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(sleep(BODY_TIME)));
        match deadline.as_mut().poll(context) {
            Poll::Ready(()) if self.peer.is_stranger() => {
                self.too_slow = true;
                Poll::Ready(Some(Err(axum::Error::new(TooSlow))))
            }
            _ => Poll::Pending,
        }
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            let body = std::mem::take(&mut self.body);
            *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some((body, self.too_slow));
        }
    }
}

/// A stranger's body did not arrive in time.
#[derive(Clone, Copy, Debug)]
pub struct TooSlow;

impl std::error::Error for TooSlow {}

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body took longer than {} s", BODY_TIME.as_secs())
    }
}

fn size(data: &Bytes) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

/// The longest time of the body of a stranger's request: enough for 64 KiB over a slow line.
const BODY_TIME: Duration = Duration::from_secs(5);
/// Bytes of a body that are read although nobody wants them. Only what is read costs anything, and nothing of it is kept.
const MAX_DRAIN: u64 = 1024 * 1024;
/// The longest time that this may take.
const DRAIN_TIME: Duration = Duration::from_secs(2);
