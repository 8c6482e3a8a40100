//! Names that a CA of the chain excludes: not issued, not accepted, and warned of.

use dc_core::{DelegationCertificate, IssuingPolicy, Request, Role, UniqueName};
use dc_pki::delegation::Delegation;
use pki_types::CertificateDer;
use pki_types::pem::PemObject;
use rcgen::{CertificateParams, GeneralSubtree, KeyPair, NameConstraints, PublicKeyData};
use serde_json::Value;

use crate::sandbox::{NAME, Sandbox, now};
use crate::served::{Pki, ca};

const OTHER: &str = "m7q.cpe.example.com";

/// A vendor whose intermediate excludes these subtrees, and a device.
fn vendor(subtrees: &[&str]) -> Sandbox {
    let sandbox = Sandbox::with_vendor();
    excluding_vendor(&sandbox, "vendor", subtrees);
    sandbox
}

/// Fills a vendor's folder anew, with a chain whose intermediate excludes these subtrees.
pub(crate) fn excluding_vendor(sandbox: &Sandbox, folder: &str, subtrees: &[&str]) {
    let pki = Pki::under(excluding(subtrees), KeyPair::generate().unwrap(), |_| {});
    std::fs::create_dir_all(sandbox.path(folder)).unwrap();
    sandbox.write(&format!("{folder}/chain.pem"), pki.leaf + &pki.intermediate);
    sandbox.write(&format!("{folder}/key.pem"), pki.key.serialize_pem());
    sandbox.set_mode(&format!("{folder}/key.pem"), 0o600);
}

fn excluding(subtrees: &[&str]) -> CertificateParams {
    let subtrees = subtrees.iter().map(|name| (*name).to_owned());
    let excluded: Vec<_> = subtrees.map(GeneralSubtree::DnsName).collect();
    let mut params = ca("intermediate");
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: Vec::new(),
        excluded_subtrees: excluded,
    });
    params
}

/// Makes `out` an identity with the name, as an issuer does that does not look.
fn issue_carelessly(sandbox: &Sandbox) {
    let named = ["--csr", "device.csr", "--name", OTHER];
    assert_eq!(sandbox.issue(&named).code, Some(0));
    let chain = CertificateDer::from_pem_slice(sandbox.read("vendor/chain.pem").as_bytes());
    let certificate = DelegationCertificate::parse(chain.unwrap()).unwrap();
    let policy = IssuingPolicy::new(certificate, Role::Server);
    let device = KeyPair::from_pem(&sandbox.read("device.key")).unwrap();
    let spki = device.subject_public_key_info();
    let request = Request::new(&spki).unique_name(UniqueName::try_from(NAME).unwrap());
    let delegation = Delegation::load(&sandbox.path("vendor")).unwrap();
    let algorithms = rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all;
    let approved = policy.approve(&request, now()).unwrap();
    let issued = approved.sign(delegation.key(), algorithms).unwrap();
    let stored = dc_core::pem::write(issued.form(), issued.bytes());
    sandbox.write("out/credential.pem", stored);
}

#[test]
fn an_excluded_name_is_not_issued() {
    let sandbox = vendor(&[NAME]);
    let refused = sandbox.issue(&["--csr", "device.csr", "--name", NAME]);
    refused.refused(&["not issued", "excludes the names in", NAME]);
    let all = vendor(&["example.com"]);
    let refused = all.issue(&["--csr", "device.csr"]);
    refused.refused(&["not issued", "excludes the names in \"example.com\""]);
}

#[test]
fn its_neighbours_are_issued_with_a_warning() {
    let sandbox = vendor(&["example.net", NAME]);
    let named = ["--csr", "device.csr", "--name", OTHER];
    sandbox
        .issue(&named)
        .warned(&["vendor/chain.pem excludes k3v.cpe.example.com:"]);
}

#[test]
fn what_is_not_the_certificates_is_excluded_without_a_word() {
    let sandbox = vendor(&[
        "example.net",
        "a.k3v.cpe.example.com",
        ".k3v.cpe.example.com",
    ]);
    let named = ["--csr", "device.csr", "--name", NAME];
    sandbox.issue(&named).succeeded();
}

#[test]
fn verify_and_inspect_refuse_an_excluded_name() {
    let sandbox = vendor(&[NAME]);
    issue_carelessly(&sandbox);
    let refused = sandbox.run(&["verify", "out", "--json"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let json: Value = serde_json::from_str(&refused.stdout).unwrap();
    let reason = json["credentials"][0]["verdict"]["reason"].as_str();
    assert!(reason.unwrap().contains("excludes the names in"), "{json}");
    let inspected = sandbox.run(&["inspect", "out"]);
    assert_eq!(inspected.code, Some(1), "{inspected:?}");
    assert!(inspected.stdout.contains("excludes the names in"));
}

#[test]
fn verify_and_inspect_accept_its_neighbours() {
    let sandbox = vendor(&[NAME]);
    let named = ["--csr", "device.csr", "--name", OTHER];
    assert_eq!(sandbox.issue(&named).code, Some(0));
    for command in ["verify", "inspect"] {
        let accepted = sandbox.run(&[command, "out"]);
        assert_eq!(accepted.code, Some(0), "{accepted:?}");
    }
    let inspected = sandbox.run(&["inspect", "vendor"]).succeeded();
    let words = "excludes k3v.cpe.example.com: no device can have such a name";
    assert!(inspected.contains(words), "{inspected}");
}
