//! Every peer in every role with every kind of key, and with everything that can be wrong with a credential.
//!
//! The end that is ours runs in this process. Results go to `matrix.txt` and `matrix.json`; cells where a peer is wrong
//! are listed in `exceptions.json`.

mod cell;
mod exceptions;
mod expected;
mod named;
mod our_end;
mod peers;
mod table;
mod wrong;

use std::collections::HashMap;

use dc_rustls::client::UniqueName;

use crate::{
    lab::{CREDENTIAL_KEYS, DELEGATION_KEYS, Lab},
    process::Server,
    setup,
};
pub(crate) use cell::{Backend, Verdict};
use cell::{Case, Handshake, Role, Said};
use expected::Library;
pub(crate) use our_end::OurClient;
use our_end::{OurServer, identity, provider};
use peers::{Connect, Offers, ServerProgram};
use table::Matrix;

#[test]
fn matrix_of_nss_clients() {
    let Some(lab) = setup::lab() else { return };
    let mut matrix = Matrix::new("NSS tstclnt", Role::Client);
    right_with_our_server(&mut matrix, lab, Library::Nss, peers::nss_client);
    wrong::with_client(&mut matrix, lab, peers::nss_client);
    matrix.finish();
}

#[test]
fn matrix_of_firefox() {
    let Some(lab) = setup::lab() else { return };
    let mut matrix = Matrix::new("Firefox", Role::Client);
    right_with_our_server(&mut matrix, lab, Library::Nss, peers::firefox_client);
    wrong::with_client(&mut matrix, lab, peers::firefox_client);
    matrix.finish();
}

#[test]
fn matrix_of_tlslite_clients() {
    let Some(lab) = setup::lab() else { return };
    let mut matrix = Matrix::new("tlslite-ng", Role::Client);
    right_with_our_server(&mut matrix, lab, Library::Tlslite, peers::tlslite_client);
    wrong::with_client(&mut matrix, lab, peers::tlslite_client);
    matrix.finish();
}

#[test]
fn matrix_of_nss_servers() {
    let Some(lab) = setup::lab() else { return };
    let mut matrix = Matrix::new("NSS", Role::Server);
    right_with_our_client(&mut matrix, lab, Library::Nss, peers::NSS_SERVER);
    wrong::with_server(&mut matrix, lab, Library::Nss, peers::NSS_SERVER);
    matrix.finish();
}

#[test]
fn matrix_of_tlslite_servers() {
    let Some(lab) = setup::lab() else { return };
    let mut matrix = Matrix::new("tlslite-ng", Role::Server);
    right_with_our_client(&mut matrix, lab, Library::Tlslite, peers::TLSLITE_SERVER);
    wrong::with_server(&mut matrix, lab, Library::Tlslite, peers::TLSLITE_SERVER);
    wrong::misuse(&mut matrix, lab);
    matrix.finish();
}

#[test]
fn matrix_of_boring_servers() {
    let Some(lab) = setup::lab() else { return };
    let mut matrix = Matrix::new("BoringSSL", Role::Server);
    right_with_our_client(&mut matrix, lab, Library::BoringSsl, peers::BORING_SERVER);
    wrong::with_server(&mut matrix, lab, Library::BoringSsl, peers::BORING_SERVER);
    matrix.finish();
}

/// A client of other people's, and our server with every right credential.
fn right_with_our_server(matrix: &mut Matrix, lab: &Lab, library: Library, connect: Connect) {
    let cases = cases();
    for (handshakes, retry) in [
        (&[Handshake::Full, Handshake::Resumed][..], false),
        (&[Handshake::Retry], true),
    ] {
        let servers: Vec<OurServer> = cases
            .iter()
            .map(|case| our_server(lab, case, retry))
            .collect();
        let ports: Vec<u16> = servers.iter().map(|server| server.port).collect();
        let said = connect(lab, &ports, handshakes.len(), Offers::Credentials);
        for ((case, server), said) in cases.iter().zip(&servers).zip(said) {
            for (&handshake, client) in handshakes.iter().zip(said) {
                let case = Case {
                    handshake,
                    ..case.clone()
                };
                let expected = expected::of_our_server(library, &case);
                matrix.add(case, expected, client, server.said());
            }
        }
    }
}

fn our_server(lab: &Lab, case: &Case, only_p384: bool) -> OurServer {
    let served = lab.minted_once(case.delegation_key, case.credential_key);
    let named = case.both_forms.then(|| named::named(&served));
    let provider = provider(case.backend, only_p384);
    OurServer::start(lab, &provider, identity(&served, named))
}

/// Our client, and a server of other people's with every right credential.
fn right_with_our_client(matrix: &mut Matrix, lab: &Lab, library: Library, program: ServerProgram) {
    let mut servers = HashMap::new();
    for case in cases() {
        let keys = (case.delegation_key, case.credential_key);
        let [server, retry] = servers.entry(keys).or_insert_with(|| {
            let served = lab.minted_once(keys.0, keys.1);
            [false, true].map(|only_p384| (program.start)(&served, only_p384))
        });
        let policy = match case.both_forms {
            true => UniqueName::Preferred,
            false => UniqueName::Ignored,
        };
        let client = OurClient::new(&lab.root(), case.backend, policy);
        for (handshake, server) in [
            (Handshake::Full, &*server),
            (Handshake::Resumed, &*server),
            (Handshake::Retry, &*retry),
        ] {
            let case = Case {
                handshake,
                ..case.clone()
            };
            let expected = expected::of_our_client(library, &case);
            let (client, server) = meet(&client, server.as_ref(), program);
            matrix.add(case, expected, client, server);
        }
    }
}

/// What both ends say of one connection of our client.
fn meet(client: &OurClient, server: Option<&Server>, program: ServerProgram) -> (Said, Said) {
    let Some(server) = server else {
        return (Said::not_served(), Said::not_served());
    };
    let mark = server.text().len();
    let client = client.connect(server.port());
    let server = server
        .read(mark, program.read)
        .unwrap_or_else(|| Said::new(Verdict::Closed, "says nothing"));
    (client, server)
}

/// All right cells, as full handshakes. P-521 is there twice, because only one of our providers has it.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for delegation_key in DELEGATION_KEYS {
        for credential_key in CREDENTIAL_KEYS {
            for both_forms in [false, true] {
                let backends = match credential_key {
                    "P-521" => &[Backend::Ring, Backend::AwsLc][..],
                    _ => &[Backend::Ring],
                };
                cases.extend(backends.iter().map(|&backend| Case {
                    credential_key,
                    delegation_key,
                    both_forms,
                    handshake: Handshake::Full,
                    backend,
                    wrong: None,
                }));
            }
        }
    }
    cases
}
