//! Connections, however they came: how much at a time, and how long each step may take.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::caller::{Caller, Callers};
use super::desk::Desk;
use super::turned_away::TurnedAway;
use dc_pki::keyd::{self, Answer, Ask, HEAD};
use dc_pki::keys::Refusal;

/// The things that all connections share.
#[derive(Debug)]
pub(super) struct Hall {
    desk: Arc<Desk>,
    callers: Callers,
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Hall {
    pub(super) fn new(desk: Arc<Desk>, callers: Callers) -> Self {
        Self {
            desk,
            callers,
            places: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            turns: Arc::new(Semaphore::new(turns())),
        }
    }

    /// Waits until nobody begins anything any more, and what was begun is done.
    pub(super) async fn close(&self) {
        let all = u32::try_from(turns()).unwrap_or(u32::MAX);
        let _ = timeout(PATIENCE, self.turns.acquire_many(all)).await;
    }

    /// Counts one that is refused, off the threads that answer others.
    pub(super) fn turn_away(&self, refused: TurnedAway, caller: Caller) {
        let desk = self.desk.clone();
        tokio::task::spawn_blocking(move || desk.turn_away(&refused, caller));
    }
}

/// Answers what one caller asks, one after the other.
pub(super) async fn attend(
    hall: &Hall,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    caller: Caller,
) -> io::Result<()> {
    let refused = match hall.callers.has(caller) {
        false => Some(TurnedAway::new(
            Refusal::Caller,
            hall.callers.refusal(caller),
        )),
        true => None,
    };
    let place = hall.places.clone().try_acquire_owned().ok();
    let refused = refused.or_else(|| {
        let detail = format!("{MAX_CONNECTIONS} connections are open");
        place
            .is_none()
            .then(|| TurnedAway::new(Refusal::Busy, detail))
    });
    if let Some(refused) = refused {
        let answer = Answer::from(refused.clone());
        hall.turn_away(refused, caller);
        return write(&mut stream, &answer).await;
    }
    let until = match caller {
        Caller::Process { .. } => None,
        // A certificate that has ended is looked at again, and one that was taken out of the configuration.
        _ => Some(Instant::now() + LIFE),
    };
    while until.is_none_or(|until| Instant::now() < until) {
        let mut head = [0; HEAD];
        match timeout(IDLE, stream.read_exact(&mut head)).await {
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read??,
        };
        let Ok(length) = keyd::length(head) else {
            return turn_away(
                hall,
                &mut stream,
                caller,
                "a message is of 1 to 65536 bytes",
            )
            .await;
        };
        let mut message = vec![0; length];
        timeout(PATIENCE, stream.read_exact(&mut message)).await??;
        let Ok(ask) = Ask::decode(&message) else {
            return turn_away(hall, &mut stream, caller, "the message cannot be read").await;
        };
        let answer = take_turn(hall, ask, caller).await;
        write(&mut stream, &answer).await?;
    }
    Ok(())
}

/// Whoever sends what nobody understands is told so once, and not listened to any more.
async fn turn_away(
    hall: &Hall,
    stream: &mut (impl AsyncWrite + Unpin),
    caller: Caller,
    why: &str,
) -> io::Result<()> {
    let refused = TurnedAway::new(Refusal::Malformed, why);
    let answer = Answer::from(refused.clone());
    let desk = hall.desk.clone();
    let _ = tokio::task::spawn_blocking(move || desk.turn_away(&refused, caller)).await;
    write(stream, &answer).await
}

/// Signing waits for a token, and writing for a disk: neither is done on a thread that others wait for.
async fn take_turn(hall: &Hall, ask: Ask, caller: Caller) -> Answer {
    let busy = || {
        Answer::from(TurnedAway::new(
            Refusal::Busy,
            "too much is asked for at once",
        ))
    };
    let turn = timeout(WAIT, hall.turns.clone().acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        return busy();
    };
    let desk = hall.desk.clone();
    let answering = tokio::task::spawn_blocking(move || {
        let answer = desk.answer(ask, caller);
        drop(turn);
        answer
    });
    answering.await.unwrap_or_else(|_| busy())
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), answer: &Answer) -> io::Result<()> {
    let mut frame = Vec::new();
    keyd::write(&mut frame, &answer.encode())?;
    let writing = async {
        stream.write_all(&frame).await?;
        stream.flush().await
    };
    timeout(PATIENCE, writing).await?
}

/// Some more signatures at a time than there are cores: one in a token is waited for.
fn turns() -> usize {
    let cores = available_parallelism().map_or(1, NonZeroUsize::get);
    (2 * cores).max(8)
}

const MAX_CONNECTIONS: usize = 128;
/// How long a connection may be silent between two requests.
const IDLE: Duration = Duration::from_secs(600);
/// How long somebody on another machine may ask over one connection.
const LIFE: Duration = Duration::from_secs(3600);
/// How long a message may take that has begun.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long a request waits for its turn: less than its caller does.
const WAIT: Duration = Duration::from_secs(3);
