use super::*;
use crate::testing::NOT_AFTER;

fn expired(now: u64, expiry: u64) -> Error {
    Error::Expired {
        now: at(now),
        expiry: at(expiry),
    }
}

fn too_long(remaining: u64) -> Error {
    Error::ValidityTooLong {
        remaining: Duration::from_secs(remaining),
        max: MAX_VALIDITY,
    }
}

#[test]
fn case_30_rejects_one_second_after_expiry() {
    for scene in Scene::all() {
        let result = scene.check(|claim| claim.valid_time = valid_until(NOW - 1));
        assert_refused(result, expired(NOW, NOW - 1));
    }
}

#[test]
fn case_31_accepts_the_second_of_the_expiry() {
    for scene in Scene::all() {
        let verified = scene.check(|claim| claim.valid_time = valid_until(NOW));
        assert_eq!(verified.unwrap().expiry(), at(NOW));
    }
}

#[test]
fn case_32_accepts_exactly_seven_days() {
    for scene in Scene::all() {
        let verified = scene.check(|claim| claim.valid_time = valid_until(NOW + 7 * DAY));
        assert_eq!(verified.unwrap().expiry(), at(NOW + 604_800));
    }
}

#[test]
fn case_33_rejects_a_second_more_than_seven_days() {
    for scene in Scene::all() {
        let result = scene.check(|claim| claim.valid_time = valid_until(NOW + 7 * DAY + 1));
        assert_refused(result, too_long(604_801));
    }
}

#[test]
fn case_34_accepts_one_second_left() {
    for scene in Scene::all() {
        let verified = scene.check(|claim| claim.valid_time = valid_until(NOW + 1));
        assert_eq!(verified.unwrap().expiry(), at(NOW + 1));
    }
}

#[test]
fn case_35_rejects_a_valid_time_of_zero() {
    for scene in Scene::all() {
        let result = scene.check(|claim| claim.valid_time = 0);
        assert_refused(result, expired(NOW, NOT_BEFORE));
    }
}

#[test]
fn case_36_rejects_a_lifetime_in_valid_time() {
    for scene in Scene::all() {
        let result = scene.check(|claim| claim.valid_time = 604_800);
        assert_refused(result, expired(NOW, NOT_BEFORE + 604_800));
    }
}

#[test]
fn case_37_accepts_a_valid_time_far_above_seven_days() {
    for scene in Scene::all() {
        let bytes = scene.sign(|_| {});
        let credential = DelegatedCredential::decode(scene.form, &bytes).unwrap();
        assert!(credential.credential().valid_time > 300 * 86_400);
        assert!(scene.verify(&bytes).is_ok());
    }
}

#[test]
fn case_38_rejects_an_absolute_valid_time() {
    let absolute = u32::try_from(NOW + 7 * DAY).unwrap();
    for scene in Scene::all() {
        let result = scene.check(|claim| claim.valid_time = absolute);
        assert_refused(result, too_long(NOT_BEFORE + NOW + 7 * DAY - NOW));
    }
}

#[test]
fn case_39_rejects_the_greatest_valid_time_under_any_certificate_without_overflow() {
    // 1970, ours, 2106 (where 32 bits of seconds end), and nearly the end of year 9999.
    let far = 253_402_214_400;
    for not_before in [0, NOT_BEFORE, u64::from(u32::MAX), far] {
        let template = || CertificateTemplate {
            not_before,
            not_after: 253_402_300_799,
            ..CertificateTemplate::default()
        };
        for scene in Scene::all_with(template, TestKey::p256) {
            let remaining = not_before + u64::from(u32::MAX) - NOW;
            let result = scene.check(|claim| claim.valid_time = u32::MAX);
            assert_refused(result, too_long(remaining));
            let bytes = scene.sign(|claim| claim.valid_time = u32::MAX);
            let result = scene.verify_at(u64::MAX, &bytes);
            assert_refused(result, expired(u64::MAX, not_before + u64::from(u32::MAX)));
        }
    }
}

/// Cases 40 and 41 are the chain's to refuse, before any credential is looked at. Without a chain
/// this is what the credential alone says.
#[test]
fn cases_40_and_41_leave_the_validity_of_the_certificate_to_the_chain() {
    for scene in Scene::all() {
        let early = scene.sign(|claim| claim.valid_time = 60);
        assert!(scene.verify_at(NOT_BEFORE - 60, &early).is_ok());
        let late = scene.sign(|claim| claim.valid_time = valid_until(NOT_AFTER + 60));
        assert!(scene.verify_at(NOT_AFTER + 1, &late).is_ok());
        let strict = scene.verify_as(NOT_AFTER + 1, &late, Verifier::with_strict_expiry);
        let error = Error::ExpiryAfterCertificate {
            expiry: at(NOT_AFTER + 60),
            not_after: at(NOT_AFTER),
        };
        assert_refused(strict, error);
    }
}

#[test]
fn case_42_an_expiry_after_the_certificate_is_refused_only_when_strict() {
    let now = NOT_AFTER - DAY;
    for scene in Scene::all() {
        let check = |expiry| {
            let bytes = scene.sign(|claim| claim.valid_time = valid_until(expiry));
            assert!(scene.verify_at(now, &bytes).is_ok());
            scene.verify_as(now, &bytes, Verifier::with_strict_expiry)
        };
        assert!(check(NOT_AFTER - 1).is_ok());
        for expiry in [NOT_AFTER, NOT_AFTER + 9] {
            let error = Error::ExpiryAfterCertificate {
                expiry: at(expiry),
                not_after: at(NOT_AFTER),
            };
            assert_refused(check(expiry), error);
        }
    }
}

#[test]
fn case_43_rejects_seven_days_by_a_clock_that_is_slow() {
    for scene in Scene::all() {
        let week = scene.sign(|claim| claim.valid_time = valid_until(NOW + 7 * DAY));
        assert_refused(scene.verify_at(NOW - 2, &week), too_long(604_802));
    }
}

#[test]
fn case_44_rejects_half_an_hour_by_a_clock_that_is_an_hour_fast() {
    for scene in Scene::all() {
        let half_hour = scene.sign(|claim| claim.valid_time = valid_until(NOW + 1800));
        let result = scene.verify_at(NOW + 3600, &half_hour);
        assert_refused(result, expired(NOW + 3600, NOW + 1800));
    }
}

#[test]
fn case_45_a_profile_may_allow_less() {
    let hour = Duration::from_secs(3600);
    for scene in Scene::all() {
        let check = |expiry| {
            let bytes = scene.sign(|claim| claim.valid_time = valid_until(expiry));
            scene.verify_as(NOW, &bytes, |v| v.with_max_validity(hour).unwrap())
        };
        assert!(check(NOW + 3600).is_ok());
        for expiry in [NOW + 3601, NOW + 7200] {
            let error = Error::ValidityTooLong {
                remaining: Duration::from_secs(expiry - NOW),
                max: hour,
            };
            assert_refused(check(expiry), error);
        }
    }
}

#[test]
fn only_danger_allows_more_than_seven_days() {
    let offer = full_offer();
    let verifier = Verifier::new(Role::Server, &offer, algorithms());
    assert!(verifier.with_max_validity(MAX_VALIDITY).is_ok());
    let eight_days = Duration::from_secs(8 * DAY);
    assert_eq!(
        verifier.with_max_validity(eight_days).unwrap_err(),
        Error::ValidityLimitTooLong {
            wanted: eight_days,
            max: MAX_VALIDITY
        }
    );
    for scene in Scene::all() {
        let long = scene.sign(|claim| claim.valid_time = valid_until(NOW + 8 * DAY));
        let lax = |verifier| crate::danger::with_max_validity(verifier, eight_days);
        assert!(scene.verify_as(NOW, &long, lax).is_ok());
    }
}
