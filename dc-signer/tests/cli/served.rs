//! What `inspect` and `verify` accept is served by our server, to the clients that they speak about.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;

use dc_rustls::client;
use dc_rustls::server::{Acceptor, Identity, Store};
use pki_types::{CertificateDer, pem::PemObject};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::RootCertStore;
use serde_json::Value;

use crate::sandbox::{DAY, NAME, Sandbox, now};

/// A root, an intermediate and a delegation certificate with its key, in PEM; `change` makes it another one.
pub(crate) struct Pki {
    root: String,
    pub(crate) intermediate: String,
    pub(crate) leaf: String,
    pub(crate) key: KeyPair,
}

impl Pki {
    fn new(key: KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self::under(ca("intermediate"), key, change)
    }

    pub(crate) fn under(
        intermediate: CertificateParams,
        key: KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let (root, root_key) = (ca("root"), KeyPair::generate().unwrap());
        let intermediate_key = KeyPair::generate().unwrap();
        let root_pem = root.self_signed(&root_key).unwrap().pem();
        let root = Issuer::new(root, root_key);
        let intermediate_pem = intermediate
            .signed_by(&intermediate_key, &root)
            .unwrap()
            .pem();
        let issuer = Issuer::new(intermediate, intermediate_key);
        let mut leaf = CertificateParams::new(vec!["*.cpe.example.com".to_owned()]).unwrap();
        leaf.not_before =
            date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(now().as_secs() - DAY);
        leaf.not_after = leaf.not_before + std::time::Duration::from_secs(90 * DAY);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let usage = CustomExtension::from_oid_content(&dc_core::DELEGATION_USAGE_ARCS, vec![5, 0]);
        leaf.custom_extensions = vec![usage];
        change(&mut leaf);
        Self {
            root: root_pem,
            intermediate: intermediate_pem,
            leaf: leaf.signed_by(&key, &issuer).unwrap().pem(),
            key,
        }
    }

    fn good() -> Self {
        Self::new(KeyPair::generate().unwrap(), |_| {})
    }
}

pub(crate) fn ca(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// `out`, an identity folder whose credentials of both forms were issued in good order, and `roots.pem`.
fn identity(pki: &Pki) -> Sandbox {
    let sandbox = Sandbox::with_vendor();
    sandbox.write("vendor/chain.pem", pki.leaf.clone() + &pki.intermediate);
    sandbox.write("vendor/key.pem", pki.key.serialize_pem());
    sandbox.write("roots.pem", &pki.root);
    let outcome = sandbox.issue(&["--csr", "device.csr", "--name", NAME, "--form", "both"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    sandbox.write("out/key.pem", sandbox.read("device.key"));
    sandbox
}

/// Whether our server loads `out`, and a client accepts it that trusts these roots and wants the name; if not, why.
fn serve(sandbox: &Sandbox, roots: &[&str]) -> Result<(), dc_rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let store = Store::new(provider.clone());
    store.install(Identity::load(sandbox.path("out"))?)?;
    let mut trusted = RootCertStore::empty();
    for pem in roots {
        let root = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        trusted.add(root).unwrap();
    }
    let client = client::Config::builder(provider)
        .roots(trusted)
        .build()
        .unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || Acceptor::new(store).accept(theirs).map(drop));
    // Kept until the server has sent its tickets.
    let connected = client.connect(NAME.try_into().unwrap(), ours);
    let accepted = server.join().unwrap();
    connected.and(accepted)
}

fn accepts(sandbox: &Sandbox, arguments: &[&str]) -> bool {
    sandbox.run(arguments).code == Some(0)
}

/// Holds `inspect` and `verify` to the law, and to what is expected of this folder.
#[track_caller]
fn check(sandbox: &Sandbox, pki: &Pki, inspects: bool, verifies: bool, what: &str) {
    let inspected = accepts(sandbox, &["inspect", "out"]);
    let said = sandbox.run(&["inspect", "out"]);
    assert_eq!(inspected, inspects, "inspect of {what}: {said:?}");
    let verified = accepts(sandbox, &["verify", "out", "--roots", "roots.pem"]);
    let said = sandbox.run(&["verify", "out", "--roots", "roots.pem"]);
    assert_eq!(verified, verifies, "verify of {what}: {said:?}");
    // 'inspect' speaks about clients that trust the certificate, so about its issuer as well.
    for (said_so, roots) in [
        (inspected, &[pki.root.as_str(), &pki.intermediate][..]),
        (verified, &[&pki.root]),
    ] {
        let served = if said_so {
            serve(sandbox, roots)
        } else {
            Ok(())
        };
        assert!(served.is_ok(), "{what}: {}", served.unwrap_err());
    }
}

#[test]
fn a_chain_is_judged_in_the_order_in_which_it_is_sent() {
    let (pki, other) = (Pki::good(), Pki::good());
    let Pki {
        root,
        intermediate,
        leaf,
        ..
    } = &pki;
    let sandbox = identity(&pki);
    for (what, chain, inspects, verifies) in [
        ("a good chain", vec![leaf, intermediate], true, true),
        (
            "a chain with its root",
            vec![leaf, intermediate, root],
            true,
            true,
        ),
        (
            "an unrelated certificate between",
            vec![leaf, &other.intermediate, intermediate],
            true,
            true,
        ),
        (
            "the certificate twice",
            vec![leaf, leaf, intermediate],
            true,
            true,
        ),
        ("no intermediate", vec![leaf], true, false),
        ("a reversed chain", vec![intermediate, leaf], false, false),
        (
            "a chain from the root on",
            vec![root, intermediate, leaf],
            false,
            false,
        ),
        ("the certificate missing", vec![intermediate], false, false),
        (
            "another's certificate first",
            vec![&other.leaf, leaf, intermediate],
            false,
            false,
        ),
        (
            "another's certificate",
            vec![&other.leaf, intermediate],
            false,
            false,
        ),
    ] {
        let chain: String = chain.into_iter().map(String::as_str).collect();
        sandbox.write("out/chain.pem", chain);
        check(&sandbox, &pki, inspects, verifies, what);
    }
}

#[test]
fn a_folder_is_judged_by_its_own_chain_whatever_else_is_named() {
    let (pki, other) = (Pki::good(), Pki::good());
    let sandbox = identity(&pki);
    sandbox.write("out/chain.pem", other.leaf + &other.intermediate);
    let said = sandbox.run(&["inspect", "out", "vendor/chain.pem"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stdout.contains("judged with: out/chain.pem"),
        "{said:?}"
    );
    assert!(serve(&sandbox, &[&pki.root]).is_err());
}

#[test]
fn no_way_to_write_the_files_is_accepted_here_and_refused_there() {
    let pki = Pki::good();
    let sandbox = identity(&pki);
    let good = pki.leaf.clone() + &pki.intermediate;
    let key = sandbox.read("device.key");
    for (what, file, contents, accepted) in [
        (
            "a byte order mark",
            "chain.pem",
            format!("\u{feff}{good}"),
            true,
        ),
        (
            "blocks run together",
            "chain.pem",
            pki.leaf.trim_end().to_owned() + &pki.intermediate,
            false,
        ),
        (
            "a damaged intermediate",
            "chain.pem",
            pki.leaf.clone() + &pki.intermediate.replacen("MII", "M!I", 1),
            false,
        ),
        (
            "a key behind a mark",
            "key.pem",
            format!("\u{feff}{key}"),
            true,
        ),
        ("a key with its chain", "key.pem", good.clone() + &key, true),
        (
            "two keys",
            "key.pem",
            key.clone() + &KeyPair::generate().unwrap().serialize_pem(),
            false,
        ),
        (
            "another key",
            "key.pem",
            KeyPair::generate().unwrap().serialize_pem(),
            false,
        ),
        (
            "an encrypted key",
            "key.pem",
            key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
            false,
        ),
        (
            "a damaged key",
            "key.pem",
            key.replacen("MIG", "M!G", 1),
            false,
        ),
        ("an empty key", "key.pem", String::new(), false),
    ] {
        let before = sandbox.read(&format!("out/{file}"));
        sandbox.write(&format!("out/{file}"), contents);
        check(&sandbox, &pki, accepted, accepted, what);
        sandbox.write(&format!("out/{file}"), before);
    }
}

/// As [`identity`], by a signer that does not look at the certificate.
fn identity_from_before(pki: &Pki) -> Sandbox {
    let sandbox = Sandbox::with_vendor();
    let chain = pki.leaf.clone() + &pki.intermediate;
    for (file, contents) in [
        ("vendor/chain.pem", &chain),
        ("vendor/key.pem", &pki.key.serialize_pem()),
        ("roots.pem", &pki.root),
    ] {
        sandbox.write(file, contents);
    }
    std::fs::create_dir(sandbox.path("out")).unwrap();
    let leaf = CertificateDer::from_pem_slice(pki.leaf.as_bytes()).unwrap();
    let certificate = dc_core::DelegationCertificate::parse(leaf).unwrap();
    let device = KeyPair::from_pem(&sandbox.read("device.key")).unwrap();
    let spki = rcgen::PublicKeyData::subject_public_key_info(&device);
    let request = dc_core::Request::new(&spki).unique_name(NAME.try_into().unwrap());
    let policy = dc_core::IssuingPolicy::new(certificate, dc_core::Role::Server);
    let key = dc_pki::keys::PemKey::read(&sandbox.path("vendor/key.pem")).unwrap();
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let approved = policy.approve(&request, now()).unwrap();
    let issued = approved.sign(&key, algorithms.all).unwrap();
    let credential = dc_core::pem::write(issued.form(), issued.bytes());
    sandbox.write("out/credential.pem", credential);
    sandbox.write("out/chain.pem", chain);
    sandbox.write("out/key.pem", sandbox.read("device.key"));
    sandbox
}

#[test]
fn nothing_is_issued_under_a_certificate_that_every_client_refuses() {
    let ca = |leaf: &mut CertificateParams| leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let purposes = |purposes: &[ExtendedKeyUsagePurpose]| {
        let purposes = purposes.to_vec();
        move |leaf: &mut CertificateParams| leaf.extended_key_usages = purposes
    };
    let (server, client) = (
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    );
    let key = || KeyPair::generate().unwrap();
    for (pki, is_client_s, words) in [
        (
            Pki::new(key(), unknown_extension),
            false,
            "a critical extension that clients do not know: ask the CA",
        ),
        (
            Pki::new(key(), ca),
            false,
            "a CA's (basicConstraints CA:TRUE), which is refused as a server's own: ask the CA",
        ),
        (
            Pki::new(key(), purposes(std::slice::from_ref(&client))),
            true,
            "certificate 1 of the chain has the extKeyUsage clientAuth alone, and it is refused without serverAuth",
        ),
        (
            Pki::new(key(), purposes(&[ExtendedKeyUsagePurpose::Any])),
            false,
            "2.5.29.37.0 alone, and it is refused without serverAuth",
        ),
    ] {
        let sandbox = identity_from_before(&pki);
        let refused = sandbox.run(&[
            "issue",
            "--delegation",
            "vendor",
            "--csr",
            "device.csr",
            "--name",
            NAME,
            "--out",
            "new",
        ]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(words), "{words}: {refused:?}");
        let said = sandbox.run(&["inspect", "out"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        assert!(said.stdout.contains(words), "{words}: {said:?}");
        // Without a server's credential beside it, a client's certificate is good for what it is.
        for place in ["vendor", "vendor/chain.pem"] {
            let said = sandbox.run(&["inspect", place]);
            assert_eq!(said.code == Some(0), is_client_s, "{said:?}");
            assert_ne!(said.stdout.contains(words), is_client_s, "{said:?}");
        }
        check(&sandbox, &pki, false, false, words);
        assert!(serve(&sandbox, &[&pki.root]).is_err());
    }
    for good in [vec![], vec![server.clone()], vec![client, server]] {
        identity(&Pki::new(key(), purposes(&good)));
    }
}

#[test]
fn an_intermediate_that_is_for_something_else_is_refused_where_it_has_signed() {
    let (root, root_key) = (ca("root"), KeyPair::generate().unwrap());
    let root = Issuer::new(root, root_key);
    let (mut narrow, narrow_key) = (ca("narrow"), KeyPair::generate().unwrap());
    narrow.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let narrow_pem = narrow.signed_by(&narrow_key, &root).unwrap().pem();
    let mut pki = Pki::good();
    let sandbox = identity(&pki);
    sandbox.write(
        "out/chain.pem",
        [&*pki.leaf, &narrow_pem, &pki.intermediate].concat(),
    );
    assert!(accepts(&sandbox, &["inspect", "out"]));
    let mut leaf = CertificateParams::new(vec!["*.cpe.example.com".to_owned()]).unwrap();
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let usage = CustomExtension::from_oid_content(&dc_core::DELEGATION_USAGE_ARCS, vec![5, 0]);
    leaf.custom_extensions = vec![usage];
    pki.leaf = leaf
        .signed_by(&pki.key, &Issuer::new(narrow, narrow_key))
        .unwrap()
        .pem();
    sandbox.write("vendor/chain.pem", pki.leaf.clone() + &narrow_pem);
    let said = sandbox.run(&["inspect", "vendor"]);
    let words = "certificate 2 of the chain has the extKeyUsage clientAuth alone";
    assert!(
        said.code == Some(1) && said.stdout.contains(words),
        "{said:?}"
    );
}

fn unknown_extension(leaf: &mut CertificateParams) {
    let id = [1, 3, 6, 1, 4, 1, 99999, 1];
    let mut extension = CustomExtension::from_oid_content(&id, vec![5, 0]);
    extension.set_criticality(true);
    leaf.custom_extensions.push(extension);
}

#[test]
fn certificates_that_no_client_takes_are_not_accepted() {
    let pki = Pki::new(KeyPair::generate().unwrap(), unknown_extension);
    let sandbox = identity_from_before(&pki);
    check(
        &sandbox,
        &pki,
        false,
        false,
        "an unknown critical extension",
    );
    let said = sandbox.run(&["inspect", "vendor"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stdout
            .contains("critical extension that clients do not know"),
        "{said:?}"
    );
    let store = Store::new(Arc::new(rustls::crypto::ring::default_provider()));
    let error = store
        .install(Identity::load(sandbox.path("out")).unwrap())
        .unwrap_err();
    assert!(
        matches!(error, dc_rustls::Error::CertificateUnusable(_)),
        "{error}"
    );
}

#[test]
fn a_reversed_chain_is_named_by_all_who_read_it() {
    let pki = Pki::good();
    let sandbox = identity(&pki);
    let reversed = pki.intermediate.clone() + &pki.leaf;
    sandbox.write("vendor/chain.pem", &reversed);
    sandbox.write("out/chain.pem", &reversed);
    let said = sandbox.run(&["inspect", "vendor"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stdout
            .contains("the server's own certificate is number 2"),
        "{said:?}"
    );
    assert!(
        !said.stdout.contains("accept credentials under it"),
        "{said:?}"
    );
    sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .refused(&[
            "vendor/chain.pem: the order is wrong",
            "number 2",
            "put it first",
        ]);
    let store = Store::new(Arc::new(rustls::crypto::ring::default_provider()));
    let error = store
        .install(Identity::load(sandbox.path("out")).unwrap())
        .unwrap_err();
    assert!(
        matches!(error, dc_rustls::Error::ChainOrder { at: 2 }),
        "{error}"
    );
}

#[test]
fn odd_orders_that_many_clients_take_are_noted() {
    let (pki, other) = (Pki::good(), Pki::good());
    let sandbox = identity(&pki);
    for (chain, words) in [
        (
            vec![&pki.leaf, &other.intermediate, &pki.intermediate],
            "certificate 2 has not signed certificate 1",
        ),
        (
            vec![&pki.leaf, &pki.leaf, &pki.intermediate],
            "certificate 2 is the same as certificate 1",
        ),
        (
            vec![&pki.leaf, &pki.intermediate, &pki.root],
            "certificate 3 is a root",
        ),
    ] {
        let chain: String = chain.into_iter().map(String::as_str).collect();
        sandbox.write("out/chain.pem", chain);
        let said = sandbox.run(&["inspect", "out"]).succeeded();
        assert!(said.contains(words), "{words} not in {said}");
        let said = sandbox
            .run(&["verify", "out", "--roots", "roots.pem"])
            .succeeded();
        assert!(said.contains(words), "{words} not in {said}");
    }
    sandbox.write("out/chain.pem", pki.leaf.clone() + &pki.intermediate);
    let json = sandbox.run(&["inspect", "--json", "out"]).succeeded();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["parts"][0]["notes"], serde_json::json!([]));
}

#[test]
fn an_rsa_key_is_no_good_for_firefox_and_issue_and_inspect_say_so() {
    let rsa = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/keys/rsa-2048.pem"
    ))
    .unwrap();
    let key = KeyPair::from_pem_and_sign_algo(&rsa, &rcgen::PKCS_RSA_SHA256).unwrap();
    let sandbox = identity(&Pki::new(key, |_| {}));
    let form = |form| sandbox.issue(&["--csr", "device.csr", "--name", NAME, "--form", form]);
    for (warned, outcome) in [
        (true, form("both")),
        (true, form("rfc9345")),
        (false, form("named")),
    ] {
        assert_eq!(
            outcome.stderr.contains("never served to Firefox"),
            warned,
            "{outcome:?}"
        );
    }
    assert!(
        !sandbox
            .run(&["inspect", "out"])
            .stdout
            .contains("never served to Firefox")
    );
    form("both");
    assert!(
        sandbox
            .run(&["inspect", "out"])
            .stdout
            .contains("never served to Firefox")
    );
}

#[test]
fn a_key_that_its_servers_group_reads_is_as_it_should_be() {
    let pki = Pki::good();
    let sandbox = identity(&pki);
    for mode in [0o600, 0o640, 0o440, 0o400] {
        sandbox.set_mode("out/key.pem", mode);
        let said = sandbox.run(&["inspect", "out"]).succeeded();
        assert!(!said.contains("note:"), "{mode:o}: {said}");
    }
}
