//! Connections: who may ask, how much at a time, and how long it may take.

use std::future::Future;
use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::caller::{Caller, Callers};
use super::desk::Desk;
use super::error::Error;
use super::remote::{self, Remotes};
use super::socket;
use super::turned_away::TurnedAway;
use crate::config::KeydConfig;
use dc_pki::keyd::{self, Answer, Ask, HEAD};
use dc_pki::keys::Refusal;

/// Answers until `stop`, and then ends what is in progress.
///
/// `ready` is called once callers can connect. Fails with [`Error`]. Needs a tokio runtime with threads.
pub async fn serve(
    desk: Arc<Desk>,
    config: &KeydConfig,
    ready: impl Future<Output = ()>,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let callers = Callers::find(&config.callers)?;
    let remotes = match &config.listen {
        Some(listen) => Some(Remotes::listen(listen, &callers).await?),
        None => None,
    };
    let listener = socket::listen(&config.socket, config.group.as_deref())?;
    let hall = Arc::new(Hall {
        desk: desk.clone(),
        callers,
        places: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        turns: Arc::new(Semaphore::new(turns())),
    });
    let syncing = tokio::spawn(sync(desk.clone()));
    ready.await;
    tokio::select! {
        () = accept(&listener, &hall) => {}
        () = remote::accept(remotes, &hall) => {}
        () = stop => {}
    }
    syncing.abort();
    drop(listener);
    let _ = std::fs::remove_file(&config.socket);
    // Nobody begins anything any more, and what was begun is done.
    let all = u32::try_from(turns()).unwrap_or(u32::MAX);
    let _ = timeout(PATIENCE, hall.turns.acquire_many(all)).await;
    let last = tokio::task::spawn_blocking(move || desk.sync());
    if let Ok(Err(error)) = last.await {
        tracing::error!(%error, "the log may not be on the disk");
    }
    Ok(())
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Hall {
    desk: Arc<Desk>,
    callers: Callers,
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Hall {
    /// Counts one that is refused, off the threads that answer others.
    pub(super) fn turn_away(&self, refused: TurnedAway, caller: Caller) {
        let desk = self.desk.clone();
        tokio::task::spawn_blocking(move || desk.turn_away(&refused, caller));
    }
}

async fn accept(listener: &UnixListener, hall: &Arc<Hall>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: some will be closed.
                tracing::warn!(%error, "a caller could not connect");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let hall = hall.clone();
        tokio::spawn(async move {
            let attended = match stream.peer_cred() {
                Ok(peer) => attend(&hall, stream, peer.into()).await,
                Err(error) => Err(error),
            };
            if let Err(error) = attended {
                tracing::debug!(%error, "a connection ended");
            }
        });
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

/// A power cut loses what was logged in the last second, and nothing else does.
async fn sync(desk: Arc<Desk>) {
    let mut each_second = tokio::time::interval(Duration::from_secs(1));
    each_second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        each_second.tick().await;
        let desk = desk.clone();
        let synced = tokio::task::spawn_blocking(move || desk.sync()).await;
        if let Ok(Err(error)) = synced {
            tracing::error!(%error, "the log is not brought to the disk");
        }
    }
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
