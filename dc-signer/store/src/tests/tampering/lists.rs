//! Names on the list of withdrawn ones, and its number, that no record makes.

use super::forge::wrong;
use super::*;

on_both! {
    a_lost_name_needs_records_of_a_newer_log,
    a_number_that_no_records_make_is_found_and_not_signed,
}

async fn a_lost_name_needs_records_of_a_newer_log(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    store.record(issuance(&device, 1)).await.unwrap();
    for (name, zone) in [
        ("d1.cpe.example.com", "cpe.example.com"),
        ("invented.cpe.example.com", "cpe.example.com"),
    ] {
        db.tamper(&format!(
            "INSERT INTO lost_names (name, zone, free_from, withdrawn) VALUES ('{name}', '{zone}', 1900000000, 1800000000)"
        ))
        .await;
        let found = wrong(store, Beside::default()).await;
        let words = format!("no record that the lost name {name}");
        assert!(found.iter().any(|one| one.contains(&words)), "{found:?}");
    }
}

async fn a_number_that_no_records_make_is_found_and_not_signed(db: &Database) {
    let store = &*db.store;
    active(store, 1).await;
    change(store, 1, Change::Suspend, NOW).await;
    assert_eq!(store.withdrawn_sequence(&zone()).await.unwrap(), 1);
    for number in ["9223372036854775807", "1000", "-5"] {
        db.tamper(&format!("UPDATE zones SET withdrawn_sequence = {number}"))
            .await;
        let refused = store.withdrawn_sequence(&zone()).await.unwrap_err();
        assert!(matches!(refused, Error::ListNumber { .. }), "{refused}");
        let refused = store.withdrawn(&zone(), at(NOW)).await.unwrap_err();
        assert!(matches!(refused, Error::ListNumber { .. }), "{refused}");
        // A zone issues all the same, and all else is compared.
        assert_eq!(store.zones().await.unwrap().len(), 1);
        db.tamper("UPDATE devices SET created = 1").await;
        let found = wrong(store, Beside::default()).await;
        assert_eq!(found.len(), 2, "{found:?}");
        let words = "zones cpe.example.com: withdrawn_sequence";
        assert!(found.iter().any(|one| one.contains(words)), "{found:?}");
    }
    // One that the log could have made somewhere is found by it alone.
    db.tamper("UPDATE zones SET withdrawn_sequence = 6").await;
    assert_eq!(store.withdrawn_sequence(&zone()).await.unwrap(), 6);
    let found = wrong(store, Beside::default()).await;
    let words = "withdrawn_sequence is 6";
    assert!(found.iter().any(|one| one.contains(words)), "{found:?}");
}
