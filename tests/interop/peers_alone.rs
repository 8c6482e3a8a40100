//! The peers among themselves: what they say here is what our side is judged by.

use crate::{
    handshake::Handshakes,
    lab::{NAME, WRONG},
    nss, setup, tlslite,
};

#[test]
fn nss_and_tlslite_agree_about_right_credentials() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("nss_and_tlslite_agree_about_right_credentials");
    let database = lab.nss_database();
    for (what, served) in [
        ("P-256 by mint_dc.py", lab.minted("P-256")),
        ("P-384 by mint_dc.py", lab.minted("P-384")),
        ("P-384 by NSS", lab.issued_by_nss("P-384")),
    ] {
        for server in [nss::server(&served), tlslite::server(&served, &[])] {
            handshakes.check(
                what,
                nss::client(&database, NAME, &["-B"]),
                &server,
                &nss::used(),
            );
            handshakes.check(what, tlslite::client(NAME, &[]), &server, &tlslite::used());
            let not_offered = nss::client(&database, NAME, &[]);
            handshakes.check(
                "credentials not offered",
                not_offered,
                &server,
                &nss::not_used(),
            );
        }
    }
    handshakes.finish();
}

#[test]
fn nss_refuses_wrong_credentials() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("nss_refuses_wrong_credentials");
    for wrong in WRONG {
        let served = lab.wrong(&wrong, "P-256", "P-256");
        let (server, alert) = if wrong.is_configurable() {
            (nss::server(&served), nss::ILLEGAL_PARAMETER)
        } else {
            (
                tlslite::misuse_server(&served, "none"),
                tlslite::ILLEGAL_PARAMETER,
            )
        };
        let client = nss::client(&lab.nss_database(), NAME, &["-B"]);
        handshakes.check(
            wrong.what,
            client,
            &server,
            &nss::refused(wrong.nss_error).server(alert),
        );
    }
    handshakes.finish();
}

#[test]
fn nss_survives_misuse() {
    let Some(lab) = setup::lab() else { return };
    let mut handshakes = Handshakes::new("nss_survives_misuse");
    let rejected = || nss::refused("SSL socket failed").server("rejected: ");
    for (mode, arguments, expect) in [
        ("none", &["-B"][..], nss::used()),
        ("unsolicited", &[], rejected()),
        ("second", &["-B"], nss::used()),
        ("onlysecond", &["-B"], nss::not_used()),
        ("dup", &["-B"], rejected()),
        ("leafkey", &["-B"], rejected()),
        ("dcnosend", &["-B"], rejected()),
        ("trailing", &["-B"], rejected()),
        ("trunc", &["-B"], rejected()),
        ("empty", &["-B"], rejected()),
    ] {
        let server = tlslite::misuse_server(&lab.minted("P-256"), mode);
        handshakes.check(
            mode,
            nss::client(&lab.nss_database(), NAME, arguments),
            &server,
            &expect,
        );
    }
    handshakes.finish();
}
