//! Names that the certificate's issuers exclude, below a wildcard that they allow.

use super::*;
use crate::testing::name_constraints::{ca, excluding};

/// Asks for a credential under these issuers.
fn approve(
    policy: IssuingPolicy,
    issuers: &[CertificateDer<'_>],
    request: &Request<'_>,
) -> Result<(), Error> {
    let policy = policy.with_issuers(issuers)?;
    policy.approve(request, at(NOW)).map(drop)
}

#[test]
fn issues_for_a_name_that_no_issuer_excludes() {
    let delegation = delegation();
    let spki = TestKey::p256().spki();
    let issuers = [
        excluding(&["m7q.cpe.example.com", "example.net"]),
        excluding(&[]),
        CertificateTemplate::default().build().der,
    ];
    for (policy, request) in each_kind(&delegation, &spki) {
        assert_eq!(approve(policy, &issuers, &request), Ok(()));
    }
}

#[test]
fn refuses_a_name_that_an_issuer_excludes() {
    let delegation = delegation();
    let spki = TestKey::p256().spki();
    for subtree in [NAME, "CPE.example.com", ".cpe.example.com", "com", ""] {
        // However far up it is.
        let issuers = [
            excluding(&["example.org"]),
            excluding(&["example.net", subtree]),
        ];
        for (policy, request) in each_kind(&delegation, &spki) {
            let form = request.unique_name.as_ref();
            match (form, approve(policy, &issuers, &request)) {
                (Some(_), result) => assert_refused(
                    result,
                    Error::NameExcluded {
                        name: NAME.try_into().unwrap(),
                        subtree: subtree.into(),
                    },
                ),
                // No name, nothing that could be excluded.
                (None, result) => assert_eq!(result, Ok(())),
            }
        }
    }
}

#[test]
fn says_that_a_name_is_not_covered_before_that_it_is_excluded() {
    let other = UniqueName::try_from("k3v.example.org").unwrap();
    let policy = policy(&delegation());
    let policy = policy.with_issuers(&[excluding(&["example.org"])]);
    assert_refused(
        policy.unwrap().check_name(&other),
        Error::NameNotCovered {
            name: other.clone().into_owned(),
        },
    );
}

#[test]
fn lists_what_the_issuers_exclude() {
    let issuers = [
        excluding(&["m7q.cpe.example.com"]),
        excluding(&["example.net", ".example.org"]),
    ];
    let policy = policy(&delegation());
    assert!(policy.excluded_subtrees().is_empty());
    let policy = policy.with_issuers(&issuers).unwrap();
    assert_eq!(
        policy.excluded_subtrees(),
        ["m7q.cpe.example.com", "example.net", ".example.org"]
    );
    let policy = policy.with_issuers(&issuers[..1]).unwrap();
    assert_eq!(policy.excluded_subtrees(), ["m7q.cpe.example.com"]);
}

#[test]
fn takes_no_issuer_that_it_cannot_read() {
    let nonsense = CertificateDer::from(&b"no certificate"[..]);
    for (issuer, field) in [
        (nonsense, Field::Certificate),
        (ca(vec![]), Field::NameConstraints),
    ] {
        let refused = policy(&delegation()).with_issuers(&[issuer]).unwrap_err();
        assert_eq!(refused, Error::MalformedCertificate { field });
    }
}
