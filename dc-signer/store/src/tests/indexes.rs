//! Indexes of a file that somebody changed, so that the service does not find what is there.

use super::*;
use crate::registry::FourEyes;

#[tokio::test]
async fn an_index_that_hides_records_is_named() {
    let db = Database::sqlite().await;
    let policy = FourEyes {
        rollover: true,
        ..FourEyes::default()
    };
    let signer = Act::new("signer", at(NOW));
    db.store.set_four_eyes(&policy, &signer).await.unwrap();
    db.store.check_pages().await.unwrap();
    db.tamper(
        "CREATE TEMP TABLE was AS SELECT sql FROM sqlite_master WHERE name = 'audit_approval'; \
         DROP INDEX audit_approval; \
         CREATE INDEX audit_approval ON audit (seq) WHERE action = 'nothing'; \
         PRAGMA writable_schema = ON; \
         UPDATE sqlite_master SET sql = (SELECT sql FROM was) WHERE name = 'audit_approval'; \
         PRAGMA writable_schema = RESET",
    )
    .await;
    // The log is as it was, and the service does not find the record.
    db.store.verify_audit().await.unwrap();
    assert_eq!(db.store.four_eyes().await.unwrap(), None);
    let error = db.store.check_pages().await.unwrap_err().to_string();
    assert!(
        error.contains("missing from index audit_approval") && error.contains("REINDEX"),
        "{error}"
    );
    db.tamper("REINDEX").await;
    db.store.check_pages().await.unwrap();
    assert_eq!(db.store.four_eyes().await.unwrap(), Some(policy));
}
