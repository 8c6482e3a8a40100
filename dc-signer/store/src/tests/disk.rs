//! A disk that fills up: nothing is recorded that is not there, and all goes on when there is room
//! again.

use std::collections::BTreeSet;

use super::*;
use crate::testing::{Own, SmallDisk};

/// More than the records of a few devices.
const ROOM: usize = 256 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_recovers_by_itself() {
    let Some(disk) = SmallDisk::mount("6m") else {
        return;
    };
    let location = Location::File(disk.path().join("signer.db"));
    migrate(&location).await.unwrap();
    let store = open(&location, "node-1").await.unwrap();
    let device = active(&store, 1).await;
    let mut said = Said::default();
    for flag in [Change::FlagClone, Change::ClearClone, Change::FlagClone] {
        disk.fill();
        said.until_it_fails(&store, &device).await;
        // Little ones may still find room in pages that are free.
        assert_works_or_cannot_write(store.ping(0).await);
        let error = store.ping(ROOM).await.unwrap_err();
        assert!(matches!(error, Error::CannotWrite { .. }), "{error:?}");
        assert_works_or_cannot_write(store.change_device(device.id, &flag, &by(NOW)).await);
        assert_eq!(recorded(&store, &device).await, said.recorded);
        store.check().await.unwrap();

        disk.make_room();
        store.ping(ROOM).await.unwrap();
        said.record(&store, &device).await.unwrap();
        assert_eq!(recorded(&store, &device).await, said.recorded);
        store.check().await.unwrap();
    }
    store.close().await;
}

fn assert_works_or_cannot_write<T: fmt::Debug>(result: Result<T, Error>) {
    assert!(
        matches!(result, Ok(_) | Err(Error::CannotWrite { .. })),
        "{result:?}"
    );
}

async fn recorded(store: &Store, device: &Device) -> BTreeSet<Sha256> {
    let issues = store.history(device.id, u32::MAX).await.unwrap().issues;
    issues
        .into_iter()
        .map(|issue| issue.credential_sha256)
        .collect()
}

/// The numbers that the store said were recorded.
#[derive(Default)]
struct Said {
    recorded: BTreeSet<Sha256>,
    next: u64,
}

impl Said {
    async fn record(&mut self, store: &Arc<Store>, device: &Device) -> Result<(), Error> {
        let issuance = self.issuance(device);
        let credential = issuance.credentials[0];
        store.record(issuance).await?;
        self.recorded.insert(credential);
        Ok(())
    }

    async fn until_it_fails(&mut self, store: &Arc<Store>, device: &Device) {
        for _ in 0..10_000 {
            if let Err(error) = self.record(store, device).await {
                assert!(matches!(error, Error::CannotWrite { .. }), "{error:?}");
                return self.record_together(store, device).await;
            }
        }
        panic!("the disk is full, and all is recorded");
    }

    async fn record_together(&mut self, store: &Arc<Store>, device: &Device) {
        let mut callers = Vec::new();
        for _ in 0..20 {
            let (store, issuance) = (Arc::clone(store), self.issuance(device));
            let credential = issuance.credentials[0];
            let recorded = async move { store.record(issuance).await.map(|_| credential) };
            callers.push(tokio::spawn(recorded));
        }
        for caller in callers {
            let recorded = caller.await.unwrap();
            self.recorded.extend(recorded.as_ref().ok());
            assert_works_or_cannot_write(recorded);
        }
    }

    /// With an answer as long as real ones.
    fn issuance(&mut self, device: &Device) -> Issuance {
        self.next += 1;
        Issuance {
            issued: at(NOW),
            answer: vec![7; 6000],
            by: by(NOW),
            ..issuance(device, self.next)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_refuses_and_recovers_by_itself() {
    let Some(db) = Database::postgres().await else {
        return;
    };
    let device = active(&db.store, 1).await;
    // What a failover to a standby looks like.
    let read_only = async |on: &str| {
        let set = "ALTER DATABASE current SET default_transaction_read_only =";
        db.administer(&format!("{set} {on}")).await;
        db.disconnect().await;
    };
    read_only("on").await;
    let error = until_connected(&db, &device).await.unwrap_err();
    assert!(matches!(error, Error::CannotWrite { .. }), "{error:?}");
    let error = db.store.ping(0).await.unwrap_err();
    assert!(matches!(error, Error::CannotWrite { .. }), "{error:?}");
    assert_eq!(by_id(&db.store, device.id).await, device);
    read_only("off").await;
    until_connected(&db, &device).await.unwrap();
    db.store.ping(ROOM).await.unwrap();
    db.store.check().await.unwrap();
    db.end().await;
}

/// Records, again if the connection was lost; says what came of it at last.
async fn until_connected(db: &Database, device: &Device) -> Result<Recorded, Error> {
    for number in 0..50 {
        match db.store.record(issuance(device, number)).await {
            Err(Error::Unavailable { .. }) => {}
            result => return result,
        }
    }
    panic!("it never connected again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_is_unavailable_and_recovers_by_itself() {
    if testing::postgres().await.is_none() {
        return;
    }
    let server = Own::start();
    let location = server.url.parse().unwrap();
    migrate(&location).await.unwrap();
    let store = open(&location, "node-1").await.unwrap();
    let device = active(&store, 1).await;
    let mut said = Said::default();
    said.record(&store, &device).await.unwrap();
    server.kill();
    let error = said.record(&store, &device).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let error = store.ping(0).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    server.start_again();
    // Each connection that was just used is found to be gone once.
    let mut tries = 0;
    while let Err(error) = store.ping(ROOM).await {
        tries += 1;
        assert!(error.is_temporary() && tries < 20, "{error:?}");
    }
    said.record(&store, &device).await.unwrap();
    assert_eq!(recorded(&store, &device).await, said.recorded);
    store.close().await;
}
