//! Rights by the log, whatever the tables say.

use super::tampering::forge::{append, entry};
use super::*;
use crate::registry::{Action, ActorFault, Entry, FourEyes, Mismatch, OperatorName, Role};

on_both! {
    a_role_or_token_in_the_table_counts_for_nothing,
    a_time_that_no_certificate_has_is_an_error_and_no_panic,
    an_operator_whom_nobody_could_make_does_nothing,
    an_act_at_the_machine_counts_for_a_day_by_the_times_of_others,
    an_end_counts_if_whoever_wrote_it_could,
    the_signer_moves_no_zone_on_that_takes_two_and_ends_nothing_early,
    a_slot_that_a_signer_has_ended_by_a_wrong_clock_is_used_again,
    a_slot_that_moves_on_twice_is_found,
    records_of_a_time_that_has_not_come_are_said,
    the_signer_ends_what_another_certificate_took_over_from,
    what_takes_two_is_what_somebody_said_who_could,
    an_act_is_refused_when_the_right_to_it_is_over_by_then,
    an_agreement_is_good_until_what_was_asked_for_is_done,
    less_takes_two_operators_when_two_agree_or_root_does_it,
    records_of_those_who_could_not_are_found,
    two_admins_stay_while_acts_take_two,
}

fn name(text: &str) -> OperatorName {
    text.parse().unwrap()
}

fn of(operator: &str) -> Act {
    Act::new(format!("operator:{operator}"), at(NOW + 1)).because("a test".parse().ok())
}

async fn put(store: &Store, text: &str, role: Role) {
    let operator = Operator::new(
        name(text),
        role,
        Access::Token(key(text)),
        Some(at(NOW + 99)),
    );
    store.put_operator(&operator, &by(NOW)).await.unwrap();
}

const STRICT: FourEyes = FourEyes {
    rollover: true,
    retire_above: Some(2),
    zones_end: true,
};

async fn people(db: &Database) -> Device {
    for admin in ["alice", "bob", "carol"] {
        put(&db.store, admin, Role::Admin).await;
    }
    put(&db.store, "vic", Role::Viewer).await;
    active(&db.store, 1).await
}

async fn a_role_or_token_in_the_table_counts_for_nothing(db: &Database) {
    let device = people(db).await;
    let find = async |text: &str| db.store.find_operator(&Access::Token(key(text))).await;
    assert_eq!(find("vic").await.unwrap().unwrap().role, Role::Viewer);
    for (sql, undo) in [
        ("role = 'admin'", "role = 'viewer'".to_owned()),
        ("expires = expires + 9", "expires = expires - 9".to_owned()),
    ] {
        db.tamper(&format!("UPDATE operators SET {sql} WHERE name = 'vic'"))
            .await;
        let error = find("vic").await.unwrap_err();
        assert!(
            matches!(
                &error,
                Error::NotAsAudited {
                    source: Mismatch::OperatorChanged { .. }
                }
            ),
            "{error:?}"
        );
        let error = db
            .store
            .change_device(device.id, &Change::Suspend, &of("vic"))
            .await
            .unwrap_err();
        assert!(matches!(
            error,
            Error::MayNot {
                why: ActorFault::RoleTooLow { .. },
                ..
            }
        ));
        db.tamper(&format!("UPDATE operators SET {undo} WHERE name = 'vic'"))
            .await;
    }
    let row = db.blob(key("mallory").as_bytes());
    db.tamper(&format!(
        "INSERT INTO operators (name, role, token_sha256, disabled) VALUES ('mallory', 'admin', {row}, 0)"
    ))
    .await;
    let error = find("mallory").await.unwrap_err();
    assert!(matches!(
        error,
        Error::NotAsAudited {
            source: Mismatch::NoRecord { .. }
        }
    ));
}

async fn an_act_is_refused_when_the_right_to_it_is_over_by_then(db: &Database) {
    let device = people(db).await;
    let suspend = async |by: Act| {
        let changed = db.store.change_device(device.id, &Change::Suspend, &by);
        match changed.await.unwrap_err() {
            Error::MayNot { why, .. } => why,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(suspend(of("nobody")).await, ActorFault::Unknown);
    let late = Act {
        at: at(NOW + 99),
        ..of("alice")
    };
    assert_eq!(suspend(late).await, ActorFault::Ended);
    db.store
        .disable_operator(&name("bob"), &of("alice"))
        .await
        .unwrap();
    assert_eq!(suspend(of("bob")).await, ActorFault::KeptOut);
    db.tamper("UPDATE operators SET disabled = 0").await;
    assert_eq!(suspend(of("bob")).await, ActorFault::KeptOut);
    db.tamper("UPDATE operators SET disabled = 1 WHERE name = 'bob'")
        .await;
    // What somebody has looked at is recorded later.
    let scope = "views=1 rows=1".to_owned();
    db.store
        .note_read(Action::Read, scope, &of("bob"))
        .await
        .unwrap();
    db.store
        .change_device(device.id, &Change::Suspend, &of("alice"))
        .await
        .unwrap();
    db.store.verify_audit().await.unwrap();
}

/// A record that says so of somebody.
fn said(actor: &str, action: Action, name: &str, scope: Option<&str>) -> Entry {
    Entry {
        name: (!name.is_empty()).then(|| name.to_owned()),
        scope: scope.map(str::to_owned),
        ..entry(action, actor, NOW + 1)
    }
}

async fn records_of_those_who_could_not_are_found(db: &Database) {
    people(db).await;
    db.store
        .set_four_eyes(&STRICT, &Act::new("signer", at(NOW)))
        .await
        .unwrap();
    db.store.verify_audit().await.unwrap();
    let admin = Some("role=admin");
    let lax = FourEyes::default().to_string();
    let forged = [
        (
            "first:uid=993,login=none",
            Action::ChangeOperator,
            "mallory",
            admin,
            ActorFault::NotFirst { seq: 1 },
        ),
        (
            "operator:mallory",
            Action::ClearClone,
            "",
            None,
            ActorFault::MadeWrongly { seq: 8 },
        ),
        (
            "signer",
            Action::Acknowledge,
            "",
            None,
            ActorFault::NotTheirs,
        ),
        ("foo", Action::Resume, "", None, ActorFault::NotTheirs),
        (
            "root:uid=0,login=none",
            Action::Resume,
            "",
            None,
            ActorFault::NoBreakGlass,
        ),
        (
            "operator:alice+carol",
            Action::ChangeOperator,
            "mallory",
            admin,
            ActorFault::NotAgreed,
        ),
        (
            "operator:alice",
            Action::ChangeOperator,
            "mallory",
            admin,
            ActorFault::Alone,
        ),
        (
            "operator:nobody",
            Action::ClearClone,
            "",
            None,
            ActorFault::Unknown,
        ),
        (
            "operator:vic",
            Action::ClearClone,
            "",
            None,
            ActorFault::RoleTooLow {
                role: Role::Viewer,
                needed: Role::Operator,
            },
        ),
        (
            "signer",
            Action::ChangeApproval,
            "",
            Some(lax.as_str()),
            ActorFault::Alone,
        ),
    ];
    for (actor, action, of, scope, expected) in forged {
        append(db, said(actor, action, of, scope)).await;
        let seq = db.store.audit_head().await.unwrap().seq;
        let found = db.store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
        let is_it = |error: &Error| match error {
            Error::NotAsAudited {
                source: Mismatch::Actor { seq: at, why, .. },
            } => *at == seq && *why == expected,
            _ => false,
        };
        assert!(
            found.first.iter().any(|one| is_it(&one.error)),
            "{actor} {action}"
        );
    }
}

async fn an_operator_whom_nobody_could_make_does_nothing(db: &Database) {
    let device = people(db).await;
    let signer = Act::new("signer", at(NOW));
    db.store.set_four_eyes(&STRICT, &signer).await.unwrap();
    let by = of("mallory");
    let mallory = Operator::new(
        name("mallory"),
        Role::Admin,
        Access::Token(key("mallory")),
        Some(at(NOW + 99)),
    );
    let row = db.blob(key("mallory").as_bytes());
    db.tamper(&format!(
        "INSERT INTO operators (name, role, token_sha256, expires, disabled) VALUES ('mallory', 'admin', {row}, {}, 0)",
        NOW + 99
    ))
    .await;
    for maker in [
        "first:uid=993,login=none",
        "signer",
        "root:uid=0,login=none",
        "operator:alice",
        "operator:alice+carol",
    ] {
        let made = Entry {
            detail_sha256: Some(mallory.commitment()),
            expires: mallory.expires,
            ..said(maker, Action::ChangeOperator, "mallory", Some("role=admin"))
        };
        append(db, made).await;
        let seq = db.store.audit_head().await.unwrap().seq;
        let is_it = |error: &Error| match error {
            Error::NotAsAudited {
                source: Mismatch::OperatorMadeWrongly { seq: at, actor, .. },
            } => *at == seq && actor == maker,
            _ => false,
        };
        let shown = db.store.find_operator(&Access::Token(key("mallory"))).await;
        assert!(is_it(&shown.unwrap_err()), "{maker}");
        let change = Change::Suspend;
        let done = db.store.change_device(device.id, &change, &by);
        assert!(is_it(&done.await.unwrap_err()), "{maker}");
        let wrong = db.store.wrong_operators().await.unwrap();
        assert!(wrong.len() == 1 && wrong.iter().all(is_it), "{wrong:?}");
    }
    // Whoever could makes them anew, and what they then do counts.
    let root = Act::new("root:uid=0,login=none", at(NOW + 2)).because("night".parse().ok());
    db.store.break_glass(&root).await.unwrap();
    db.store.put_operator(&mallory, &root).await.unwrap();
    assert!(db.store.wrong_operators().await.unwrap().is_empty());
    let done = db.store.change_device(device.id, &Change::Suspend, &by);
    done.await.unwrap();
}

/// The number of what alice has asked for and bob has agreed to.
async fn agreed(store: &Store, what: &str) -> u64 {
    let (ends, by) = (at(NOW + 60), of("alice"));
    let asked = store.ask_approval(what, &name("alice"), ends, &by).await;
    let number = asked.unwrap().number;
    let approved = store.approve(number, &name("bob"), &of("bob")).await;
    approved.unwrap();
    number
}

async fn an_agreement_is_good_until_what_was_asked_for_is_done(db: &Database) {
    let [first, second] = two_certificates(db).await;
    let store = &*db.store;
    let asked = agreed(store, "{}").await;
    let end = |certificate| Entry {
        actor: "operator:alice+bob".into(),
        reason: Some("a test".into()),
        ..about(Action::EndDelegation, certificate, NOW + 5)
    };
    append(db, end(second)).await;
    let by = store.delegation_ended_by(&second).await.unwrap();
    assert_eq!(by, Some(EndedBy::People));
    store.mark_done(asked, &of("alice+bob")).await.unwrap();
    assert_eq!(faults(db).await, []);
    append(db, end(first)).await;
    assert_eq!(store.delegation_ended_by(&first).await.unwrap(), None);
    let last = store.audit_head().await.unwrap().seq;
    assert_eq!(faults(db).await, [(last, ActorFault::NotAgreed)]);
    // They agree again, to something else.
    agreed(store, "{\"a\":1}").await;
    append(db, end(first)).await;
    let by = store.delegation_ended_by(&first).await.unwrap();
    assert_eq!(by, Some(EndedBy::People));
}

async fn less_takes_two_operators_when_two_agree_or_root_does_it(db: &Database) {
    people(db).await;
    let store = &*db.store;
    assert_eq!(store.four_eyes().await.unwrap(), None);
    store
        .set_four_eyes(&STRICT, &Act::new("signer", at(NOW)))
        .await
        .unwrap();
    let lax = FourEyes {
        retire_above: None,
        ..STRICT
    };
    for act in [of("alice"), Act::new("signer", at(NOW))] {
        let error = store.set_four_eyes(&lax, &act).await.unwrap_err();
        let source = registry::Error::TakesTwo;
        assert!(matches!(error, Error::Refused { source: why } if why == source));
    }
    assert_eq!(store.four_eyes().await.unwrap(), Some(STRICT));
    agreed(store, "{}").await;
    store.set_four_eyes(&lax, &of("alice+bob")).await.unwrap();
    assert_eq!(store.four_eyes().await.unwrap(), Some(lax));
    let root = Act::new("root:uid=0,login=none", at(NOW + 2)).because("night".parse().ok());
    store.break_glass(&root).await.unwrap();
    store
        .set_four_eyes(&FourEyes::default(), &root)
        .await
        .unwrap();
    assert_eq!(store.four_eyes().await.unwrap(), Some(FourEyes::default()));
    store.verify_audit().await.unwrap();
}

async fn what_takes_two_is_what_somebody_said_who_could(db: &Database) {
    people(db).await;
    let signer = Act::new("signer", at(NOW));
    db.store.set_four_eyes(&STRICT, &signer).await.unwrap();
    let none = FourEyes::default().to_string();
    for (actor, scope, expected) in [
        ("operator:alice", Some(&*none), ActorFault::Alone),
        ("operator:alice+carol", Some(&*none), ActorFault::NotAgreed),
        ("signer", Some(&*none), ActorFault::Alone),
        ("somebody", Some(&*none), ActorFault::NotTheirs),
        ("operator:alice", None, ActorFault::NoPolicy),
        ("signer", Some("rollover=perhaps"), ActorFault::NoPolicy),
    ] {
        let entry = Entry {
            name: None,
            ..said(actor, Action::ChangeApproval, "", scope)
        };
        append(db, entry).await;
        let seq = db.store.audit_head().await.unwrap().seq;
        let is_it = |error: &Error| match error {
            Error::NotAsAudited {
                source: Mismatch::Actor { seq: at, why, .. },
            } => *at == seq && *why == expected,
            _ => false,
        };
        assert_eq!(db.store.four_eyes().await.unwrap(), Some(STRICT), "{actor}");
        let wrong = db.store.wrong_policies().await.unwrap();
        assert!(wrong.first().is_some_and(is_it), "{actor}: {wrong:?}");
        let found = db.store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
        assert!(found.first.iter().any(|one| is_it(&one.error)), "{actor}");
    }
    // Said again by somebody who may, it counts, and what was made up is behind it.
    db.store.set_four_eyes(&STRICT, &signer).await.unwrap();
    assert!(db.store.wrong_policies().await.unwrap().is_empty());
}

async fn two_admins_stay_while_acts_take_two(db: &Database) {
    people(db).await;
    let store = &*db.store;
    store
        .set_four_eyes(&STRICT, &Act::new("signer", at(NOW)))
        .await
        .unwrap();
    store
        .disable_operator(&name("bob"), &of("alice"))
        .await
        .unwrap();
    let source = registry::Error::TooFewAdmins;
    let error = store
        .disable_operator(&name("carol"), &of("alice"))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Refused { source: why } if why == source));
    let lower = Operator::new(name("carol"), Role::Viewer, Access::Token(key("new")), None);
    let error = store.put_operator(&lower, &of("alice")).await.unwrap_err();
    assert!(matches!(error, Error::Refused { source: why } if why == source));
    let root = Act::new("root:uid=0,login=none", at(NOW + 2)).because("stolen".parse().ok());
    store.break_glass(&root).await.unwrap();
    store.disable_operator(&name("carol"), &root).await.unwrap();
    store.verify_audit().await.unwrap();
}

async fn a_time_that_no_certificate_has_is_an_error_and_no_panic(db: &Database) {
    let device = active(&db.store, 1).await;
    for value in ["9223372036854775807", "253402300800", "-1"] {
        db.tamper(&format!("UPDATE devices SET created = {value}"))
            .await;
        let error = db
            .store
            .find_device(&Find::Id(device.id))
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::OutOfRange {
                    column: "created",
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(error.to_string().contains(value), "{error}");
    }
    db.tamper("UPDATE devices SET created = 253402300799").await;
    db.store.find_device(&Find::Id(device.id)).await.unwrap();
}

const ROOT: &str = "root:uid=0,login=none";

async fn faults(db: &Database) -> Vec<(u64, ActorFault)> {
    let found = db.store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
    let fault = |one: Finding| match one.error {
        Error::NotAsAudited {
            source: Mismatch::Actor { seq, why, .. },
        } => Some((seq, why)),
        _ => None,
    };
    found.first.into_iter().filter_map(fault).collect()
}

async fn an_act_at_the_machine_counts_for_a_day_by_the_times_of_others(db: &Database) {
    people(db).await;
    let root = Act::new(ROOT, at(NOW)).because("night".parse().ok());
    db.store.break_glass(&root).await.unwrap();
    let known = db.store.broken_glass().await.unwrap();
    let records = db.store.audit_from(known.newest, 1).await.unwrap();
    let suspend = || Entry {
        node: records[0].entry.node.clone(),
        ..said(ROOT, Action::ClearClone, "d1.cpe.example.com", None)
    };
    append(db, suspend()).await;
    assert_eq!(faults(db).await, []);
    // Whoever acts so is told of, also with a time of before and without saying so first.
    let after = db.store.broken_glass().await.unwrap();
    assert_eq!((after.acts, after.newest), (known.acts, known.newest + 1));
    let late = Entry {
        time: at(NOW + 86_400 + 1),
        ..said("signer", Action::Read, "", None)
    };
    let late = Entry {
        actor: "operator:alice".into(),
        ..late
    };
    append(db, late).await;
    append(db, suspend()).await;
    let seq = db.store.audit_head().await.unwrap().seq;
    assert_eq!(faults(db).await, [(seq, ActorFault::NoBreakGlass)]);
}

/// Two certificates of the zone, the first active and the second imported by an operator.
async fn two_certificates(db: &Database) -> [Sha256; 2] {
    people(db).await;
    let certificates = [key("first"), key("second")];
    for certificate_sha256 in certificates {
        let new = NewDelegation {
            zone: zone(),
            certificate_sha256,
            not_before: at(NOW - 99),
            not_after: at(NOW + 90 * 86_400),
        };
        let imported = db.store.import_delegation(&new, &of("alice")).await;
        imported.unwrap();
    }
    let active = DelegationState::Active;
    let by = of("alice");
    let (zone, store) = (zone(), &db.store);
    store.move_delegation(&zone, 1, active, &by).await.unwrap();
    certificates
}

fn about(action: Action, certificate: Sha256, seconds: u64) -> Entry {
    Entry {
        name: None,
        time: at(seconds),
        zone: Some(zone().to_string()),
        credential_sha256: Some(certificate),
        expires: Some(at(NOW + 90 * 86_400)),
        ..said("signer", action, "", None)
    }
}

async fn the_signer_moves_no_zone_on_that_takes_two_and_ends_nothing_early(db: &Database) {
    let [first, second] = two_certificates(db).await;
    let signer = Act::new("signer", at(NOW + 2));
    db.store.set_four_eyes(&STRICT, &signer).await.unwrap();
    let active = DelegationState::Active;
    let refused = db.store.move_delegation(&zone(), 2, active, &signer).await;
    let source = registry::Error::TakesTwo;
    assert!(matches!(refused.unwrap_err(), Error::Refused { source: why } if why == source));
    // That a signer has imported it too makes it no other.
    append(db, about(Action::ImportDelegation, second, NOW + 3)).await;
    append(db, about(Action::EndDelegation, second, NOW + 3)).await;
    let unused = db.store.audit_head().await.unwrap().seq;
    let refused = db.store.move_delegation(&zone(), 2, active, &signer).await;
    refused.unwrap_err();
    append(db, about(Action::DrainDelegation, first, NOW + 3)).await;
    append(db, about(Action::ActivateDelegation, second, NOW + 3)).await;
    let moved = db.store.audit_head().await.unwrap().seq;
    append(db, about(Action::EndDelegation, first, NOW + 4)).await;
    let expected = [
        (unused, ActorFault::TooEarly),
        (moved, ActorFault::Alone),
        (moved + 1, ActorFault::TooEarly),
    ];
    assert_eq!(faults(db).await, expected);
    // Nothing took over from it that could.
    let week_later = NOW + 3 + 7 * 86_400;
    append(db, about(Action::EndDelegation, first, week_later)).await;
    let expected: Vec<_> = expected
        .into_iter()
        .chain([(moved + 2, ActorFault::TooEarly)])
        .collect();
    assert_eq!(faults(db).await, expected);
}

async fn a_slot_that_moves_on_twice_is_found(db: &Database) {
    let [first, second] = two_certificates(db).await;
    let active = DelegationState::Active;
    let moved = db
        .store
        .move_delegation(&zone(), 2, active, &of("alice"))
        .await;
    moved.unwrap();
    db.store.verify_audit().await.unwrap();
    // An older time makes what drains since now end no earlier.
    let week_ago = NOW - 8 * 86_400;
    append(db, about(Action::DrainDelegation, first, week_ago)).await;
    append(db, about(Action::ActivateDelegation, second, week_ago)).await;
    append(db, about(Action::EndDelegation, first, NOW + 9)).await;
    let ended = db.store.delegation_ended_by(&first).await.unwrap();
    assert_eq!(ended, None);
    let last = db.store.audit_head().await.unwrap().seq;
    let found = db.store.find_mismatches(Vec::new(), &|_| ()).await.unwrap();
    let steps = found.first.iter().filter_map(|one| match &one.error {
        Error::NotAsAudited {
            source: Mismatch::Forbidden { seq, name, .. },
        } => Some((*seq, name.as_str())),
        _ => None,
    });
    assert_eq!(
        steps.collect::<Vec<_>>(),
        [
            (last - 2, "slot 1 of cpe.example.com"),
            (last - 1, "slot 2 of cpe.example.com")
        ]
    );
}

async fn a_slot_that_a_signer_has_ended_by_a_wrong_clock_is_used_again(db: &Database) {
    two_certificates(db).await;
    let (active, gone) = (DelegationState::Active, DelegationState::Gone);
    let to = async |number, to, by: Act| {
        let moved = db.store.move_delegation(&zone(), number, to, &by).await;
        moved.unwrap();
    };
    to(2, active, of("alice")).await;
    to(1, gone, Act::new("signer", at(NOW + 10 * 86_400))).await;
    db.tamper("UPDATE slots SET state = 'draining' WHERE number = 1")
        .await;
    to(1, active, of("alice")).await;
    db.store.verify_audit().await.unwrap();
    // What people have ended is not.
    to(2, gone, of("alice")).await;
    db.tamper("UPDATE slots SET state = 'draining' WHERE number = 2")
        .await;
    to(2, active, of("alice")).await;
    let error = db.store.verify_audit().await.unwrap_err().to_string();
    assert!(
        error.contains("slot 2") && error.contains("gone"),
        "{error}"
    );
}

async fn records_of_a_time_that_has_not_come_are_said(db: &Database) {
    let [first, _] = two_certificates(db).await;
    let now = at(NOW + 100);
    assert_eq!(db.store.records_ahead_of(now).await.unwrap(), []);
    append(db, about(Action::EndDelegation, first, NOW + 90 * 86_400)).await;
    let late = said("operator:alice", Action::Read, "", None);
    append(
        db,
        Entry {
            time: at(NOW + 701),
            ..late
        },
    )
    .await;
    let ahead = db.store.records_ahead_of(now).await.unwrap();
    let last = db.store.audit_head().await.unwrap().seq;
    let found: Vec<_> = ahead.iter().map(|one| (one.record, one.action)).collect();
    assert_eq!(
        found,
        [(last - 1, Action::EndDelegation), (last, Action::Read)]
    );
    assert_eq!(ahead[0].time, at(NOW + 90 * 86_400));
    let found = db.store.records_ahead_of(at(NOW + 90 * 86_400 - 600)).await;
    assert_eq!(found.unwrap(), []);
}

async fn the_signer_ends_what_another_certificate_took_over_from(db: &Database) {
    let [first, second] = two_certificates(db).await;
    let ended = async |certificate| db.store.delegation_ended_by(certificate).await.unwrap();
    let week_later = NOW + 3 + 7 * 86_400;
    // The one that is issued from, also when it would be over: the time is whoever's wrote it.
    for seconds in [week_later, NOW + 200 * 86_400] {
        append(db, about(Action::EndDelegation, first, seconds)).await;
        assert_eq!(ended(&first).await, None, "{seconds}");
    }
    // Nobody writes that a certificate drains, and not which took over.
    append(db, about(Action::DrainDelegation, first, NOW + 3)).await;
    let alone = db.store.audit_head().await.unwrap().seq;
    let early = [alone - 2, alone - 1].map(|seq| (seq, ActorFault::TooEarly));
    let with = |more: &[(u64, ActorFault)]| [&early, more].concat();
    let lone = (alone, ActorFault::NothingTookOver);
    assert_eq!(faults(db).await, with(&[lone]));
    append(db, about(Action::EndDelegation, first, week_later)).await;
    assert_eq!(ended(&first).await, None);
    let late = (alone + 1, ActorFault::TooEarly);
    assert_eq!(sorted(faults(db).await), with(&[lone, late]));
    // Its own successor is none, nor one of another time.
    for (certificate, seconds) in [(first, NOW + 4), (second, NOW + 5)] {
        append(db, about(Action::DrainDelegation, first, NOW + 4)).await;
        append(db, about(Action::ActivateDelegation, certificate, seconds)).await;
        append(db, about(Action::EndDelegation, first, week_later + 9)).await;
        assert_eq!(ended(&first).await, None, "{seconds}");
    }
    let before = faults(db).await.len();
    let active = DelegationState::Active;
    let by = Act::new("operator:alice", at(NOW + 9)).because("a test".parse().ok());
    let moved = db.store.move_delegation(&zone(), 2, active, &by).await;
    assert_eq!(moved.unwrap().active().unwrap().number, 2);
    append(db, about(Action::EndDelegation, first, week_later)).await;
    assert_eq!(ended(&first).await, None);
    append(db, about(Action::EndDelegation, first, week_later + 6)).await;
    assert!(matches!(
        ended(&first).await,
        Some(EndedBy::Signer { at: time, .. }) if time == at(week_later + 6)
    ));
    // The first of these two was a few seconds early.
    assert_eq!(faults(db).await.len(), before + 1);
}

fn sorted(mut faults: Vec<(u64, ActorFault)>) -> Vec<(u64, ActorFault)> {
    faults.sort_by_key(|(seq, _)| *seq);
    faults
}

async fn an_end_counts_if_whoever_wrote_it_could(db: &Database) {
    let [first, second] = two_certificates(db).await;
    let ended = async |certificate| db.store.delegation_ended_by(certificate).await.unwrap();
    assert_eq!(ended(&first).await, None);
    let with = |actor: &str, certificate| Entry {
        actor: actor.into(),
        reason: Some("a test".into()),
        ..about(Action::EndDelegation, certificate, NOW + 5)
    };
    for actor in [
        "operator:vic",
        "operator:nobody",
        ROOT,
        "somebody",
        "device",
        "signer",
    ] {
        append(db, with(actor, first)).await;
        assert_eq!(ended(&first).await, None, "{actor}");
    }
    append(db, about(Action::DrainDelegation, first, NOW + 5)).await;
    append(db, about(Action::ActivateDelegation, second, NOW + 5)).await;
    let over = about(Action::EndDelegation, first, NOW + 5 + 7 * 86_400);
    append(db, over).await;
    let record = db.store.audit_head().await.unwrap().seq;
    assert_eq!(
        ended(&first).await,
        Some(EndedBy::Signer {
            record,
            at: at(NOW + 5 + 7 * 86_400)
        })
    );
    append(db, with("operator:alice", second)).await;
    assert_eq!(ended(&second).await, Some(EndedBy::People));
    // Imported again, it has not ended.
    append(db, about(Action::ImportDelegation, second, NOW + 6)).await;
    assert_eq!(ended(&second).await, None);
}
