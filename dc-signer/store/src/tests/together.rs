//! Many who record at the same time: they share commits, and none hurts another.

use super::*;

on_both! {
    another_process_gets_its_turn_under_load,
    attempts_at_the_same_time_get_one_answer,
    changes_of_many_are_each_answered_for_themselves,
    changes_of_one_device_come_in_their_order,
    one_key_enrols_one_of_two_devices,
    many_callers_share_commits_and_all_is_recorded,
    nothing_is_recorded_after_the_store_is_closed,
    one_that_is_refused_does_not_hurt_the_others,
    replicas_record_into_one_chain,
    what_devices_come_for_shares_a_commit_and_is_all_done,
    what_is_in_the_queue_is_recorded_before_the_store_closes,
    what_no_database_takes_does_not_hurt_the_others,
}

async fn attempts_at_the_same_time_get_one_answer(db: &Database) {
    let device = active(&db.store, 1).await;
    let idempotency = issuance(&device, 0).idempotency;
    let attempts: Vec<_> = (0..20)
        .map(|number| {
            let store = Arc::clone(&db.store);
            let issuance = Issuance {
                idempotency,
                ..issuance(&device, number)
            };
            tokio::spawn(async move {
                let own = issuance.answer.clone();
                match store.record(issuance).await.unwrap() {
                    Recorded::Now { .. } => (true, own),
                    Recorded::Before(answer) => (false, answer.bytes),
                }
            })
        })
        .collect();
    let mut answers = Vec::new();
    for attempt in attempts {
        answers.push(attempt.await.unwrap());
    }
    assert_eq!(answers.iter().filter(|(recorded, _)| *recorded).count(), 1);
    assert!(answers.iter().all(|(_, answer)| *answer == answers[0].1));
    assert_eq!(
        db.store.history(device.id, 99).await.unwrap().issues.len(),
        1
    );
}

async fn many_callers_share_commits_and_all_is_recorded(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let new: Vec<NewDevice> = (0..300).map(with_key).collect();
    store.add_devices(&new, &by(NOW)).await.unwrap();
    let mut callers = Vec::new();
    for new in &new {
        let issuance = issuance(&by_id(store, new.id).await, 1);
        let store = Arc::clone(&db.store);
        callers.push(tokio::spawn(async move {
            store.record(issuance).await.unwrap()
        }));
    }
    let mut places = Vec::new();
    for caller in callers {
        match caller.await.unwrap() {
            Recorded::Now { seq, .. } => places.push(seq),
            Recorded::Before(_) => panic!("nobody asked before"),
        }
    }
    places.sort_unstable();
    assert_eq!(places, (302..602).collect::<Vec<_>>());
    assert_eq!(store.verify_audit().await.unwrap().seq, 601);
    for new in new {
        assert!(by_id(store, new.id).await.credential.is_some());
    }
}

async fn another_process_gets_its_turn_under_load(db: &Database) {
    let device = active(&db.store, 1).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut callers = tokio::task::JoinSet::new();
    // More than share a commit, so that the next ones are always waiting.
    for _ in 0..600 {
        let (store, stopped) = (Arc::clone(&db.store), stopped.clone());
        let again = Issuance {
            idempotency: None,
            ..issuance(&device, 0)
        };
        callers.spawn(async move {
            loop {
                store.record(again.clone()).await.unwrap();
                if *stopped.borrow() {
                    return;
                }
            }
        });
    }
    let other = db.other().await;
    for change in [Change::FlagClone, Change::ClearClone]
        .iter()
        .cycle()
        .take(10)
    {
        let changed = other.change_device(device.id, change, &by(NOW)).await;
        changed.unwrap();
    }
    stop.send(true).unwrap();
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    other.close().await;
    db.store.verify_audit().await.unwrap();
}

async fn replicas_record_into_one_chain(db: &Database) {
    let other = db.other().await;
    let mut callers = Vec::new();
    for number in 0..10 {
        let device = active(&db.store, number).await;
        for (time, store) in [(1, &db.store), (2, &other)] {
            let (store, issuance) = (Arc::clone(store), issuance(&device, time));
            callers.push(tokio::spawn(async move {
                store.record(issuance).await.unwrap()
            }));
        }
    }
    for caller in callers {
        assert!(matches!(caller.await.unwrap(), Recorded::Now { .. }));
    }
    assert_eq!(other.verify_audit().await.unwrap().seq, 31);
    let records = other.audit_from(1, 99).await.unwrap();
    for node in ["node-1", "node-2"] {
        assert!(records.iter().any(|record| record.entry.node == node));
    }
    other.close().await;
}

async fn what_is_in_the_queue_is_recorded_before_the_store_closes(db: &Database) {
    let device = active(&db.store, 1).await;
    let other = db.other().await;
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..50 {
        let (store, issuance) = (Arc::clone(&other), issuance(&device, number));
        callers.spawn(async move { store.record(issuance).await.is_ok() });
    }
    tokio::task::yield_now().await;
    other.close().await;
    let recorded = callers.join_all().await.into_iter().filter(|ok| *ok);
    let issues = db.store.history(device.id, 99).await.unwrap().issues;
    assert_eq!(recorded.count(), issues.len());
}

async fn one_that_is_refused_does_not_hurt_the_others(db: &Database) {
    let (good, bad) = (active(&db.store, 1).await, active(&db.store, 2).await);
    db.store
        .change_device(bad.id, &Change::Retire, &by(NOW))
        .await
        .unwrap();
    let callers: Vec<_> = (0..40)
        .map(|number| {
            let device = if number % 2 == 0 { &good } else { &bad };
            let (store, issuance) = (Arc::clone(&db.store), issuance(device, number));
            tokio::spawn(async move { store.record(issuance).await })
        })
        .collect();
    for (number, caller) in callers.into_iter().enumerate() {
        assert_eq!(caller.await.unwrap().is_ok(), number % 2 == 0);
    }
    assert_eq!(
        db.store.history(good.id, 99).await.unwrap().issues.len(),
        20
    );
    db.store.verify_audit().await.unwrap();
}

async fn what_no_database_takes_does_not_hurt_the_others(db: &Database) {
    let device = active(&db.store, 1).await;
    // As if somebody had broken the week's table: only issuances of that week fail.
    db.store.record(issuance(&device, 0)).await.unwrap();
    let week = NOW / (7 * 86_400);
    db.tamper(&format!("DROP TABLE issues_{week}")).await;
    let callers: Vec<_> = (0..20)
        .map(|number| {
            let issued = if number % 2 == 0 {
                at(NOW + number)
            } else {
                at(NOW + 7 * 86_400)
            };
            let issuance = Issuance {
                issued,
                ..issuance(&device, 100 + number)
            };
            let store = Arc::clone(&db.store);
            tokio::spawn(async move { store.record(issuance).await })
        })
        .collect();
    for (number, caller) in callers.into_iter().enumerate() {
        match (number % 2, caller.await.unwrap()) {
            (0, Err(Error::Database { .. })) | (1, Ok(Recorded::Now { .. })) => {}
            other => panic!("{other:?}"),
        }
    }
    // And whoever looks is told which table that is.
    let found = db.store.verify_audit().await.unwrap_err();
    assert!(
        found.to_string().contains(&format!("issues_{week}")),
        "{found}"
    );
}

async fn nothing_is_recorded_after_the_store_is_closed(db: &Database) {
    let store = db.other().await;
    let device = active(&store, 1).await;
    store.close().await;
    let error = store.record(issuance(&device, 0)).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let error = store.ping(0).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
}

async fn changes_of_many_are_each_answered_for_themselves(db: &Database) {
    let store = &db.store;
    add_zone(store).await;
    let new: Vec<NewDevice> = (0..60).map(with_key).collect();
    store.add_devices(&new, &by(NOW)).await.unwrap();
    let retired = new[7].id;
    let act = by(NOW);
    let done = store.change_device(retired, &Change::Retire, &act);
    done.await.unwrap();
    let callers: Vec<_> = new
        .iter()
        .enumerate()
        .map(|(number, new)| {
            let (store, id) = (Arc::clone(store), new.id);
            // A person needs a reason.
            let by = match number % 10 {
                3 => Act::new("tester", at(NOW)),
                _ => by(NOW),
            };
            tokio::spawn(async move { store.change_device(id, &Change::Suspend, &by).await })
        })
        .collect();
    for (number, caller) in callers.into_iter().enumerate() {
        match (number, caller.await.unwrap()) {
            (7, Err(error)) => assert_eq!(
                refused(error),
                registry::Error::NotInState {
                    state: registry::State::Retired
                }
            ),
            (number, Err(error)) if number % 10 == 3 => {
                assert_eq!(refused(error), registry::Error::NoReason);
            }
            (_, changed) => {
                assert_eq!(changed.unwrap().state, registry::State::Suspended);
            }
        }
    }
    // The zone, the devices, one that is retired, and those that are suspended.
    assert_eq!(store.verify_audit().await.unwrap().seq, 1 + 60 + 1 + 53);
}

async fn changes_of_one_device_come_in_their_order(db: &Database) {
    let device = active(&db.store, 1).await;
    let changes = [
        Change::Suspend,
        Change::Resume,
        Change::Retire,
        Change::Suspend,
    ];
    let act = by(NOW);
    let store = &db.store;
    // They are asked in one go, so that they are worked out together.
    let (one, two, three, four) = tokio::join!(
        store.change_device(device.id, &changes[0], &act),
        store.change_device(device.id, &changes[1], &act),
        store.change_device(device.id, &changes[2], &act),
        store.change_device(device.id, &changes[3], &act),
    );
    let states = [one, two, three].map(|changed| changed.unwrap().state);
    use registry::State::{Active, Retired, Suspended};
    assert_eq!(states, [Suspended, Active, Retired]);
    let refused = refused(four.unwrap_err());
    assert_eq!(refused, registry::Error::NotInState { state: Retired });
    db.store.verify_audit().await.unwrap();
}

async fn one_key_enrols_one_of_two_devices(db: &Database) {
    add_zone(&db.store).await;
    let new = [new_device(1), new_device(2)];
    db.store.add_devices(&new, &by(NOW)).await.unwrap();
    let enrol = Change::Enrol { key: key("one") };
    let act = by(NOW);
    let (one, two) = tokio::join!(
        db.store.change_device(new[0].id, &enrol, &act),
        db.store.change_device(new[1].id, &enrol, &act),
    );
    // Whichever: they may have been in two messages.
    let (enrolled, refusal) = match (one, two) {
        (Ok(enrolled), Err(error)) | (Err(error), Ok(enrolled)) => (enrolled, error),
        both => panic!("{both:?}"),
    };
    assert_eq!(enrolled.state, registry::State::Active);
    assert_eq!(refused(refusal), registry::Error::KeyTaken);
    db.store.verify_audit().await.unwrap();
}

async fn what_devices_come_for_shares_a_commit_and_is_all_done(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let active = (1..=20).map(with_key);
    let new: Vec<NewDevice> = active.chain((21..=30).map(new_device)).collect();
    store.add_devices(&new, &by(NOW)).await.unwrap();
    let (active, preregistered) = new.split_at(20);
    let mut callers = tokio::task::JoinSet::new();
    let mut change = |id, change: Change| {
        let store = Arc::clone(&db.store);
        let act = Act::new("device", at(NOW));
        callers.spawn(async move { drop(store.change_device(id, &change, &act).await.unwrap()) });
    };
    for new in active.iter().step_by(2) {
        change(new.id, Change::FlagClone);
    }
    for new in preregistered {
        let key = key(&format!("new {}", new.id));
        change(new.id, Change::Enrol { key });
    }
    for new in active {
        let issuance = issuance(&by_id(store, new.id).await, 0);
        let store = Arc::clone(&db.store);
        callers.spawn(async move { drop(store.record(issuance).await.unwrap()) });
    }
    callers.join_all().await;
    for (number, new) in active.iter().enumerate() {
        let device = by_id(store, new.id).await;
        let held = device.credential.as_ref().unwrap().sha256;
        assert_eq!(held, issuance(&device, 0).credentials[0]);
        assert_eq!(device.possible_clone, number % 2 == 0, "{number}");
    }
    for new in preregistered {
        assert_eq!(by_id(store, new.id).await.state, registry::State::Active);
    }
    let records = 1 + 30 + 10 + 10 + 20;
    assert_eq!(store.verify_audit().await.unwrap().seq, records);
}
