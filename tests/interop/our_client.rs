//! Our client against other people's servers.

use crate::{
    boring,
    handshake::{Expect, Handshakes},
    lab::{Lab, NAME, WRONG},
    nss, ours,
    process::Server,
    setup, tlslite,
};

#[test]
fn accepts_credentials_of_nss_server() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("accepts_credentials_of_nss_server");
    for (what, served) in [
        ("P-256 by mint_dc.py", lab.minted("P-256")),
        ("P-384 by mint_dc.py", lab.minted("P-384")),
        ("P-256 by NSS", lab.issued_by_nss("P-256")),
    ] {
        let server = nss::server(&served);
        check_policies(&mut handshakes, lab, what, &server, "_ALERT");
    }
    let (chain, key) = lab.ordinary();
    let server = nss::plain_server(&chain, &key);
    check_certificate(&mut handshakes, lab, &server, "_ALERT");
    handshakes.finish();
}

#[test]
fn accepts_credentials_of_tlslite_server() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("accepts_credentials_of_tlslite_server");
    for (what, kind, arguments) in [
        ("P-256 by mint_dc.py", "P-256", &[][..]),
        ("P-384 by mint_dc.py", "P-384", &[]),
        ("HelloRetryRequest", "P-256", &["--groups", "secp384r1"]),
    ] {
        let server = tlslite::server(&lab.minted(kind), arguments);
        check_policies(&mut handshakes, lab, what, &server, "TLSRemoteAlert");
    }
    handshakes.finish();
}

#[test]
fn refuses_wrong_credentials_of_nss_server() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("refuses_wrong_credentials_of_nss_server");
    for wrong in WRONG.iter().filter(|wrong| wrong.is_configurable()) {
        let server = nss::server(&lab.wrong(wrong, "P-256", "P-256"));
        let refused = refused().server(nss::ILLEGAL_PARAMETER);
        handshakes.check(
            wrong.what,
            ours::client(&lab.root(), NAME, "ignored"),
            &server,
            &refused,
        );
    }
    handshakes.finish();
}

#[test]
fn refuses_wrong_credentials_of_tlslite_server() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("refuses_wrong_credentials_of_tlslite_server");
    for wrong in WRONG {
        let server = tlslite::misuse_server(&lab.wrong(&wrong, "P-256", "P-256"), "none");
        let refused = refused().server(tlslite::ILLEGAL_PARAMETER);
        handshakes.check(
            wrong.what,
            ours::client(&lab.root(), NAME, "preferred"),
            &server,
            &refused,
        );
    }
    handshakes.finish();
}

#[test]
fn survives_misuse_by_tlslite_server() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("survives_misuse_by_tlslite_server");
    let accepted = "accepted by the client";
    let rejected = refused().server("rejected: TLSRemoteAlert");
    for (mode, policy, expect) in [
        ("none", "preferred", delegated().server(accepted)),
        // This policy offers the named form only, so the credential comes unasked.
        ("unsolicited", "required", rejected.clone()),
        ("second", "preferred", delegated().server(accepted)),
        ("onlysecond", "preferred", certificate().server(accepted)),
        ("dup", "preferred", rejected.clone()),
        ("leafkey", "preferred", rejected.clone()),
        ("dcnosend", "preferred", rejected.clone()),
        ("trailing", "preferred", rejected.clone()),
        ("trunc", "preferred", rejected.clone()),
        ("empty", "preferred", rejected.clone()),
    ] {
        let server = tlslite::misuse_server(&lab.minted("P-256"), mode);
        handshakes.check(
            mode,
            ours::client(&lab.root(), NAME, policy),
            &server,
            &expect,
        );
    }
    handshakes.finish();
}

#[test]
fn accepts_our_signers_credential_from_other_servers() {
    let Some(_) = setup::lab() else { return };
    let vendor = setup::vendor();
    let mut handshakes = Handshakes::new("accepts_our_signers_credential_from_other_servers");
    for (host, kind) in [("p256-elsewhere", "P-256"), ("p384-elsewhere", "P-384")] {
        let device = vendor.enrol(host, kind, "rfc9345");
        let served = vendor.served(&device);
        let what = format!("{kind} by dc-signer");
        for server in [nss::server(&served), tlslite::server(&served, &[])] {
            let name = &device.name;
            let database = vendor.nss_database();
            handshakes.check(
                &what,
                ours::client(&vendor.root(), name, "ignored"),
                &server,
                &delegated(),
            );
            handshakes.check(
                &what,
                nss::client(&database, name, &["-B"]),
                &server,
                &nss::used(),
            );
            handshakes.check(&what, tlslite::client(name, &[]), &server, &tlslite::used());
        }
        let server = boring::server(&vendor.served_bare(&device), &[]);
        handshakes.check(
            &format!("{what}, bare file"),
            ours::client(&vendor.root(), &device.name, "ignored"),
            &server,
            &boring::with_credential(delegated()),
        );
        handshakes.check(
            "named form only",
            ours::client(&vendor.root(), &device.name, "required"),
            &server,
            &boring::with_certificate(refused()),
        );
    }
    handshakes.finish();
}

/// NSS has no Ed25519.
#[test]
fn accepts_our_signers_ed25519_credential_from_other_servers() {
    let Some(_) = setup::lab() else { return };
    let vendor = setup::vendor();
    let mut handshakes =
        Handshakes::new("accepts_our_signers_ed25519_credential_from_other_servers");
    let device = vendor.enrol("ed25519-elsewhere", "Ed25519", "rfc9345");
    let (root, name) = (vendor.root(), &device.name);
    let used = Expect::exit(0).client("credential: ed25519");
    let by_tlslite = tlslite::server(&vendor.served(&device), &[]);
    let by_boring = boring::server(&vendor.served_bare(&device), &[]);
    for server in [by_tlslite, by_boring] {
        let ours = ours::client(&root, name, "ignored");
        handshakes.check("Ed25519 by dc-signer", ours, &server, &delegated());
        let theirs = tlslite::client(name, &[]);
        handshakes.check("Ed25519 by dc-signer", theirs, &server, &used);
    }
    handshakes.finish();
}

/// The named form between our own programs, as a reference for everything above.
#[test]
fn accepts_only_the_named_device_from_our_server() {
    let Some(_) = setup::lab() else { return };
    let vendor = setup::vendor();
    let mut handshakes = Handshakes::new("accepts_only_the_named_device_from_our_server");
    let device = vendor.enrol("right-device", "P-256", "both");
    let twin = vendor.enrol("evil-twin", "P-256", "both");
    let root = vendor.root();
    let named = format!("unique_name: {}", device.name);
    let accepted = Expect::exit(0).client("form: named").client(&named);

    let server = ours::server(&device.identity, None);
    for policy in ["required", "preferred"] {
        let case = format!("named, {policy}");
        handshakes.check(
            &case,
            ours::client(&root, &device.name, policy),
            &server,
            &accepted,
        );
    }
    handshakes.check(
        "ignored",
        ours::client(&root, &device.name, "ignored"),
        &server,
        &delegated(),
    );
    let server = ours::server(&twin.identity, None);
    handshakes.check(
        "another device",
        ours::client(&root, &device.name, "required"),
        &server,
        &refused()
            .client("HandshakeFailure")
            .client_not(&twin.name)
            .server("goes only to clients that send its name"),
    );
    handshakes.finish();
}

/// What each policy makes of a server that has an RFC 9345 credential; `alert` is how that server reports an alert.
fn check_policies(
    handshakes: &mut Handshakes,
    lab: &Lab,
    what: &str,
    server: &Server,
    alert: &str,
) {
    for policy in ["ignored", "preferred"] {
        let case = format!("{what}, {policy}");
        handshakes.check(
            &case,
            ours::client(&lab.root(), NAME, policy),
            server,
            &delegated(),
        );
    }
    let refused = refused().server(alert);
    handshakes.check(
        &format!("{what}, required"),
        ours::client(&lab.root(), NAME, "required"),
        server,
        &refused,
    );
}

/// What each policy makes of a server without any credential.
fn check_certificate(handshakes: &mut Handshakes, lab: &Lab, server: &Server, alert: &str) {
    for policy in ["ignored", "preferred"] {
        let case = format!("ordinary certificate, {policy}");
        handshakes.check(
            &case,
            ours::client(&lab.root(), NAME, policy),
            server,
            &certificate(),
        );
    }
    let refused = refused().server(alert);
    handshakes.check(
        "ordinary certificate, required",
        ours::client(&lab.root(), NAME, "required"),
        server,
        &refused,
    );
}

/// Accepted with an RFC 9345 credential.
fn delegated<'a>() -> Expect<'a> {
    Expect::exit(0)
        .client("form: rfc9345")
        .client("unique_name: null")
}

/// Accepted with an ordinary certificate.
fn certificate<'a>() -> Expect<'a> {
    Expect::exit(3)
        .client("form: null")
        .client("unique_name: null")
}

/// Refused with a reason.
fn refused<'a>() -> Expect<'a> {
    Expect::exit(1).client("error: ").client_not("error: null")
}
