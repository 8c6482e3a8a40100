//! Values on the command line that RFC 9345 or the rules of the unique name forbid.

use crate::sandbox::{CertificateTemplate, NAME, Sandbox};

#[test]
fn a_name_outside_the_zone_is_refused_with_the_zone() {
    let sandbox = Sandbox::with_vendor();
    for name in [
        "k3v.example.com",
        "a.k3v.cpe.example.com",
        "cpe.example.com",
        "k3v",
    ] {
        sandbox.issue_refused(
            &["--csr", "device.csr", "--name", name],
            &["does not cover", name, "*.cpe.example.com"],
        );
    }
}

#[test]
fn a_name_in_upper_case_is_refused_with_the_valid_spelling() {
    Sandbox::with_vendor().issue_refused(
        &["--csr", "device.csr", "--name", "K3V.cpe.example.com."],
        &["\"K3V.cpe.example.com.\"", "use k3v.cpe.example.com"],
    );
}

#[test]
fn a_name_that_is_none_is_refused_on_one_line() {
    let sandbox = Sandbox::with_vendor();
    for name in [
        "",
        "*.cpe.example.com",
        "a_b.cpe.example.com",
        "a\nb.cpe.example.com",
        "192.0.2.1",
    ] {
        sandbox.issue_refused(
            &["--csr", "device.csr", "--name", name],
            &[&format!("{name:?}"), "not a unique name"],
        );
    }
}

#[test]
fn without_a_wildcard_a_name_has_to_be_given() {
    let sandbox = Sandbox::with_vendor();
    sandbox.put_certificate(CertificateTemplate {
        names: vec![NAME],
        ..CertificateTemplate::default()
    });
    sandbox.set_mode("vendor/key.pem", 0o600);
    sandbox.issue_refused(
        &["--csr", "device.csr"],
        &["vendor/chain.pem", "give one with --name"],
    );
    sandbox
        .issue(&["--csr", "device.csr", "--name", NAME])
        .succeeded();
}

#[test]
fn a_lifetime_of_eight_days_is_refused_with_the_limit() {
    Sandbox::with_vendor().issue_refused(
        &["--csr", "device.csr", "--lifetime", "8d"],
        &["a lifetime of 8 d is too long", "7 d at most", "164h"],
    );
}

#[test]
fn a_second_more_than_seven_days_is_refused() {
    Sandbox::with_vendor().issue_refused(
        &["--csr", "device.csr", "--lifetime", "7d1s"],
        &["a lifetime of 7 d 1 s is too long"],
    );
}

#[test]
fn a_lifetime_of_nothing_is_refused() {
    let sandbox = Sandbox::with_vendor();
    for lifetime in ["0s", "0d", "999ms"] {
        sandbox.issue_refused(
            &["--csr", "device.csr", "--lifetime", lifetime],
            &["0 seconds", "ask for a longer lifetime"],
        );
    }
}

#[test]
fn a_lifetime_past_the_certificate_is_refused() {
    let sandbox = Sandbox::with_vendor();
    sandbox.put_certificate(CertificateTemplate {
        ends_in_days: 2,
        ..CertificateTemplate::default()
    });
    sandbox.issue_refused(
        &["--csr", "device.csr", "--lifetime", "3d"],
        &[
            "not before the certificate does",
            "ask for a shorter lifetime",
        ],
    );
}

#[test]
fn a_lifetime_that_is_none_is_wrong_usage() {
    let sandbox = Sandbox::with_vendor();
    for lifetime in ["7", "soon", "-1h", "", "99999999999999999999d"] {
        let argument = format!("--lifetime={lifetime}");
        sandbox
            .issue(&["--csr", "device.csr", &argument])
            .wrong_usage(&["--lifetime <TIME>"]);
    }
}

#[test]
fn one_source_of_the_device_key_is_needed_and_not_two() {
    let sandbox = Sandbox::with_vendor();
    sandbox
        .issue(&[])
        .wrong_usage(&["--csr <FILE>", "--spki <FILE>"]);
    sandbox
        .issue(&["--csr", "device.csr", "--spki", "device.pub"])
        .wrong_usage(&["cannot be used with"]);
}

#[test]
fn wrong_usage_of_anything_else_is_status_2() {
    let sandbox = Sandbox::with_vendor();
    sandbox
        .run(&[])
        .wrong_usage(&["Usage: dc-signer <COMMAND>"]);
    sandbox.run(&["isue"]).wrong_usage(&["isue"]);
    sandbox
        .issue(&["--csr", "device.csr", "--form", "short"])
        .wrong_usage(&["named", "both"]);
}
