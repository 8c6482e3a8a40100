//! The secrets that all signers of a database share.

use super::*;
use crate::registry::{Purpose, SharedSecret};

on_both! {
    the_first_signer_says_which_secrets_a_database_has,
}

fn secret(purpose: Purpose, secret: u8) -> SharedSecret {
    SharedSecret {
        purpose,
        version: 1,
        fingerprint: purpose.fingerprint(&[secret; 32]),
        sealed: None,
        since: at(NOW),
        until: None,
    }
}

async fn the_first_signer_says_which_secrets_a_database_has(db: &Database) {
    assert_eq!(db.store.secrets().await.unwrap(), []);
    let [one, other] = [1, 2].map(|given| Purpose::ALL.map(|purpose| secret(purpose, given)));
    let second = db.other().await;
    // At the same time.
    let (first, second) = tokio::join!(db.store.claim_secrets(&one), second.claim_secrets(&other));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first, second);
    assert!(first == one || first == other, "{first:?}");
    assert_eq!(db.store.secrets().await.unwrap(), first);
    assert_eq!(db.store.verify_audit().await.unwrap().seq, 0);
}
