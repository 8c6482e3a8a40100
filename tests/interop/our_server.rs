//! Other people's clients against our server.

use crate::{
    firefox,
    handshake::{Expect, Handshakes},
    lab::NAME,
    nss, ours, setup, tlslite,
    vendor::identity_of,
};

#[test]
fn nss_uses_our_credential_or_falls_back() {
    let Some(lab) = setup::lab() else { return };
    let vendor = setup::vendor();
    let mut handshakes = Handshakes::new("nss_uses_our_credential_or_falls_back");
    let device = vendor.enrol("nss-client", "P-256", "both");
    let database = vendor.nss_database();
    let connect = |arguments| nss::client(&database, &device.name, arguments);

    let server = ours::server(&device.identity, Some(&lab.ordinary()));
    // The fallback certificate has a P-384 key, the credential a P-256 key.
    let used = nss::used().client("Scheme: ecdsa_secp256r1_sha256");
    let fallback = nss::not_used().client("Scheme: ecdsa_secp384r1_sha384");
    handshakes.check("credential", connect(&["-B"]), &server, &used);
    handshakes.check("with OCSP stapling", connect(&["-B", "-T"]), &server, &used);
    handshakes.check(
        "HelloRetryRequest",
        connect(&["-B", "-I", "P521,P256"]),
        &server,
        &used,
    );
    handshakes.check("not offered: fallback", connect(&[]), &server, &fallback);
    let tls12 = connect(&["-B", "-V", "tls1.2:tls1.2"]);
    handshakes.check(
        "TLS 1.2: fallback",
        tls12,
        &server,
        &nss::not_used().client("SSL version 3.3"),
    );

    let server = ours::server(&device.identity, None);
    // What NSS makes of a handshake_failure alert in answer to its ClientHello.
    let alert = nss::refused("SSL_ERROR_NO_CYPHER_OVERLAP");
    handshakes.check("credential, no fallback", connect(&["-B"]), &server, &used);
    handshakes.check("not offered, no fallback", connect(&[]), &server, &alert);
    handshakes.check("the next one is served", connect(&["-B"]), &server, &used);
    handshakes.finish();
}

#[test]
fn tlslite_uses_our_credential_or_falls_back() {
    let Some(lab) = setup::lab() else { return };
    let vendor = setup::vendor();
    let mut handshakes = Handshakes::new("tlslite_uses_our_credential_or_falls_back");
    let device = vendor.enrol("tlslite-client", "P-256", "both");
    let connect = |arguments| tlslite::client(&device.name, arguments);

    let server = ours::server(&device.identity, Some(&lab.ordinary()));
    let none = &["--schemes", "none"];
    let other = &["--schemes", "ecdsa_secp384r1_sha384,ed25519"];
    handshakes.check("credential", connect(&[]), &server, &tlslite::used());
    handshakes.check(
        "not offered: fallback",
        connect(none),
        &server,
        &tlslite::not_used(),
    );
    handshakes.check(
        "other schemes offered: fallback",
        connect(other),
        &server,
        &tlslite::not_used(),
    );

    let server = ours::server(&device.identity, None);
    let refused = Expect::exit(1).client("handshake_failure");
    handshakes.check(
        "credential, no fallback",
        connect(&[]),
        &server,
        &tlslite::used(),
    );
    handshakes.check("not offered, no fallback", connect(none), &server, &refused);
    handshakes.finish();
}

#[test]
fn serves_credentials_of_every_issuer() {
    let Some(lab) = setup::lab() else { return };
    let vendor = setup::vendor();
    let mut handshakes = Handshakes::new("serves_credentials_of_every_issuer");
    let device = vendor.enrol("p384-device", "P-384", "rfc9345");
    for (what, identity, name, scheme) in [
        (
            "P-256 by mint_dc.py",
            identity_of(&lab.minted("P-256")),
            NAME,
            "secp256r1",
        ),
        (
            "P-384 by mint_dc.py",
            identity_of(&lab.minted("P-384")),
            NAME,
            "secp384r1",
        ),
        (
            "P-256 by NSS",
            identity_of(&lab.issued_by_nss("P-256")),
            NAME,
            "secp256r1",
        ),
        (
            "P-384 by NSS",
            identity_of(&lab.issued_by_nss("P-384")),
            NAME,
            "secp384r1",
        ),
        (
            "P-384 by dc-signer",
            device.identity.clone(),
            &device.name,
            "secp384r1",
        ),
    ] {
        let server = ours::server(&identity, None);
        let database = vendor.nss_database();
        handshakes.check(
            what,
            nss::client(&database, name, &["-B"]),
            &server,
            &nss::used().client(scheme),
        );
        handshakes.check(what, tlslite::client(name, &[]), &server, &tlslite::used());
    }
    handshakes.finish();
}

/// One server, one key, both forms: a browser is served what it knows, our client what it asks for.
#[test]
fn firefox_uses_our_credential_or_falls_back() {
    let Some(lab) = setup::lab() else { return };
    let vendor = setup::vendor();
    let mut handshakes = Handshakes::new("firefox_uses_our_credential_or_falls_back");
    let device = vendor.enrol("firefox", "P-256", "both");
    let server = ours::server(&device.identity, Some(&lab.ordinary()));

    let screenshot = firefox::screenshot();
    let keep = ["--screenshot", &screenshot];
    let root = vendor.root();
    let used = firefox::used()
        .client("ECDSA-P256-SHA256")
        .client("body: served with an RFC 9345 credential")
        .server("served with an RFC 9345 credential");
    handshakes.check(
        "credential",
        firefox::client(&root, &device.name, &keep),
        &server,
        &used,
    );
    let picture = std::fs::read(&screenshot).unwrap_or_default();
    assert!(picture.starts_with(b"\x89PNG"), "no picture: {screenshot}");

    // The fallback certificate is of the lab's, with a P-384 key.
    let root = lab.root();
    let fallback = firefox::not_used()
        .client("ECDSA-P384-SHA384")
        .server("served with the fallback certificate");
    handshakes.check(
        "preference off: fallback",
        firefox::client(&root, &device.name, &["--without-credentials"]),
        &server,
        &fallback,
    );

    let served = format!("served with a credential for {}", device.name);
    handshakes.check(
        "named, same server",
        ours::client(&vendor.root(), &device.name, "required"),
        &server,
        &Expect::exit(0).client("form: named").server(&served),
    );
    handshakes.finish();
}
