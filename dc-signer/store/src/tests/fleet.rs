//! Counts, and what has had its time.

use super::*;
use crate::registry::State;

on_both! {
    answers_and_codes_are_removed_when_they_are_too_old,
    issue_rows_go_by_the_week,
    refused_requests_are_counted_for_a_day,
    the_fleet_is_counted_by_zone_state_and_time_left,
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

async fn the_fleet_is_counted_by_zone_state_and_time_left(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let second = NewZone {
        zone: ZoneName::parse("b.example.com").unwrap(),
        forms: Forms::Named,
        roles: Roles::Server,
    };
    store.add_zone(&second, &by(NOW)).await.unwrap();
    let other = NewDevice {
        zone: second.zone,
        name: dc_pki::names::parse("x.b.example.com").unwrap(),
        ..new_device(99)
    };
    store
        .add_devices(&[new_device(50), other], &by(NOW))
        .await
        .unwrap();
    // When the credentials of seven devices end, in hours from now; 0 has ended.
    for (number, hours) in [0, 6, 7, 13, 30, 48, 49].into_iter().enumerate() {
        let device = active(store, u32::try_from(number).unwrap()).await;
        let expires = at(NOW + hours * HOUR);
        store
            .record(Issuance {
                expires,
                ..issuance(&device, 0)
            })
            .await
            .unwrap();
    }
    let (suspended, cloned) = (active(store, 60).await, active(store, 61).await);
    store
        .record(Issuance {
            expires: at(NOW + 1),
            ..issuance(&suspended, 0)
        })
        .await
        .unwrap();
    store
        .change_device(suspended.id, &Change::Suspend, &by(NOW))
        .await
        .unwrap();
    store
        .change_device(cloned.id, &Change::FlagClone, &by(NOW))
        .await
        .unwrap();

    let fleet = store.fleet(at(NOW)).await.unwrap();
    let expected = ZoneCount {
        states: [
            (State::Preregistered, 1),
            (State::Active, 8),
            (State::Suspended, 1),
        ]
        .into(),
        possible_clones: 1,
        expiring: [1, 2, 3, 5],
        expired: 1,
    };
    assert_eq!(fleet.zones["cpe.example.com"], expected);
    let expected = ZoneCount {
        states: [(State::Preregistered, 1)].into(),
        ..ZoneCount::default()
    };
    assert_eq!(fleet.zones["b.example.com"], expected);
}

async fn refused_requests_are_counted_for_a_day(db: &Database) {
    let store = &*db.store;
    store
        .count_refused(&[("suspended", 2), ("rate-limited", 1)], at(NOW))
        .await
        .unwrap();
    store
        .count_refused(&[("suspended", 3)], at(NOW + HOUR))
        .await
        .unwrap();
    let refused = async |time| store.fleet(at(time)).await.unwrap().refused;
    assert_eq!(
        refused(NOW + HOUR).await,
        [("rate-limited".into(), 1), ("suspended".into(), 5)].into()
    );
    assert_eq!(refused(NOW + DAY).await, [("suspended".into(), 3)].into());
    assert_eq!(refused(NOW + 2 * DAY).await, [].into());
}

async fn answers_and_codes_are_removed_when_they_are_too_old(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    for number in [0, 1] {
        store.record(issuance(&device, number)).await.unwrap();
    }
    store.add_devices(&[new_device(2)], &by(NOW)).await.unwrap();
    let code = PendingCode {
        id: CodeId::from_bytes([1; 6]),
        device: new_device(2).id,
        mac: key("right"),
        expires: at(NOW + 7 * DAY),
        tries: 0,
        used_by: None,
    };
    let codes = std::slice::from_ref(&code);
    store.put_codes(codes, Keep::New, &by(NOW)).await.unwrap();
    let tidy = async |time| store.tidy(at(time), &Retention::default()).await.unwrap();
    let answers = |answers| Tidied {
        answers,
        ..Tidied::default()
    };
    assert_eq!(tidy(NOW + HOUR - 1).await, answers(0));
    assert_eq!(tidy(NOW + HOUR).await, answers(1));
    assert_eq!(tidy(NOW + HOUR + 1).await, answers(1));
    // For a month it can be said that a code was too old.
    assert_eq!(tidy(NOW + 36 * DAY).await.codes, 0);
    assert!(store.find_code(code.id).await.unwrap().is_some());
    assert_eq!(tidy(NOW + 37 * DAY).await.codes, 1);
    assert_eq!(store.find_code(code.id).await.unwrap(), None);
}

async fn issue_rows_go_by_the_week(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    for week in 0..6 {
        let issuance = issuance(&device, week * 7 * DAY);
        store.record(issuance).await.unwrap();
    }
    assert_eq!(store.history(device.id, 99).await.unwrap().issues.len(), 6);
    store.verify_audit().await.unwrap();
    let retention = Retention {
        issues: Duration::from_secs(14 * DAY),
        ..Retention::default()
    };
    // What is kept is at least what was asked for, and less than a week more.
    let last = NOW + 5 * 7 * DAY;
    let tidied = store.tidy(at(last), &retention).await.unwrap();
    let left = store.history(device.id, 99).await.unwrap().issues;
    assert_eq!(tidied.partitions, 6 - u64::try_from(left.len()).unwrap());
    assert_eq!(left.len(), 3);
    assert!(
        left.iter()
            .all(|issue| issue.issued >= at(last - 14 * DAY - 7 * DAY))
    );
    // The log keeps everything, and the next one finds its table.
    store.record(issuance(&device, 6 * 7 * DAY)).await.unwrap();
    assert_eq!(store.verify_audit().await.unwrap().seq, 9);
}
