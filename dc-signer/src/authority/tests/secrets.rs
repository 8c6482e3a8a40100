//! Several signers on one database have the same secrets, or do not start.

use super::bench::Bench;
use crate::authority::{Authority, Error, Secrets, SetupError};
use crate::config::Config;
use crate::testing::{Database, on_both};

on_both! {
    a_signer_with_a_fresh_folder_makes_no_secrets_of_its_own,
    a_signer_with_other_secrets_does_not_start,
}

/// The configuration of another signer, whose data folder has nothing in it.
fn fresh(bench: &Bench, folder: &tempfile::TempDir) -> Config {
    Config {
        data: folder.path().join("data"),
        ..bench.config.clone()
    }
}

async fn a_signer_with_a_fresh_folder_makes_no_secrets_of_its_own(database: &Database) {
    // Nothing is in the audit log yet but the first operator.
    let bench = Bench::empty(database, "").await;
    assert_eq!(bench.records().await, 1);
    let folder = tempfile::tempdir().unwrap();
    let config = fresh(&bench, &folder);
    let error = Authority::open(&config, database.other().await)
        .await
        .unwrap_err();
    let Error::Setup(source) = error else {
        panic!("{error}")
    };
    assert!(
        matches!(source, SetupError::MissingSecrets { .. }),
        "{source}"
    );
    assert!(!Secrets::folder(&config.data).exists());
}

async fn a_signer_with_other_secrets_does_not_start(database: &Database) {
    let bench = Bench::empty(database, "").await;
    let folder = tempfile::tempdir().unwrap();
    let config = fresh(&bench, &folder);
    Secrets::open(&config.data, true).unwrap();
    for file in Secrets::FILES {
        let error = Authority::open(&config, database.other().await)
            .await
            .unwrap_err();
        let Error::Setup(source) = error else {
            panic!("{error}")
        };
        assert!(
            matches!(source, SetupError::OtherThanDatabase { .. }),
            "{source}"
        );
        // What was there stays: somebody has to look at it.
        let path = |data| Secrets::folder(data).join(file);
        std::fs::copy(path(&bench.config.data), path(&config.data)).unwrap();
    }
    // All of them are the database's now.
    Authority::open(&config, database.other().await)
        .await
        .unwrap();
}
