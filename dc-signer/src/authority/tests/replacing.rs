//! Replacing devices: who keeps a name, and when it goes on.

use super::bench::Bench;
use super::device::{Cpe, csr, renewal};
use super::devices::new;
use crate::authority::Error;
use crate::authority::json::Replace;
use crate::testing::{Database, on_both};
use dc_store::registry::{Change, State};

on_both! {
    a_sold_box_gets_a_new_name_and_the_old_one_is_refused,
    a_broken_box_keeps_its_name_and_its_key_is_forgotten,
    a_new_box_with_a_known_key_takes_over,
    a_new_name_waits_for_nobody,
    after_a_theft_the_customers_new_box_has_another_name,
    the_name_of_a_suspended_device_goes_on_only_if_somebody_says_so,
    whoever_takes_a_name_at_once_is_told_what_it_costs,
    a_new_name_and_a_key_exclude_each_other,
}

async fn a_sold_box_gets_a_new_name_and_the_old_one_is_refused(database: &Database) {
    let bench = Bench::new(database).await;
    let added = bench.add_with_code("customer-1").await;
    let cpe = Cpe::new();
    let code = added.code.unwrap().code;
    let first = cpe
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    let device = bench.find("customer-1").await;
    let how = Replace {
        new_name: true,
        ..Replace::default()
    };
    let by = bench.by(bench.now);
    let replaced = bench.authority.replace(device.id, &how, &by).await.unwrap();
    assert_ne!(replaced.device.name, first.name);
    assert_eq!(
        (replaced.device.epoch, replaced.device.state.as_str()),
        (1, "preregistered")
    );
    let refusal = cpe
        .renew(&bench.authority, &renewal(&first, "1"), bench.now)
        .await;
    assert!(refusal.is_err(), "{refusal:?}");
    let code = replaced.code.unwrap().code;
    let second = cpe
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    assert_eq!(second.name, replaced.device.name);
    // And a third owner gets a third name.
    let again = bench.authority.replace(device.id, &how, &by).await.unwrap();
    assert!(![first.name, second.name].contains(&again.device.name));
}

async fn a_broken_box_keeps_its_name_and_its_key_is_forgotten(database: &Database) {
    let bench = Bench::new(database).await;
    let added = bench.add_with_code("customer-1").await;
    let (old, new) = (Cpe::new(), Cpe::new());
    let code = added.code.unwrap().code;
    let first = old
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    let device = bench.find("customer-1").await;
    let by = bench.by(bench.now);
    let replaced = bench
        .authority
        .replace(device.id, &Replace::default(), &by)
        .await;
    let replaced = replaced.unwrap();
    let over = first.expires - bench.now.as_secs() + 3601;
    assert_eq!(replaced.available_from, Some(bench.after(over).as_secs()));
    let code = replaced.code.unwrap().code;
    let refusal = old
        .renew(&bench.authority, &renewal(&first, "1"), bench.now)
        .await;
    assert!(refusal.is_err(), "{refusal:?}");
    let enrol = async |after| {
        bench.authority.accept_clock(bench.after(after));
        new.enrol_with(&bench.authority, &code, bench.after(after))
            .await
    };
    let held = enrol(over - 1).await.unwrap_err();
    assert_eq!(held.available_from(), Some(bench.after(over)));
    assert!(held.is_temporary(), "{held}");
    assert_eq!(bench.find("customer-1").await.state, State::Preregistered);
    assert_eq!(enrol(over).await.unwrap().name, first.name);
}

async fn the_name_of_a_suspended_device_goes_on_only_if_somebody_says_so(database: &Database) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let first = Cpe::new()
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    let device = bench.find("customer-1").await;
    let by = bench.by(bench.now);
    let suspend = Change::Suspend;
    let changed = bench.authority.change_device(device.id, &suspend, &by);
    changed.await.unwrap();
    let records = bench.records().await;
    for how in [
        Replace::default(),
        Replace {
            at_once: true,
            ..Replace::default()
        },
        Replace {
            enrolment_key: Some(Cpe::new().key().to_string()),
            ..Replace::default()
        },
    ] {
        let refusal = bench.authority.replace(device.id, &how, &by).await;
        let Err(Error::NameOfSuspended { name }) = refusal else {
            panic!("{refusal:?}");
        };
        assert_eq!(name.as_str(), first.name);
    }
    assert_eq!(bench.records().await, records);
    let both = Replace {
        keep_name: true,
        new_name: true,
        ..Replace::default()
    };
    let refusal = bench.authority.replace(device.id, &both, &by).await;
    assert!(matches!(refusal, Err(Error::TwoWays)), "{refusal:?}");
    let keep = Replace {
        keep_name: true,
        ..Replace::default()
    };
    let replaced = bench.authority.replace(device.id, &keep, &by).await;
    let replaced = replaced.unwrap();
    assert_eq!(replaced.device.name, first.name);
    assert!(replaced.available_from.is_some(), "{replaced:?}");
    // It has been said: the second time is no question any more.
    let again = Replace::default();
    bench
        .authority
        .replace(device.id, &again, &by)
        .await
        .unwrap();
}

async fn after_a_theft_the_customers_new_box_has_another_name(database: &Database) {
    let bench = Bench::new(database).await;
    let stolen = bench.add_with_code("customer-1").await;
    let device = bench.find("customer-1").await;
    let by = bench.by(bench.now);
    let retire = Change::Retire;
    let changed = bench.authority.change_device(device.id, &retire, &by);
    changed.await.unwrap();
    let keep = Replace {
        keep_name: true,
        ..Replace::default()
    };
    let refusal = bench.authority.replace(device.id, &keep, &by).await;
    assert!(refusal.is_err(), "{refusal:?}");
    let new = bench.add_with_code("customer-1-b").await;
    assert_ne!(new.name, stolen.name);
}

async fn a_new_name_waits_for_nobody(database: &Database) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let first = Cpe::new()
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    let device = bench.find("customer-1").await;
    let how = Replace {
        new_name: true,
        ..Replace::default()
    };
    let by = bench.by(bench.now);
    let replaced = bench.authority.replace(device.id, &how, &by).await.unwrap();
    assert_eq!((replaced.available_from, replaced.held_until), (None, None));
    let code = replaced.code.unwrap().code;
    let second = Cpe::new()
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    assert_ne!(second.name, first.name);
    let both = Replace {
        at_once: true,
        ..how
    };
    let refusal = bench.authority.replace(device.id, &both, &by).await;
    assert!(matches!(refusal, Err(Error::TwoWays)), "{refusal:?}");
}

async fn whoever_takes_a_name_at_once_is_told_what_it_costs(database: &Database) {
    let bench = Bench::new(database).await;
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let first = Cpe::new()
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    let device = bench.find("customer-1").await;
    let at_once = Replace {
        at_once: true,
        ..Replace::default()
    };
    let by = bench.by(bench.now);
    let replaced = bench
        .authority
        .replace(device.id, &at_once, &by)
        .await
        .unwrap();
    let held = (None, Some(first.expires));
    assert_eq!((replaced.available_from, replaced.held_until), held);
    let code = replaced.code.unwrap().code;
    let second = Cpe::new()
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    assert_eq!(second.name, first.name);
    // Nobody can say so of a name that is withdrawn.
    let suspend = Change::Suspend;
    bench
        .store
        .change_device(device.id, &suspend, &by)
        .await
        .unwrap();
    let keep_at_once = Replace {
        keep_name: true,
        ..at_once
    };
    let refusal = bench.authority.replace(device.id, &keep_at_once, &by);
    let refusal = refusal.await.unwrap_err().to_string();
    assert!(refusal.contains("is withdrawn"), "{refusal}");
}

async fn a_new_box_with_a_known_key_takes_over(database: &Database) {
    let bench = Bench::new(database).await;
    let added = bench.add_with_code("customer-1").await;
    let (old, new) = (Cpe::new(), Cpe::new());
    let code = added.code.unwrap().code;
    let first = old
        .enrol_with(&bench.authority, &code, bench.now)
        .await
        .unwrap();
    let device = bench.find("customer-1").await;
    let how = Replace {
        enrolment_key: Some(new.key().to_string()),
        ..Replace::default()
    };
    let by = bench.by(bench.now);
    let replaced = bench.authority.replace(device.id, &how, &by).await.unwrap();
    assert!(replaced.code.is_none());
    // The old box gets nothing from now on, and the new one something when that box's credential is over.
    let refusal = old
        .renew(&bench.authority, &renewal(&first, "1"), bench.now)
        .await;
    assert!(refusal.is_err(), "{refusal:?}");
    let over = first.expires - bench.now.as_secs() + 3601;
    let ask = async |after| {
        let now = bench.after(after);
        bench.authority.accept_clock(now);
        new.enrol(&bench.authority, &csr(), None, now).await
    };
    let held = ask(over - 1).await.unwrap_err();
    assert_eq!(held.available_from(), Some(bench.after(over)));
    assert_eq!(ask(over).await.unwrap().name, first.name);
    assert_eq!(bench.find("customer-1").await.state, State::Active);
}

async fn a_new_name_and_a_key_exclude_each_other(database: &Database) {
    let bench = Bench::new(database).await;
    bench.add(new("customer-1")).await.unwrap();
    let device = bench.find("customer-1").await;
    let how = Replace {
        new_name: true,
        enrolment_key: Some(Cpe::new().key().to_string()),
        ..Replace::default()
    };
    let by = bench.by(bench.now);
    let refusal = bench.authority.replace(device.id, &how, &by).await;
    assert!(matches!(refusal, Err(Error::TwoWays)), "{refusal:?}");
}
