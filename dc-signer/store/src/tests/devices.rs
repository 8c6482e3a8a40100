//! Adding, finding, listing and changing devices.

use super::names::renamed;
use super::*;
use crate::registry::{KeyUse, Manufactured, State};

on_both! {
    a_device_that_is_suspended_meanwhile_is_not_replaced,
    a_device_is_found_by_everything_that_names_it,
    a_key_is_one_devices_only,
    adding_again_changes_nothing,
    devices_that_clash_are_not_added_and_the_others_are,
    lists_are_filtered,
    lists_come_in_pages,
    many_devices_are_added_at_once,
    many_look_for_their_devices_at_once_and_a_broken_one_hurts_itself_only,
    the_history_says_what_was_done,
    text_that_no_database_takes_is_nobodys,
    the_new_key_of_a_switch_is_no_other_devices,
    what_is_not_there_is_not_changed,
}

async fn a_device_that_is_suspended_meanwhile_is_not_replaced(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let replace = Change::Replace(registry::Replacement::KeepName {
        manufactured: None,
        at_once: false,
    });
    let by = by(NOW);
    let suspend = store.change_device(device.id, &Change::Suspend, &by);
    suspend.await.unwrap();
    let head = store.audit_head().await.unwrap();
    let change = async || {
        store
            .change_unless_suspended(device.id, &replace, &by)
            .await
    };
    let state = State::Suspended;
    let refusal = refused(change().await.unwrap_err());
    assert_eq!(refusal, registry::Error::NotInState { state });
    assert_eq!(store.audit_head().await.unwrap(), head);
    let resume = store.change_device(device.id, &Change::Resume, &by);
    resume.await.unwrap();
    assert_eq!(change().await.unwrap().state, State::Preregistered);
}

async fn a_device_is_found_by_everything_that_names_it(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let manufactured = Manufactured {
        manufacturer: "acme".into(),
        serial: "SN 1".into(),
    };
    let new = NewDevice {
        manufactured: Some(manufactured.clone()),
        ..with_key(1)
    };
    store
        .add_devices(&[new.clone(), with_key(2)], &by(NOW))
        .await
        .unwrap();
    let device = by_id(store, new.id).await;
    for find in [
        Find::ExternalId(new.external_id),
        Find::Key(new.key.unwrap()),
        Find::Name(new.name),
        Find::Manufactured(manufactured.clone()),
    ] {
        assert_eq!(
            store.find_device(&find).await.unwrap().as_ref(),
            Some(&device)
        );
    }
    for find in [
        Find::Id(DeviceId::from_bytes([9; 16])),
        Find::ExternalId("nobody".parse().unwrap()),
        Find::Key(key("nobody's")),
        Find::Name(dc_pki::names::parse("nobody.cpe.example.com").unwrap()),
        Find::Manufactured(Manufactured {
            manufacturer: "other".into(),
            ..manufactured
        }),
    ] {
        assert_eq!(store.find_device(&find).await.unwrap(), None, "{find:?}");
    }
}

async fn many_look_for_their_devices_at_once_and_a_broken_one_hurts_itself_only(db: &Database) {
    const COUNT: u32 = 600;
    const BROKEN: u32 = 7;
    add_zone(&db.store).await;
    let new: Vec<NewDevice> = (0..COUNT).map(with_key).collect();
    db.store.add_devices(&new, &by(NOW)).await.unwrap();
    let switch = Change::SwitchKey { key: key("next") };
    let by_operator = by(NOW);
    let switching = db.store.change_device(new[1].id, &switch, &by_operator);
    switching.await.unwrap();
    db.tamper("UPDATE devices SET epoch = -1 WHERE external_id = 'customer-0007'")
        .await;
    let ask = |by: Sha256| {
        let store = Arc::clone(&db.store);
        tokio::spawn(async move { store.find_device(&Find::Key(by)).await })
    };
    let known: Vec<_> = new.iter().map(|new| ask(new.key.unwrap())).collect();
    let (next, unknown) = (ask(key("next")), ask(key("nobody's")));
    for (number, asked) in (0..).zip(known) {
        match asked.await.unwrap() {
            Ok(found) => assert_eq!(found.unwrap().id, new_device(number).id),
            Err(error) => assert_eq!(number, BROKEN, "{error:?}"),
        }
    }
    assert_eq!(next.await.unwrap().unwrap().unwrap().id, new[1].id);
    assert_eq!(unknown.await.unwrap().unwrap(), None);
}

async fn adding_again_changes_nothing(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let new = [new_device(1), with_key(2)];
    store.add_devices(&new, &by(NOW)).await.unwrap();
    let enrol = Change::Enrol { key: key("pinned") };
    let first = store
        .change_device(new[0].id, &enrol, &by(NOW))
        .await
        .unwrap();
    let head = store.audit_head().await.unwrap();
    // A second run of a bulk load makes up other ids, and with random names other names.
    let again = NewDevice {
        id: DeviceId::from_bytes([8; 16]),
        name: dc_pki::names::parse("again.cpe.example.com").unwrap(),
        ..new[0].clone()
    };
    let added = store
        .add_devices(&[again, new[1].clone()], &by(NOW + 1))
        .await;
    let second = by_id(store, new[1].id).await;
    let same = |device| Added::Same(Box::new(device));
    assert_eq!(added.unwrap(), [same(first), same(second)]);
    assert_eq!(store.audit_head().await.unwrap(), head);
}

async fn devices_that_clash_are_not_added_and_the_others_are(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let serial = |text: &str| Manufactured {
        manufacturer: "acme".into(),
        serial: text.into(),
    };
    let old = NewDevice {
        manufactured: Some(serial("1")),
        ..with_key(1)
    };
    store
        .add_devices(std::slice::from_ref(&old), &by(NOW))
        .await
        .unwrap();
    let other_slot = NewDevice {
        slot: 1,
        ..old.clone()
    };
    let same_key = NewDevice {
        key: old.key,
        ..new_device(3)
    };
    let same_name = NewDevice {
        name: old.name.clone(),
        ..new_device(4)
    };
    let same_serial = NewDevice {
        manufactured: Some(serial("1")),
        ..new_device(5)
    };
    let no_zone = NewDevice {
        zone: ZoneName::parse("other.example.com").unwrap(),
        ..new_device(6)
    };
    // They clash with each other, too.
    let twin = NewDevice {
        id: DeviceId::from_bytes([7; 16]),
        slot: 7,
        ..new_device(2)
    };
    let added = store
        .add_devices(
            &[
                other_slot,
                same_key,
                same_name,
                same_serial,
                no_zone,
                new_device(2),
                twin,
            ],
            &by(NOW),
        )
        .await
        .unwrap();
    let expected = [
        Added::Conflict(Conflict::ExternalId),
        Added::Conflict(Conflict::Key),
        Added::Conflict(Conflict::Name),
        Added::Conflict(Conflict::Serial),
        Added::Conflict(Conflict::Zone),
        Added::New,
        Added::Conflict(Conflict::ExternalId),
    ];
    assert_eq!(added, expected);
    assert_eq!(by_id(store, new_device(2).id).await.slot, 0);
}

async fn many_devices_are_added_at_once(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let many: Vec<NewDevice> = (0..3000).map(with_key).collect();
    let added = store.add_devices(&many, &by(NOW)).await.unwrap();
    assert!(added.iter().all(|added| *added == Added::New));
    assert_eq!(store.audit_head().await.unwrap().seq, 3001);
    let added = store.add_devices(&many, &by(NOW)).await.unwrap();
    assert!(added.iter().all(|added| matches!(added, Added::Same(_))));
    assert_eq!(store.verify_audit().await.unwrap().seq, 3001);
}

async fn lists_come_in_pages(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let many: Vec<NewDevice> = (0..25).map(new_device).collect();
    store.add_devices(&many, &by(NOW)).await.unwrap();
    let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = Page {
            after,
            limit: 10,
            ..Page::default()
        };
        let listed = store.list_devices(&Filter::default(), &page).await.unwrap();
        seen.extend(listed.devices.into_iter().map(|device| device.external_id));
        pages += 1;
        after = listed.next;
        if after.is_none() {
            break;
        }
    }
    let expected: Vec<_> = many.into_iter().map(|new| new.external_id).collect();
    assert_eq!((seen, pages), (expected, 3));
}

async fn lists_are_filtered(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let odd = NewDevice {
        external_id: "Other%1".parse().unwrap(),
        ..new_device(4)
    };
    let new = [new_device(1), with_key(2), with_key(3), odd];
    store.add_devices(&new, &by(NOW)).await.unwrap();
    store
        .change_device(new[2].id, &Change::FlagClone, &by(NOW))
        .await
        .unwrap();
    let device = by_id(store, new[1].id).await;
    store.record(issuance(&device, 0)).await.unwrap();
    let ids = async |filter: Filter| {
        let page = Page {
            limit: 100,
            ..Page::default()
        };
        let listed = store.list_devices(&filter, &page).await.unwrap();
        assert_eq!(listed.next, None);
        listed
            .devices
            .into_iter()
            .map(|device| device.id)
            .collect::<Vec<_>>()
    };
    let filter = Filter::default;
    let state = Filter {
        state: Some(State::Active),
        ..filter()
    };
    assert_eq!(ids(state).await, [new[1].id, new[2].id]);
    let clone = Filter {
        possible_clone: Some(true),
        ..filter()
    };
    assert_eq!(ids(clone).await, [new[2].id]);
    let prefix = |text: &str| Filter {
        external_id_prefix: Some(text.into()),
        ..filter()
    };
    assert_eq!(ids(prefix("customer-")).await.len(), 3);
    assert_eq!(ids(prefix("Other%")).await, [new[3].id]);
    assert_eq!(ids(prefix("%")).await, []);
    assert_eq!(ids(prefix("' OR 1 = 1 --")).await, []);
    let end = |seconds| Filter {
        expires_before: Some(at(seconds)),
        ..filter()
    };
    assert_eq!(ids(end(NOW + 164 * 3600)).await, []);
    assert_eq!(ids(end(NOW + 164 * 3600 + 1)).await, [new[1].id]);
    let under = |delegation| Filter {
        delegation: Some(delegation),
        ..filter()
    };
    let (old, new_one) = (
        issuance(&device, 0).delegation_sha256,
        Sha256::of(b"the next one"),
    );
    assert_eq!(ids(under(old)).await, [new[1].id]);
    assert_eq!(ids(under(new_one)).await, []);
    // The latest counts.
    let renewed = Issuance {
        delegation_sha256: new_one,
        ..issuance(&by_id(store, device.id).await, 1)
    };
    store.record(renewed).await.unwrap();
    assert_eq!(ids(under(old)).await, []);
    assert_eq!(ids(under(new_one)).await, [new[1].id]);
    let zone = |name| Filter {
        zone: Some(ZoneName::parse(name).unwrap()),
        ..filter()
    };
    assert_eq!(ids(zone("cpe.example.com")).await.len(), 4);
    assert_eq!(ids(zone("other.example.com")).await, []);
}

async fn a_key_is_one_devices_only(db: &Database) {
    let store = &*db.store;
    let first = active(store, 1).await;
    store.add_devices(&[new_device(2)], &by(NOW)).await.unwrap();
    let enrol = Change::Enrol {
        key: first.key.unwrap(),
    };
    let error = store
        .change_device(new_device(2).id, &enrol, &by(NOW))
        .await;
    assert_eq!(refused(error.unwrap_err()), registry::Error::KeyTaken);
    assert_eq!(by_id(store, new_device(2).id).await.key, None);
}

async fn text_that_no_database_takes_is_nobodys(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let manufactured = Manufactured {
        manufacturer: "acme".into(),
        serial: "SN\0".into(),
    };
    let new = NewDevice {
        manufactured: Some(manufactured.clone()),
        ..new_device(1)
    };
    let added = store.add_devices(&[new, new_device(2)], &by(NOW)).await;
    let expected = [Added::Conflict(Conflict::Serial), Added::New];
    assert_eq!(added.unwrap(), expected);
    let find = Find::Manufactured(manufactured);
    assert_eq!(store.find_device(&find).await.unwrap(), None);
    let filter = Filter {
        external_id_prefix: Some("cust\0".into()),
        ..Filter::default()
    };
    let page = Page {
        limit: 9,
        ..Page::default()
    };
    let listed = store.list_devices(&filter, &page).await.unwrap();
    assert_eq!(listed.devices, []);
}

async fn the_new_key_of_a_switch_is_no_other_devices(db: &Database) {
    let store = &*db.store;
    let (first, second) = (active(store, 1).await, active(store, 2).await);
    let to = |key| Change::SwitchKey { key };
    let change = store
        .change_device(first.id, &to(key("new")), &by(NOW))
        .await;
    let device = change.unwrap();
    assert_eq!(device.key_use(&key("new"), at(NOW)), KeyUse::Next);
    for taken in [key("new"), first.key.unwrap()] {
        let error = store.change_device(second.id, &to(taken), &by(NOW)).await;
        assert_eq!(refused(error.unwrap_err()), registry::Error::KeyTaken);
    }
    for find in [Find::Key(key("new")), Find::Key(first.key.unwrap())] {
        let found = store.find_device(&find).await.unwrap();
        assert_eq!(found, Some(device.clone()));
    }
}

async fn the_history_says_what_was_done(db: &Database) {
    use crate::registry::Action;
    let store = &*db.store;
    let device = active(store, 1).await;
    for number in 0..3 {
        store.record(issuance(&device, number)).await.unwrap();
    }
    // Another one's history is none of it.
    let other = active(store, 2).await;
    store.record(issuance(&other, 9)).await.unwrap();
    store
        .change_device(device.id, &renamed(10, 1), &by(NOW + 9))
        .await
        .unwrap();
    store
        .change_device(device.id, &Change::Suspend, &by(NOW + 10))
        .await
        .unwrap();
    let history = store.history(device.id, 10).await.unwrap();
    let actions: Vec<Action> = history.acts.iter().map(|act| act.entry.action).collect();
    let expected = [
        Action::Suspend,
        Action::NewName,
        Action::Replace,
        Action::Add,
    ];
    assert_eq!(actions, expected);
    assert_eq!(history.acts[0].entry.actor, "tester");
    let issued: Vec<UnixTime> = history.issues.iter().map(|issue| issue.issued).collect();
    assert_eq!(issued, [at(NOW + 2), at(NOW + 1), at(NOW)]);
    assert_eq!(history.issues[0].name, device.name);
    let short = store.history(device.id, 1).await.unwrap();
    assert_eq!((short.acts.len(), short.issues.len()), (1, 1));
}

async fn what_is_not_there_is_not_changed(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let nobody = DeviceId::from_bytes([9; 16]);
    let error = store
        .change_device(nobody, &Change::Suspend, &by(NOW))
        .await;
    assert_eq!(refused(error.unwrap_err()), registry::Error::UnknownDevice);
    assert_eq!(store.history(nobody, 10).await.unwrap(), History::default());
    assert_eq!(store.audit_head().await.unwrap().seq, 1);
}
