//! A stream that fails once nothing has moved on it for too long, and that ends so that its last answer arrives.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::requests::Requests;

/// Fails with [`io::ErrorKind::TimedOut`] when neither a read nor a write has got anywhere for the
/// limit.
#[derive(Debug)]
pub(super) struct Idle<S> {
    stream: S,
    limit: Duration,
    moved: Instant,
    /// Since when the peer has not read what is to be written.
    stuck: Option<Instant>,
    // Set once for each limit that passes, not for each byte that moves.
    timer: Pin<Box<Sleep>>,
    ending: Ending,
    /// While one is being answered, it is its own limit that counts and not that its client says nothing.
    requests: Requests,
}

/// The progress of a stream's end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    Open,
    /// Nothing more is sent. What the peer still sends is thrown away for a while: closing a socket with
    /// something unread in it resets the connection, and the peer might lose the answer.
    Draining,
    Over,
}

impl<S> Idle<S> {
    pub(super) fn new(stream: S, limit: Duration, requests: Requests) -> Self {
        let moved = Instant::now();
        Self {
            stream,
            limit,
            moved,
            stuck: None,
            timer: Box::pin(sleep_until(moved + limit)),
            ending: Ending::Open,
            requests,
        }
    }

    /// Passes on what the stream did, and gives up if it has done nothing for too long.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<T>>,
        since: Instant,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.moved = Instant::now();
            return done;
        }
        loop {
            let now = Instant::now();
            let deadline = since + self.limit;
            if deadline <= now {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            ready!(self.timer.as_mut().poll(context));
            self.timer.as_mut().reset(deadline.max(now));
        }
    }

    /// The same for a write, which waits for a peer that reads: that counts from the moment that it does not.
    fn watch_write<T>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.stuck = None;
        }
        let since = match done.is_pending() {
            true => *self.stuck.get_or_insert_with(Instant::now),
            false => self.moved,
        };
        self.watch(context, done, since)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Idle<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_read(context, buffer);
        if self.requests.are_in_progress() {
            self.moved = Instant::now();
        }
        let since = self.moved;
        self.watch(context, done, since)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Idle<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch_write(context, done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Not a movement: it is ready whenever there is nothing to flush.
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Pending => self.watch_write(context, Poll::Pending),
            Poll::Ready(done) => {
                self.stuck = None;
                Poll::Ready(done)
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ending == Ending::Open {
            match Pin::new(&mut self.stream).poll_shutdown(context) {
                Poll::Pending => return self.watch_write(context, Poll::Pending),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {
                    self.ending = Ending::Draining;
                    self.timer.as_mut().reset(Instant::now() + LINGER);
                }
            }
        }
        while self.ending == Ending::Draining {
            let mut scratch = [0; 4096];
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = Pin::new(&mut self.stream).poll_read(context, &mut buffer);
            let ended = match &read {
                Poll::Ready(read) => read.is_err() || buffer.filled().is_empty(),
                Poll::Pending => false,
            };
            if ended || self.timer.as_mut().poll(context).is_ready() {
                self.ending = Ending::Over;
            } else if read.is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The time for which what a peer still sends is thrown away.
const LINGER: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(600);

    #[tokio::test]
    async fn a_client_that_waits_for_its_answer_is_not_silent() {
        let (near, mut far) = duplex(64);
        let requests = Requests::none_yet().await;
        let mut near = Idle::new(near, LIMIT, requests.clone());
        let answering = requests.begin(super::super::requests::Phase::Answering);
        let late = async {
            tokio::time::sleep(3 * LIMIT).await;
            drop(answering);
            far.write_all(b"x").await.unwrap();
            far
        };
        let (read, _far) = tokio::join!(near.read_u8(), late);
        assert_eq!(read.unwrap(), b'x');
        let error = near.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn silence_ends_the_stream_after_the_limit() {
        let (near, _far) = duplex(16);
        let began = Instant::now();
        let error = Idle::new(near, LIMIT, Requests::none_yet().await)
            .read_u8()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() >= LIMIT);
    }

    #[tokio::test]
    async fn a_byte_now_and_then_keeps_it_open() {
        let (near, mut far) = duplex(16);
        let mut near = Idle::new(near, LIMIT, Requests::none_yet().await);
        for _ in 0..6 {
            tokio::time::sleep(LIMIT / 4).await;
            far.write_u8(7).await.unwrap();
            assert_eq!(near.read_u8().await.unwrap(), 7);
        }
    }

    #[tokio::test]
    async fn what_a_peer_still_sends_is_thrown_away_until_it_ends_too() {
        let (near, mut far) = duplex(16);
        let mut near = Idle::new(near, LIMIT, Requests::none_yet().await);
        let (shut, ()) = tokio::join!(near.shutdown(), async {
            far.write_all(&[7; 100_000]).await.unwrap();
            drop(far);
        });
        shut.unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_does_not_end_is_left_after_a_while() {
        let (near, _far) = duplex(16);
        let began = Instant::now();
        Idle::new(near, LIMIT, Requests::none_yet().await)
            .shutdown()
            .await
            .unwrap();
        assert!(began.elapsed() >= LINGER);
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_ends_it_too() {
        let (near, _far) = duplex(1);
        let error = Idle::new(near, LIMIT, Requests::none_yet().await)
            .write_all(b"two")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
