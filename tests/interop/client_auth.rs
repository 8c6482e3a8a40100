//! Clients that authenticate themselves, with peers that know nothing of their credentials: an ordinary certificate, or
//! none, has to do.
//!
//! No peer here asks a client for a credential or has one to present; BoringSSL and NSS come nearest, and the tests show
//! what they do. Results go to `client_auth.txt`.

mod our_end;
mod peers;
mod table;

use dc_rustls::client::NamePolicy;
use dc_rustls::server::ClientCredentials;
use dc_tests::vendor::provider;

use crate::setup;
use our_end::{OurServer, Presents, Site};
use peers::{Client, Has, Wants};
use table::Table;

/// The programs that connect to our server.
const CLIENTS: [Client; 6] = [
    Client::OpenSsl,
    Client::Curl,
    Client::GnuTls,
    Client::Tlslite,
    Client::Boring,
    Client::Nss,
];

/// NSS refuses a CertificateRequest with extension 34, which is the list of RFC 9345 §4.1.2.
fn refuses_the_request(client: Client, names: NamePolicy) -> bool {
    client == Client::Nss && names != NamePolicy::Required
}

#[test]
fn our_server_takes_certificates_of_other_clients() {
    let Some(_) = setup::lab() else { return };
    let site = Site::new();
    let mut table = Table::new("our server");
    for names in [NamePolicy::Preferred, NamePolicy::Required] {
        let policy = || site.policy().unique_name(names).or_certificate();
        for client in CLIENTS {
            let refuses = refuses_the_request(client, names);
            let takes = |policy: ClientCredentials, has, expected: &str| {
                let server = OurServer::start(&site, policy);
                let words = client.connect(&site, server.port, has);
                let said = server.said();
                let expected = if refuses {
                    "alert IllegalParameter"
                } else {
                    expected
                };
                (said == expected, format!("{said}; {}", words.trim()))
            };
            let mut row = |case: &str, (ok, evidence): (bool, String)| {
                table.add(client.name(), &format!("{case}, {names:?}"), ok, &evidence);
            };
            row(
                "a certificate",
                takes(policy(), Has::Certificate, "certificate"),
            );
            let mandatory = "no certificate where one is wanted";
            row(
                mandatory,
                takes(policy(), Has::Nothing, "nothing presented"),
            );
            row(
                "no certificate",
                takes(policy().optional(), Has::Nothing, "nobody"),
            );
        }
    }
    table.finish();
}

/// BoringSSL has credentials for servers alone: a client that was given one, and is asked for it, fails.
#[test]
fn boringssl_presents_no_credential_as_a_client() {
    let Some(_) = setup::lab() else { return };
    let site = Site::new();
    let mut table = Table::new("our server, a credential");
    let policy = || site.policy().unique_name(NamePolicy::Ignored).optional();
    let server = OurServer::start(&site, policy());
    let words = Client::Boring.connect(&site, server.port, Has::Credential);
    let said = server.said();
    let ok = said == "alert HandshakeFailure" && words.contains("UNKNOWN_CERTIFICATE_TYPE");
    table.add(
        "BoringSSL",
        "a credential alone",
        ok,
        &format!("{said}; {}", words.trim()),
    );
    table.finish();
}

#[test]
fn our_client_presents_a_certificate_to_other_servers() {
    let Some(_) = setup::lab() else { return };
    let site = Site::new();
    let mut table = Table::new("our client");
    for server in peers::SERVERS {
        let running = server.start(&site);
        for presents in [
            Presents::Both,
            Presents::Certificate,
            Presents::Credential,
            Presents::Nothing,
        ] {
            let mark = running.text().len();
            let said = our_end::connect(&site, running.port(), presents);
            let has_certificate = matches!(presents, Presents::Both | Presents::Certificate);
            let expected = match server.wants {
                Wants::Always(alert) if !has_certificate => format!("alert {alert}"),
                _ => "ok".to_owned(),
            };
            let shown = server.shown(&running, mark, has_certificate);
            let is_ok = said == expected && shown.is_none_or(|shown| shown == has_certificate);
            table.add(server.name, presents.name(), is_ok, &said);
        }
    }
    table.finish();
}

/// The cryptography of our end.
fn ours() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    provider()
}
