//! Bytes between two streams, in both directions, each of which ends for itself.
//!
//! A connection that has nothing to say keeps no buffer.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Times after which a connection ends.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without a byte in either direction; never if there is none.
    pub idle: Option<Duration>,
    /// The same, after one direction has ended.
    pub half_closed: Duration,
    /// How often it is asked whether the connection may stay.
    pub recheck: Duration,
}

/// The reason why a connection did not end by both sides' will.
#[derive(Debug)]
#[non_exhaustive]
pub enum Broken<E> {
    /// The second stream failed.
    Far(io::Error),
    /// No byte came for so long.
    Idle(Duration),
    /// The second stream had ended, and in the time that one direction is waited for the first one has neither ended nor said
    /// anything. All that it had said before is written.
    Left,
    /// The first stream failed.
    Near(io::Error),
    /// It may not stay.
    Unwanted(E),
}

/// Copies until both directions have ended. The end of one is told to the other side, and the other direction goes on.
///
/// A stream that takes nothing more may have said something before that is still on its way: it is heard to its end. If the second
/// stream ends whole then, that is its end, whatever it did not want to hear.
///
/// `early` goes to the second stream before anything that the first one says. `stays` is asked every now and then about the second
/// stream.
///
/// Fails with [`Broken`]. Both streams are to be dropped then, without a goodbye: what came before may have been cut.
pub async fn relay<N, F, E>(
    near: &mut N,
    far: &mut F,
    early: Vec<u8>,
    limits: Limits,
    stays: impl Fn(&F) -> Result<(), E>,
) -> Result<(), Broken<E>>
where
    N: AsyncRead + AsyncWrite + Unpin,
    F: AsyncRead + AsyncWrite + Unpin,
{
    let (mut out, mut back) = (Way::starting_with(early), Way::default());
    let mut clock = Clock::new(limits);
    poll_fn(|cx| {
        let before = (out.steps, back.steps);
        let there = out.poll(cx, near, far).map_err(Broken::Near)?;
        let here = back
            .poll(cx, far, near)
            // That it took nothing more was noticed first, and says more.
            .map_err(|error| Broken::Far(out.refused.take().unwrap_or(error)))?;
        if there.is_ready() && here.is_ready() {
            let delivered = back.refused.take().map_or(Ok(()), Err);
            return Poll::Ready(delivered.map_err(Broken::Near));
        }
        if before != (out.steps, back.steps) {
            clock.last = Instant::now();
        }
        let half_closed = there.is_ready() || here.is_ready();
        loop {
            match ready!(clock.poll(cx, half_closed)) {
                Due::Check => stays(far).map_err(Broken::Unwanted)?,
                Due::Idle(longest) => {
                    let broken = match (out.refused.take(), back.refused.take()) {
                        (Some(error), _) => Broken::Far(error),
                        (None, Some(error)) => Broken::Near(error),
                        (None, None) if here.is_ready() && out.is_at_rest() => Broken::Left,
                        (None, None) => Broken::Idle(longest),
                    };
                    return Poll::Ready(Err(broken));
                }
            }
        }
    })
    .await
}

/// The times of one connection.
struct Clock {
    limits: Limits,
    /// When something last moved.
    last: Instant,
    checked: Instant,
    timer: Pin<Box<Sleep>>,
}

/// The thing that it is time for.
enum Due {
    Check,
    Idle(Duration),
}

impl Clock {
    fn new(limits: Limits) -> Self {
        let now = Instant::now();
        Self {
            limits,
            last: now,
            checked: now,
            timer: Box::pin(sleep_until(now)),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, half_closed: bool) -> Poll<Due> {
        let idle = match half_closed {
            true => Some(self.limits.idle.map_or(self.limits.half_closed, |idle| {
                idle.min(self.limits.half_closed)
            })),
            false => self.limits.idle,
        };
        loop {
            let now = Instant::now();
            if let Some(idle) = idle.filter(|idle| now >= self.last + *idle) {
                return Poll::Ready(Due::Idle(idle));
            }
            let check = self.checked + self.limits.recheck;
            if now >= check {
                self.checked = now;
                return Poll::Ready(Due::Check);
            }
            let due = idle.map_or(check, |idle| check.min(self.last + idle));
            // What is due later than the timer is noticed when that ends, so that few bytes move it.
            if due < self.timer.deadline() || self.timer.is_elapsed() {
                self.timer.as_mut().reset(due);
            }
            ready!(self.timer.as_mut().poll(cx));
        }
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    /// Read, and not yet written from `written` on.
    waiting: Vec<u8>,
    written: usize,
    /// How often something was read or written, modulo 2^64.
    steps: u64,
    unflushed: bool,
    stage: Stage,
    /// The reason for which nothing more is taken, and so nothing more read.
    refused: Option<io::Error>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    #[default]
    Flowing,
    Ending,
    Ended,
}

impl Way {
    fn starting_with(waiting: Vec<u8>) -> Self {
        Self {
            waiting,
            ..Self::default()
        }
    }

    /// Goes on until nothing more comes, or nothing more is taken. Fails if reading does.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        loop {
            match self.stage {
                Stage::Flowing => {
                    if let Err(refused) = ready!(self.poll_write(cx, Pin::new(to))) {
                        self.refuse(refused);
                        continue;
                    }
                    let read = self.poll_read(cx, Pin::new(from));
                    if read.is_pending() && self.unflushed {
                        if let Err(refused) = ready!(Pin::new(&mut *to).poll_flush(cx)) {
                            self.refuse(refused);
                            continue;
                        }
                        self.unflushed = false;
                    }
                    if ready!(read)? == 0 {
                        self.stage = Stage::Ending;
                    }
                }
                Stage::Ending => match ready!(Pin::new(&mut *to).poll_shutdown(cx)) {
                    Ok(()) => self.stage = Stage::Ended,
                    Err(refused) => self.refuse(refused),
                },
                Stage::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Nothing is on its way, and more may come.
    fn is_at_rest(&self) -> bool {
        matches!(self.stage, Stage::Flowing) && self.waiting.is_empty() && !self.unflushed
    }

    fn refuse(&mut self, why: io::Error) {
        self.refused = Some(why);
        self.waiting = Vec::new();
        self.stage = Stage::Ended;
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        from: Pin<&mut impl AsyncRead>,
    ) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); CHUNK];
        let mut chunk = ReadBuf::uninit(&mut space);
        ready!(from.poll_read(cx, &mut chunk))?;
        self.waiting = chunk.filled().to_vec();
        self.written = 0;
        self.steps = self.steps.wrapping_add(1);
        Poll::Ready(Ok(self.waiting.len()))
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut to: Pin<&mut impl AsyncWrite>,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self
            .waiting
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            match ready!(to.as_mut().poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
            self.steps = self.steps.wrapping_add(1);
            self.unflushed = true;
        }
        self.waiting = Vec::new();
        Poll::Ready(Ok(()))
    }
}

/// As much as one TLS record carries.
const CHUNK: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMITS: Limits = Limits {
        idle: Some(Duration::from_secs(100)),
        half_closed: Duration::from_secs(10),
        recheck: Duration::from_secs(30),
    };

    type Ended = Result<(), Broken<&'static str>>;

    /// Both outer ends, and how it ends between them.
    async fn between<T>(
        limits: Limits,
        stays: impl Fn() -> Result<(), &'static str>,
        talk: impl AsyncFnOnce(tokio::io::DuplexStream, tokio::io::DuplexStream) -> T,
    ) -> (T, Ended) {
        let (near, mut inner_near) = duplex(1000);
        let (far, mut inner_far) = duplex(1000);
        let relayed = async {
            let ended = relay(&mut inner_near, &mut inner_far, Vec::new(), limits, |_| {
                stays()
            })
            .await;
            drop((inner_near, inner_far));
            ended
        };
        tokio::join!(talk(near, far), relayed)
    }

    #[tokio::test]
    async fn each_direction_ends_for_itself_and_loses_nothing() {
        let sent: Vec<u8> = (0..100_000u32).map(|i| i as u8).collect();
        let (answer, ended) = between(
            LIMITS,
            || Ok(()),
            async |mut near, mut far| {
                let asks = async {
                    near.write_all(&sent).await.unwrap();
                    near.shutdown().await.unwrap();
                    let mut answer = Vec::new();
                    near.read_to_end(&mut answer).await.unwrap();
                    answer
                };
                let answers = async {
                    let mut asked = Vec::new();
                    far.read_to_end(&mut asked).await.unwrap();
                    // Only now: the other direction is over.
                    far.write_all(&asked).await.unwrap();
                    far.shutdown().await.unwrap();
                };
                tokio::join!(asks, answers).0
            },
        )
        .await;
        assert!(answer == sent && ended.is_ok(), "{ended:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_ends_and_one_that_talks_does_not() {
        let begun = Instant::now();
        let (_, ended) = between(
            LIMITS,
            || Ok(()),
            async |mut near, mut far| {
                for _ in 0..5 {
                    tokio::time::sleep(Duration::from_secs(90)).await;
                    near.write_all(b"x").await.unwrap();
                    far.read_u8().await.unwrap();
                }
                (near.read(&mut [0]).await.unwrap(), far)
            },
        )
        .await;
        assert!(
            matches!(ended, Err(Broken::Idle(idle)) if idle.as_secs() == 100),
            "{ended:?}"
        );
        assert_eq!(begun.elapsed().as_secs(), 5 * 90 + 100);
    }

    #[tokio::test(start_paused = true)]
    async fn half_a_connection_is_waited_for_less() {
        let begun = Instant::now();
        let limits = Limits {
            idle: None,
            ..LIMITS
        };
        let (_, ended) = between(
            limits,
            || Ok(()),
            async |mut near, far| {
                tokio::time::sleep(Duration::from_secs(1000)).await;
                near.shutdown().await.unwrap();
                tokio::time::sleep(Duration::from_secs(1000)).await;
                (near, far)
            },
        )
        .await;
        assert!(
            matches!(ended, Err(Broken::Idle(idle)) if idle.as_secs() == 10),
            "{ended:?}"
        );
        assert_eq!(begun.elapsed().as_secs(), 2000);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_has_ended_is_left_unless_it_could_miss_something() {
        // As much as is taken without being read.
        for (said, is_taken) in [(0, true), (1000, true), (1001, false)] {
            let (_, ended) = between(
                LIMITS,
                || Ok(()),
                async |mut near, mut far| {
                    far.shutdown().await.unwrap();
                    near.write_all(&vec![7; said]).await.unwrap();
                    assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
                    tokio::time::sleep(Duration::from_secs(1000)).await;
                    (near, far)
                },
            )
            .await;
            match is_taken {
                true => assert!(matches!(ended, Err(Broken::Left)), "{ended:?}"),
                false => assert!(matches!(ended, Err(Broken::Idle(_))), "{ended:?}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_is_no_longer_wanted_is_left() {
        let begun = Instant::now();
        let stays = || match begun.elapsed().as_secs() < 61 {
            true => Ok(()),
            false => Err("withdrawn"),
        };
        let (_, ended) = between(LIMITS, stays, async |mut near, far| {
            (near.read(&mut [0]).await.unwrap(), far)
        })
        .await;
        assert!(
            matches!(ended, Err(Broken::Unwanted("withdrawn"))),
            "{ended:?}"
        );
        assert_eq!(begun.elapsed().as_secs(), 90);
    }
}
