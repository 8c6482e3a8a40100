//! Clients with credentials (RFC 9345 §4.1.2): what is presented, and who the server then knows.

use std::sync::Arc;

use dc_core::{Form, Role, SignatureScheme};
use dc_rustls::client::{IdentityStore, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, ClientCredentials, Identity, Settings, Store};
use dc_rustls::{Error, Refusal};
use dc_tests::vendor::{Device, Key, Vendor, provider};
use rustls::AlertDescription;

use crate::clients::{FRONTS, Front, Site, certificate};
use crate::setup::{ALL, client_of, stock_server};

const CAMERA: &str = "camera.cpe.example.com";

#[test]
fn a_server_learns_the_name_of_its_client() {
    let site = Site::new();
    for front in FRONTS {
        let acceptor = site.acceptor(front, site.policy());
        for chunk in [1, ALL] {
            let client = site.client(&Form::ALL);
            let meeting = site.meet(&client, &acceptor, chunk);
            let expected = (Form::Named, Some(CAMERA.to_owned()));
            assert_eq!(meeting.delegated(), expected, "{front:?} {chunk}");
            assert_eq!(meeting.known().certificates, 1);
            let Some(Peer::Delegated { spki, .. }) = meeting.peer() else {
                unreachable!();
            };
            assert_eq!(*spki, site.camera.key.spki());
        }
    }
}

#[test]
fn each_form_goes_to_a_server_that_asks_for_it() {
    let site = Site::new();
    for front in FRONTS {
        for (policy, forms, expected) in [
            (NamePolicy::Preferred, &Form::ALL[..], Form::Named),
            (NamePolicy::Preferred, &[Form::Rfc9345], Form::Rfc9345),
            (NamePolicy::Ignored, &Form::ALL, Form::Rfc9345),
            (NamePolicy::Ignored, &[Form::Rfc9345], Form::Rfc9345),
            (NamePolicy::Required, &[Form::Named], Form::Named),
        ] {
            let policy = site.policy().unique_name(policy);
            let acceptor = site.acceptor(front, policy);
            let meeting = site.meet(&site.client(forms), &acceptor, ALL);
            assert_eq!(meeting.delegated().0, expected);
        }
    }
}

#[test]
fn nothing_goes_to_a_server_that_does_not_ask_for_it() {
    let site = Site::new();
    for (policy, form) in [
        (NamePolicy::Required, Form::Rfc9345),
        (NamePolicy::Ignored, Form::Named),
    ] {
        let client = site.client(&[form]);
        for front in FRONTS {
            let policy = site.policy().unique_name(policy);
            let optional = site.acceptor(front, policy.clone().optional());
            assert_eq!(site.meet(&client, &optional, ALL).peer(), None);
            let mandatory = site.acceptor(front, policy);
            let meeting = site.meet(&client, &mandatory, ALL);
            assert_eq!(meeting.alert(), AlertDescription::CertificateRequired);
        }
    }
    // Neither to one that asks for nothing.
    let acceptor = Acceptor::new(Store::new(provider())).fallback(stock_server(&site.vendor));
    let meeting = site.meet(&site.client(&Form::ALL), &acceptor, ALL);
    assert_eq!(meeting.peer(), None);
}

#[test]
fn a_certificate_where_no_credential_suits() {
    let site = Site::new();
    let client = |forms: &[Form]| {
        site.builder()
            .client_identity(site.identities(forms))
            .client_auth(certificate(&site.clients))
            .build()
            .unwrap()
    };
    for front in FRONTS {
        let strict = site.acceptor(front, site.policy());
        let lenient = site.acceptor(front, site.policy().or_certificate());
        let meeting = site.meet(&client(&[Form::Rfc9345]), &lenient, ALL);
        assert_eq!(meeting.peer(), Some(&Peer::Certificate));
        let meeting = site.meet(&client(&[Form::Named]), &lenient, ALL);
        assert_eq!(meeting.delegated().0, Form::Named);
        let meeting = site.meet(&client(&[Form::Rfc9345]), &strict, ALL);
        let alert = AlertDescription::HandshakeFailure;
        assert_eq!(meeting.refused(), (&Refusal::CredentialRequired, alert));
    }
}

#[test]
fn clients_that_present_nothing() {
    let site = Site::new();
    let nobody = site.builder().build().unwrap();
    for front in FRONTS {
        let optional = site.acceptor(front, site.policy().optional());
        assert_eq!(site.meet(&nobody, &optional, ALL).peer(), None);
        let mandatory = site.acceptor(front, site.policy());
        let meeting = site.meet(&nobody, &mandatory, ALL);
        assert_eq!(meeting.alert(), AlertDescription::CertificateRequired);
    }
}

/// A server that asks for a certificate alone knows that it got one.
#[test]
fn a_certificate_for_who_asks_for_that_alone() {
    let site = Site::new();
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(site.clients.roots()),
        provider(),
    );
    let settings = Settings::new(provider()).client_auth(verifier.build().unwrap());
    let store = Store::with_settings(settings);
    let identity = site.vendor.enrol(&site.router, &[Form::Named]);
    store.install(identity).unwrap();
    let client = client_of(&site.vendor)
        .client_identity(site.identities(&Form::ALL))
        .client_auth(certificate(&site.clients))
        .build()
        .unwrap();
    let meeting = site.meet(&client, &Acceptor::new(store), ALL);
    assert_eq!(meeting.peer(), Some(&Peer::Certificate));
}

#[test]
fn nothing_goes_to_a_server_that_is_not_trusted() {
    let site = Site::new();
    let client = client_of(&Vendor::default())
        .or_certificate()
        .client_identity(site.identities(&Form::ALL))
        .build()
        .unwrap();
    for front in FRONTS {
        let acceptor = site.acceptor(front, site.policy().optional());
        let meeting = site.meet(&client, &acceptor, ALL);
        assert!(meeting.client.is_err());
        match meeting.server {
            Err(Error::Tls(rustls::Error::AlertReceived(AlertDescription::UnknownCA))) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn keys_of_all_kinds() {
    for (device, vendor) in [
        (Key::ed25519(), Key::p384()),
        (Key::p384(), Key::ed25519()),
        (Key::p256(), Key::p256()),
    ] {
        let mut site = Site::with_clients(Vendor::new(vendor));
        site.camera = Device::with_key("camera", device);
        for front in FRONTS {
            let acceptor = site.acceptor(front, site.policy());
            let meeting = site.meet(&site.client(&[Form::Named]), &acceptor, ALL);
            assert_eq!(meeting.delegated().1.as_deref(), Some(CAMERA));
        }
    }
}

#[test]
fn a_long_chain_over_many_records() {
    let site = Site::with_clients(Vendor::with_intermediates(Key::p256(), 3, 15_000));
    for front in FRONTS {
        let acceptor = site.acceptor(front, site.policy());
        for chunk in [1000, ALL] {
            let meeting = site.meet(&site.client(&[Form::Named]), &acceptor, chunk);
            assert_eq!(meeting.delegated().1.as_deref(), Some(CAMERA));
            assert_eq!(meeting.known().certificates, 4);
        }
    }
}

#[test]
fn a_request_with_many_authorities() {
    let site = Site::new();
    for (others, fits) in [(100, true), (700, false)] {
        let mut roots = site.clients.roots();
        for _ in 0..others {
            roots.add(Vendor::default().root_der()).unwrap();
        }
        let policy = ClientCredentials::roots(&provider(), roots).unwrap();
        let settings = Settings::new(provider()).client_credentials(policy.clone());
        assert_eq!(settings.is_ok(), fits);
        if let Err(error) = settings {
            assert!(matches!(error, Error::TooManyAuthorities { .. }), "{error}");
            continue;
        }
        for front in FRONTS {
            let acceptor = site.acceptor(front, policy.clone());
            let meeting = site.meet(&site.client(&[Form::Named]), &acceptor, ALL);
            assert_eq!(meeting.delegated().1.as_deref(), Some(CAMERA));
        }
    }
}

#[test]
fn a_client_that_renews_presents_the_new_one() {
    let site = Site::new();
    let identities = site.identities(&[Form::Named]);
    let client = site
        .builder()
        .client_identity(identities.clone())
        .without_resumption()
        .build()
        .unwrap();
    let acceptor = site.acceptor(Front::Certificate, site.policy());
    assert_eq!(
        site.meet(&client, &acceptor, ALL).delegated().1.as_deref(),
        Some(CAMERA)
    );
    let door = Device::new("door");
    let stored = site.clients.issue_as(
        Role::Client,
        &door,
        Form::Named,
        rustls::pki_types::UnixTime::now(),
        crate::clients::DAY,
    );
    let key = door.key.private_key();
    identities
        .install(Identity::new(site.clients.chain(), vec![stored], key))
        .unwrap();
    let meeting = site.meet(&client, &acceptor, ALL);
    assert_eq!(
        meeting.delegated().1.as_deref(),
        Some("door.cpe.example.com")
    );
}

#[test]
fn an_install_of_what_no_server_would_accept() {
    let site = Site::new();
    let store = IdentityStore::new(provider());
    let server_side = site.issue_as(Role::Server, Form::Named);
    assert!(matches!(
        store.install(site.identity(vec![server_side])),
        Err(Error::Credential(dc_core::Error::BadSignature))
    ));
    assert!(matches!(
        store.install(site.identity(vec![])),
        Err(Error::MissingCredential)
    ));
    let other = Device::new("other").key.private_key();
    let stored = vec![site.issue(Form::Named)];
    assert!(matches!(
        store.install(Identity::new(site.clients.chain(), stored, other)),
        Err(Error::KeyMismatch)
    ));
    let stored = vec![site.issue(Form::Named)];
    let chain = Vendor::default().chain();
    let key = site.camera.key.private_key();
    assert!(matches!(
        store.install(Identity::new(chain, stored, key)),
        Err(Error::Credential(dc_core::Error::BadSignature))
    ));
    let identity = Identity::new(
        Vec::new(),
        vec![site.issue(Form::Named)],
        site.camera.key.private_key(),
    );
    assert!(matches!(
        store.install(identity),
        Err(Error::MissingCertificate)
    ));
}

/// Role confusion: the contexts of the signatures differ (RFC 9345 §4).
#[test]
fn a_credential_of_a_server_is_none_of_a_client() {
    let site = Site::new();
    for form in Form::ALL {
        let stored = site.issue_as(Role::Server, form);
        let client = site.careless(site.identity(vec![stored]));
        for front in FRONTS {
            let policy = site.policy().unique_name(NamePolicy::Preferred);
            let meeting = site.meet(&client, &site.acceptor(front, policy), ALL);
            let refusal = Refusal::Credential(dc_core::Error::BadSignature);
            assert_eq!(
                meeting.refused(),
                (&refusal, AlertDescription::IllegalParameter)
            );
        }
    }
}

#[test]
fn a_credential_of_a_client_is_none_of_a_server() {
    let site = Site::new();
    for form in Form::ALL {
        let stored = site.issue(form);
        let store = Store::new(provider());
        assert!(store.install(site.identity(vec![stored.clone()])).is_err());
        dc_rustls::server::danger::install_unchecked(&store, site.identity(vec![stored])).unwrap();
        let client = client_of(&site.clients)
            .unique_name(NamePolicy::Preferred)
            .build()
            .unwrap();
        let outcome = dc_tests::pair::connect(&client, CAMERA, &Acceptor::new(store), ALL);
        let refusal = Refusal::Credential(dc_core::Error::BadSignature);
        assert_eq!(*outcome.refusal(), refusal);
        assert_eq!(
            outcome.alert_at_server(),
            AlertDescription::IllegalParameter
        );
    }
}

#[test]
fn a_client_that_the_application_does_not_want() {
    let site = Site::new();
    for front in FRONTS {
        let policy = site.policy().authorize(|peer| {
            let Peer::Delegated {
                unique_name: Some(name),
                ..
            } = peer
            else {
                return false;
            };
            name.as_str() != CAMERA
        });
        let meeting = site.meet(
            &site.client(&[Form::Named]),
            &site.acceptor(front, policy),
            ALL,
        );
        let alert = AlertDescription::AccessDenied;
        assert_eq!(meeting.refused(), (&Refusal::NotAuthorized, alert));
    }
}

#[test]
fn a_credential_by_nobody_that_is_trusted() {
    let site = Site::new();
    let strangers = Site::new();
    let client = site
        .builder()
        .client_identity(strangers.identities(&Form::ALL))
        .build()
        .unwrap();
    for front in FRONTS {
        let meeting = site.meet(&client, &site.acceptor(front, site.policy()), ALL);
        assert_eq!(meeting.alert(), AlertDescription::UnknownCA);
    }
}

#[test]
fn a_signature_by_another_key() {
    let site = Site::new();
    let other = Device::new("camera").key.private_key();
    let identity = Identity::new(site.clients.chain(), vec![site.issue(Form::Named)], other);
    let client = site.careless(identity);
    for front in FRONTS {
        let meeting = site.meet(&client, &site.acceptor(front, site.policy()), ALL);
        let refusal = Refusal::Credential(dc_core::Error::BadCertificateVerify);
        assert_eq!(
            meeting.refused(),
            (&refusal, AlertDescription::DecryptError)
        );
    }
}

/// A client that has TLS 1.2 only can have no credential.
#[test]
fn below_tls13() {
    let site = Site::new();
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(site.vendor.roots())
        .with_no_client_auth();
    let config = Arc::new(config);
    for front in FRONTS {
        let optional = site.acceptor(front, site.policy().optional());
        let mandatory = site.acceptor(front, site.policy());
        let [optional, mandatory] = [optional, mandatory].map(|acceptor| {
            let (near, far) = dc_tests::pipe::pipe(ALL);
            let name = site.router.name.clone().try_into().unwrap();
            let connection = rustls::ClientConnection::new(config.clone(), name).unwrap();
            std::thread::scope(|scope| {
                let server = scope.spawn(|| acceptor.accept(far).map(|tls| tls.peer().cloned()));
                let mut tls = rustls::StreamOwned::new(connection, near);
                let client = tls.conn.complete_io(&mut tls.sock);
                let client = client.map(drop).map_err(|error| error.to_string());
                (client, server.join().unwrap())
            })
        });
        assert!(optional.0.is_ok());
        assert_eq!(optional.1.unwrap(), None);
        let complaint = mandatory.0.unwrap_err();
        assert!(complaint.contains("ProtocolVersion"), "{complaint}");
        assert!(mandatory.1.is_err());
    }
    let config = client_of(&site.vendor)
        .allow_tls12()
        .client_identity(site.identities(&Form::ALL))
        .build();
    assert!(matches!(config, Err(Error::ClientAuthBelowTls13)));
}

/// rustls's own panics when it is asked for anything but this.
#[test]
fn a_verifier_that_asks_for_nothing_is_no_policy() {
    let nobody = Arc::new(rustls::server::NoClientAuth);
    let policy = ClientCredentials::verifier(&provider(), nobody);
    for policy in [policy.clone(), policy.optional()] {
        let refused = Settings::new(provider()).client_credentials(policy);
        assert!(matches!(refused.unwrap_err(), Error::NothingAsked));
    }
}

/// What the fallback itself trusts below TLS 1.3, the policy has not judged.
#[test]
fn a_certificate_below_tls13_is_nobody_to_the_policy() {
    let (site, others) = (Site::new(), Vendor::default());
    let trusted = Arc::new(others.roots());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(trusted, provider());
    let fallback = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(site.vendor.chain(), site.vendor.private_key())
        .unwrap();
    let config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(site.vendor.roots())
        .with_client_auth_cert(others.chain(), others.private_key())
        .unwrap();
    let config = Arc::new(config);
    let policy = site.policy().optional().or_certificate();
    let acceptor = site
        .acceptor(Front::Certificate, policy.authorize(|_| panic!("asked")))
        .fallback(Arc::new(fallback));
    for kind in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
        let (near, far) = dc_tests::pipe::pipe(ALL);
        let name = site.router.name.clone().try_into().unwrap();
        let connection = rustls::ClientConnection::new(config.clone(), name).unwrap();
        std::thread::scope(|scope| {
            let server = scope.spawn(|| acceptor.accept(far).unwrap());
            let mut tls = rustls::StreamOwned::new(connection, near);
            tls.conn.complete_io(&mut tls.sock).unwrap();
            let served = server.join().unwrap();
            assert_eq!(served.connection().handshake_kind(), Some(kind));
            assert_eq!(served.client_certificates().count(), 1);
            assert_eq!(served.peer(), None);
        });
    }
}

#[test]
fn a_scheme_that_the_server_did_not_offer() {
    let mut site = Site::new();
    site.camera = Device::with_key("camera", Key::ed25519());
    let schemes = [SignatureScheme::ED25519];
    let stored = site.issue(Form::Named);
    let credential = dc_core::DelegatedCredential::decode(stored.form, &stored.bytes).unwrap();
    assert_eq!(credential.credential().dc_cert_verify_algorithm, schemes[0]);
    let verifier = crate::client_rogue::only_p256(&site);
    let policy = ClientCredentials::verifier(&provider(), verifier);
    for front in FRONTS {
        let acceptor = site.acceptor(front, policy.clone().optional());
        let meeting = site.meet(&site.client(&[Form::Named]), &acceptor, ALL);
        assert_eq!(meeting.peer(), None);
    }
}
