//! Files that are missing, garbled, or not what they should be.

use std::fs;

use rcgen::KeyPair;

use crate::sandbox::{CertificateTemplate, NAME, Sandbox};

const GOOD: [&str; 4] = ["--csr", "device.csr", "--name", NAME];

/// The vendor's good files, with one replaced.
fn with(name: &str, contents: impl AsRef<[u8]>) -> Sandbox {
    let sandbox = Sandbox::with_vendor();
    sandbox.write(name, contents);
    sandbox
}

#[test]
fn a_missing_vendor_says_how_to_make_one() {
    let sandbox = Sandbox::with_vendor();
    fs::remove_dir_all(sandbox.path("vendor")).unwrap();
    sandbox.issue_refused(
        &GOOD,
        &["vendor has no chain.pem and key.pem", "'dc-signer csr'"],
    );
}

#[test]
fn a_missing_file_is_named() {
    for name in ["vendor/chain.pem", "vendor/key.pem", "device.csr"] {
        let sandbox = Sandbox::with_vendor();
        fs::remove_file(sandbox.path(name)).unwrap();
        sandbox.issue_refused(&GOOD, &[&format!("cannot read {name}"), "check the path"]);
    }
}

#[test]
fn a_folder_in_place_of_a_file_is_named() {
    for name in ["vendor/chain.pem", "vendor/key.pem", "device.csr"] {
        let sandbox = Sandbox::with_vendor();
        fs::remove_file(sandbox.path(name)).unwrap();
        fs::create_dir(sandbox.path(name)).unwrap();
        sandbox.issue_refused(
            &GOOD,
            &[&format!("cannot read {name}"), "give a file, not a folder"],
        );
    }
}

#[test]
fn an_endless_file_is_refused() {
    let sandbox = Sandbox::with_vendor();
    for source in ["--csr", "--spki"] {
        sandbox.issue_refused(
            &[source, "/dev/zero"],
            &["/dev/zero is longer than 65535 bytes"],
        );
    }
}

#[test]
fn every_truncation_of_the_pem_files_is_refused() {
    for name in ["vendor/chain.pem", "vendor/key.pem", "device.csr"] {
        let sandbox = Sandbox::with_vendor();
        let whole = sandbox.read(name);
        // Without the last line break, and perhaps one dash, it is still complete.
        for length in (0..whole.len() - 6).step_by(37) {
            sandbox.write(name, &whole[..length]);
            sandbox.issue_refused(&GOOD, &[name]);
        }
    }
}

#[test]
fn garbage_is_refused_with_what_was_expected() {
    for (name, words) in [
        ("vendor/chain.pem", "has no PEM block CERTIFICATE"),
        ("vendor/key.pem", "has no PEM block PRIVATE KEY"),
        ("device.csr", "is not a certificate signing request"),
    ] {
        for garbage in [&b""[..], b"garbage", b"\xff\xfe\0\0", b"0 garbage"] {
            with(name, garbage).issue_refused(&GOOD, &[name, words]);
        }
    }
}

#[test]
fn a_certificate_that_is_none_is_refused() {
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    with("vendor/chain.pem", pem).issue_refused(
        &GOOD,
        &["vendor/chain.pem, first certificate", "cannot be read"],
    );
}

#[test]
fn broken_base64_is_refused() {
    let sandbox = Sandbox::with_vendor();
    let broken = sandbox.read("device.csr").replacen("MII", "M!I", 1);
    let broken = broken.replacen("-----\nMI", "-----\nM*", 1);
    sandbox.write("device.csr", broken);
    sandbox.issue_refused(
        &GOOD,
        &["device.csr, line 2: a character that is not base64"],
    );
}

#[test]
fn a_key_that_does_not_match_the_certificate_is_refused() {
    let other = KeyPair::generate().unwrap().serialize_pem();
    with("vendor/key.pem", other).issue_refused(
        &GOOD,
        &["vendor/key.pem is not the key of the first certificate in vendor/chain.pem"],
    );
}

#[test]
fn a_key_with_a_passphrase_is_refused_with_the_option_that_helps() {
    for pem in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END EC PRIVATE KEY-----\n",
    ] {
        with("vendor/key.pem", pem).issue_refused(
            &GOOD,
            &["vendor/key.pem needs a passphrase", "--passphrase-file"],
        );
    }
}

#[test]
fn a_key_that_cannot_sign_is_refused() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMAMCAQA=\n-----END PRIVATE KEY-----\n";
    with("vendor/key.pem", pem).issue_refused(
        &GOOD,
        &[
            "vendor/key.pem: there is no key that can sign here",
            "P-256",
        ],
    );
}

#[test]
fn a_certificate_that_may_not_delegate_is_refused() {
    let sandbox = Sandbox::with_vendor();
    sandbox.put_certificate(CertificateTemplate {
        delegates: false,
        ..CertificateTemplate::default()
    });
    sandbox.issue_refused(
        &GOOD,
        &["vendor/chain.pem", "no DelegationUsage", "ask the CA"],
    );
}

#[test]
fn a_certificate_that_is_not_valid_now_is_refused() {
    for (began_days_ago, ends_in_days) in [(100, -1), (100, 0)] {
        let sandbox = Sandbox::with_vendor();
        sandbox.put_certificate(CertificateTemplate {
            began_days_ago,
            ends_in_days,
            ..CertificateTemplate::default()
        });
        sandbox.issue_refused(&GOOD, &["vendor/chain.pem", "and now is", "get a new one"]);
    }
}

#[test]
fn a_request_with_a_broken_signature_is_refused() {
    let sandbox = Sandbox::with_vendor();
    let (_, csr) = der::pem::decode_vec(sandbox.read("device.csr").as_bytes()).unwrap();
    // The subject, which is signed; and the last byte of the signature.
    let subject = csr.windows(5).position(|w| w == b"admin").unwrap();
    for at in [subject, csr.len() - 1] {
        let mut broken = csr.clone();
        broken[at] ^= 1;
        sandbox.write("broken.csr", broken);
        sandbox.issue_refused(
            &["--csr", "broken.csr", "--name", NAME],
            &[
                "broken.csr is not signed by the key in it",
                "make a new one",
            ],
        );
    }
}

#[test]
fn no_changed_byte_of_a_request_is_accepted() {
    let sandbox = Sandbox::with_vendor();
    let (_, csr) = der::pem::decode_vec(sandbox.read("device.csr").as_bytes()).unwrap();
    for at in (0..csr.len()).step_by(7) {
        let mut broken = csr.clone();
        broken[at] ^= 0x10;
        sandbox.write("broken.csr", broken);
        sandbox.issue_refused(&["--csr", "broken.csr", "--name", NAME], &["broken.csr"]);
    }
}

#[test]
fn a_request_with_bytes_behind_it_is_refused() {
    let sandbox = Sandbox::with_vendor();
    let (_, mut csr) = der::pem::decode_vec(sandbox.read("device.csr").as_bytes()).unwrap();
    csr.push(0);
    sandbox.write("longer.csr", csr);
    sandbox.issue_refused(
        &["--csr", "longer.csr"],
        &["longer.csr is not a certificate signing"],
    );
}

#[test]
fn an_rsa_device_key_is_refused_with_those_that_are_allowed() {
    let rsa = KeyPair::from_pem(include_str!("../keys/rsa-2048.pem")).unwrap();
    let request = rcgen::CertificateParams::default()
        .serialize_request(&rsa)
        .unwrap();
    let sandbox = with("rsa.csr", request.pem().unwrap());
    sandbox.write("rsa.pub", rsa.public_key_pem());
    for arguments in [["--csr", "rsa.csr"], ["--spki", "rsa.pub"]] {
        let words = [arguments[1], "this type of key", "ECDSA P-256", "Ed25519"];
        sandbox.issue_refused(&arguments, &words);
    }
}

#[test]
fn a_file_that_is_no_public_key_is_refused() {
    let sandbox = with("device.pub", "garbage");
    sandbox.issue_refused(
        &["--spki", "device.pub"],
        &["device.pub", "SubjectPublicKeyInfo"],
    );
    sandbox.issue_refused(
        &["--spki", "device.csr"],
        &["device.csr has no PEM block PUBLIC KEY"],
    );
}

#[test]
fn a_devices_private_key_is_refused_and_never_printed() {
    let sandbox = Sandbox::with_vendor();
    for source in ["--csr", "--spki"] {
        sandbox.issue_refused(
            &[source, "device.key"],
            &[
                "device.key has a private key in it",
                "openssl pkey -in device.key -pubout",
            ],
        );
    }
}

#[test]
fn the_delegation_key_is_refused_for_a_device() {
    let sandbox = Sandbox::with_vendor();
    let key = KeyPair::from_pem(&sandbox.read("vendor/key.pem")).unwrap();
    sandbox.write("vendor.pub", key.public_key_pem());
    sandbox.issue_refused(&["--spki", "vendor.pub"], &["must never be on a device"]);
}

#[test]
fn a_folder_with_another_devices_key_is_refused_and_left_alone() {
    let sandbox = Sandbox::with_vendor();
    sandbox.issue(&GOOD).succeeded();
    sandbox.write("out/key.pem", KeyPair::generate().unwrap().serialize_pem());
    let before =
        ["chain.pem", "credential.pem", "key.pem"].map(|n| sandbox.read(&format!("out/{n}")));
    sandbox.issue_refused(
        &GOOD,
        &["out/key.pem is not the key of device.csr", "check --out"],
    );
    let after =
        ["chain.pem", "credential.pem", "key.pem"].map(|n| sandbox.read(&format!("out/{n}")));
    assert_eq!(before, after);
}

#[test]
fn the_vendors_own_folder_is_not_an_identity() {
    let sandbox = Sandbox::with_vendor();
    let arguments = [
        "issue",
        "--delegation",
        "vendor",
        "--csr",
        "device.csr",
        "--out",
        "vendor",
    ];
    sandbox
        .run(&arguments)
        .refused(&["vendor/key.pem is not the key of device.csr"]);
    assert_eq!(sandbox.names("vendor").len(), 4);
}

#[test]
fn a_key_that_cannot_be_read_is_a_warning_only() {
    let sandbox = Sandbox::with_vendor();
    fs::create_dir(sandbox.path("out")).unwrap();
    sandbox.write("out/key.pem", "on a smart card");
    sandbox
        .issue(&GOOD)
        .warned(&["out/key.pem cannot be read as a private key"]);
    assert_eq!(sandbox.read("out/key.pem"), "on a smart card");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let sandbox = Sandbox::with_vendor();
    sandbox.write("file", "mine");
    // Permissions would not do: tests may run as root.
    for (out, named) in [
        ("file", "file"),
        ("file/out", "file: "),
        ("/proc/out", "/proc/out"),
    ] {
        let before = sandbox.names(".");
        let arguments = [
            "issue",
            "--delegation",
            "vendor",
            "--csr",
            "device.csr",
            "--out",
            out,
        ];
        sandbox
            .run(&arguments)
            .refused(&[&format!("cannot write {named}")]);
        assert_eq!(sandbox.names("."), before);
    }
    assert_eq!(sandbox.read("file"), "mine");
}

#[test]
fn a_rollover_that_fails_leaves_no_credential_next_to_another_chain() {
    let sandbox = Sandbox::with_vendor();
    sandbox.issue(&GOOD).succeeded();
    // The chain can be prepared, but not get its name.
    fs::remove_file(sandbox.path("out/chain.pem")).unwrap();
    fs::create_dir(sandbox.path("out/chain.pem")).unwrap();
    sandbox
        .issue(&GOOD)
        .refused(&["cannot write out/chain.pem"]);
    assert_eq!(sandbox.names("out"), ["chain.pem"]);
}

#[test]
fn a_device_whose_old_name_is_lost_is_not_renamed() {
    let lose: [fn(&Sandbox); 2] = [
        |sandbox| sandbox.write("out/credential.pem", "garbage"),
        |sandbox| fs::remove_file(sandbox.path("out/credential.pem")).unwrap(),
    ];
    for lose in lose {
        let sandbox = Sandbox::with_vendor();
        sandbox.issue(&GOOD).succeeded();
        lose(&sandbox);
        sandbox.issue_refused(&["--csr", "device.csr"], &["out/credential.pem", "--name"]);
        sandbox.issue(&GOOD).succeeded();
        assert_eq!(sandbox.verified("out", NAME).len(), 1);
    }
}
