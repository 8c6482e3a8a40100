//! Credentials for devices as clients: beside those of servers, and never instead of them.

use dc_core::Role;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

use super::bench::{Bench, zone};
use super::device::{Cpe, csr, csr_of, forms, renewal, role};
use crate::authority::Error;
use crate::authority::policy::PolicyError;
use crate::testing::{Database, on_both};
use dc_pki::Roles;
use dc_protocol::{Credentials, RenewRequest};
use dc_store::registry::{Change, State};

on_both! {
    a_device_gets_a_client_s_credential_if_its_zone_issues_them,
    the_keys_of_the_two_roles_and_of_enrolment_are_three,
    a_certificate_for_servers_alone_is_in_no_zone_for_clients,
    one_that_is_in_such_a_zone_all_the_same_is_warned_of,
    a_suspended_device_is_no_client_either,
}

async fn enrolled(bench: &Bench) -> (Cpe, Credentials) {
    let code = bench.add_with_code("customer-1").await.code.unwrap().code;
    let cpe = Cpe::new();
    let answer = cpe.enrol_with(&bench.authority, &code, bench.now).await;
    (cpe, answer.unwrap())
}

async fn for_clients(bench: &Bench) {
    let by = bench.by(bench.now);
    let changed = bench.authority.set_roles(&zone(), Roles::Both, &by).await;
    assert_eq!(changed.unwrap().roles, Roles::Both);
}

fn as_both(previous: &Credentials, idempotency_key: &str) -> RenewRequest {
    RenewRequest {
        client_csr: Some(csr()),
        ..renewal(previous, idempotency_key)
    }
}

async fn a_device_gets_a_client_s_credential_if_its_zone_issues_them(database: &Database) {
    let bench = Bench::new(database).await;
    let (cpe, first) = enrolled(&bench).await;
    let renew = async |request| cpe.renew(&bench.authority, &request, bench.now).await;
    let second = renew(as_both(&first, "1")).await.unwrap();
    assert!(second.client_credentials.is_empty());
    assert_eq!(forms(&second).len(), 2);
    for_clients(&bench).await;
    let third = renew(as_both(&second, "2")).await.unwrap();
    // The zone issues both forms; an unnamed credential would make one client any other.
    let [client] = &third.client_credentials[..] else {
        panic!("{third:?}");
    };
    assert_eq!(
        (client.form.as_str(), role(&third, client)),
        ("named", Role::Client)
    );
    for own in &third.credentials {
        assert_eq!(role(&third, own), Role::Server);
    }
    let as_client = Credentials {
        credentials: third.client_credentials.clone(),
        ..third.clone()
    };
    assert_eq!(forms(&as_client).len(), 1);
    // Who does not ask gets none, and what the device shows next is the server's.
    let fourth = renew(renewal(&third, "3")).await.unwrap();
    assert!(fourth.client_credentials.is_empty());
    assert!(!bench.find("customer-1").await.possible_clone);
}

async fn the_keys_of_the_two_roles_and_of_enrolment_are_three(database: &Database) {
    let bench = Bench::new(database).await;
    for_clients(&bench).await;
    let (cpe, first) = enrolled(&bench).await;
    let key = csr_of(&KeyPair::generate().unwrap());
    let one_key = RenewRequest {
        csr: key.clone(),
        client_csr: Some(key.clone()),
        ..renewal(&first, "1")
    };
    let enrolment_key = RenewRequest {
        client_csr: Some(cpe.enrolment_csr()),
        ..renewal(&first, "2")
    };
    let next_key = RenewRequest {
        client_csr: Some(key.clone()),
        next_enrolment_csr: Some(key),
        ..renewal(&first, "3")
    };
    let records = bench.records().await;
    for (request, expected) in [
        (one_key, PolicyError::OneKey),
        (enrolment_key, PolicyError::EnrolmentKey),
        (next_key, PolicyError::EnrolmentKey),
    ] {
        match cpe.renew(&bench.authority, &request, bench.now).await {
            Err(Error::Policy(error)) => assert_eq!(error, expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(bench.records().await, records);
}

async fn a_certificate_for_servers_alone_is_in_no_zone_for_clients(database: &Database) {
    let bench = Bench::new(database).await;
    let by = bench.by(bench.now);
    let folder = for_servers_alone(&bench);
    let import = async || {
        bench
            .authority
            .import_delegation(&zone(), &folder, &by)
            .await
    };
    for_clients(&bench).await;
    let refused = import().await.unwrap_err();
    assert!(matches!(refused, Error::NotForClients { .. }), "{refused}");
    let set = async |roles| bench.authority.set_roles(&zone(), roles, &by).await;
    set(Roles::Server).await.unwrap();
    import().await.unwrap();
    let refused = set(Roles::Both).await.unwrap_err();
    assert!(matches!(refused, Error::NotForClients { .. }), "{refused}");
    assert_eq!(bench.store.zones().await.unwrap()[0].roles, Roles::Server);
}

/// A folder with a delegation certificate that may not be a client's.
pub(super) fn for_servers_alone(bench: &Bench) -> std::path::PathBuf {
    let folder = bench.vendor(&zone(), bench.now);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![zone().wildcard()]).unwrap();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.custom_extensions = vec![dc_pki::test_ca::delegation_usage()];
    let certificate = params.self_signed(&key).unwrap();
    std::fs::write(folder.join("chain.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    folder
}

async fn one_that_is_in_such_a_zone_all_the_same_is_warned_of(database: &Database) {
    let bench = Bench::new(database).await;
    let by = bench.by(bench.now);
    let authority = &bench.authority;
    let warnings = async || {
        authority.keep_zones(bench.now).await.unwrap();
        let status = authority.issuing_status(bench.now).await.unwrap();
        assert_eq!(status.faults(), Vec::<String>::new());
        let found = status.servers_alone.iter();
        found.map(ToString::to_string).collect::<Vec<_>>()
    };
    let folder = for_servers_alone(&bench);
    let imported = authority.import_delegation(&zone(), &folder, &by).await;
    let slot = imported.unwrap().slot;
    assert_eq!(warnings().await, Vec::<String>::new());
    // As another operator does who looked before the import, and writes after it.
    let changed = bench.store.set_roles(&zone(), Roles::Both, &by).await;
    changed.unwrap();
    let words = format!("the certificate of slot {slot} is for servers alone");
    match &warnings().await[..] {
        [warning] => assert!(warning.contains(&words), "{warning}"),
        other => panic!("{other:?}"),
    }
    let changed = authority.set_roles(&zone(), Roles::Server, &by).await;
    assert_eq!(changed.unwrap().roles, Roles::Server);
    assert_eq!(warnings().await, Vec::<String>::new());
}

async fn a_suspended_device_is_no_client_either(database: &Database) {
    let bench = Bench::new(database).await;
    for_clients(&bench).await;
    let (cpe, first) = enrolled(&bench).await;
    let device = bench.find("customer-1").await;
    let by = bench.by(bench.now);
    let suspend = bench.store.change_device(device.id, &Change::Suspend, &by);
    assert_eq!(suspend.await.unwrap().state, State::Suspended);
    let request = as_both(&first, "1");
    let refused = cpe.renew(&bench.authority, &request, bench.now).await;
    assert!(refused.is_err());
}
