//! What one process has seen of the log, another one neither forgets nor overwrites.

use super::*;

on_both! {
    the_last_act_of_another_process_is_missed_by_a_service_that_has_not_looked,
}

async fn knowing(db: &Database) -> Arc<Store> {
    let folder = db.folder.path();
    open_knowing(&db.location, "signer", folder, None)
        .await
        .unwrap()
}

async fn the_last_act_of_another_process_is_missed_by_a_service_that_has_not_looked(db: &Database) {
    let service = knowing(db).await;
    let device = active(&service, 1).await;
    service.ping(0).await.unwrap();
    let command = knowing(db).await;
    let last = command.break_glass(&by(NOW + 1)).await.unwrap();
    command.close().await;
    db.tamper(&format!(
        "UPDATE audit_head SET seq = {}, hash = (SELECT prev_hash FROM audit WHERE seq = {last}); \
         DELETE FROM audit WHERE seq = {last}; DELETE FROM break_glass",
        last - 1
    ))
    .await;
    let is_missed = |error: Error| {
        assert!(
            matches!(error, Error::OlderThanSeen { known, .. } if known == last),
            "{error}"
        );
    };
    is_missed(service.record(issuance(&device, 2)).await.unwrap_err());
    is_missed(service.ping(0).await.unwrap_err());
    let kept = || seen_in(db.folder.path()).unwrap().unwrap().seq;
    assert_eq!(kept(), last);
    service.close().await;
    assert_eq!(kept(), last);
    // Another one is no better, whoever wrote it.
    db.store.record(issuance(&device, 3)).await.unwrap();
    db.store.record(issuance(&device, 4)).await.unwrap();
    let again = knowing(db).await;
    is_missed(again.is_newest().await.unwrap_err());
    again.close().await;
    assert_eq!(kept(), last);
}
