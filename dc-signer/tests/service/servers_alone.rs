//! A zone that issues for clients, with a certificate for servers alone in it: log and check say so, and it stays ready.

use std::fs;
use std::time::Duration;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};

use crate::ready::{self, execute};
use crate::rig::{Rig, now};

fn command(rig: &Rig, arguments: &[&str]) -> (bool, String) {
    ready::command(arguments, &rig.data().join("config.toml"))
}

#[test]
fn a_zone_for_clients_with_a_certificate_for_servers_alone_is_told_of() {
    let rig = Rig::start();
    let folder = rig.data().join("servers");
    fs::create_dir(&folder).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["*.cpe.example.com".to_owned()]).unwrap();
    params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_secs(now().as_secs());
    params.not_after = params.not_before + Duration::from_secs(90 * 86_400);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.custom_extensions = vec![dc_pki::test_ca::delegation_usage()];
    let certificate = params.self_signed(&key).unwrap();
    fs::write(folder.join("chain.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    let import = [
        "zones",
        "rollover",
        "cpe.example.com",
        "--reason",
        "a test",
        "--import",
    ];
    let import = [&import[..], &[folder.to_str().unwrap()]].concat();
    let (done, said) = command(&rig, &import);
    assert!(done, "{said}");
    let words = "the certificate of slot 2 is for servers alone";
    let (checked, said) = command(&rig, &["check"]);
    assert!(checked && !said.contains(words), "{said}");

    // As an operator does who looked before that import, and writes after it.
    let database = rig.data().join("data/dc-signer.db");
    execute(&database, "UPDATE zones SET roles = 'both'");
    let (checked, said) = command(&rig, &["check"]);
    assert!(checked && said.contains("warning: "), "{said}");
    assert!(said.contains(words), "{said}");
    rig.wait_until(words, || rig.log().contains(words));
    assert_eq!(rig.client().get("/readyz").status, 200);
}
