//! Keys that are made there, their certificates, and the end of those.

use super::*;

/// Of a P-256 key that somebody else has.
struct Point(Vec<u8>);

impl rcgen::PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// A CA that certifies whatever key it is given for whatever name.
struct Ca(CertificateParams, KeyPair);

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(params, KeyPair::generate().unwrap())
    }

    fn certify(
        &self,
        spki: &[u8],
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Vec<Vec<u8>> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.custom_extensions = vec![test_ca::delegation_usage()];
        change(&mut params);
        let key = Point(spki[spki.len() - 65..].to_vec());
        let issuer = Issuer::from_params(&self.0, &self.1);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let own = self.0.self_signed(&self.1).unwrap();
        vec![certificate.der().to_vec(), own.der().to_vec()]
    }
}

fn new_key(desk: &Desk) -> Vec<u8> {
    let ask = Ask::NewKey {
        zone: ZONE.to_owned(),
        for_clients: false,
    };
    let answer = desk.answer(ask, ME);
    let Answer::Request(request) = &answer else {
        panic!("{answer:?}");
    };
    assert!(!request.contains("PRIVATE"), "{request}");
    dc_pki::public_key(request.as_bytes(), algorithms()).unwrap()
}

#[test]
fn a_key_is_made_certified_and_used_where_it_stays() {
    let rig = Rig::new();
    let ca = Ca::new();
    let desk = rig.open("");
    let spki_of_it = new_key(&desk);
    let wildcard = format!("*.{ZONE}");
    let good = ca.certify(&spki_of_it, &wildcard, |_| ());
    let install = |chain: &Vec<Vec<u8>>| {
        desk.answer(
            Ask::Install {
                chain: chain.clone(),
            },
            ME,
        )
    };
    // What a CA, or a service that was taken over, may hand in instead.
    let long_ago = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    };
    for (chain, reason) in [
        (
            ca.certify(&spki_of_it, "*.example.org", |_| ()),
            Refusal::Name,
        ),
        (
            ca.certify(&spki_of_it, "host.example.com", |_| ()),
            Refusal::Name,
        ),
        (ca.certify(&spki(), &wildcard, |_| ()), Refusal::Certificate),
        (
            ca.certify(&spki_of_it, &wildcard, long_ago),
            Refusal::Certificate,
        ),
        (
            ca.certify(&spki_of_it, &wildcard, |params| {
                params.custom_extensions.clear();
            }),
            Refusal::Certificate,
        ),
        (
            ca.certify(&spki_of_it, &wildcard, |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
            }),
            Refusal::Certificate,
        ),
        (good.iter().rev().cloned().collect(), Refusal::Certificate),
    ] {
        let answer = install(&chain);
        assert_eq!(refused(&answer), reason, "{answer:?}");
        let Answer::Refused { detail, .. } = &answer else {
            continue;
        };
        let state = rig.folder.path().to_str().unwrap();
        assert!(!detail.contains(state), "{detail}");
    }
    let sha256 = Sha256::of(&good[0]);
    assert_eq!(install(&good), Answer::Installed(sha256));
    assert_eq!(install(&good), Answer::Installed(sha256));
    let certificate = DelegationCertificate::parse(CertificateDer::from(good[0].clone())).unwrap();
    drop(desk);
    // Also after a restart.
    let desk = rig.open("");
    let ask = Ask::Issue {
        certificate: sha256,
        role: Role::Server,
        name: NAME.map(str::to_owned),
        lifetime: None,
        spki: spki(),
    };
    let Answer::Credential(bytes) = desk.answer(ask, ME) else {
        panic!("not issued");
    };
    let credential = DelegatedCredential::decode(Form::Named, &bytes).unwrap();
    let offer = Offer::suiting(&credential);
    Verifier::new(Role::Server, &offer, algorithms())
        .verify_own_name(&credential, &certificate, clock::now().unwrap())
        .unwrap();
    // The key is its owner's alone.
    use std::os::unix::fs::PermissionsExt;
    let key = rig
        .folder
        .path()
        .join(format!("state/delegations/{sha256}/key.pem"));
    assert_eq!(
        fs::metadata(key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        fs::read_dir(rig.folder.path().join("state/pending"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn so_many_keys_wait_for_their_certificates_and_no_more() {
    let rig = Rig::new();
    let desk = rig.open("");
    let first = new_key(&desk);
    for _ in 1..16 {
        assert_ne!(new_key(&desk), first);
    }
    let ask = Ask::NewKey {
        zone: ZONE.to_owned(),
        for_clients: false,
    };
    assert_eq!(refused(&desk.answer(ask, ME)), Refusal::Busy);
}

#[test]
fn nothing_is_signed_under_a_certificate_that_was_ended_also_after_a_restart() {
    let rig = Rig::new();
    let certificate = Sha256::of(rig.certificate.der());
    let end = |desk: &Desk, certificate| {
        desk.answer(
            Ask::End {
                certificate,
                reason: None,
            },
            ME,
        )
    };
    let desk = rig.open("");
    assert_eq!(refused(&end(&desk, Sha256::ZERO)), Refusal::Certificate);
    let issue = || rig.ask(Role::Server, NAME, None);
    assert!(matches!(desk.answer(issue(), ME), Answer::Credential(_)));
    assert_eq!(end(&desk, certificate), Answer::Ended);
    let line = rig.log().pop().unwrap();
    assert_eq!(
        (&line["act"], &line["certificate"]),
        (&json!("end"), &json!(certificate.to_string()))
    );
    let refuses = |desk: &Desk| {
        let tried = Ask::Try {
            certificate,
            role: Role::Server,
            lifetime: None,
            now: None,
        };
        for ask in [issue(), tried] {
            let answer = desk.answer(ask, ME);
            assert_eq!(refused(&answer), Refusal::Certificate, "{answer:?}");
            assert!(
                matches!(&answer, Answer::Refused { detail, .. } if detail.contains("has ended")),
                "{answer:?}"
            );
        }
    };
    refuses(&desk);
    desk.reload().unwrap();
    refuses(&desk);
    // Nor is it taken once more, and ending it twice is not told twice.
    let chain = vec![rig.certificate.der().to_vec()];
    assert_eq!(
        refused(&desk.answer(Ask::Install { chain }, ME)),
        Refusal::Certificate
    );
    let lines = rig.log().len();
    assert_eq!(end(&desk, certificate), Answer::Ended);
    assert_eq!(rig.log().len(), lines);
    drop(desk);
    let desk = rig.open("");
    refuses(&desk);
    drop(desk);
    // Also one whose key cannot be opened now.
    let rig = Rig::new();
    let certificate = Sha256::of(rig.certificate.der());
    let key = rig.folder.path().join("vendor/key.pem");
    fs::rename(&key, rig.folder.path().join("away")).unwrap();
    let desk = rig.open("");
    assert_eq!(end(&desk, certificate), Answer::Ended);
    fs::rename(rig.folder.path().join("away"), &key).unwrap();
    desk.reload().unwrap();
    assert_eq!(
        refused(&desk.answer(rig.ask(Role::Server, NAME, None), ME)),
        Refusal::Certificate
    );
}

#[test]
fn a_key_that_is_made_with_a_passphrase_is_never_on_the_disk_without_it() {
    let rig = Rig::new();
    let ca = Ca::new();
    use std::os::unix::fs::PermissionsExt;
    let words = rig.folder.path().join("words");
    fs::write(&words, "correct horse").unwrap();
    fs::set_permissions(&words, fs::Permissions::from_mode(0o600)).unwrap();
    let more = "[keys]\npassphrase = { file = \"words\" }\n";
    let desk = rig.open(more);
    let spki = new_key(&desk);
    let chain = ca.certify(&spki, &format!("*.{ZONE}"), |_| ());
    let sha256 = Sha256::of(&chain[0]);
    let state = rig.folder.path().join("state");
    let encrypted = |path: std::path::PathBuf| {
        let key = fs::read_to_string(path.join("key.pem")).unwrap();
        key.contains("ENCRYPTED PRIVATE KEY")
    };
    assert!(encrypted(
        state.join("pending").join(Sha256::of(&spki).to_string())
    ));
    let answer = desk.answer(Ask::Install { chain }, ME);
    assert_eq!(answer, Answer::Installed(sha256));
    assert!(encrypted(
        state.join("delegations").join(sha256.to_string())
    ));
    drop(desk);
    let ask = || Ask::Issue {
        certificate: sha256,
        role: Role::Server,
        name: NAME.map(str::to_owned),
        lifetime: None,
        spki: self::spki(),
    };
    let issued = rig.open(more).answer(ask(), ME);
    assert!(matches!(issued, Answer::Credential(_)), "{issued:?}");
    // Without the words it is not opened.
    assert_eq!(
        refused(&rig.open("").answer(ask(), ME)),
        Refusal::Certificate
    );
}

#[test]
fn root_can_always_have_keys_and_certificates_and_removes_those_that_nobody_needs() {
    const ROOT: Caller = Caller::Process { uid: 0, pid: 1 };
    let rig = Rig::new();
    let ca = Ca::new();
    let desk = rig.open("");
    let ask = || Ask::NewKey {
        zone: ZONE.to_owned(),
        for_clients: false,
    };
    let mut made = Vec::new();
    for _ in 0..32 {
        let spki = new_key(&desk);
        let chain = ca.certify(&spki, &format!("*.{ZONE}"), |_| ());
        made.push(Sha256::of(&chain[0]));
        let answer = desk.answer(Ask::Install { chain }, ME);
        assert!(matches!(answer, Answer::Installed(_)), "{answer:?}");
    }
    // There is no room left for others, and root has it all the same.
    let spki = new_key(&desk);
    let chain = ca.certify(&spki, &format!("*.{ZONE}"), |_| ());
    let install = || Ask::Install {
        chain: chain.clone(),
    };
    let full = desk.answer(install(), ME);
    assert!(
        matches!(&full, Answer::Refused { detail, .. } if detail.contains("keyd forget") && detail.contains("keyd end")),
        "{full:?}"
    );
    let keys: Vec<_> = (0..15).map(|_| new_key(&desk)).collect();
    assert_eq!(refused(&desk.answer(ask(), ME)), Refusal::Busy);
    assert!(matches!(desk.answer(ask(), ROOT), Answer::Request(_)));
    assert!(matches!(desk.answer(install(), ROOT), Answer::Installed(_)));
    // Those that wait are listed, and removed by root alone.
    let Answer::Status(status) = desk.answer(Ask::Status, ME) else {
        panic!("no status");
    };
    assert!(status.len() < MAX_FRAME);
    let status: Value = serde_json::from_str(&status).unwrap();
    let pending = status["pending"].as_array().unwrap();
    let key = Sha256::of(&keys[0]);
    assert!(
        pending.len() == 16
            && pending
                .iter()
                .any(|one| one["key"] == key.to_string() && one["zone"] == ZONE),
        "{pending:?}"
    );
    let forget = |sha256, caller| desk.answer(Ask::Forget { sha256 }, caller);
    assert_eq!(refused(&forget(key, ME)), Refusal::Caller);
    assert_eq!(forget(key, ROOT), Answer::Forgotten);
    assert_eq!(refused(&forget(key, ROOT)), Refusal::Certificate);
    assert!(desk.answer(ask(), ME) != Answer::Forgotten);
    // A certificate that credentials were issued under is ended first; one that never was is removed at once.
    let issue = Ask::Issue {
        certificate: made[0],
        role: Role::Server,
        name: NAME.map(str::to_owned),
        lifetime: None,
        spki: self::spki(),
    };
    let issued = desk.answer(issue.clone(), ME);
    assert!(matches!(issued, Answer::Credential(_)), "{issued:?}");
    assert_eq!(refused(&forget(made[0], ROOT)), Refusal::Certificate);
    assert_eq!(forget(made[1], ROOT), Answer::Forgotten);
    let end = Ask::End {
        certificate: made[0],
        reason: Some("not ours".to_owned()),
    };
    assert_eq!(desk.answer(end, ME), Answer::Ended);
    assert_eq!(rig.log().pop().unwrap()["why"], "not ours");
    assert_eq!(forget(made[0], ROOT), Answer::Forgotten);
    assert_eq!(refused(&desk.answer(issue, ME)), Refusal::Certificate);
}

#[test]
fn a_chain_of_another_ca_than_the_configurations_is_not_taken() {
    let rig = Rig::new();
    let (ours, others) = (Ca::new(), Ca::new());
    let root = ours.0.self_signed(&ours.1).unwrap();
    fs::write(rig.folder.path().join("roots.pem"), root.pem()).unwrap();
    let config = KeydConfig::parse(
        &format!("anchors = \"roots.pem\"\n{CONFIG}"),
        rig.folder.path(),
    );
    let desk = Desk::open(&config.unwrap(), rig.folder.path()).unwrap();
    let spki = new_key(&desk);
    let name = format!("*.{ZONE}");
    let chain = others.certify(&spki, &name, |_| ());
    let answer = desk.answer(Ask::Install { chain }, ME);
    assert!(
        matches!(&answer, Answer::Refused { detail, .. } if detail.contains("'anchors'")),
        "{answer:?}"
    );
    let chain = ours.certify(&spki, &name, |_| ());
    let answer = desk.answer(Ask::Install { chain }, ME);
    assert!(matches!(answer, Answer::Installed(_)), "{answer:?}");
}
