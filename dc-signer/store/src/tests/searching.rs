//! Searching the audit log.

use super::*;
use crate::registry::Action;

on_both! {
    records_are_found_by_what_they_are_about,
    pages_go_both_ways_and_leave_nothing_out,
}

/// A zone, two devices, five credentials and some changes.
async fn some_acts(store: &Store) -> [Device; 2] {
    let devices = [active(store, 1).await, active(store, 2).await];
    for number in 0..5 {
        let device = &devices[usize::try_from(number % 2).unwrap()];
        store.record(issuance(device, number)).await.unwrap();
    }
    for change in [Change::Suspend, Change::Resume] {
        let by = by(NOW + 99);
        let changed = store.change_device(devices[1].id, &change, &by);
        changed.await.unwrap();
    }
    devices
}

async fn found(store: &Store, filter: &AuditFilter) -> Vec<(Action, Option<String>)> {
    let page = store.find_records(filter, 0, 100).await.unwrap();
    assert_eq!(page.next, None);
    let about = |record: registry::Record| (record.entry.action, record.entry.name);
    page.records.into_iter().map(about).collect()
}

async fn records_are_found_by_what_they_are_about(db: &Database) {
    let store = &*db.store;
    let [_, second] = some_acts(store).await;
    let all = found(store, &AuditFilter::default()).await;
    let end = store.audit_head().await.unwrap().seq;
    assert_eq!(all.len() as u64, end);
    let name = Some(second.name.to_string());
    let of_second = AuditFilter {
        device: Some(second.id),
        actions: vec![Action::Issue, Action::Suspend, Action::Resume],
        ..AuditFilter::default()
    };
    let expected = [
        Action::Issue,
        Action::Issue,
        Action::Suspend,
        Action::Resume,
    ];
    let expected = expected.map(|action| (action, name.clone()));
    assert_eq!(found(store, &of_second).await, expected);
    let late = AuditFilter {
        since: Some(at(NOW + 99)),
        until: Some(at(NOW + 99)),
        actor: Some("tester".to_owned()),
        name: name.clone(),
        zone: Some("cpe.example.com".to_owned()),
        ..AuditFilter::default()
    };
    assert_eq!(found(store, &late).await, expected[2..]);
    for nothing in [
        AuditFilter {
            zone: Some("' OR 1=1 --".to_owned()),
            ..late.clone()
        },
        AuditFilter {
            until: Some(at(NOW + 98)),
            ..late.clone()
        },
        AuditFilter {
            actor: Some("device".to_owned()),
            ..late
        },
    ] {
        assert_eq!(found(store, &nothing).await, []);
    }
    assert_eq!(
        store.record_at(at(NOW + 99), 0).await.unwrap(),
        Some(end - 1)
    );
    assert_eq!(store.record_at(at(NOW + 99), end).await.unwrap(), None);
}

async fn pages_go_both_ways_and_leave_nothing_out(db: &Database) {
    let store = &*db.store;
    some_acts(store).await;
    let issues = AuditFilter {
        actions: vec![Action::Issue],
        ..AuditFilter::default()
    };
    for filter in [AuditFilter::default(), issues] {
        let all = store.find_records(&filter, 0, 100).await.unwrap().records;
        for limit in 1..4 {
            let (mut forth, mut after) = (Vec::new(), Some(0));
            while let Some(from) = after {
                let page = store.find_records(&filter, from, limit).await.unwrap();
                forth.extend(page.records);
                after = page.next;
            }
            assert_eq!(forth, all);
            let (mut back, mut before) = (Vec::new(), None);
            loop {
                let page = store.find_records_before(&filter, before, limit);
                let page = page.await.unwrap();
                back.extend(page.records);
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
            back.reverse();
            assert_eq!(back, all);
        }
    }
}
