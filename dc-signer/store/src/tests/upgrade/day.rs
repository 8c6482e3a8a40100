//! A day's work of a signer: nearly each kind of operation, one behind the other.

use super::*;
use crate::registry::{
    Action, FourEyes, OperatorName, Purpose, Replacement, Role, SharedDelegation, SharedSecret,
};

const DAY: u64 = 86_400;

/// All of it.
pub(super) async fn work(store: &Store) {
    zones(store).await;
    devices(store).await;
    issuances(store).await;
    operators(store).await;
    signers(store).await;
    reads(store).await;
}

/// A version that goes on where another one was.
pub(super) async fn afterwards(store: &Store) {
    let device = by_id(store, with_key(4).id).await;
    let suspended = Change::Suspend;
    let by_now = by(NOW + 100 * DAY);
    store
        .change_device(device.id, &suspended, &by_now)
        .await
        .unwrap();
    store
        .add_devices(&[new_device(91)], &by(NOW))
        .await
        .unwrap();
    store.verify_audit().await.unwrap();
}

async fn zones(store: &Store) {
    add_zone(store).await;
    let other = NewZone {
        zone: ZoneName::parse("other.example.com").unwrap(),
        forms: Forms::Both,
        roles: Roles::Both,
    };
    store.add_zone(&other, &by(NOW)).await.unwrap();
    store.remove_zone(&other.zone, &by(NOW)).await.unwrap();
    store
        .set_forms(&zone(), Forms::Both, &by(NOW))
        .await
        .unwrap();
    store
        .set_roles(&zone(), Roles::Both, &by(NOW))
        .await
        .unwrap();
    store
        .pull_renewals(&zone(), Some(at(NOW)), &by(NOW))
        .await
        .unwrap();
    for number in 1..4 {
        let delegation = NewDelegation {
            zone: zone(),
            certificate_sha256: key(&format!("certificate {number}")),
            not_before: at(NOW - DAY),
            not_after: at(NOW + 60 * DAY),
        };
        store
            .import_delegation(&delegation, &by(NOW))
            .await
            .unwrap();
    }
    let shared = SharedDelegation {
        certificate_sha256: key("certificate 1"),
        chain: vec![1; 40],
        location: None,
        sealed: Some(vec![2; 40]),
    };
    store.share_delegation(&shared, &by(NOW)).await.unwrap();
    store.shared_delegations().await.unwrap();
    store
        .shared_delegation(&shared.certificate_sha256)
        .await
        .unwrap();
    let left_out = ["node-9".to_owned()];
    store
        .activate_without(&zone(), 1, &left_out, &by(NOW))
        .await
        .unwrap();
    for (number, to) in [
        (2, DelegationState::Active),
        (1, DelegationState::Gone),
        (3, DelegationState::Gone),
    ] {
        store
            .move_delegation(&zone(), number, to, &by(NOW))
            .await
            .unwrap();
    }
    for number in 1..4 {
        let certificate = key(&format!("certificate {number}"));
        store.is_imported_by_hand(&certificate).await.unwrap();
        store.delegation_ended_by(&certificate).await.unwrap();
    }
    store.zones().await.unwrap();
}

async fn devices(store: &Store) {
    let new: Vec<NewDevice> = (1..4).map(new_device).chain((4..9).map(with_key)).collect();
    store.add_devices(&new, &by(NOW)).await.unwrap();
    store.add_devices(&new[..1], &by(NOW)).await.unwrap();
    let code = |number: u8| PendingCode {
        id: CodeId::from_bytes([number; 6]),
        device: new_device(u32::from(number)).id,
        mac: key("right"),
        expires: at(NOW + 7 * DAY),
        tries: 0,
        used_by: None,
    };
    for (number, keep) in [(1, Keep::New), (2, Keep::Missing)] {
        store
            .put_codes(&[code(number)], keep, &by(NOW))
            .await
            .unwrap()[0]
            .as_ref()
            .unwrap();
        store.find_code(code(number).id).await.unwrap();
    }
    store.last_code_ends().await.unwrap();
    for (mac, with) in [("wrong", "a box"), ("right", "a box"), ("right", "another")] {
        let redemption = Redemption {
            code: code(1).id,
            mac: key(mac),
            key: key(with),
        };
        store.redeem_code(&redemption, &by(NOW + 1)).await.unwrap();
    }
    let replaced = |at_once| {
        Change::Replace(Replacement::KeepName {
            manufactured: None,
            at_once,
        })
    };
    let new_name = Change::Replace(Replacement::NewName {
        name: dc_pki::names::parse("d100.cpe.example.com").unwrap(),
        epoch: 1,
    });
    for (number, change) in [
        (
            2,
            Change::Enrol {
                key: key("by hand"),
            },
        ),
        (4, Change::FlagClone),
        (4, Change::ClearClone),
        (5, Change::Suspend),
        (5, Change::Resume),
        (6, Change::Suspend),
        (7, Change::Retire),
        (8, replaced(false)),
        (3, new_name),
    ] {
        let id = new_device(number).id;
        store
            .change_device(id, &change, &by(NOW + 2))
            .await
            .unwrap();
    }
    let id = new_device(6).id;
    store
        .change_unless_suspended(id, &Change::FlagClone, &by(NOW + 2))
        .await
        .unwrap_err();
}

async fn issuances(store: &Store) {
    let device = by_id(store, with_key(4).id).await;
    for number in 1..4 {
        let issuance = issuance(&device, number);
        store.record(issuance.clone()).await.unwrap();
        // The same again gets the answer that was kept.
        store.record(issuance.clone()).await.unwrap();
        let key = issuance.idempotency.unwrap().key;
        store
            .find_answer(device.id, &key, at(NOW))
            .await
            .unwrap()
            .unwrap();
    }
    let next = key("the next key");
    let switch = Change::SwitchKey { key: next };
    store
        .change_device(device.id, &switch, &by(NOW + 5))
        .await
        .unwrap();
    let with_next = Issuance {
        key: next,
        client: Some(ClientIssuance {
            spki_sha256: key("a client's key"),
            credentials: vec![key("a client's credential")],
        }),
        shown: Some(key("something that nobody was given")),
        ..issuance(&device, 6)
    };
    store.record(with_next).await.unwrap();
    let other = by_id(store, with_key(5).id).await;
    let one = store.record(issuance(&other, 7));
    let again = by_id(store, device.id).await;
    one.await.unwrap();
    store.record(issuance(&again, 8)).await.unwrap();
}

async fn operators(store: &Store) {
    let name = |text: &str| -> OperatorName { text.parse().unwrap() };
    let of = |operator: &str| {
        let by = Act::new(format!("operator:{operator}"), at(NOW + 10));
        by.because("a test".parse().ok())
    };
    for (text, role) in [
        ("alice", Role::Admin),
        ("bob", Role::Admin),
        ("carol", Role::Admin),
        ("vera", Role::Viewer),
    ] {
        let end = Some(at(NOW + 90 * DAY));
        let operator = Operator::new(name(text), role, Access::Token(key(text)), end);
        store.put_operator(&operator, &by(NOW)).await.unwrap();
        store.find_operator(&operator.access).await.unwrap();
        store.may_act(&operator).await.unwrap();
    }
    let next = |text: &str| (Access::Certificate(key(text)), Some(at(NOW + 90 * DAY)));
    store
        .renew_operator(&name("vera"), next("a card"), at(NOW + DAY), &of("alice"))
        .await
        .unwrap();
    store
        .disable_operator(&name("vera"), &of("alice"))
        .await
        .unwrap();
    store
        .enable_operator(&name("vera"), next("another card"), &of("alice"))
        .await
        .unwrap();
    store.operators().await.unwrap();
    store.operator(&name("vera")).await.unwrap();
    store.first_operator().await.unwrap();
    store.wrong_operators().await.unwrap();
    let policy = FourEyes {
        rollover: true,
        ..FourEyes::default()
    };
    store.set_four_eyes(&policy, &of("alice")).await.unwrap();
    store.four_eyes().await.unwrap();
    store.wrong_policies().await.unwrap();
    let ends = at(NOW + DAY);
    for (what, agrees) in [("{\"a\":1}", true), ("{\"a\":2}", false)] {
        let number = store
            .ask_approval(what, &name("alice"), ends, &of("alice"))
            .await
            .unwrap()
            .number;
        match agrees {
            true => {
                store
                    .approve(number, &name("bob"), &of("bob"))
                    .await
                    .unwrap();
                store.mark_done(number, &of("alice+bob")).await.unwrap();
            }
            false => {
                store
                    .refuse_approval(number, &name("bob"), &of("bob"))
                    .await
                    .unwrap();
            }
        }
        store.approval(number).await.unwrap();
    }
    store.approvals().await.unwrap();
    let root = Act::new("root:uid=0,login=none", at(NOW + 11)).because("a test".parse().ok());
    store.break_glass(&root).await.unwrap();
    store.broken_glass_of(&root).await.unwrap();
    store.broken_glass().await.unwrap();
    store.last_break_glass().await.unwrap();
    let (actor, now) = ("operator:alice", at(NOW + 12));
    store.retired_lately(actor, now).await.unwrap();
    store.renamed_lately(actor, now).await.unwrap();
    store
        .note_read(Action::Read, "rows=1".to_owned(), &of("vera"))
        .await
        .unwrap();
}

async fn signers(store: &Store) {
    let secret = |purpose: Purpose| SharedSecret {
        purpose,
        version: 1,
        fingerprint: purpose.fingerprint(&[7; 32]),
        sealed: None,
        since: at(NOW),
        until: None,
    };
    let secrets = Purpose::ALL.map(secret);
    store.claim_secrets(&secrets).await.unwrap();
    store.secrets().await.unwrap();
    let mut report = Report {
        id: [1; 16],
        stopped: false,
        clock: Some(at(NOW)),
        keys: vec![key("certificate 2")],
        sealing: vec![[3; 16]],
    };
    for stopped in [false, true] {
        report.stopped = stopped;
        store.report(&report, at(NOW)).await.unwrap();
    }
    store.replicas(at(NOW)).await.unwrap();
    store.clock().await.unwrap();
    let hour = Duration::from_secs(3600);
    let used = [(key("a"), 2), (key("b"), 1)];
    for used in [&used[..], &[]] {
        store.exchange_limits(used, hour, 0, at(NOW)).await.unwrap();
    }
    for given in [&[(key("a"), hour)][..], &[]] {
        store.exchange_promises(given, 0, at(NOW)).await.unwrap();
    }
    store.take_turn("a", at(NOW), at(NOW + 180)).await.unwrap();
    store.keep_note("a", "a note").await.unwrap();
    store.turn().await.unwrap();
    store.give_turn_back("a").await.unwrap();
    let zone = zone();
    let held = store.hold_renewal(&zone, [1; 16], hour, at(NOW));
    if let Some(renewal) = held.await.unwrap() {
        let noted = Some(Noted::Ordered);
        let by = Act::new("signer", at(NOW));
        let written = store.note_renewal(&renewal, [1; 16], true, noted, &by);
        written.await.unwrap();
    }
    store.renewals().await.unwrap();
    store.count_refused(&[("busy", 3)], at(NOW)).await.unwrap();
    store.ping(0).await.unwrap();
}

async fn reads(store: &Store) {
    let device = by_id(store, with_key(4).id).await;
    for find in [
        Find::Name(device.name.clone()),
        Find::ExternalId(device.external_id.clone()),
        Find::Key(device.key.unwrap()),
    ] {
        store.find_device(&find).await.unwrap().unwrap();
    }
    let page = Page {
        limit: 3,
        ..Page::default()
    };
    for filter in [
        Filter::default(),
        Filter {
            state: Some(registry::State::Active),
            zone: Some(zone()),
            possible_clone: Some(false),
            external_id_prefix: Some("customer".to_owned()),
            expires_before: Some(at(NOW + 60 * DAY)),
            delegation: Some(key("delegation")),
            expires_from: Some(at(NOW)),
            has_credential: Some(true),
            search: Some(device.name.as_str().parse().unwrap()),
        },
        Filter {
            state: Some(registry::State::Suspended),
            search: Some("CUSTOMER".parse().unwrap()),
            ..Filter::default()
        },
        Filter {
            search: Some(key("delegation").to_string().parse().unwrap()),
            ..Filter::default()
        },
        Filter {
            possible_clone: Some(true),
            has_credential: Some(false),
            ..Filter::default()
        },
    ] {
        for after in [None, Some(device.external_id.clone())] {
            let page = Page {
                before: Some(device.external_id.clone()),
                count: true,
                after,
                ..page.clone()
            };
            store.list_devices(&filter, &page).await.unwrap();
        }
    }
    store.history(device.id, 9).await.unwrap();
    store.fleet(at(NOW)).await.unwrap();
    store.withdrawn(&zone(), at(NOW)).await.unwrap();
    store.withdrawn_sequence(&zone()).await.unwrap();
    store
        .each_withdrawn(&zone(), at(NOW), |_| {})
        .await
        .unwrap();
    let filter = AuditFilter::default();
    store.find_records(&filter, 0, 9).await.unwrap();
    let of_device = AuditFilter {
        device: Some(device.id),
        actions: vec![Action::Issue],
        ..filter
    };
    store
        .find_records_before(&of_device, None, 9)
        .await
        .unwrap();
    store.record_at(at(NOW), 0).await.unwrap();
    store.audit_head().await.unwrap();
    store.audit_from(1, 9).await.unwrap();
    store.grow_audit_tree(&AuditTree::EMPTY).await.unwrap();
    store.archives().await.unwrap();
    store.secret_behind_log().await.unwrap();
    store.verify_audit().await.unwrap();
    store.check().await.unwrap();
    let retention = Retention::default();
    store.tidy(at(NOW + 100 * DAY), &retention).await.unwrap();
    store.verify_audit().await.unwrap();
}
