//! Names: withdrawn, kept, and never given out again.

use super::*;
use crate::registry::{Action, Replacement, State};

on_both! {
    a_name_is_never_given_out_again,
    a_replaced_device_must_enrol_again,
    a_stolen_box_stays_withdrawn_until_its_credential_is_over,
    a_withdrawn_name_is_listed_as_long_as_its_credential_is_valid_whatever_the_clock_said,
    a_name_that_two_boxes_have_is_in_the_log,
    a_retired_device_keeps_its_name,
    a_suspension_is_in_the_list_of_withdrawn_names_until_it_is_lifted,
    withdrawn_names_are_given_one_by_one_however_many_they_are,
}

async fn a_suspension_is_in_the_list_of_withdrawn_names_until_it_is_lifted(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let before = store.withdrawn(&zone(), at(NOW)).await.unwrap();
    assert!(before.names.is_empty());
    store
        .change_device(device.id, &Change::Suspend, &by(NOW))
        .await
        .unwrap();
    let suspended = store.withdrawn(&zone(), at(NOW)).await.unwrap();
    assert_eq!(suspended.names[0].name, device.name);
    assert_eq!(suspended.names[0].since, at(NOW));
    assert!(suspended.sequence > before.sequence);
    // No credential can live longer than seven days.
    let week = 7 * 86_400;
    let later = store.withdrawn(&zone(), at(NOW + week - 1)).await.unwrap();
    assert_eq!(later.names.len(), 1);
    let later = store.withdrawn(&zone(), at(NOW + week)).await.unwrap();
    assert!(later.names.is_empty());
    store
        .change_device(device.id, &Change::Resume, &by(NOW + 1))
        .await
        .unwrap();
    let resumed = store.withdrawn(&zone(), at(NOW + 1)).await.unwrap();
    assert!(resumed.names.is_empty() && resumed.sequence > suspended.sequence);
    // Asking for what is so already changes nothing.
    store
        .change_device(device.id, &Change::Resume, &by(NOW + 2))
        .await
        .unwrap();
    let again = store.withdrawn(&zone(), at(NOW + 2)).await.unwrap();
    assert_eq!(again.sequence, resumed.sequence);
}

async fn withdrawn_names_are_given_one_by_one_however_many_they_are(db: &Database) {
    let store = &*db.store;
    let mut devices = Vec::new();
    for number in 1..4 {
        let device = active(store, number).await;
        let by = by(NOW + u64::from(number));
        let changed = store.change_device(device.id, &Change::Suspend, &by);
        changed.await.unwrap();
        devices.push(device);
    }
    active(store, 4).await;
    let each = async |live_at| {
        let mut names = Vec::new();
        let give = |name: &dc_core::UniqueName<'_>| names.push(name.to_string());
        let sequence = store.each_withdrawn(&zone(), at(live_at), give).await;
        let sequence = sequence.unwrap();
        assert_eq!(store.withdrawn_sequence(&zone()).await.unwrap(), sequence);
        names
    };
    let names: Vec<_> = devices.iter().map(|one| one.name.to_string()).collect();
    assert_eq!(each(NOW).await, names);
    let listed = store.withdrawn(&zone(), at(NOW)).await.unwrap();
    assert_eq!(listed.names.len(), names.len());
    // The last second of each counts.
    let until = listed.names.iter().map(|one| one.until).min().unwrap();
    assert_eq!(each(until.as_secs()).await, names);
    assert_eq!(each(until.as_secs() + 1).await, names[1..]);
    let other = ZoneName::parse("other.example.com").unwrap();
    let unknown = store.each_withdrawn(&other, at(NOW), |_| ()).await;
    assert!(unknown.is_err());
}

async fn a_retired_device_keeps_its_name(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    let retired = store
        .change_device(device.id, &Change::Retire, &by(NOW))
        .await
        .unwrap();
    assert_eq!(
        (retired.state, &retired.name),
        (State::Retired, &device.name)
    );
    let error = store
        .change_device(device.id, &Change::Resume, &by(NOW))
        .await;
    let state = State::Retired;
    assert_eq!(
        refused(error.unwrap_err()),
        registry::Error::NotInState { state }
    );
    let names = store.withdrawn(&zone(), at(NOW)).await.unwrap().names;
    assert_eq!(names.len(), 1);
}

pub(super) fn renamed(number: u32, epoch: u32) -> Change {
    let name = dc_pki::names::parse(&format!("d{number}.cpe.example.com")).unwrap();
    Change::Replace(Replacement::NewName { name, epoch })
}

async fn a_name_is_never_given_out_again(db: &Database) {
    let store = &*db.store;
    let (first, second) = (active(store, 1).await, active(store, 2).await);
    let change = store
        .change_device(first.id, &renamed(10, 1), &by(NOW))
        .await;
    assert_eq!(change.unwrap().name.as_str(), "d10.cpe.example.com");
    // Neither the name it has, nor the one it had, nor its own old one.
    for (device, number) in [(second.id, 10), (second.id, 1), (first.id, 1)] {
        let error = store
            .change_device(device, &renamed(number, 5), &by(NOW))
            .await;
        assert_eq!(refused(error.unwrap_err()), registry::Error::NameTaken);
    }
    let same = NewDevice {
        name: first.name.clone(),
        ..new_device(3)
    };
    let added = store.add_devices(&[same], &by(NOW)).await.unwrap();
    assert_eq!(added, [Added::Conflict(Conflict::Name)]);
    // The old name still leads to the device that had it.
    let found = store.find_device(&Find::Name(first.name)).await.unwrap();
    assert_eq!(found.unwrap().id, first.id);
}

async fn a_replaced_device_must_enrol_again(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    store.record(issuance(&device, 0)).await.unwrap();
    let keep = Change::Replace(Replacement::KeepName {
        manufactured: None,
        at_once: false,
    });
    let kept = store
        .change_device(device.id, &keep, &by(NOW + 1))
        .await
        .unwrap();
    assert_eq!((kept.state, kept.key), (State::Preregistered, None));
    assert_eq!(
        store
            .find_device(&Find::Key(device.key.unwrap()))
            .await
            .unwrap(),
        None
    );
    let error = store.record(issuance(&device, 1)).await.unwrap_err();
    let state = State::Preregistered;
    assert_eq!(refused(error), registry::Error::NotActive { state });
    assert!(
        store
            .withdrawn(&zone(), at(NOW + 1))
            .await
            .unwrap()
            .names
            .is_empty()
    );

    let enrol = Change::Enrol {
        key: key("second box"),
    };
    let enrolled = async |now| store.change_device(device.id, &enrol, &by(now)).await;
    let over = NOW + 164 * 3600;
    // A signer's clock may be an hour ahead.
    let over = over + 3600;
    let early = refused(enrolled(over).await.unwrap_err());
    assert_eq!(early, registry::Error::NameHeld { from: at(over + 1) });
    enrolled(over + 1).await.unwrap();
    let renamed = store
        .change_device(device.id, &renamed(10, 1), &by(over + 3))
        .await
        .unwrap();
    assert_eq!(
        (renamed.credential, renamed.key, renamed.epoch),
        (None, None, 1)
    );
    let names = store.withdrawn(&zone(), at(over + 3)).await.unwrap().names;
    assert_eq!(names[0].name, device.name);
}

fn with_key_of(text: &str, at_once: bool) -> Change {
    let key = key(text);
    Change::Replace(Replacement::KeepNameWithKey { key, at_once })
}

async fn a_stolen_box_stays_withdrawn_until_its_credential_is_over(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    store.record(issuance(&device, 0)).await.unwrap();
    let suspend = Change::Suspend;
    let suspended = async |now| store.change_device(device.id, &suspend, &by(now)).await;
    suspended(NOW + 1).await.unwrap();
    let before = store.withdrawn(&zone(), at(NOW + 1)).await.unwrap();
    let change = with_key_of("new box", false);
    let replaced = store.change_device(device.id, &change, &by(NOW + 2)).await;
    let replaced = replaced.unwrap();
    assert_eq!(
        (replaced.state, replaced.is_withdrawn()),
        (State::Active, true)
    );
    let over = NOW + 165 * 3600 + 1;
    let listed = async |now| store.withdrawn(&zone(), at(now)).await.unwrap();
    let after = listed(NOW + 2).await;
    assert!(after.sequence > before.sequence);
    assert_eq!((after.names.len(), after.names[0].until), (1, at(over)));
    assert_eq!(listed(over - 1).await.names.len(), 1);
    assert_eq!(listed(over).await.names, []);
    let ask = |now: u64| Issuance {
        key: key("new box"),
        issued: at(now),
        expires: at(now + 164 * 3600),
        by: by(now),
        ..issuance(&device, 1)
    };
    let early = refused(store.record(ask(over - 1)).await.unwrap_err());
    assert_eq!(early, registry::Error::NameHeld { from: at(over) });
    store.record(ask(over)).await.unwrap();
    let device = by_id(store, device.id).await;
    assert_eq!(
        (device.is_withdrawn(), device.hold.free_from),
        (false, None)
    );
    // And it can be withdrawn again.
    suspended(over + 1).await.unwrap();
    assert_eq!(listed(over + 1).await.names.len(), 1);
    store.verify_audit().await.unwrap();
}

async fn a_withdrawn_name_is_listed_as_long_as_its_credential_is_valid_whatever_the_clock_said(
    db: &Database,
) {
    let store = &*db.store;
    let over = NOW + 165 * 3600 + 1;
    let listed = async |now| {
        let list = store.withdrawn(&zone(), at(now)).await.unwrap();
        list.names.into_iter().map(|name| name.name)
    };
    let new_name = renamed(11, 1);
    for (number, change) in [(1, Change::Suspend), (2, Change::Retire), (3, new_name)] {
        let device = active(store, number).await;
        store.record(issuance(&device, 0)).await.unwrap();
        for days in [8, 365] {
            let long_ago = by(NOW - days * 86_400);
            // The second time it is so already, or refused.
            let _ = store.change_device(device.id, &change, &long_ago).await;
            for now in [NOW, over - 1] {
                let mut names = listed(now).await;
                assert!(names.any(|name| name == device.name), "{change:?}");
            }
        }
        assert!(!listed(over).await.any(|name| name == device.name));
    }
    store.verify_audit().await.unwrap();
}

async fn a_name_that_two_boxes_have_is_in_the_log(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    store.record(issuance(&device, 0)).await.unwrap();
    let change = with_key_of("new box", true);
    store
        .change_device(device.id, &change, &by(NOW + 1))
        .await
        .unwrap();
    let history = store.history(device.id, 2).await.unwrap();
    let acts: Vec<_> = history.acts.iter().map(|act| &act.entry).collect();
    let actions = acts.iter().map(|entry| entry.action);
    assert!(actions.eq([Action::TakeName, Action::Replace]));
    assert_eq!(acts[0].expires, Some(at(NOW + 164 * 3600)));
    assert_eq!(acts[0].spki_sha256, Some(key("new box")));
    let at_once = Issuance {
        key: key("new box"),
        ..issuance(&device, 2)
    };
    store.record(at_once).await.unwrap();
    // What waits for nobody is no such act.
    let change = with_key_of("third box", true);
    let late = NOW + 8 * 86_400;
    store
        .change_device(device.id, &change, &by(late))
        .await
        .unwrap();
    let history = store.history(device.id, 1).await.unwrap();
    assert_eq!(history.acts[0].entry.action, Action::Replace);
}
