use std::vec;

use pki_types::{AlgorithmIdentifier, alg_id};
use proptest::prelude::*;

use super::*;
use crate::error::{Alert, Field};
use crate::testing::Delegation;
use crate::testing::{
    CertificateTemplate, DAY, KINDS, NAME, NOT_AFTER, NOT_BEFORE, NOW, TestKey, algorithms, at,
    more_algorithms, spki_of,
};

mod excluded;

fn policy(delegation: &Delegation) -> IssuingPolicy {
    IssuingPolicy::new(delegation.certificate(), Role::Server)
}

/// A policy for each role, and a request for each form.
fn each_kind<'a>(
    delegation: &Delegation,
    spki: &'a [u8],
) -> impl Iterator<Item = (IssuingPolicy, Request<'a>)> {
    KINDS.into_iter().map(|(role, form)| {
        let request = Request::new(spki);
        let request = match form {
            Form::Rfc9345 => request,
            Form::Named => request.unique_name(NAME.try_into().unwrap()),
        };
        (IssuingPolicy::new(delegation.certificate(), role), request)
    })
}

#[track_caller]
fn assert_refused<T: fmt::Debug>(result: Result<T, Error>, error: Error) {
    let got = result.unwrap_err();
    assert_eq!(got, error);
    assert_eq!(got.alert(), Alert::IllegalParameter);
}

fn delegation() -> Delegation {
    CertificateTemplate::default().build()
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

#[test]
fn issues_every_kind_for_164_hours() {
    let delegation = delegation();
    let spki = TestKey::ed25519().spki();
    for (policy, request) in each_kind(&delegation, &spki) {
        let approved = policy.approve(&request, at(NOW)).unwrap();
        let issued = approved.sign(&delegation.key, algorithms()).unwrap();
        assert_eq!(issued.expiry(), at(NOW + 164 * 3600));
        let credential = DelegatedCredential::decode(issued.form(), issued.bytes()).unwrap();
        let claim = credential.credential();
        assert_eq!(claim.spki, spki);
        assert_eq!(claim.unique_name, request.unique_name);
        assert_eq!(claim.dc_cert_verify_algorithm, SignatureScheme::ED25519);
        let role = crate::find_role(&credential, policy.certificate(), algorithms());
        assert_eq!(role, Ok(policy.role));
        assert_eq!(credential.to_vec(), issued.into_bytes());
    }
}

#[test]
fn issues_for_and_with_every_type_of_key() {
    let delegations = [
        TestKey::p256(),
        TestKey::p384(),
        TestKey::p521(),
        TestKey::ed25519(),
        TestKey::rsa(SignatureScheme(0x0804)),
        TestKey::rsa(SignatureScheme(0x0805)),
        TestKey::rsa(SignatureScheme(0x0806)),
        TestKey::rsassa_pss(),
    ];
    let algorithms = more_algorithms();
    for key in delegations {
        let delegation = CertificateTemplate {
            key,
            ..CertificateTemplate::default()
        }
        .build();
        for device in [TestKey::p384(), TestKey::p521(), TestKey::rsassa_pss()] {
            let spki = device.spki();
            for (policy, request) in each_kind(&delegation, &spki) {
                let approved = policy.approve(&request, at(NOW)).unwrap();
                let issued = approved.sign(&delegation.key, &algorithms).unwrap();
                let credential =
                    DelegatedCredential::decode(issued.form(), issued.bytes()).unwrap();
                assert_eq!(credential.algorithm(), delegation.key.scheme());
                let scheme = credential.credential().dc_cert_verify_algorithm;
                assert_eq!(scheme, device.scheme());
            }
        }
    }
}

#[test]
fn case_107_refuses_more_than_seven_days() {
    let delegation = delegation();
    let spki = TestKey::p256().spki();
    for over in [Duration::from_millis(1), Duration::from_secs(DAY)] {
        let long = MAX_VALIDITY + over;
        let refused = Error::ValidityTooLong {
            remaining: long,
            max: MAX_VALIDITY,
        };
        for (policy, request) in each_kind(&delegation, &spki) {
            let week = request.clone().lifetime(MAX_VALIDITY);
            assert!(policy.approve(&week, at(NOW)).is_ok());
            let longer = request.lifetime(long);
            assert_refused(policy.approve(&longer, at(NOW)), refused.clone());
            assert_refused(policy.with_lifetime(long), refused.clone());
        }
    }
}

#[test]
fn refuses_a_lifetime_of_nothing() {
    let delegation = delegation();
    let spki = TestKey::p256().spki();
    for lifetime in [Duration::ZERO, Duration::from_millis(999)] {
        let request = Request::new(&spki).lifetime(lifetime);
        let error = policy(&delegation).approve(&request, at(NOW)).unwrap_err();
        assert_eq!(error, Error::LifetimeZero);
    }
}

#[test]
fn case_108_cuts_its_own_lifetime_below_not_after_and_refuses_a_requested_one() {
    let delegation = delegation();
    let policy = policy(&delegation);
    let spki = TestKey::p256().spki();
    let now = NOT_AFTER - 3600;
    let issued = policy
        .approve(&Request::new(&spki), at(now))
        .unwrap()
        .sign(&delegation.key, algorithms())
        .unwrap();
    assert_eq!(issued.expiry(), at(NOT_AFTER - 1));
    for (policy, request) in each_kind(&delegation, &spki) {
        let asking = |seconds| request.clone().lifetime(Duration::from_secs(seconds));
        assert!(policy.approve(&asking(3599), at(now)).is_ok());
        for seconds in [3600, 3601] {
            assert_refused(
                policy.approve(&asking(seconds), at(now)),
                Error::ExpiryAfterCertificate {
                    expiry: at(now + seconds),
                    not_after: at(NOT_AFTER),
                },
            );
        }
    }
}

#[test]
fn refuses_to_issue_under_a_certificate_that_is_not_valid_now() {
    let delegation = delegation();
    let spki = TestKey::p256().spki();
    for (now, fine) in [
        (NOT_BEFORE - 1, false),
        (NOT_BEFORE, true),
        (NOT_AFTER - 2, true),
        (NOT_AFTER, false),
    ] {
        let policy = policy(&delegation);
        let result = policy.approve(&Request::new(&spki), at(now));
        assert_eq!(result.is_ok(), fine, "{now}");
        if let Err(error) = result {
            assert_eq!(
                error,
                Error::CertificateNotValid {
                    now: at(now),
                    not_before: at(NOT_BEFORE),
                    not_after: at(NOT_AFTER)
                }
            );
        }
    }
}

#[test]
fn case_109_refuses_schemes_that_do_not_fit_the_key() {
    let delegation = delegation();
    let rsa = TestKey::rsa(SignatureScheme(0x0804)).spki();
    let p256 = TestKey::p256().spki();
    for (spki, misfits, forbidden) in [
        (
            &rsa,
            &[0x0403, 0x0503, 0x0807, 0x0809][..],
            &[0x0804, 0x0806][..],
        ),
        (&p256, &[0x0503, 0x0603, 0x0809], &[0x0804, 0x0401, 0x0203]),
    ] {
        for (policy, request) in each_kind(&delegation, spki) {
            let approve = |scheme| policy.approve(&request.clone().scheme(scheme), at(NOW));
            for scheme in misfits.iter().copied().map(SignatureScheme) {
                assert_refused(approve(scheme), Error::SchemeKeyMismatch { scheme });
            }
            for scheme in forbidden.iter().copied().map(SignatureScheme) {
                assert_refused(approve(scheme), Error::ForbiddenScheme { scheme });
            }
            let scheme = SignatureScheme(0x0904);
            assert_refused(approve(scheme), Error::UnsupportedScheme { scheme });
        }
    }
    let request = Request::new(&p256).scheme(SignatureScheme(0x0403));
    assert!(policy(&delegation).approve(&request, at(NOW)).is_ok());
}

#[test]
fn case_110_allows_rsassa_pss_only_for_keys_with_matching_parameters() {
    let delegation = delegation();
    let schemes = [0x0809, 0x080a, 0x080b].map(SignatureScheme);
    for (key_type, fits) in [
        (alg_id::RSA_PSS_SHA256, Some(schemes[0])),
        (alg_id::RSA_PSS_SHA384, Some(schemes[1])),
        (alg_id::RSA_PSS_SHA512, Some(schemes[2])),
        (alg_id::RSA_ENCRYPTION, None),
    ] {
        let spki = spki_of(key_type, &[0]);
        for (policy, request) in each_kind(&delegation, &spki) {
            for scheme in schemes {
                let result = policy.approve(&request.clone().scheme(scheme), at(NOW));
                match fits == Some(scheme) {
                    true => assert!(result.is_ok()),
                    false => assert_refused(result, Error::SchemeKeyMismatch { scheme }),
                }
            }
        }
    }
    // id-RSASSA-PSS without parameters says no hash.
    let bare = AlgorithmIdentifier::from_slice(&[
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a,
    ]);
    let spki = spki_of(bare, &[0]);
    let policy = policy(&delegation);
    let result = policy.approve(&Request::new(&spki), at(NOW));
    assert_refused(result, Error::UnusableKey);
}

#[test]
fn refuses_an_rsa_encryption_key() {
    let spki = TestKey::rsa(SignatureScheme(0x0804)).spki();
    for (policy, request) in each_kind(&delegation(), &spki) {
        assert_refused(policy.approve(&request, at(NOW)), Error::UnusableKey);
    }
}

#[test]
fn refuses_a_key_that_is_not_der() {
    for (policy, request) in each_kind(&delegation(), b"pubkey") {
        assert_refused(policy.approve(&request, at(NOW)), Error::BadPublicKey);
    }
}

#[test]
fn refuses_a_valid_time_that_32_bits_cannot_hold() {
    let delegation = CertificateTemplate {
        not_after: NOT_BEFORE + (1 << 33),
        ..CertificateTemplate::default()
    }
    .build();
    let spki = TestKey::p256().spki();
    let expiry = NOT_BEFORE + (1 << 32);
    for (policy, request) in each_kind(&delegation, &spki) {
        let request = request.lifetime(hours(1));
        let last = policy.approve(&request, at(expiry - 3601));
        assert!(last.is_ok());
        assert_refused(
            policy.approve(&request, at(expiry - 3600)),
            Error::ValidTimeOverflow {
                expiry: at(expiry),
                not_before: at(NOT_BEFORE),
            },
        );
    }
}

#[test]
fn case_13_refuses_a_key_that_no_certificate_entry_holds() {
    let delegation = delegation();
    let spki = spki_of(alg_id::RSA_PSS_SHA256, &std::vec![0; 65_500]);
    for (policy, request) in each_kind(&delegation, &spki) {
        let approved = policy.approve(&request, at(NOW)).unwrap();
        let error = approved.sign(&delegation.key, algorithms()).unwrap_err();
        let SignError::Refused(Error::LengthOutOfRange { field, max, .. }) = error else {
            panic!("{error:?}");
        };
        assert_eq!((field, max), (Field::DelegatedCredential, 65_531));
    }
}

#[test]
fn refuses_a_name_outside_the_certificate() {
    let delegation = delegation();
    let spki = TestKey::p256().spki();
    let name: UniqueName<'_> = "k3v.example.com".try_into().unwrap();
    let request = Request::new(&spki).unique_name(name.clone());
    assert_eq!(
        policy(&delegation).approve(&request, at(NOW)).unwrap_err(),
        Error::NameNotCovered {
            name: (&name).into()
        }
    );
}

#[test]
fn refuses_a_signer_of_another_type() {
    let delegation = delegation();
    let spki = TestKey::p256().spki();
    let policy = policy(&delegation);
    let approved = policy.approve(&Request::new(&spki), at(NOW)).unwrap();
    assert_eq!(
        approved.sign(&TestKey::p384(), algorithms()).unwrap_err(),
        SignError::Refused(Error::SchemeKeyMismatch {
            scheme: SignatureScheme::ECDSA_SECP384R1_SHA384
        })
    );
}

#[test]
fn case_111_refuses_a_signature_by_another_key() {
    let delegation = delegation();
    let spki = TestKey::p256().spki();
    for (policy, request) in each_kind(&delegation, &spki) {
        let approved = policy.approve(&request, at(NOW)).unwrap();
        let error = approved.sign(&TestKey::p256(), algorithms()).unwrap_err();
        assert_eq!(error, SignError::Refused(Error::BadSignature));
    }
}

/// A policy takes a `DelegationCertificate`, and these are none.
#[test]
fn case_111_has_no_policy_for_a_certificate_that_may_not_delegate() {
    let without_usage = CertificateTemplate {
        usage: vec![],
        ..CertificateTemplate::default()
    };
    let without_signature = CertificateTemplate {
        key_usage: vec![rcgen::KeyUsagePurpose::KeyAgreement],
        ..CertificateTemplate::default()
    };
    for (template, error) in [
        (without_usage, Error::MissingDelegationUsage),
        (without_signature, Error::MissingDigitalSignature),
    ] {
        assert_refused(DelegationCertificate::parse(template.build().der), error);
    }
}

#[test]
fn case_112_a_new_certificate_voids_old_credentials_and_gives_new_ones() {
    let old = delegation();
    let new = CertificateTemplate {
        key: old.key.again(),
        not_before: NOW,
        ..CertificateTemplate::default()
    }
    .build();
    let spki = TestKey::p256().spki();
    for ((policy, request), (renewed, _)) in each_kind(&old, &spki).zip(each_kind(&new, &spki)) {
        let issue = |policy: &IssuingPolicy| {
            let approved = policy.approve(&request, at(NOW)).unwrap();
            approved.sign(&old.key, algorithms()).unwrap()
        };
        let (before, after) = (issue(&policy), issue(&renewed));
        let check = |issued: &Issued, certificate| {
            let credential = DelegatedCredential::decode(issued.form(), issued.bytes()).unwrap();
            crate::find_role(&credential, certificate, algorithms())
        };
        assert_eq!(check(&before, policy.certificate()), Ok(policy.role));
        assert_eq!(check(&after, renewed.certificate()), Ok(policy.role));
        assert_refused(check(&before, renewed.certificate()), Error::BadSignature);
        assert_refused(check(&after, policy.certificate()), Error::BadSignature);
    }
}

#[test]
fn refuses_a_result_that_the_provider_cannot_check() {
    let delegation = delegation();
    let spki = TestKey::p521().spki();
    let policy = policy(&delegation);
    let approved = policy.approve(&Request::new(&spki), at(NOW)).unwrap();
    assert_eq!(
        approved.sign(&delegation.key, algorithms()).unwrap_err(),
        SignError::Refused(Error::UnsupportedScheme {
            scheme: SignatureScheme::ECDSA_SECP521R1_SHA512
        })
    );
}

#[test]
fn a_failing_signer_is_told_apart_from_a_refusal() {
    struct Broken;
    impl Signer for Broken {
        type Error = &'static str;
        fn scheme(&self) -> SignatureScheme {
            SignatureScheme::ECDSA_SECP256R1_SHA256
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, &'static str> {
            Err("unplugged")
        }
    }
    let delegation = delegation();
    let spki = TestKey::p256().spki();
    let policy = policy(&delegation);
    let approved = policy.approve(&Request::new(&spki), at(NOW)).unwrap();
    let error = approved.sign(&Broken, algorithms()).unwrap_err();
    assert_eq!(error, SignError::Signer("unplugged"));
}

#[test]
fn an_empty_signature_is_refused() {
    let delegation = delegation();
    let spki = TestKey::p256().spki();
    let policy = policy(&delegation);
    let unsigned = policy
        .approve(&Request::new(&spki), at(NOW))
        .unwrap()
        .prepare(SignatureScheme::ECDSA_SECP256R1_SHA256)
        .unwrap();
    let error = unsigned.complete(&[], algorithms()).unwrap_err();
    assert!(matches!(error, Error::LengthOutOfRange { length: 0, .. }));
}

#[test]
fn what_another_issuer_made_is_accepted_for_the_same_request_alone() {
    let delegation = delegation();
    let (spki, other) = (TestKey::ed25519().spki(), TestKey::p256().spki());
    for (policy, request) in each_kind(&delegation, &spki) {
        let approve = |policy: &IssuingPolicy, request: &Request<'_>, now| {
            let approved = policy.approve(request, at(now)).unwrap();
            approved
                .sign(&delegation.key, algorithms())
                .unwrap()
                .into_bytes()
        };
        // The other one's clock is 10 minutes ahead.
        let theirs = approve(&policy, &request, NOW + 600);
        let ours = || policy.approve(&request, at(NOW)).unwrap();
        let issued = ours().accept(&theirs, algorithms()).unwrap();
        assert_eq!(issued.expiry(), at(NOW + 600 + 164 * 3600));
        assert_eq!(issued.bytes(), theirs);
        // Half a day ahead is too far.
        let late = approve(&policy, &request, NOW + 12 * 3600);
        let refused = ours().accept(&late, algorithms()).unwrap_err();
        assert!(matches!(refused, Error::ValidityTooLong { .. }));
        // Another key, another name, another role.
        let mut of_other_key = Request::new(&other);
        let mut of_other_name = Request::new(&spki);
        if request.unique_name.is_some() {
            of_other_key = of_other_key.unique_name(NAME.try_into().unwrap());
            let name = std::format!("x{NAME}");
            let name = UniqueName::try_from(&*name).unwrap().into_owned();
            of_other_name = of_other_name.unique_name(name);
            let bytes = approve(&policy, &of_other_name, NOW);
            let refused = ours().accept(&bytes, algorithms());
            assert_eq!(refused.unwrap_err(), Error::BadSignature);
        }
        let bytes = approve(&policy, &of_other_key, NOW);
        let refused = ours().accept(&bytes, algorithms());
        assert_eq!(refused.unwrap_err(), Error::BadSignature);
        let role = match policy.role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        };
        let bytes = approve(
            &IssuingPolicy::new(delegation.certificate(), role),
            &request,
            NOW,
        );
        let refused = ours().accept(&bytes, algorithms());
        assert_eq!(refused.unwrap_err(), Error::BadSignature);
        // Any bit of it, and what is no credential.
        for place in [0, 5, theirs.len() / 2, theirs.len() - 1] {
            let mut changed = theirs.clone();
            changed[place] ^= 1;
            assert!(ours().accept(&changed, algorithms()).is_err(), "{place}");
        }
        assert!(ours().accept(&[], algorithms()).is_err());
    }
}

#[test]
fn lifetimes_of_the_policy_are_used() {
    let delegation = delegation();
    let spki = TestKey::p256().spki();
    let policy = policy(&delegation).with_lifetime(hours(2)).unwrap();
    let approved = policy.approve(&Request::new(&spki), at(NOW)).unwrap();
    let issued = approved.sign(&delegation.key, algorithms()).unwrap();
    assert_eq!(issued.expiry(), at(NOW + 7200));
}

#[test]
fn an_error_says_who_failed_and_keeps_its_cause() {
    let refused: SignError<Error> = Error::LifetimeZero.into();
    let broken = SignError::Signer(Error::BadSignature);
    for (error, cause, says) in [
        (refused, Error::LifetimeZero, "not issued: "),
        (broken, Error::BadSignature, "the signer failed: "),
    ] {
        let source = core::error::Error::source(&error).unwrap();
        assert_eq!(source.downcast_ref::<Error>(), Some(&cause));
        assert_eq!(std::format!("{error}"), std::format!("{says}{cause}"));
    }
}

proptest! {
    /// The issuer hands every name to the verifier as a reference identity.
    #[test]
    fn every_unique_name_can_be_wanted(name in "[a-z0-9-]{1,63}(\\.[a-z0-9-]{1,20}){0,4}") {
        if UniqueName::try_from(&*name).is_ok() {
            prop_assert!(pki_types::DnsName::try_from(&*name).is_ok(), "{}", name);
        }
    }
}
