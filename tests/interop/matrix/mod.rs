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

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use dc_rustls::client::NamePolicy;

use crate::{
    endpoint::Endpoint,
    lab::{CREDENTIAL_KEYS, DELEGATION_KEYS, Lab},
    setup,
};
pub(crate) use cell::{Backend, Verdict};
use cell::{Case, Cell, Handshake, Role, Said};
use expected::Library;
pub(crate) use our_end::OurClient;
use our_end::{OurServer, identity, provider};
use peers::{Connect, Offers, Serve, ServerProgram};
use table::Matrix;
use wrong::Again;

#[test]
fn matrix_of_nss_clients() {
    let Some(lab) = setup::lab() else { return };
    let mut matrix = Matrix::of(NSS_CLIENTS);
    right_with_our_server(&mut matrix, lab, Library::Nss, peers::nss_client);
    // It ends at the first refusal.
    wrong::with_client(&mut matrix, lab, Library::Nss, peers::nss_client, Again::No);
    right_against_its_rules(&mut matrix, lab, peers::nss_client);
    matrix.finish();
}

#[test]
fn matrix_of_firefox() {
    let Some(lab) = setup::lab() else { return };
    let mut matrix = Matrix::of(FIREFOX);
    right_with_our_server(&mut matrix, lab, Library::Nss, peers::firefox_client);
    wrong::with_client(
        &mut matrix,
        lab,
        Library::Nss,
        peers::firefox_client,
        Again::Yes,
    );
    right_against_its_rules(&mut matrix, lab, peers::firefox_client);
    matrix.finish();
}

#[test]
fn matrix_of_tlslite_clients() {
    let Some(lab) = setup::lab() else { return };
    let mut matrix = Matrix::of(TLSLITE_CLIENTS);
    right_with_our_server(&mut matrix, lab, Library::Tlslite, peers::tlslite_client);
    wrong::with_client(
        &mut matrix,
        lab,
        Library::Tlslite,
        peers::tlslite_client,
        Again::Yes,
    );
    matrix.finish();
}

#[test]
fn matrix_of_nss_servers() {
    let Some(lab) = setup::lab() else { return };
    let mut matrix = Matrix::of(NSS_SERVERS);
    right_with_our_client(&mut matrix, lab, Library::Nss, peers::NSS_SERVER);
    wrong::with_server(&mut matrix, lab, Library::Nss, peers::NSS_SERVER);
    matrix.finish();
}

#[test]
fn matrix_of_tlslite_servers() {
    let Some(lab) = setup::lab() else { return };
    let mut matrix = Matrix::of(TLSLITE_SERVERS);
    right_with_our_client(&mut matrix, lab, Library::Tlslite, peers::TLSLITE_SERVER);
    wrong::with_server(&mut matrix, lab, Library::Tlslite, peers::TLSLITE_SERVER);
    matrix.finish();
}

#[test]
fn matrix_of_boring_servers() {
    let Some(lab) = setup::lab() else { return };
    let mut matrix = Matrix::of(BORING_SERVERS);
    right_with_our_client(&mut matrix, lab, Library::BoringSsl, peers::BORING_SERVER);
    wrong::with_server(&mut matrix, lab, Library::BoringSsl, peers::BORING_SERVER);
    matrix.finish();
}

/// A client of other people's, and our server with every right credential.
fn right_with_our_server(matrix: &mut Matrix, lab: &Lab, library: Library, connect: Connect) {
    let cases = cases();
    let start = |case| [false, true].map(|only_p384| our_server(lab, case, only_p384));
    let servers: Vec<[OurServer; 2]> = cases.iter().map(start).collect();
    let mut attempts = Vec::new();
    for (case, [server, retrying]) in cases.iter().zip(&servers) {
        for (handshake, server) in [
            (Handshake::Full, server),
            (Handshake::Resumed, server),
            (Handshake::Retry, retrying),
        ] {
            let case = Case {
                handshake,
                ..case.clone()
            };
            attempts.push((case, server));
        }
    }
    let ports: Vec<u16> = attempts.iter().map(|(_, server)| server.port).collect();
    let said = connect(lab, &ports, Offers::Credentials);
    for ((case, server), client) in attempts.into_iter().zip(said) {
        let expected = expected::of_our_server(library, &case);
        matrix.add(case, expected, client, server.said());
    }
}

fn our_server(lab: &Lab, case: &Case, only_p384: bool) -> OurServer {
    let served = lab.right(case.delegation_key, case.credential_key);
    let named = case.both_forms.then(|| named::named(&served));
    let provider = provider(case.backend, only_p384);
    OurServer::start(lab, &provider, identity(&served, named))
}

/// What RFC 9345 allows, NSS aborts at, and our server sends only if it is told to.
fn right_against_its_rules(matrix: &mut Matrix, lab: &Lab, connect: Connect) {
    let mut attempts = Vec::new();
    for credential_key in ["P-256", "P-384", "P-521"] {
        for (handshake, only_p384) in [(Handshake::Full, false), (Handshake::Retry, true)] {
            let provider = provider(Backend::AwsLc, only_p384);
            let identity = identity(&lab.right("RSA", credential_key), None);
            let server = OurServer::without_nss_workaround(lab, &provider, identity);
            let case = Case {
                credential_key,
                delegation_key: "RSA",
                both_forms: false,
                handshake,
                backend: Backend::AwsLc,
                wrong: Some("nothing, but against NSS's rules"),
            };
            attempts.push((case, server));
        }
    }
    let ports: Vec<u16> = attempts.iter().map(|(_, server)| server.port).collect();
    let said = connect(lab, &ports, Offers::Credentials);
    for ((case, server), client) in attempts.into_iter().zip(said) {
        matrix.add(case, expected::credential(), client, server.said());
    }
}

/// Our client, and a server of other people's with every right credential.
fn right_with_our_client(matrix: &mut Matrix, lab: &Lab, library: Library, program: ServerProgram) {
    let cells = |&keys: &KeyPair| {
        let serve = |only_p384| Serve {
            served: lab.right(keys.0, keys.1),
            only_p384,
            mode: "none",
        };
        let endpoints = (program.start)(&[serve(false), serve(true)]);
        let cells = |case| right_cells(lab, library, program, &case, &endpoints);
        cases_of(keys).into_iter().flat_map(cells).collect()
    };
    let all: Vec<Vec<Cell>> = two_at_a_time(&key_pairs(), cells);
    all.into_iter().for_each(|cells| matrix.extend(cells));
}

fn right_cells(
    lab: &Lab,
    library: Library,
    program: ServerProgram,
    case: &Case,
    endpoints: &[Option<Endpoint>],
) -> Vec<Cell> {
    let policy = match case.both_forms {
        true => NamePolicy::Preferred,
        false => NamePolicy::Ignored,
    };
    let client = OurClient::new(&lab.root(), case.backend, policy);
    let cell = |(handshake, endpoint): (_, &Option<Endpoint>)| {
        let case = Case {
            handshake,
            ..case.clone()
        };
        let expected = expected::of_our_client(library, &case);
        let (client, server) = meet(&client, endpoint.as_ref(), program);
        Cell {
            case,
            expected,
            client,
            server,
        }
    };
    let handshakes = [
        (Handshake::Full, &endpoints[0]),
        (Handshake::Resumed, &endpoints[0]),
        (Handshake::Retry, &endpoints[1]),
    ];
    handshakes.into_iter().map(cell).collect()
}

/// What both ends say of one connection of our client.
fn meet(client: &OurClient, server: Option<&Endpoint>, program: ServerProgram) -> (Said, Said) {
    let Some(server) = server else {
        return (Said::not_served(), Said::not_served());
    };
    let mark = server.mark();
    let client = client.connect(server.port);
    let server = server
        .read(mark, program.read)
        .unwrap_or_else(|| Said::new(Verdict::Closed, "says nothing"));
    (client, server)
}

/// All right cells, as full handshakes.
fn cases() -> Vec<Case> {
    key_pairs().into_iter().flat_map(cases_of).collect()
}

/// Those with these keys. P-521 is there twice, because only one of our providers has it.
fn cases_of((delegation_key, credential_key): KeyPair) -> Vec<Case> {
    let backends = match credential_key {
        "P-521" => &[Backend::Ring, Backend::AwsLc][..],
        _ => &[Backend::Ring],
    };
    let case = |both_forms, backend| Case {
        credential_key,
        delegation_key,
        both_forms,
        handshake: Handshake::Full,
        backend,
        wrong: None,
    };
    [false, true]
        .into_iter()
        .flat_map(|both_forms| {
            backends
                .iter()
                .map(move |&backend| case(both_forms, backend))
        })
        .collect()
}

/// The kinds of key of a delegation certificate and of a credential.
type KeyPair = (&'static str, &'static str);

fn key_pairs() -> Vec<KeyPair> {
    let with_all = |delegation| CREDENTIAL_KEYS.map(|credential| (delegation, credential));
    DELEGATION_KEYS.into_iter().flat_map(with_all).collect()
}

/// Does this for all of them, two at the same time; the results are in the same order.
fn two_at_a_time<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let run = || {
        while let at = next.fetch_add(1, Ordering::Relaxed)
            && let Some(item) = all.get(at)
        {
            let result = work(item);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.insert(at, result);
        }
    };
    thread::scope(|scope| {
        scope.spawn(run);
        scope.spawn(run);
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.into_values().collect()
}

/// Whom cells are about.
type Peer = (&'static str, Role);

const NSS_CLIENTS: Peer = ("NSS tstclnt", Role::Client);
const FIREFOX: Peer = ("Firefox", Role::Client);
const TLSLITE_CLIENTS: Peer = ("tlslite-ng", Role::Client);
const NSS_SERVERS: Peer = ("NSS", Role::Server);
const TLSLITE_SERVERS: Peer = ("tlslite-ng", Role::Server);
const BORING_SERVERS: Peer = ("BoringSSL", Role::Server);
const PEERS: [Peer; 6] = [
    NSS_CLIENTS,
    FIREFOX,
    TLSLITE_CLIENTS,
    NSS_SERVERS,
    TLSLITE_SERVERS,
    BORING_SERVERS,
];
