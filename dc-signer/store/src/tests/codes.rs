//! Activation codes.

use super::*;
use crate::registry::{CodeError, Replacement, State};

on_both! {
    a_code_enrols_one_device_once,
    a_code_for_a_name_that_is_not_free_is_good_for_longer,
    a_code_of_before_is_nothing_after_a_replacement,
    a_code_that_is_good_stays_so_when_only_missing_ones_are_made,
    a_new_code_ends_the_one_before,
    a_suspended_device_does_not_enrol,
    many_codes_are_one_transaction_and_one_that_is_refused_stops_no_other,
    no_code_for_a_device_that_has_a_key,
    replicas_count_tries_together,
    the_same_attempt_again_gets_the_same_device,
    tries_are_counted_and_then_the_right_code_is_refused_too,
    two_codes_do_not_share_a_public_part,
    unknown_and_old_codes_are_refused,
}

fn code(number: u32) -> PendingCode {
    PendingCode {
        id: CodeId::from_bytes([u8::try_from(number).unwrap(); 6]),
        device: new_device(number).id,
        mac: key("right"),
        expires: at(NOW + 7 * 86_400),
        tries: 0,
        used_by: None,
    }
}

fn attempt(number: u32, secret: &str, with: &str) -> Redemption {
    Redemption {
        code: code(number).id,
        mac: key(secret),
        key: key(with),
    }
}

async fn with_code(store: &Store) {
    add_zone(store).await;
    store
        .add_devices(&[new_device(1), new_device(2)], &by(NOW))
        .await
        .unwrap();
    put(store, &code(1)).await.unwrap();
}

async fn put(store: &Store, code: &PendingCode) -> Result<(), registry::Error> {
    let mut outcomes = store
        .put_codes(std::slice::from_ref(code), Keep::New, &by(NOW))
        .await
        .unwrap();
    outcomes.pop().unwrap().map(|kept| {
        assert_eq!(kept, Kept::Now(code.expires));
    })
}

async fn redeem(store: &Store, redemption: Redemption) -> Redeemed {
    store.redeem_code(&redemption, &by(NOW + 1)).await.unwrap()
}

async fn a_code_enrols_one_device_once(db: &Database) {
    let store = &*db.store;
    with_code(store).await;
    let Redeemed::Enrolled(device) = redeem(store, attempt(1, "right", "box")).await else {
        panic!("refused");
    };
    assert_eq!(
        (device.state, device.key),
        (State::Active, Some(key("box")))
    );
    assert_eq!(*device, by_id(store, new_device(1).id).await);
    let again = redeem(store, attempt(1, "right", "other box")).await;
    assert_eq!(again, Redeemed::Refused(CodeError::Used));
    assert_eq!(by_id(store, device.id).await.key, Some(key("box")));
}

async fn the_same_attempt_again_gets_the_same_device(db: &Database) {
    let store = &*db.store;
    with_code(store).await;
    let first = redeem(store, attempt(1, "right", "box")).await;
    let head = store.audit_head().await.unwrap();
    assert_eq!(redeem(store, attempt(1, "right", "box")).await, first);
    assert_eq!(store.audit_head().await.unwrap(), head);
}

async fn tries_are_counted_and_then_the_right_code_is_refused_too(db: &Database) {
    let store = &*db.store;
    with_code(store).await;
    for left in [4, 3, 2, 1, 0] {
        let refused = redeem(store, attempt(1, "wrong", "box")).await;
        assert_eq!(refused, Redeemed::Refused(CodeError::Wrong { left }));
    }
    let refused = redeem(store, attempt(1, "right", "box")).await;
    assert_eq!(refused, Redeemed::Refused(CodeError::TooManyTries));
    assert_eq!(
        by_id(store, new_device(1).id).await.state,
        State::Preregistered
    );
    let kept = store.find_code(code(1).id).await.unwrap().unwrap();
    assert_eq!(
        kept,
        PendingCode {
            tries: 5,
            ..code(1)
        }
    );
}

async fn replicas_count_tries_together(db: &Database) {
    with_code(&db.store).await;
    let other = db.other().await;
    let attempts: Vec<_> = (0..20)
        .map(|number| {
            let store = if number % 2 == 0 { &db.store } else { &other };
            let store = Arc::clone(store);
            tokio::spawn(async move { redeem(&store, attempt(1, "wrong", "box")).await })
        })
        .collect();
    let mut wrong = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            Redeemed::Refused(CodeError::Wrong { .. }) => wrong += 1,
            other => assert_eq!(other, Redeemed::Refused(CodeError::TooManyTries)),
        }
    }
    assert_eq!(wrong, PendingCode::MAX_TRIES);
    other.close().await;
}

async fn two_codes_do_not_share_a_public_part(db: &Database) {
    let store = &*db.store;
    with_code(store).await;
    let same = PendingCode {
        device: new_device(2).id,
        ..code(1)
    };
    let error = put(store, &same).await.unwrap_err();
    assert_eq!(error, registry::Error::CodeTaken);
    assert_eq!(store.find_code(code(1).id).await.unwrap(), Some(code(1)));
}

async fn unknown_and_old_codes_are_refused(db: &Database) {
    let store = &*db.store;
    with_code(store).await;
    let unknown = redeem(store, attempt(7, "right", "box")).await;
    assert_eq!(unknown, Redeemed::Refused(CodeError::Unknown));
    let late = store
        .redeem_code(&attempt(1, "right", "box"), &by(NOW + 7 * 86_400))
        .await;
    assert_eq!(late.unwrap(), Redeemed::Refused(CodeError::Expired));
    assert_eq!(store.find_code(code(7).id).await.unwrap(), None);
}

async fn a_new_code_ends_the_one_before(db: &Database) {
    let store = &*db.store;
    with_code(store).await;
    let second = PendingCode {
        id: CodeId::from_bytes([9; 6]),
        ..code(1)
    };
    put(store, &second).await.unwrap();
    let refused = redeem(store, attempt(1, "right", "box")).await;
    assert_eq!(refused, Redeemed::Refused(CodeError::Unknown));
    let attempt = Redemption {
        code: second.id,
        ..attempt(1, "right", "box")
    };
    assert!(matches!(
        redeem(store, attempt).await,
        Redeemed::Enrolled(_)
    ));
}

async fn no_code_for_a_device_that_has_a_key(db: &Database) {
    let store = &*db.store;
    active(store, 1).await;
    let error = put(store, &code(1)).await.unwrap_err();
    let state = State::Active;
    assert_eq!(error, registry::Error::NotInState { state });
    let error = put(store, &code(2)).await.unwrap_err();
    assert_eq!(error, registry::Error::UnknownDevice);
}

async fn many_codes_are_one_transaction_and_one_that_is_refused_stops_no_other(db: &Database) {
    let store = &*db.store;
    active(store, 1).await;
    let new: Vec<NewDevice> = (2..40).map(new_device).collect();
    store.add_devices(&new, &by(NOW)).await.unwrap();
    let codes: Vec<PendingCode> = (1..40).map(code).collect();
    let outcomes = store.put_codes(&codes, Keep::New, &by(NOW)).await.unwrap();
    let state = State::Active;
    assert_eq!(outcomes[0], Err(registry::Error::NotInState { state }));
    assert_eq!(outcomes[1..], vec![Ok(Kept::Now(codes[1].expires)); 38]);
    for code in &codes[1..] {
        assert_eq!(store.find_code(code.id).await.unwrap().as_ref(), Some(code));
    }
    assert_eq!(store.find_code(codes[0].id).await.unwrap(), None);
    store.verify_audit().await.unwrap();
}

async fn a_code_that_is_good_stays_so_when_only_missing_ones_are_made(db: &Database) {
    let store = &*db.store;
    with_code(store).await;
    let other = |number: u32, device: u32| PendingCode {
        device: new_device(device).id,
        ..code(number)
    };
    let head = store.audit_head().await.unwrap();
    let missing = async |codes: &[PendingCode], now| {
        let put = store.put_codes(codes, Keep::Missing, &by(now)).await;
        put.unwrap()
    };
    let codes = [other(3, 1), other(4, 2)];
    let (before, now) = (Kept::Before(code(1).expires), Kept::Now(codes[1].expires));
    assert_eq!(missing(&codes, NOW).await, [Ok(before), Ok(now)]);
    assert_eq!(store.find_code(codes[0].id).await.unwrap(), None);
    assert_eq!(store.audit_head().await.unwrap().seq, head.seq + 1);
    let enrolled = redeem(store, attempt(1, "right", "box")).await;
    assert!(matches!(enrolled, Redeemed::Enrolled(_)));
    // One that is too old, or was guessed at, is none.
    for _ in 0..PendingCode::MAX_TRIES {
        let tried = redeem(store, attempt(4, "wrong", "box 2")).await;
        assert!(matches!(tried, Redeemed::Refused(_)));
    }
    let made = missing(&[other(5, 2)], NOW).await;
    assert_eq!(made, [Ok(Kept::Now(code(5).expires))]);
    let late = NOW + 8 * 86_400;
    let made = missing(&[other(6, 2)], late).await;
    assert_eq!(made, [Ok(Kept::Now(code(6).expires))]);
}

async fn a_code_for_a_name_that_is_not_free_is_good_for_longer(db: &Database) {
    let store = &*db.store;
    let device = active(store, 1).await;
    store.record(issuance(&device, 0)).await.unwrap();
    let keep = Change::Replace(Replacement::KeepName {
        manufactured: None,
        at_once: false,
    });
    store
        .change_device(device.id, &keep, &by(NOW))
        .await
        .unwrap();
    let put = store.put_codes(&[code(1)], Keep::New, &by(NOW)).await;
    let wait = 165 * 3600 + 1;
    let expires = at(code(1).expires.as_secs() + wait);
    assert_eq!(put.unwrap(), [Ok(Kept::Now(expires))]);
    let redeem = async |after| {
        let redemption = attempt(1, "right", "new box");
        store.redeem_code(&redemption, &by(NOW + after)).await
    };
    // And it is not used up by coming early.
    let early = refused(redeem(wait - 1).await.unwrap_err());
    assert_eq!(
        early,
        registry::Error::NameHeld {
            from: at(NOW + wait)
        }
    );
    let enrolled = redeem(wait).await.unwrap();
    assert!(matches!(enrolled, Redeemed::Enrolled(_)));
}

async fn a_suspended_device_does_not_enrol(db: &Database) {
    let store = &*db.store;
    with_code(store).await;
    let id = new_device(1).id;
    store
        .change_device(id, &Change::Suspend, &by(NOW))
        .await
        .unwrap();
    let redemption = attempt(1, "right", "box");
    let error = store.redeem_code(&redemption, &by(NOW)).await.unwrap_err();
    let state = State::Suspended;
    assert_eq!(refused(error), registry::Error::NotInState { state });
    // The code is as good as before.
    store
        .change_device(id, &Change::Resume, &by(NOW))
        .await
        .unwrap();
    assert!(matches!(
        redeem(store, redemption).await,
        Redeemed::Enrolled(_)
    ));
}

async fn a_code_of_before_is_nothing_after_a_replacement(db: &Database) {
    let store = &*db.store;
    with_code(store).await;
    let id = new_device(1).id;
    let keep = Change::Replace(Replacement::KeepName {
        manufactured: None,
        at_once: false,
    });
    store.change_device(id, &keep, &by(NOW)).await.unwrap();
    let refused = redeem(store, attempt(1, "right", "box")).await;
    assert_eq!(refused, Redeemed::Refused(CodeError::Unknown));
}
