//! Rows that are put back after a device has got something by them: the log shows that it must not have got it.

use super::forge::{append, entry, wrong};
use super::*;
use crate::registry::CodeError;

on_both! {
    a_code_of_another_device_is_seen_when_its_row_is_gone,
    a_code_is_used_as_its_record_says_or_not_at_all,
    a_credential_ends_with_its_week_and_its_certificates,
    acts_on_a_retired_device_are_seen,
    credentials_for_suspended_and_retired_devices_are_seen_when_rows_are_put_back,
    what_devices_do_is_allowed,
}

/// Lets a device get a credential by rows that are put back.
async fn issue_by_hand(db: &Database, number: u32, time: u64) {
    let store = &*db.store;
    db.tamper(
        "CREATE TABLE saved AS SELECT id, state, changed, enrolment_key FROM devices; \
         CREATE TABLE saved_names AS SELECT name, withdrawn, withdrawn_until FROM names; \
         UPDATE devices SET state = 'active'; UPDATE names SET withdrawn = NULL, withdrawn_until = NULL",
    )
    .await;
    let device = by_id(store, new_device(number).id).await;
    store.record(issuance(&device, time)).await.unwrap();
    db.tamper(
        "UPDATE devices SET state = (SELECT state FROM saved WHERE saved.id = devices.id); \
         UPDATE names SET withdrawn = (SELECT withdrawn FROM saved_names WHERE saved_names.name = names.name); \
         UPDATE names SET withdrawn_until = 1900000000 WHERE withdrawn IS NOT NULL; \
         DROP TABLE saved; DROP TABLE saved_names",
    )
    .await;
}

async fn credentials_for_suspended_and_retired_devices_are_seen_when_rows_are_put_back(
    db: &Database,
) {
    let store = &*db.store;
    for number in [1, 2, 3] {
        active(store, number).await;
    }
    change(store, 1, Change::Suspend, NOW + 1).await;
    change(store, 2, Change::Retire, NOW + 1).await;
    for number in [1, 2, 3] {
        issue_by_hand(db, number, 10).await;
    }
    let found = wrong(store, Beside::default()).await;
    assert_eq!(found.len(), 2, "{found:?}");
    for (number, words) in [
        (1, "'issue' for d1.cpe.example.com, which is suspended"),
        (2, "'issue' for d2.cpe.example.com, which is retired"),
    ] {
        assert!(found[number - 1].contains(words), "{found:?}");
    }
    // It stays in the log, so somebody has to be able to say that they know of it.
    let all = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
    for one in &all.first {
        let digest = one.place.digest();
        store.acknowledge(&digest, &by(NOW + 20)).await.unwrap();
    }
    store.verify_audit().await.unwrap();
}

async fn acts_on_a_retired_device_are_seen(db: &Database) {
    let store = &*db.store;
    active(store, 1).await;
    change(store, 1, Change::Retire, NOW + 1).await;
    let before = wrong(store, Beside::default()).await;
    assert_eq!(before, [""; 0]);
    for action in [
        Action::Enrol,
        Action::SwitchKey,
        Action::FinishSwitch,
        Action::NewCode,
        Action::TakeName,
        Action::Issue,
    ] {
        let mut forged = entry(action, "device", NOW + 2);
        forged.name = Some("d1.cpe.example.com".to_owned());
        forged.zone = Some("cpe.example.com".to_owned());
        forged.spki_sha256 = Some(key("x"));
        let seq = append(db, forged).await;
        let found = wrong(store, Beside::default()).await;
        let words = format!("record {seq} of the audit log is '{action}' for d1");
        assert!(found.iter().any(|one| one.contains(&words)), "{found:?}");
    }
}

async fn a_code_of_another_device_is_seen_when_its_row_is_gone(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let new = [new_device(1), new_device(2)];
    store.add_devices(&new, &by(NOW)).await.unwrap();
    let kept = store.put_codes(&[code(1)], Keep::New, &by(NOW)).await;
    kept.unwrap().remove(0).unwrap();
    // As a service enrols that does not look: the record has what the row says.
    let moved = PendingCode {
        device: new_device(2).id,
        ..code(1)
    };
    db.tamper("DELETE FROM codes").await;
    let enrol = Change::Enrol { key: key("thief") };
    change(store, 2, enrol, NOW + 1).await;
    let mut used = entry(Action::Enrol, "device", NOW + 2);
    used.name = Some("d2.cpe.example.com".to_owned());
    used.zone = Some("cpe.example.com".to_owned());
    used.spki_sha256 = Some(key("thief"));
    used.detail_sha256 = Some(moved.commitment());
    append(db, used).await;
    let found = wrong(store, Beside::default()).await;
    let words = "d2.cpe.example.com enrolled in record 6";
    assert!(found.iter().any(|one| one.contains(words)), "{found:?}");
}

async fn a_code_is_used_as_its_record_says_or_not_at_all(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let new = [new_device(1), new_device(2)];
    store.add_devices(&new, &by(NOW)).await.unwrap();
    let kept = store.put_codes(&[code(1)], Keep::New, &by(NOW)).await;
    kept.unwrap().remove(0).unwrap();
    let redemption = Redemption {
        code: code(1).id,
        mac: code(1).mac,
        key: key("box"),
    };
    let own = db.blob(new_device(1).id.as_bytes());
    let other = db.blob(new_device(2).id.as_bytes());
    for (sql, back) in [
        (
            format!("UPDATE codes SET device = {other}"),
            format!("UPDATE codes SET device = {own}"),
        ),
        (
            "UPDATE codes SET expires = expires + 9".to_owned(),
            "UPDATE codes SET expires = expires - 9".to_owned(),
        ),
    ] {
        db.tamper(&sql).await;
        let refused = store.redeem_code(&redemption, &by(NOW + 1)).await.unwrap();
        assert_eq!(refused, Redeemed::Refused(CodeError::Unknown), "{sql}");
        db.tamper(&back).await;
    }
    let used = store.redeem_code(&redemption, &by(NOW + 1)).await.unwrap();
    assert!(matches!(used, Redeemed::Enrolled(_)), "{used:?}");
    // It is good once, also for whoever makes the row good again.
    db.tamper("UPDATE codes SET used_by = NULL").await;
    let again = Redemption {
        key: key("thief"),
        ..redemption
    };
    let refused = store.redeem_code(&again, &by(NOW + 2)).await.unwrap();
    assert_eq!(refused, Redeemed::Refused(CodeError::Unknown));
}

async fn a_credential_ends_with_its_week_and_its_certificates(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let long = Issuance {
        expires: at(NOW + 7 * 86_400 + 2),
        ..issuance(&device, 1)
    };
    store.record(long).await.unwrap();
    let found = wrong(store, Beside::default()).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("none that was issued then ends later than 1800604801"),
        "{found:?}"
    );
    let new = NewDelegation {
        zone: zone(),
        certificate_sha256: key("certificate"),
        not_before: at(NOW),
        not_after: at(NOW + 100),
    };
    store.import_delegation(&new, &by(NOW + 2)).await.unwrap();
    store.record(issuance(&device, 3)).await.unwrap();
    let found = wrong(store, Beside::default()).await;
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[1].contains("none that was issued then ends later than 1800000100"),
        "{found:?}"
    );
}

async fn what_devices_do_is_allowed(db: &Database) {
    let store = &*db.store;
    everything(store).await;
    assert_eq!(wrong(store, Beside::default()).await, [""; 0]);
}
