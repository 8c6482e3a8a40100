//! Everything that can be wrong with a credential, with every pair of keys, and who has to notice.

use dc_rustls::client::NamePolicy;

use super::{
    KeyPair,
    cell::{Backend, Case, Cell, Expected, Handshake, Said, Verdict},
    expected::{self, Library},
    key_pairs, meet,
    our_end::{OurClient, OurServer, identity, provider},
    peers::{Connect, Offers, Serve, ServerProgram, tlslite_server_said},
    table::Matrix,
    two_at_a_time,
};
use crate::{
    endpoint::Endpoint,
    lab::{Lab, Served, WRONG, Wrong},
    tlslite,
};

/// Something to refuse.
#[derive(Clone, Copy, Debug)]
struct Flaw {
    what: &'static str,
    /// What it deserves.
    alert: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// The credential is right, but CertificateVerify is not by its key.
    AnotherKey,
    /// The credential is right, but `tlslite_misuse.py` does this with it.
    Misuse(&'static str),
    /// It comes though nobody asked.
    Unsolicited,
    /// The credential or its certificate is wrong.
    Wrong(&'static Wrong),
}

impl Flaw {
    fn all() -> impl Iterator<Item = Self> {
        let wrong = WRONG.iter().map(|wrong| Self {
            what: wrong.what,
            alert: ILLEGAL,
            kind: Kind::Wrong(wrong),
        });
        let others = OTHERS.map(|(what, alert, kind)| Self { what, alert, kind });
        wrong.chain(others)
    }

    fn serve(self, lab: &Lab, keys: KeyPair, only_p384: bool) -> Serve {
        Serve {
            served: self.served(lab, keys),
            only_p384,
            mode: match self.kind {
                Kind::Misuse(mode) => mode,
                Kind::Unsolicited => "unsolicited",
                Kind::AnotherKey | Kind::Wrong(_) => "none",
            },
        }
    }

    fn served(self, lab: &Lab, (delegation, credential): KeyPair) -> Served {
        match self.kind {
            Kind::AnotherKey => lab.with_another_key(delegation, credential),
            Kind::Wrong(wrong) => lab.wrong(wrong, delegation, credential),
            Kind::Misuse(_) | Kind::Unsolicited => lab.right(delegation, credential),
        }
    }

    fn case(self, (delegation_key, credential_key): KeyPair, both_forms: bool) -> Case {
        Case {
            credential_key,
            delegation_key,
            both_forms,
            handshake: Handshake::Full,
            backend: backend(credential_key),
            wrong: Some(self.what),
        }
    }

    fn is_of_another_scheme(self) -> bool {
        matches!(self.kind, Kind::Wrong(wrong) if wrong.is_of_another_scheme())
    }

    /// The alert that a client of this library owes; `None`: of ours.
    fn alert(self, client: Option<Library>, (delegation, credential): KeyPair) -> &'static str {
        let are_alike = delegation == credential;
        match (self.kind, client) {
            // RFC 9345 §4.1.3: the scheme of CertificateVerify is compared before the signature is verified.
            (Kind::Misuse("leafkey"), _) if !are_alike => ILLEGAL,
            // With the certificate's key both are the same check in rustls; RFC 8446 §4.4.3 leaves it open.
            (Kind::Misuse("dcnosend"), Some(Library::Nss)) if !are_alike => ILLEGAL,
            _ => self.alert,
        }
    }

    /// Whether no ordinary server can be made to send it.
    fn needs_misuse(self) -> bool {
        matches!(self.kind, Kind::Misuse(_) | Kind::Unsolicited)
    }

    /// What is not sent cannot be refused; that it is not sent show the right cells.
    fn is_sent_to(self, library: Library, (delegation, credential): KeyPair) -> bool {
        let credential = match self.is_of_another_scheme() {
            // It declares one that everybody knows.
            true => "P-256",
            false => credential,
        };
        library.takes(delegation, credential)
    }
}

/// Whether a client can be made to connect again, right behind a refusal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Again {
    No,
    Yes,
}

/// A client of other people's has to refuse all of it. Our server sends what it can be made to send.
pub(super) fn with_client(
    matrix: &mut Matrix,
    lab: &Lab,
    library: Library,
    connect: Connect,
    again: Again,
) {
    let sent = |&(flaw, keys): &(Flaw, KeyPair)| flaw.is_sent_to(library, keys);
    let all = Flaw::all().flat_map(|flaw| key_pairs().into_iter().map(move |keys| (flaw, keys)));
    let (unsolicited, asked): (Vec<_>, Vec<_>) = all
        .filter(sent)
        .partition(|(flaw, _)| matches!(flaw.kind, Kind::Unsolicited));
    for (flaws, offers) in [(asked, Offers::Credentials), (unsolicited, Offers::Nothing)] {
        let once = Sender::start(lab, &flaws, false);
        let retrying = Sender::start(lab, &flaws, true);
        let mut attempts = Vec::new();
        for ((flaw, once), retrying) in flaws.iter().zip(&once).zip(&retrying) {
            attempts.push((flaw, Handshake::Full, once, 0));
            if again == Again::Yes {
                attempts.push((flaw, Handshake::Again, once, 1));
            }
            attempts.push((flaw, Handshake::Retry, retrying, 0));
        }
        let ports: Vec<u16> = attempts
            .iter()
            .map(|(.., sender, _)| sender.port())
            .collect();
        let said = connect(lab, &ports, offers);
        for ((&(flaw, keys), handshake, sender, number), client) in attempts.into_iter().zip(said) {
            let case = Case {
                handshake,
                ..flaw.case(keys, false)
            };
            let expected = expected::refusal(flaw.alert(Some(library), keys));
            matrix.add(case, expected, client, sender.said(number));
        }
    }
}

/// Who sends what a client has to refuse.
enum Sender {
    Ours(OurServer),
    Tlslite(Endpoint),
}

impl Sender {
    fn start(lab: &Lab, flaws: &[(Flaw, KeyPair)], only_p384: bool) -> Vec<Self> {
        let is_ours = |flaw: Flaw| !flaw.needs_misuse() && !flaw.is_of_another_scheme();
        let misused: Vec<_> = flaws
            .iter()
            .filter(|(flaw, _)| !is_ours(*flaw))
            .map(|&(flaw, keys)| flaw.serve(lab, keys, only_p384))
            .map(|serve| (serve.served, serve.mode, only_p384))
            .collect();
        let mut endpoints = tlslite::misuse_servers(&misused).into_iter();
        let sender = |&(flaw, keys): &(Flaw, KeyPair)| match is_ours(flaw) {
            false => endpoints.next().map(Self::Tlslite),
            true => {
                let provider = provider(backend(keys.1), only_p384);
                let identity = identity(&flaw.served(lab, keys), None);
                Some(Self::Ours(OurServer::unchecked(lab, &provider, identity)))
            }
        };
        flaws.iter().filter_map(sender).collect()
    }

    fn port(&self) -> u16 {
        match self {
            Self::Tlslite(endpoint) => endpoint.port,
            Self::Ours(server) => server.port,
        }
    }

    /// What it says of the connection with this number, after those with smaller ones.
    fn said(&self, number: usize) -> Said {
        match self {
            Self::Ours(server) => server.said(),
            Self::Tlslite(endpoint) => endpoint
                .read(0, |text| tlslite_server_said(text, number))
                .unwrap_or_else(|| Said::new(Verdict::Closed, "says nothing")),
        }
    }
}

/// Our client has to refuse everything that this server can be made to send.
pub(super) fn with_server(
    matrix: &mut Matrix,
    lab: &Lab,
    library: Library,
    program: ServerProgram,
) {
    let flaws: Vec<Flaw> = Flaw::all()
        .filter(|flaw| library == Library::Tlslite || !flaw.needs_misuse())
        .collect();
    let mut pairs = key_pairs();
    pairs.retain(|&(delegation, credential)| library.serves(delegation, credential));
    let cells = |&keys: &KeyPair| {
        let serve = |only_p384| {
            flaws
                .iter()
                .map(move |flaw| flaw.serve(lab, keys, only_p384))
        };
        let all: Vec<Serve> = [false, true].into_iter().flat_map(serve).collect();
        let endpoints = (program.start)(&all);
        let (once, retried) = endpoints.split_at(flaws.len());
        let endpoints = once.iter().zip(retried);
        let cells = |(&flaw, endpoints)| refusals(lab, library, program, flaw, keys, endpoints);
        flaws.iter().zip(endpoints).flat_map(cells).collect()
    };
    let all: Vec<Vec<Cell>> = two_at_a_time(&pairs, cells);
    all.into_iter().for_each(|cells| matrix.extend(cells));
}

/// The cells of one flaw and one pair of keys, with a server for most and one for the HelloRetryRequest.
fn refusals(
    lab: &Lab,
    library: Library,
    program: ServerProgram,
    flaw: Flaw,
    keys: KeyPair,
    (once, retried): (&Option<Endpoint>, &Option<Endpoint>),
) -> Vec<Cell> {
    let client = client(lab, flaw, keys);
    let cell = |(handshake, endpoint): (_, &Option<Endpoint>)| {
        let (client, server) = meet(&client, endpoint.as_ref(), program);
        let case = flaw.case(keys, true);
        Cell {
            case: Case { handshake, ..case },
            expected: with_server_expected(library, flaw, keys),
            client,
            server,
        }
    };
    let handshakes = [
        (Handshake::Full, once),
        (Handshake::Again, once),
        (Handshake::Retry, retried),
    ];
    handshakes.map(cell).into()
}

fn client(lab: &Lab, flaw: Flaw, keys: KeyPair) -> OurClient {
    let policy = match flaw.kind {
        // It offers the named form only, so the credential comes unasked.
        Kind::Unsolicited => NamePolicy::Required,
        _ => NamePolicy::Preferred,
    };
    OurClient::new(&lab.root(), backend(keys.1), policy)
}

fn with_server_expected(library: Library, flaw: Flaw, keys: KeyPair) -> Expected {
    match (library, flaw.kind) {
        (Library::Nss, Kind::Wrong(wrong)) if !wrong.is_configurable() => {
            expected::not_served("NSS wants digitalSignature")
        }
        // BoringSSL looks at the keyUsage of ECDSA certificates only.
        (Library::BoringSsl, Kind::Wrong(wrong))
            if !wrong.is_configurable() && keys.0.starts_with("P-") =>
        {
            expected::not_served("BoringSSL wants digitalSignature")
        }
        (Library::BoringSsl, Kind::Wrong(wrong)) if wrong.is_of_another_scheme() => {
            expected::certificate("BoringSSL sees that the key has no such scheme")
        }
        (Library::BoringSsl, Kind::AnotherKey) => {
            expected::not_served("BoringSSL compares the key with the credential")
        }
        _ => expected::refusal(flaw.alert(None, keys)),
    }
}

/// Our cryptography for such a credential.
fn backend(credential_key: &str) -> Backend {
    match credential_key {
        "P-521" => Backend::AwsLc,
        _ => Backend::Ring,
    }
}

const ILLEGAL: &str = "illegal_parameter";
const OTHERS: [(&str, &str, Kind); 8] = [
    (
        "CertificateVerify by another key",
        "decrypt_error",
        Kind::AnotherKey,
    ),
    (
        "CertificateVerify by the certificate's key",
        "decrypt_error",
        Kind::Misuse("leafkey"),
    ),
    (
        "not sent but used",
        "decrypt_error",
        Kind::Misuse("dcnosend"),
    ),
    ("trailing byte", "decode_error", Kind::Misuse("trailing")),
    ("truncated", "decode_error", Kind::Misuse("trunc")),
    ("empty", "decode_error", Kind::Misuse("empty")),
    ("twice", ILLEGAL, Kind::Misuse("dup")),
    ("unsolicited", "unexpected_message", Kind::Unsolicited),
];
