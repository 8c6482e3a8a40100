//! `init`: what a vendor for trying out consists of, and that it is never destroyed.

use pki_types::pem::PemObject;
use pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;

use crate::sandbox::{DAY, NAME, Sandbox, certificate, now};

const FILES: [&str; 4] = ["chain.pem", "key.pem", "root-key.pem", "root.pem"];

#[test]
fn writes_four_files_with_the_keys_for_their_owner_only() {
    let sandbox = Sandbox::empty();
    let said = sandbox
        .run(&["init", "a/vendor", "--zone", "cpe.example.com"])
        .succeeded();
    assert_eq!(sandbox.names("a"), ["vendor"]);
    assert_eq!(sandbox.names("a/vendor"), FILES);
    for name in FILES {
        assert!(said.contains(&format!("a/vendor/{name}")), "{said}");
        let mode = if name.contains("key") { 0o600 } else { 0o644 };
        // The umask of whoever runs the tests may take more away.
        assert_eq!(
            sandbox.mode(&format!("a/vendor/{name}")) & !mode,
            0,
            "{name}"
        );
    }
    assert!(
        sandbox
            .read("a/vendor/key.pem")
            .starts_with("-----BEGIN PRIVATE KEY-----\n")
    );
    assert_eq!(sandbox.mode("a/vendor"), 0o700);
}

#[test]
fn a_client_that_trusts_the_root_accepts_the_chain_without_it() {
    let sandbox = Sandbox::with_vendor();
    let chain: Vec<_> = CertificateDer::pem_file_iter(sandbox.path("vendor/chain.pem"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let root = CertificateDer::from_pem_file(sandbox.path("vendor/root.pem")).unwrap();
    assert_eq!(chain.len(), 1);
    assert_ne!(chain[0], root);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.into())
        .build()
        .unwrap();
    let verify = |name: &'static str, now| {
        let name = ServerName::try_from(name).unwrap();
        verifier.verify_server_cert(&chain[0], &[], &name, &[], now)
    };
    let in_days = |days: u64| {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(now().as_secs() + days * DAY))
    };
    assert!(verify(NAME, now()).is_ok());
    assert!(verify(NAME, in_days(89)).is_ok());
    assert!(verify(NAME, in_days(91)).is_err());
    assert!(verify("k3v.example.com", now()).is_err());
}

#[test]
fn the_certificate_begins_a_day_ago_and_lasts_90_days() {
    let sandbox = Sandbox::with_vendor();
    let certificate = certificate(&sandbox.path("vendor/chain.pem"));
    let (begin, end) = (
        certificate.not_before().as_secs(),
        certificate.not_after().as_secs(),
    );
    assert_eq!(end - begin, 91 * DAY);
    assert!(now().as_secs() - begin - DAY < 600);
    assert_eq!(certificate.dns_names(), ["*.cpe.example.com"]);
}

#[test]
fn never_overwrites_any_of_its_files() {
    for name in FILES {
        let sandbox = Sandbox::empty();
        std::fs::create_dir(sandbox.path("vendor")).unwrap();
        sandbox.write(&format!("vendor/{name}"), "precious");
        sandbox
            .run(&["init", "vendor", "--zone", "cpe.example.com"])
            .refused(&[&format!("vendor/{name} exists"), "choose another folder"]);
        assert_eq!(sandbox.names("vendor"), [name]);
        assert_eq!(sandbox.read(&format!("vendor/{name}")), "precious");
    }
}

#[test]
fn fills_a_folder_that_is_there_and_leaves_its_other_files_alone() {
    let sandbox = Sandbox::empty();
    sandbox.write("notes", "mine");
    sandbox
        .run(&["init", ".", "--zone", "cpe.example.com"])
        .succeeded();
    assert_eq!(sandbox.read("notes"), "mine");
    assert_eq!(
        sandbox.names("."),
        ["chain.pem", "key.pem", "notes", "root-key.pem", "root.pem"]
    );
}

#[test]
fn refuses_a_folder_that_cannot_be_made() {
    let sandbox = Sandbox::empty();
    sandbox.write("file", "mine");
    for (folder, words) in [
        ("file", "a part of the path is a file"),
        (
            "file/vendor",
            "File exists (os error 17): nothing that is there",
        ),
    ] {
        sandbox
            .run(&["init", folder, "--zone", "cpe.example.com"])
            .refused(&["cannot write file", words]);
    }
    assert_eq!(sandbox.names("."), ["file"]);
    assert_eq!(sandbox.read("file"), "mine");
}

#[test]
fn refuses_zones_that_no_client_would_take() {
    let sandbox = Sandbox::empty();
    let long = format!("{}.example.com", ["a"; 120].join("."));
    for (zone, words) in [
        ("CPE.example.com", "use cpe.example.com"),
        ("com", "the zone com has one label"),
        ("cpe_1.example.com", "octet 3 does not belong"),
        ("", "octet 0 does not belong"),
        ("192.0.2.1", "octet 8 does not belong"),
        (&long, "use 226 characters at most"),
    ] {
        sandbox
            .run(&["init", "vendor", "--zone", zone])
            .refused(&[words]);
    }
    assert!(sandbox.names(".").is_empty());
}

#[test]
fn help_says_what_is_made_and_shows_an_example() {
    let help = Sandbox::empty().run(&["init", "--help"]).succeeded();
    for words in [
        "root-key.pem",
        "rollover",
        "dc-signer init vendor --zone cpe.example.com",
    ] {
        assert!(help.contains(words), "{words} not in {help}");
    }
}

#[test]
fn wants_a_folder_and_a_zone() {
    Sandbox::empty()
        .run(&["init"])
        .wrong_usage(&["--zone <ZONE>", "<DIR>"]);
}
