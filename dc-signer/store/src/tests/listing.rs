//! Searching devices, paging through them both ways, and counting them.

use std::collections::BTreeSet;

use super::*;
use crate::registry::{ActivationCode, CodeKey, Crowd, Manufactured, State};

on_both! {
    a_device_is_found_by_whatever_is_in_hand,
    capitals_and_small_letters_are_one_and_pages_keep_their_order,
    devices_are_found_by_the_end_of_their_credentials,
    few_and_many_are_the_same_list,
    pages_go_forth_and_back_while_devices_are_added,
    too_many_of_a_kind_are_left_out_and_said,
}

fn search(text: &str) -> Filter {
    Filter {
        search: Some(text.parse().unwrap()),
        ..Filter::default()
    }
}

fn counted(limit: u32) -> Page {
    Page {
        limit,
        count: true,
        ..Page::default()
    }
}

async fn found(store: &Store, filter: &Filter) -> Vec<DeviceId> {
    let listed = store.list_devices(filter, &counted(100)).await.unwrap();
    let ids: Vec<_> = listed.devices.iter().map(|device| device.id).collect();
    let count = Counted {
        devices: ids.len() as u64,
        more: false,
    };
    assert_eq!(
        (listed.count, listed.next),
        (Some(count), None),
        "{filter:?}"
    );
    ids
}

async fn a_device_is_found_by_whatever_is_in_hand(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let made = NewDevice {
        external_id: "Router-1".parse().unwrap(),
        manufactured: Some(Manufactured {
            manufacturer: "acme".into(),
            serial: "SN-00A1".into(),
        }),
        ..new_device(1)
    };
    let other = NewDevice {
        external_id: "router-1".parse().unwrap(),
        manufactured: Some(Manufactured {
            manufacturer: "Zeta".into(),
            serial: "sn-00a1".into(),
        }),
        ..new_device(2)
    };
    let new = [made, other, with_key(3), with_key(31)];
    store.add_devices(&new, &by(NOW)).await.unwrap();
    let [first, second, third, fourth] = [0, 1, 2, 3].map(|place: usize| new[place].id);
    let device = by_id(store, third).await;
    store.record(issuance(&device, 0)).await.unwrap();
    let held = by_id(store, third).await.credential.unwrap();
    let code = ActivationCode::random().unwrap();
    let pending = PendingCode {
        id: code.id(),
        device: second,
        mac: CodeKey::new(&[1; 32]).mac(&code, second),
        expires: at(NOW + 60),
        tries: 0,
        used_by: None,
    };
    let put = store
        .put_codes(&[pending], Keep::New, &by(NOW))
        .await
        .unwrap();
    assert!(put[0].is_ok());
    let [hash, spki, enrolment] =
        [held.sha256, held.spki_sha256, device.key.unwrap()].map(|hash| hash.to_string());
    let [id, capitals] = [third.to_string(), hash.clone()].map(|text| text.to_uppercase());
    let (short, code) = (format!("{}…", &enrolment[..12]), code.expose());
    for (text, expected) in [
        ("ROUTER", vec![first, second]),
        ("router-1", vec![first, second]),
        ("outer", vec![]),
        ("%", vec![]),
        ("' OR 1 = 1 --", vec![]),
        ("sn-00a1", vec![first, second]),
        ("SN-00A1", vec![first, second]),
        ("SN-00A", vec![]),
        ("D3", vec![third, fourth]),
        ("d3.cpe", vec![third]),
        ("https://d3.cpe.example.com:8443/x", vec![third]),
        (id.as_str(), vec![third]),
        (hash.as_str(), vec![third]),
        (&capitals[..8], vec![third]),
        (short.as_str(), vec![third]),
        (spki.as_str(), vec![]),
        (code.as_str(), vec![second]),
        (&code[..13], vec![second]),
    ] {
        assert_eq!(found(store, &search(text)).await, expected, "{text}");
    }
    // And only those that fit the rest as well.
    for (state, expected) in [
        (State::Active, vec![third, fourth]),
        (State::Suspended, vec![]),
        (State::Preregistered, vec![]),
    ] {
        let filter = Filter {
            state: Some(state),
            ..search("d3")
        };
        assert_eq!(found(store, &filter).await, expected, "{state}");
    }
    let filter = Filter {
        delegation: Some(issuance(&device, 0).delegation_sha256),
        ..search("d3")
    };
    assert_eq!(found(store, &filter).await, [third]);
    // A name that it had before finds it too.
    let change = Change::Replace(registry::Replacement::NewName {
        name: dc_pki::names::parse("e3.cpe.example.com").unwrap(),
        epoch: 1,
    });
    store.change_device(third, &change, &by(NOW)).await.unwrap();
    assert_eq!(found(store, &search("d3.cpe.example.com")).await, [third]);
    assert_eq!(found(store, &search("e3")).await, [third]);
}

async fn capitals_and_small_letters_are_one_and_pages_keep_their_order(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let ids = [
        "AB-1", "AB-2", "Ab-1", "aB-9", "ab-0", "ab-5", "b", "ab", "A", "aC",
    ];
    let new = ids.iter().zip(1..).map(|(id, number)| NewDevice {
        external_id: id.parse().unwrap(),
        ..new_device(number)
    });
    let new: Vec<_> = new.collect();
    store.add_devices(&new, &by(NOW)).await.unwrap();
    let mut expected = vec!["AB-1", "AB-2", "Ab-1", "aB-9", "ab", "ab-0", "ab-5"];
    for limit in [1, 2, 3, 100] {
        for text in ["ab", "AB", "aB"] {
            let (forth, back) = both_ways(store, &search(text), limit).await;
            assert_eq!(forth, expected, "{limit}");
            assert_eq!(back, expected, "{limit}");
        }
    }
    expected.retain(|id| id.contains('-'));
    assert_eq!(both_ways(store, &search("Ab-"), 2).await.0, expected);
}

/// All pages from the first to the last, and from the last to the first.
async fn both_ways(store: &Store, filter: &Filter, limit: u32) -> (Vec<String>, Vec<String>) {
    let (mut forth, mut back) = (Vec::new(), Vec::new());
    let mut page = counted(limit);
    let mut last = loop {
        let listed = store.list_devices(filter, &page).await.unwrap();
        assert_eq!(listed.previous.is_some(), page.after.is_some());
        let ids = listed
            .devices
            .iter()
            .map(|device| device.external_id.to_string());
        forth.extend(ids);
        match listed.next.clone() {
            Some(next) => page.after = Some(next),
            None => break listed,
        }
    };
    loop {
        let ids = last
            .devices
            .iter()
            .map(|device| device.external_id.to_string());
        // The first page is full, whatever was before.
        back.splice(
            0..0,
            ids.filter(|id| !back.contains(id)).collect::<Vec<_>>(),
        );
        let Some(before) = last.previous else { break };
        let page = Page {
            before: Some(before),
            ..counted(limit)
        };
        last = store.list_devices(filter, &page).await.unwrap();
    }
    (forth, back)
}

async fn pages_go_forth_and_back_while_devices_are_added(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let even: Vec<_> = (0..10).map(|number| new_device(number * 2)).collect();
    store.add_devices(&even, &by(NOW)).await.unwrap();
    let all = Filter::default();
    let page = |after: Option<u32>, before: Option<u32>| Page {
        after: after.map(|number| new_device(number).external_id),
        before: before.map(|number| new_device(number).external_id),
        ..counted(3)
    };
    let numbers = async |page: &Page| {
        let listed = store.list_devices(&all, page).await.unwrap();
        let ids = listed
            .devices
            .iter()
            .map(|d| d.external_id.as_str()[9..].parse().unwrap());
        (ids.collect::<Vec<u32>>(), listed)
    };
    let (first, listed) = numbers(&page(None, None)).await;
    assert_eq!((first, listed.previous), (vec![0, 2, 4], None));
    let (second, listed) = numbers(&page(Some(4), None)).await;
    assert_eq!(second, [6, 8, 10]);
    assert_eq!(listed.previous, Some(new_device(6).external_id));
    // Some come in, before the page, in it and behind it.
    let odd = [1, 7, 13].map(new_device);
    store.add_devices(&odd, &by(NOW)).await.unwrap();
    assert_eq!(numbers(&page(Some(10), None)).await.0, [12, 13, 14]);
    let (before, listed) = numbers(&page(None, Some(6))).await;
    assert_eq!(before, [1, 2, 4]);
    assert_eq!(listed.next, Some(new_device(4).external_id));
    // What is less than a page is the first one.
    let (first, listed) = numbers(&page(None, Some(1))).await;
    assert_eq!((first, listed.previous), (vec![0, 1, 2], None));
    assert_eq!(listed.next, Some(new_device(2).external_id));
}

async fn devices_are_found_by_the_end_of_their_credentials(db: &Database) {
    let store = &*db.store;
    let (ended, lives) = (active(store, 1).await, active(store, 2).await);
    store
        .add_devices(&[new_device(3), with_key(4)], &by(NOW))
        .await
        .unwrap();
    for (device, number) in [(&ended, 0), (&lives, 7200)] {
        store.record(issuance(device, number)).await.unwrap();
    }
    let end = NOW + 164 * 3600;
    let filter = |from: Option<u64>, before: Option<u64>, has| Filter {
        expires_from: from.map(at),
        expires_before: before.map(at),
        has_credential: has,
        ..Filter::default()
    };
    let none = [new_device(3).id, with_key(4).id];
    for (filter, expected) in [
        (filter(None, Some(end + 1), None), vec![ended.id]),
        (filter(Some(end + 1), None, None), vec![lives.id]),
        (filter(Some(end), Some(end + 7200), None), vec![ended.id]),
        (
            filter(Some(end), Some(end + 7201), None),
            vec![ended.id, lives.id],
        ),
        (filter(None, None, Some(true)), vec![ended.id, lives.id]),
        (filter(None, None, Some(false)), none.to_vec()),
        (
            Filter {
                state: Some(State::Active),
                ..filter(None, None, Some(false))
            },
            none[1..].to_vec(),
        ),
        (filter(Some(end), None, Some(false)), vec![]),
    ] {
        assert_eq!(found(store, &filter).await, expected, "{filter:?}");
    }
}

/// More devices than are put in order by themselves.
async fn few_and_many_are_the_same_list(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let many: Vec<_> = (0..1100)
        .map(|number| match number % 2 {
            0 => new_device(number),
            _ => with_key(number),
        })
        .collect();
    store.add_devices(&many, &by(NOW)).await.unwrap();
    for number in [5, 6, 7, 1009] {
        let by = by(NOW);
        let suspend = store.change_device(many[number].id, &Change::Suspend, &by);
        suspend.await.unwrap();
    }
    for (filter, expected) in [
        (Filter::default(), 1100),
        (
            Filter {
                zone: Some(zone()),
                ..Filter::default()
            },
            1100,
        ),
        (
            Filter {
                zone: Some(zone()),
                state: Some(State::Preregistered),
                ..Filter::default()
            },
            549,
        ),
        (
            Filter {
                state: Some(State::Active),
                ..search("Customer-0")
            },
            498,
        ),
        (
            Filter {
                state: Some(State::Suspended),
                ..Filter::default()
            },
            4,
        ),
        (
            Filter {
                zone: Some(zone()),
                state: Some(State::Suspended),
                ..search("CUSTOMER-0")
            },
            3,
        ),
        (
            Filter {
                has_credential: Some(true),
                ..Filter::default()
            },
            0,
        ),
        (search("customer-000"), 10),
    ] {
        let listed = store.list_devices(&filter, &counted(7)).await.unwrap();
        let count = Counted {
            devices: expected.min(1000),
            more: expected > 1000,
        };
        assert_eq!(listed.count, Some(count), "{filter:?}");
        let (forth, back) = both_ways(store, &filter, 400).await;
        assert_eq!(
            (forth.len() as u64, &back),
            (expected, &forth),
            "{filter:?}"
        );
        assert!(forth.is_sorted());
    }
}

async fn too_many_of_a_kind_are_left_out_and_said(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let many: Vec<_> = (0..300).map(new_device).collect();
    store.add_devices(&many, &by(NOW)).await.unwrap();
    let crowded = async |text: &str| {
        let listed = store
            .list_devices(&search(text), &counted(9))
            .await
            .unwrap();
        (listed.crowded, listed.devices.len())
    };
    assert_eq!(crowded("d").await, (BTreeSet::from([Crowd::Names]), 0));
    assert_eq!(crowded("d2.c").await, (BTreeSet::new(), 1));
    // Every mixture of capitals and small letters.
    let mixed = (0..64_u32).map(|bits| {
        let letter = |place: u32| match bits >> place & 1 {
            0 => 'q',
            _ => 'Q',
        };
        NewDevice {
            external_id: (0..6).map(letter).collect::<String>().parse().unwrap(),
            ..new_device(1000 + bits)
        }
    });
    let mixed: Vec<_> = mixed.collect();
    store.add_devices(&mixed, &by(NOW)).await.unwrap();
    assert_eq!(
        crowded("qqqqqq").await,
        (BTreeSet::from([Crowd::ExternalIds]), 9)
    );
    let all = found(store, &search("qqqqq")).await;
    assert_eq!(all.len(), 64);
}
