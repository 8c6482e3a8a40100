//! Every column that can be compared with the audit log is: changed by hand it is found, and its row is named.

use std::collections::BTreeSet;

use super::*;
use crate::operations::SecretChange;
use crate::registry::{Action, Manufactured, Purpose, Replacement, Role, SharedSecret};

mod archives;
pub(super) mod forge;
mod lists;
mod lives;
mod odd;
mod replays;
mod seen;

on_both! {
    a_mismatch_that_somebody_knows_of_is_shown_and_does_not_fail,
    a_name_that_was_removed_by_hand_is_not_given_again,
    all_mismatches_are_found_and_counted,
    every_column_is_compared_or_said_not_to_be,
    every_compared_column_is_found_when_it_was_changed_by_hand,
    rows_that_were_removed_or_put_there_by_hand_are_found,
}

/// A change of one column by hand, and the row that has to be named.
struct Case {
    table: &'static str,
    /// What tells its rows apart.
    key: &'static [&'static str],
    column: &'static str,
    to: String,
    of: &'static str,
    row: &'static str,
}

fn secret(version: u32, until: Option<u64>) -> SharedSecret {
    SharedSecret {
        purpose: Purpose::Codes,
        version,
        fingerprint: Purpose::Codes.fingerprint(&[u8::try_from(version).unwrap(); 32]),
        sealed: None,
        since: at(NOW),
        until: until.map(at),
    }
}

fn code(number: u32) -> PendingCode {
    PendingCode {
        id: CodeId::from_bytes([u8::try_from(number).unwrap(); 6]),
        device: new_device(number).id,
        mac: key(&format!("mac {number}")),
        expires: at(NOW + 500),
        tries: 0,
        used_by: None,
    }
}

async fn change(store: &Store, number: u32, change: Change, time: u64) {
    let id = new_device(number).id;
    store.change_device(id, &change, &by(time)).await.unwrap();
}

fn keep() -> Change {
    Change::Replace(Replacement::KeepName {
        manufactured: None,
        at_once: false,
    })
}

/// Devices in every state: 1 holds a credential, 2 is suspended, 3 waits after a replacement, 4 has a new name, 5 switches keys and
/// may be a clone, 6 has a code, 7 has used one, 8 is retired.
async fn devices_of_all_kinds(store: &Store) {
    for number in [1, 2, 3, 4, 5, 8] {
        let device = active(store, number).await;
        let number = u64::from(number);
        store.record(issuance(&device, number)).await.unwrap();
    }
    let made = NewDevice {
        manufactured: Some(Manufactured {
            manufacturer: "acme".to_owned(),
            serial: "6".to_owned(),
        }),
        ..new_device(6)
    };
    let new = [made, new_device(7)];
    store.add_devices(&new, &by(NOW)).await.unwrap();
    change(store, 2, Change::Suspend, NOW + 20).await;
    change(store, 3, keep(), NOW + 21).await;
    change(store, 4, names::renamed(40, 1), NOW + 22).await;
    let switch = Change::SwitchKey { key: key("next 5") };
    change(store, 5, switch, NOW + 23).await;
    change(store, 5, Change::FlagClone, NOW + 24).await;
    change(store, 8, Change::Retire, NOW + 25).await;
    let codes = [code(6), code(7)];
    store
        .put_codes(&codes, Keep::Missing, &by(NOW + 26))
        .await
        .unwrap();
    let redemption = Redemption {
        code: code(7).id,
        mac: code(7).mac,
        key: key("enrolment 7"),
    };
    let redeemed = store.redeem_code(&redemption, &by(NOW + 27)).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Enrolled(_)));
}

async fn everything(store: &Store) {
    devices_of_all_kinds(store).await;
    for certificate in ["first", "second"] {
        let new = NewDelegation {
            zone: zone(),
            certificate_sha256: key(certificate),
            not_before: at(NOW - 9),
            not_after: at(NOW + 90 * 86_400),
        };
        store.import_delegation(&new, &by(NOW + 30)).await.unwrap();
    }
    store
        .move_delegation(&zone(), 1, DelegationState::Active, &by(NOW + 31))
        .await
        .unwrap();
    store
        .set_forms(&zone(), Forms::Both, &by(NOW + 32))
        .await
        .unwrap();
    let alice = Operator::new(
        "alice".parse().unwrap(),
        Role::Viewer,
        Access::Token(key("token")),
        Some(at(NOW + 999)),
    );
    store.put_operator(&alice, &by(NOW)).await.unwrap();
    store
        .renew_operator(
            &alice.name,
            (Access::Token(key("token 2")), Some(at(NOW + 9999))),
            at(NOW + 500),
            &by(NOW),
        )
        .await
        .unwrap();
    let carl = Operator::new(
        "carl".parse().unwrap(),
        Role::Admin,
        Access::Certificate(key("certificate")),
        None,
    );
    store.put_operator(&carl, &by(NOW)).await.unwrap();
    let next = (Access::Certificate(key("certificate 2")), None);
    let renewed = store
        .renew_operator(&carl.name, next, at(NOW + 500), &by(NOW))
        .await;
    renewed.unwrap();
    let first = [secret(1, None)];
    store.claim_secrets(&first).await.unwrap();
    let rotated = SecretChange {
        before: first.to_vec(),
        after: vec![secret(1, Some(NOW + 60)), secret(2, None)],
        delegations: Vec::new(),
        without: Vec::new(),
        records: vec![(Action::RotateSecret, Some(secret(2, None)))],
    };
    store.change_secrets(&rotated, &by(NOW)).await.unwrap();
    let asked = store
        .ask_approval("{}", &"alice".parse().unwrap(), at(NOW + 60), &by(NOW))
        .await
        .unwrap();
    store
        .approve(asked.number, &carl.name, &of_carl())
        .await
        .unwrap();
    store.break_glass(&by(NOW)).await.unwrap();
}

fn of_carl() -> Act {
    Act::new("operator:carl", at(NOW + 1)).because("a test".parse().ok())
}

const DEVICE: &[&str] = &["id"];
const NAME: &[&str] = &["name"];
const SLOT: &[&str] = &["certificate_sha256"];

/// Of all columns that are compared, one change at least.
fn cases(db: &Database) -> Vec<Case> {
    let case = |(table, key, column, to, of, row): (_, _, _, String, _, _)| Case {
        table,
        key,
        column,
        to,
        of,
        row,
    };
    let blob = |text: &str| db.blob(key(text).as_bytes());
    let text = |text: &str| format!("'{text}'");
    let to = str::to_owned;
    let id = db.blob(&[9; 16]);
    let [d1, d2, d3, d5, d6] = [
        "d1.cpe.example.com",
        "d2.cpe.example.com",
        "d3.cpe.example.com",
        "d5.cpe.example.com",
        "d6.cpe.example.com",
    ];
    let first = "external_id = 'customer-0001'";
    let third = "external_id = 'customer-0003'";
    let fifth = "external_id = 'customer-0005'";
    let sixth = "external_id = 'customer-0006'";
    let of_second = "name = 'd2.cpe.example.com'";
    let first_id = db.blob(new_device(1).id.as_bytes());
    let alice = "name = 'alice'";
    let week = "issues_2976";
    let one_of_them = "name = 'd1.cpe.example.com'";
    assert_eq!(NOW / 604_800, 2976);
    let mut all = vec![
        ("devices", &["name"][..], "id", id, sixth, d6),
        ("devices", DEVICE, "external_id", text("x"), first, d1),
        ("devices", DEVICE, "state", text("preregistered"), first, d1),
        ("devices", DEVICE, "zone", text("x.example.com"), first, d1),
        (
            "devices",
            DEVICE,
            "name",
            text("x.cpe.example.com"),
            first,
            "x.cpe.example.com",
        ),
        ("devices", DEVICE, "slot", to("7"), first, d1),
        ("devices", DEVICE, "epoch", to("7"), first, d1),
        ("devices", DEVICE, "enrolment_key", blob("evil"), first, d1),
        ("devices", DEVICE, "enrolment_key", to("NULL"), first, d1),
        ("devices", DEVICE, "next_key", blob("evil"), fifth, d5),
        ("devices", DEVICE, "next_key", to("NULL"), fifth, d5),
        ("devices", DEVICE, "next_key_since", to("1"), fifth, d5),
        ("devices", DEVICE, "manufacturer", text("x"), sixth, d6),
        ("devices", DEVICE, "serial", text("x"), sixth, d6),
        ("devices", DEVICE, "credential_sha256", blob("x"), first, d1),
        ("devices", DEVICE, "credential_spki", blob("x"), first, d1),
        ("devices", DEVICE, "issued", to("issued + 1"), first, d1),
        ("devices", DEVICE, "expires", to("expires + 1"), first, d1),
        ("devices", DEVICE, "possible_clone", to("1"), first, d1),
        ("devices", DEVICE, "possible_clone", to("0"), fifth, d5),
        ("devices", DEVICE, "created", to("1"), first, d1),
        ("devices", DEVICE, "changed", to("1"), first, d1),
        ("devices", DEVICE, "held_until", to("1"), third, d3),
        ("devices", DEVICE, "free_from", to("NULL"), third, d3),
        ("devices", DEVICE, "free_from", to("1"), third, d3),
        ("devices", DEVICE, "stays_withdrawn", to("1"), first, d1),
        (
            "names",
            &["device", "given"],
            "name",
            text("x.cpe.example.com"),
            "name = 'd4.cpe.example.com'",
            "d4.cpe.example.com",
        ),
        ("names", NAME, "device", first_id.clone(), of_second, d2),
        ("names", NAME, "zone", text("x.example.com"), of_second, d2),
        ("names", NAME, "given", to("1"), of_second, d2),
        ("names", NAME, "withdrawn", to("NULL"), of_second, d2),
        ("names", NAME, "withdrawn", to("1"), of_second, d2),
        ("names", NAME, "withdrawn", to("1"), one_of_them, d1),
        ("names", NAME, "withdrawn_until", to("1"), of_second, d2),
        (
            "codes",
            &["expires", "device"],
            "id",
            db.blob(&[9; 6]),
            "used_by IS NULL",
            "bee",
        ),
        ("codes", &["id"], "device", first_id, "used_by IS NULL", ""),
        ("codes", &["id"], "mac", blob("evil"), "used_by IS NULL", ""),
        (
            "codes",
            &["id"],
            "expires",
            to("expires + 1"),
            "used_by IS NULL",
            "",
        ),
        (
            "codes",
            &["id"],
            "used_by",
            to("NULL"),
            "used_by IS NOT NULL",
            "",
        ),
        (
            "codes",
            &["id"],
            "used_by",
            blob("x"),
            "used_by IS NULL",
            "",
        ),
        (
            "zones",
            &["forms"],
            "zone",
            text("x.example.com"),
            "1 = 1",
            "x.example.com",
        ),
        (
            "zones",
            &["zone"],
            "forms",
            text("named"),
            "1 = 1",
            "cpe.example.com",
        ),
        (
            "zones",
            &["zone"],
            "roles",
            text("both"),
            "1 = 1",
            "cpe.example.com",
        ),
        (
            "zones",
            &["zone"],
            "renew_issued_before",
            to("1"),
            "1 = 1",
            "cpe.example.com",
        ),
        (
            "zones",
            &["zone"],
            "other_forms_until",
            to("NULL"),
            "1 = 1",
            "cpe.example.com",
        ),
        (
            "zones",
            &["zone"],
            "withdrawn_sequence",
            to("0"),
            "1 = 1",
            "cpe.example.com",
        ),
        (
            "slots",
            SLOT,
            "zone",
            text("x.example.com"),
            "state = 'next'",
            "2 of",
        ),
        (
            "slots",
            SLOT,
            "number",
            to("7"),
            "state = 'next'",
            "7 of cpe",
        ),
        (
            "slots",
            SLOT,
            "state",
            text("draining"),
            "state = 'active'",
            "1 of cpe",
        ),
        (
            "slots",
            &["number"],
            "certificate_sha256",
            blob("x"),
            "state = 'next'",
            "2 of cpe",
        ),
        (
            "slots",
            SLOT,
            "not_before",
            to("1"),
            "state = 'next'",
            "2 of cpe",
        ),
        (
            "slots",
            SLOT,
            "not_after",
            to("not_after + 1"),
            "state = 'next'",
            "2 of cpe",
        ),
        (
            "slots",
            SLOT,
            "since",
            to("1"),
            "state = 'next'",
            "2 of cpe",
        ),
        ("operators", &["role"], "name", text("evil"), alice, "evil"),
        ("operators", NAME, "role", text("admin"), alice, "alice"),
        (
            "operators",
            NAME,
            "token_sha256",
            blob("evil"),
            alice,
            "alice",
        ),
        (
            "operators",
            NAME,
            "key_sha256",
            blob("evil"),
            "name = 'carl'",
            "carl",
        ),
        (
            "operators",
            NAME,
            "previous_key_sha256",
            blob("evil"),
            "name = 'carl'",
            "carl",
        ),
        (
            "operators",
            NAME,
            "expires",
            to("expires + 1"),
            alice,
            "alice",
        ),
        (
            "operators",
            NAME,
            "previous_token_sha256",
            blob("evil"),
            alice,
            "alice",
        ),
        (
            "operators",
            NAME,
            "previous_expires",
            to("previous_expires + 1"),
            alice,
            "alice",
        ),
        ("operators", NAME, "disabled", to("1"), alice, "alice"),
        (
            "shared_secrets",
            &["version"],
            "purpose",
            text("lists"),
            "version = 2",
            "",
        ),
        (
            "shared_secrets",
            &["fingerprint"],
            "version",
            to("3"),
            "version = 2",
            "codes",
        ),
        (
            "shared_secrets",
            &["version"],
            "fingerprint",
            blob("x"),
            "version = 2",
            "codes",
        ),
        (
            "shared_secrets",
            &["version"],
            "since",
            to("1"),
            "version = 2",
            "codes version 2",
        ),
        (
            "shared_secrets",
            &["version"],
            "until",
            to("NULL"),
            "version = 1",
            "codes version 1",
        ),
        (
            "shared_secrets",
            &["version"],
            "until",
            to("until + 1"),
            "version = 1",
            "codes version 1",
        ),
        ("approvals", &["what"], "number", to("1"), "1 = 1", "1"),
        ("approvals", &["number"], "what", text("x"), "1 = 1", ""),
        (
            "approvals",
            &["number"],
            "reason",
            text("another"),
            "1 = 1",
            "",
        ),
        (
            "approvals",
            &["number"],
            "asked_by",
            text("carol"),
            "1 = 1",
            "",
        ),
        ("approvals", &["number"], "asked", to("1"), "1 = 1", ""),
        (
            "approvals",
            &["number"],
            "ends",
            to("ends + 1"),
            "1 = 1",
            "",
        ),
        (
            "approvals",
            &["number"],
            "state",
            text("waiting"),
            "1 = 1",
            "",
        ),
        (
            "approvals",
            &["number"],
            "decided_by",
            text("carol"),
            "1 = 1",
            "",
        ),
        (
            "retired",
            &["count"],
            "actor",
            text("operator:x"),
            "1 = 1",
            "operator:x",
        ),
        ("retired", &["count"], "day", to("1"), "1 = 1", "tester"),
        ("retired", &["day"], "count", to("0"), "1 = 1", "tester"),
        ("break_glass", &["time"], "number", to("1"), "1 = 1", "1"),
        ("break_glass", &["number"], "time", to("1"), "1 = 1", ""),
        ("break_glass", &["number"], "actor", text("x"), "1 = 1", ""),
        ("audit_head", &["one"], "seq", to("1"), "1 = 1", ""),
        ("audit_head", &["one"], "hash", blob("x"), "1 = 1", ""),
        (week, &["expires"], "name", text("x"), one_of_them, d1),
        (week, NAME, "device", db.blob(&[9; 16]), one_of_them, d1),
        (week, NAME, "credential_sha256", blob("x"), one_of_them, d1),
        (week, NAME, "spki_sha256", blob("x"), one_of_them, d1),
        (week, NAME, "issued", to("1"), one_of_them, d1),
        (week, NAME, "expires", to("1"), one_of_them, d1),
    ];
    all.extend(["time", "seq"].map(|column| {
        let key: &[&str] = &["prev_hash"];
        ("audit", key, column, to("9999"), "seq = 4", "")
    }));
    for column in ["node", "actor", "name", "zone", "reason", "scope"] {
        all.push(("audit", &["seq"], column, text("x"), "seq = 4", ""));
    }
    all.push(("audit", &["seq"], "action", text("resume"), "seq = 4", ""));
    all.push(("audit", &["seq"], "expires", to("1"), "seq = 4", ""));
    for column in [
        "spki_sha256",
        "credential_sha256",
        "detail_sha256",
        "prev_hash",
    ] {
        all.push(("audit", &["seq"], column, blob("x"), "seq = 4", ""));
    }
    all.into_iter().map(case).collect()
}

async fn every_compared_column_is_found_when_it_was_changed_by_hand(db: &Database) {
    let store = &*db.store;
    everything(store).await;
    let none = |found: &Findings| found.first.iter().map(text_of).collect::<Vec<_>>();
    let found = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
    assert_eq!(none(&found), [""; 0]);
    let mut missed = Vec::new();
    for case in cases(db) {
        let Case {
            table,
            key,
            column,
            to,
            of,
            row,
        } = case;
        db.tamper(&format!("CREATE TABLE saved AS SELECT * FROM {table}"))
            .await;
        db.tamper_freely(&format!("UPDATE {table} SET {column} = {to} WHERE {of}"))
            .await;
        let what = format!("{table}.{column} = {to}");
        match store.find_mismatches(Vec::new(), &|_| ()).await {
            Ok(found) if found.first.iter().any(|one| text_of(one).contains(row)) => {}
            Ok(found) => missed.push(format!("{what}: {:?}", none(&found))),
            Err(error) => missed.push(format!("{what}: {error}")),
        }
        let same: Vec<String> = key
            .iter()
            .map(|key| {
                format!(
                    "(saved.{key} = {table}.{key} OR saved.{key} IS NULL AND {table}.{key} IS NULL)"
                )
            })
            .collect();
        let same = same.join(" AND ");
        db.tamper_freely(&format!(
            "UPDATE {table} SET {column} = (SELECT saved.{column} FROM saved WHERE {same}) WHERE EXISTS (SELECT 1 FROM saved WHERE {same})"
        ))
        .await;
        db.tamper("DROP TABLE saved").await;
        let found = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
        assert_eq!(none(&found), [""; 0], "{what}: not as it was");
    }
    assert_eq!(missed, [""; 0]);
}

fn text_of(finding: &Finding) -> String {
    let row = finding.place.row.clone().unwrap_or_default();
    format!("{} ({row})", finding.error)
}

async fn rows_that_were_removed_or_put_there_by_hand_are_found(db: &Database) {
    let store = &*db.store;
    everything(store).await;
    let ways = [
        (
            "DELETE FROM codes; DELETE FROM names WHERE name = 'd8.cpe.example.com'",
            "name d8.cpe.example.com",
        ),
        ("DELETE FROM slots WHERE state = 'next'", "slot 2 of cpe"),
        ("DELETE FROM approvals", "approval"),
        ("DELETE FROM break_glass", "act without a credential"),
        ("DELETE FROM retired", "retired tester"),
        (
            "DELETE FROM shared_secrets WHERE version = 2",
            "the secret codes",
        ),
        (
            "UPDATE names SET withdrawn = NULL, withdrawn_until = NULL",
            "d2.cpe.example.com",
        ),
        (
            "INSERT INTO shared_delegations (certificate_sha256, chain) SELECT hash, hash FROM audit_head",
            "shared delegation certificate",
        ),
    ];
    for (sql, words) in ways {
        let before = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
        db.tamper_freely(sql).await;
        let found = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
        let texts: Vec<String> = found.first.iter().map(text_of).collect();
        assert!(found.count > before.count, "{sql}: {texts:?}");
        assert!(
            texts.iter().any(|text| text.contains(words)),
            "{sql}: {texts:?}"
        );
    }
}

async fn a_name_that_was_removed_by_hand_is_not_given_again(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    change(store, 1, Change::Retire, NOW).await;
    db.tamper_freely("DELETE FROM names; DELETE FROM devices")
        .await;
    let added = store.add_devices(&[with_key(1)], &by(NOW + 1)).await;
    assert_eq!(added.unwrap(), [Added::Conflict(Conflict::Name)]);
    active(store, 2).await;
    let renamed = Change::Replace(Replacement::NewName {
        name: device.name.clone(),
        epoch: 1,
    });
    let id = new_device(2).id;
    let given = store.change_device(id, &renamed, &by(NOW + 2)).await;
    assert_eq!(refused(given.unwrap_err()), registry::Error::NameTaken);
    let found = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
    assert_eq!(found.count, 1, "{:?}", found.first);
    assert!(text_of(&found.first[0]).contains("d1.cpe.example.com"));
}

async fn all_mismatches_are_found_and_counted(db: &Database) {
    let store = &*db.store;
    add_zone(store).await;
    let new: Vec<NewDevice> = (0..1100).map(with_key).collect();
    store.add_devices(&new, &by(NOW)).await.unwrap();
    db.tamper("UPDATE devices SET created = 1").await;
    let found = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
    assert_eq!((found.count, found.first.len()), (1100, Findings::MOST));
    assert_eq!(found.open(), 1100);
    let place = &found.first[0].place;
    assert_eq!((place.kind, place.table), ("changed", Some("devices")));
    assert_eq!((place.column, place.record), (Some("created"), Some(2)));
    assert_eq!(place.expected.as_deref(), Some("1800000000"));
    assert_eq!(place.found.as_deref(), Some("1"));
}

async fn a_mismatch_that_somebody_knows_of_is_shown_and_does_not_fail(db: &Database) {
    let store = &*db.store;
    everything(store).await;
    db.tamper("UPDATE operators SET role = 'admin' WHERE name = 'alice'")
        .await;
    // The runbook: out first.
    store
        .disable_operator(&"alice".parse().unwrap(), &by(NOW))
        .await
        .unwrap();
    let found = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
    assert_eq!((found.count, found.open()), (1, 1));
    let digest = found.first[0].place.digest();
    let silent = Act::new("tester", at(NOW));
    let unexplained = store.acknowledge(&digest, &silent).await.unwrap_err();
    assert_eq!(refused(unexplained), registry::Error::NoReason);
    let other = store.acknowledge(&key("x"), &by(NOW)).await.unwrap_err();
    assert!(matches!(other, Error::NoSuchMismatch), "{other:?}");
    store.acknowledge(&digest, &by(NOW)).await.unwrap();
    let found = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
    assert_eq!((found.count, found.open()), (1, 0));
    let known = found.first[0].acknowledged.clone().unwrap();
    assert_eq!(
        (known.by.as_str(), known.reason.as_str()),
        ("tester", "a test")
    );
    store.verify_audit().await.unwrap();
    // Another one is another one.
    db.tamper("UPDATE operators SET disabled = 0").await;
    store.verify_audit().await.unwrap_err();
    // What is wrong with the log nobody can acknowledge.
    db.tamper("UPDATE audit SET actor = 'nobody' WHERE seq = 2")
        .await;
    let found = store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
    let link = found.first[0].place.digest();
    assert_eq!(found.first[0].place.kind, "log-changed");
    let refused = store.acknowledge(&link, &by(NOW)).await.unwrap_err();
    assert!(matches!(refused, Error::NoSuchMismatch), "{refused:?}");
}

/// The lines of the table in docs/audit.md: table, column, and whether it is compared.
fn documented() -> BTreeSet<(String, String, bool)> {
    let text = include_str!("../../../../docs/audit.md");
    let mut all = BTreeSet::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, table, columns, compared, _] = cells[..] else {
            continue;
        };
        let ticked = |text: &str| -> Vec<String> {
            text.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        let ([table], true) = (&ticked(table)[..], columns.starts_with('`')) else {
            continue;
        };
        for column in ticked(columns) {
            let is_compared = !compared.starts_with("not");
            assert!(
                all.insert((table.clone(), column.clone(), is_compared)),
                "{table}.{column} twice"
            );
        }
    }
    all
}

async fn every_column_is_compared_or_said_not_to_be(db: &Database) {
    everything(&db.store).await;
    let of_week = |table: &str| match table.starts_with("issues_") {
        true => "issues_<week>".to_owned(),
        false => table.to_owned(),
    };
    let there: BTreeSet<(String, String)> = db
        .columns()
        .await
        .into_iter()
        .filter(|(table, _)| table != "_sqlx_migrations")
        .map(|(table, column)| (of_week(&table), column))
        .collect();
    let documented = documented();
    let said: BTreeSet<_> = documented
        .iter()
        .map(|(table, column, _)| (table.clone(), column.clone()))
        .collect();
    let unsaid: Vec<_> = there.difference(&said).collect();
    assert!(
        unsaid.is_empty(),
        "say in docs/audit.md with what it is compared, or why not, and compare it: {unsaid:?}"
    );
    let gone: Vec<_> = said.difference(&there).collect();
    assert!(
        gone.is_empty(),
        "docs/audit.md has columns that there are not: {gone:?}"
    );
    let tried: BTreeSet<_> = cases(db)
        .iter()
        .map(|case| (of_week(case.table), case.column.to_owned()))
        .collect();
    let elsewhere = |(table, _): &(String, String)| {
        // Rows of these are removed, changed and put there in tests of their own.
        matches!(
            table.as_str(),
            "archives" | "issue_weeks" | "lost_names" | "shared_delegations"
        )
    };
    let compared = documented.into_iter().filter(|(_, _, compared)| *compared);
    let untried: Vec<_> = compared
        .map(|(table, column, _)| (table, column))
        .filter(|one| !tried.contains(one) && !elsewhere(one))
        .collect();
    assert!(
        untried.is_empty(),
        "nothing shows that these are compared: {untried:?}"
    );
}
