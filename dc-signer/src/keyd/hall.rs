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
use super::seats::{Seated, Seats};
use super::turned_away::TurnedAway;
use dc_pki::keyd::{self, Answer, Ask, HEAD};
use dc_pki::keys::Refusal;

/// The things that all connections share.
#[derive(Debug)]
pub(super) struct Hall {
    desk: Arc<Desk>,
    callers: Callers,
    seats: Arc<Seats>,
    turns: Arc<Semaphore>,
    /// For what ends something, and for root: whatever others ask for meanwhile.
    kept: Arc<Semaphore>,
}

impl Hall {
    pub(super) fn new(desk: Arc<Desk>, callers: Callers) -> Self {
        Self {
            desk,
            seats: Arc::new(Seats::new(callers.count())),
            callers,
            turns: Arc::new(Semaphore::new(turns())),
            kept: Arc::new(Semaphore::new(KEPT)),
        }
    }

    /// Waits until nobody begins anything any more, and what was begun is done.
    pub(super) async fn close(&self) {
        let all = |turns: usize| u32::try_from(turns).unwrap_or(u32::MAX);
        let done = async {
            let _ = self.turns.acquire_many(all(turns())).await;
            let _ = self.kept.acquire_many(all(KEPT)).await;
        };
        let _ = timeout(PATIENCE, done).await;
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
    let seat = match refused {
        Some(refused) => Err(refused),
        None => hall.seats.take(caller).ok_or_else(|| {
            let each = hall.seats.each();
            let detail = format!(
                "{each} connections of this caller are open, and all are asking: root of its machine, and callers with another certificate, have others"
            );
            TurnedAway::new(Refusal::Busy, detail)
        }),
    };
    let seat = match seat {
        Ok(seat) => seat,
        Err(refused) => {
            let answer = Answer::from(refused.clone());
            hall.turn_away(refused, caller);
            return write(&mut stream, &answer).await;
        }
    };
    let until = match caller {
        Caller::Process { .. } => None,
        // A certificate that has ended is looked at again, and one that was taken out of the configuration.
        _ => Some(Instant::now() + LIFE),
    };
    while until.is_none_or(|until| Instant::now() < until) {
        let Some(first) = first_octet(&mut stream, &seat).await? else {
            return Ok(());
        };
        let message = timeout(PATIENCE, message(first, &mut stream)).await??;
        let Some(message) = message else {
            let why = "a message is of 1 to 65536 bytes";
            return turn_away(hall, &mut stream, caller, why).await;
        };
        let Ok(ask) = Ask::decode(&message) else {
            return turn_away(hall, &mut stream, caller, "the message cannot be read").await;
        };
        let answer = take_turn(hall, ask, caller).await;
        write(&mut stream, &answer).await?;
        seat.end();
    }
    Ok(())
}

/// Waits for the begin of a message; none if there is to be none, or another connection of this caller needs the seat.
async fn first_octet(
    stream: &mut (impl AsyncRead + Unpin),
    seat: &Seated,
) -> io::Result<Option<u8>> {
    let mut first = [0];
    let read = tokio::select! {
        read = timeout(IDLE, stream.read(&mut first)) => read??,
        () = seat.given_up() => 0,
    };
    Ok((read > 0 && seat.begin()).then_some(first[0]))
}

/// The rest of a message that has begun; none if it is too long or empty.
async fn message(first: u8, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut head = [first; HEAD];
    stream.read_exact(&mut head[1..]).await?;
    let Ok(length) = keyd::length(head) else {
        return Ok(None);
    };
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
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
    let turns = match caller.is_root() || matches!(ask, Ask::End { .. }) {
        true => &hall.kept,
        false => &hall.turns,
    };
    let turn = timeout(WAIT, turns.clone().acquire_owned()).await;
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

/// Some that end something, or are root's, at a time.
const KEPT: usize = 2;
/// How long a connection may be silent between two requests.
const IDLE: Duration = Duration::from_secs(600);
/// How long somebody on another machine may ask over one connection.
const LIFE: Duration = Duration::from_secs(3600);
/// How long a message may take that has begun.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a request waits for its turn: less than its caller does.
const WAIT: Duration = Duration::from_secs(3);
