//! A signer far away from the server: what it does takes long, and keeps nobody waiting.
//!
//! Between it and the server is a gate, which lets one answer after the other through when the test says so.

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::*;

/// Answers of the server that wait, each until its sender is used.
type Gate = mpsc::UnboundedReceiver<oneshot::Sender<()>>;

/// The store as a signer opens it whose answers all come through a gate.
async fn far(db: &Database) -> Option<(Arc<Store>, Gate)> {
    let Location::Postgres(url) = &db.location else {
        return None;
    };
    let (address, server) = url.split_once("?host=")?;
    let folder = tempfile::Builder::new().prefix("dcfar").tempdir_in("/tmp");
    let folder = folder.unwrap();
    let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
    let (gate, waiting) = mpsc::unbounded_channel();
    tokio::spawn(listen(listener, Path::new(server).join(SOCKET), gate));
    let url = format!("{address}?host={}", folder.path().display());
    // The socket is there as long as somebody connects to it.
    let _ = folder.keep();
    let location: Location = url.parse().unwrap();
    let opened = tokio::spawn(async move { open(&location, "node-far").await.unwrap() });
    Some(through(waiting, opened, async || ()).await)
}

async fn listen(
    listener: UnixListener,
    server: std::path::PathBuf,
    gate: mpsc::UnboundedSender<oneshot::Sender<()>>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let server = UnixStream::connect(&server).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
        let gate = gate.clone();
        tokio::spawn(async move {
            let mut bytes = vec![0; 1 << 16];
            while let Ok(length @ 1..) = from_server.read(&mut bytes).await {
                let (open, opened) = oneshot::channel();
                if gate.send(open).is_err() || opened.await.is_err() {
                    break;
                }
                if to_client.write_all(&bytes[..length]).await.is_err() {
                    break;
                }
            }
        });
    }
}

/// Lets all answers through until the task ends, and does something before each.
async fn through<T>(
    mut gate: Gate,
    task: tokio::task::JoinHandle<T>,
    mut before: impl AsyncFnMut(),
) -> (T, Gate) {
    let mut task = task;
    loop {
        tokio::select! {
            done = &mut task => return (done.unwrap(), gate),
            Some(open) = gate.recv() => {
                before().await;
                let _ = open.send(());
            }
        }
    }
}

/// With a limit, which is as long as the server lets anybody wait for a lock.
async fn near<T>(done: impl Future<Output = Result<T, Error>>) -> T {
    let done = timeout(Duration::from_secs(60), done).await;
    done.expect("nobody waits for a signer that is far away")
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waits_for_one_that_is_far_away() {
    let Some(db) = Database::postgres().await else {
        return;
    };
    let (theirs, ours) = (active(&db.store, 1).await, active(&db.store, 2).await);
    let Some((store, gate)) = far(&db).await else {
        return db.end().await;
    };
    let mut changes = [Change::FlagClone, Change::ClearClone].into_iter().cycle();
    let mut meanwhile = 0;
    let mut change = async || {
        let change = changes.next().unwrap();
        near(db.store.change_device(ours.id, &change, &by(NOW))).await;
        meanwhile += 1;
    };
    let (id, far) = (theirs.id, Arc::clone(&store));
    let suspending = tokio::spawn(async move {
        far.change_device(id, &Change::Suspend, &by(NOW))
            .await
            .unwrap()
    });
    let (suspended, gate) = through(gate, suspending, &mut change).await;
    assert_eq!(suspended.state, registry::State::Suspended);
    let far = Arc::clone(&store);
    let issuance = issuance(&ours, 1);
    let recording = tokio::spawn(async move { far.record(issuance).await.unwrap() });
    // Another device's, so that it does not have to begin again.
    let mut other = async || {
        let change = Change::FlagClone;
        near(db.store.change_device(theirs.id, &change, &by(NOW))).await;
    };
    let (recorded, gate) = through(gate, recording, &mut other).await;
    assert!(matches!(recorded, Recorded::Now { .. }), "{recorded:?}");
    assert!(meanwhile >= 4, "{meanwhile} answers were waited for");
    let far = Arc::clone(&store);
    through(
        gate,
        tokio::spawn(async move { far.close().await }),
        async || (),
    )
    .await;
    db.store.verify_audit().await.unwrap();
    db.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_changed_meanwhile_is_worked_out_again() {
    let Some(db) = Database::postgres().await else {
        return;
    };
    let device = active(&db.store, 1).await;
    let Some((store, gate)) = far(&db).await else {
        return db.end().await;
    };
    let (far, issuance) = (Arc::clone(&store), issuance(&device, 1));
    let recording = tokio::spawn(async move { far.record(issuance).await });
    let mut first = true;
    // The server has read that it is active; that is not so any more when it is written.
    let suspend = async || {
        if std::mem::take(&mut first) {
            near(
                db.store
                    .change_device(device.id, &Change::Suspend, &by(NOW)),
            )
            .await;
        }
    };
    let (recorded, gate) = through(gate, recording, suspend).await;
    let error = refused(recorded.unwrap_err());
    let state = registry::State::Suspended;
    assert_eq!(error, registry::Error::NotActive { state });
    let issues = db.store.history(device.id, 9).await.unwrap().issues;
    assert!(issues.is_empty(), "{issues:?}");
    let far = Arc::clone(&store);
    through(
        gate,
        tokio::spawn(async move { far.close().await }),
        async || (),
    )
    .await;
    db.store.verify_audit().await.unwrap();
    db.end().await;
}

const SOCKET: &str = ".s.PGSQL.5432";
