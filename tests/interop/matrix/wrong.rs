//! Everything that can be wrong with a credential, and who has to notice.

use super::{
    cell::{Backend, Case, Expected, Said, Verdict},
    expected::{self, Library},
    meet,
    our_end::{OurClient, OurServer, identity},
    peers::{Connect, Offers, ServerProgram, tlslite_server_said},
    table::Matrix,
};
use crate::{
    lab::{Lab, WRONG, Wrong},
    nss,
    process::Server,
    tlslite,
};
use dc_rustls::client::UniqueName;

const WRONG_KEY: &str = "CertificateVerify by another key";
const TRAILING: &str = "trailing byte";
const ILLEGAL: &str = "illegal_parameter";

/// What `tlslite_misuse.py` does wrong: its mode, our name for it, and the alert that it deserves.
const MISUSE: [(&str, &str, &str); 6] = [
    ("trailing", TRAILING, "decode_error"),
    ("trunc", "truncated", "decode_error"),
    ("empty", "empty", "decode_error"),
    ("dup", "twice", ILLEGAL),
    (
        "leafkey",
        "CertificateVerify by the certificate's key",
        "decrypt_error",
    ),
    ("dcnosend", "not sent but used", "decrypt_error"),
];

/// A client of other people's has to refuse all of it. Our server sends what it can be made to send.
pub(super) fn with_client(matrix: &mut Matrix, lab: &Lab, connect: Connect) {
    let mut senders: Vec<(&'static str, &str, Sender)> = Vec::new();
    for wrong in &WRONG {
        let served = lab.wrong(wrong);
        let sender = match wrong.our_server_signs() {
            true => Sender::Ours(OurServer::unchecked(lab, identity(&served, None))),
            false => Sender::Nss(nss::server(&served)),
        };
        senders.push((wrong.what, ILLEGAL, sender));
    }
    let other = OurServer::unchecked(lab, identity(&lab.with_another_key(), None));
    senders.push((WRONG_KEY, "decrypt_error", Sender::Ours(other)));
    for (mode, what, alert) in MISUSE {
        senders.push((
            what,
            alert,
            Sender::Tlslite(tlslite::misuse_server(&lab.minted("P-256"), mode)),
        ));
    }
    let ports: Vec<u16> = senders.iter().map(|(.., sender)| sender.port()).collect();
    let said = connect(lab, &ports, 1, Offers::Credentials);
    for ((what, alert, sender), mut client) in senders.into_iter().zip(said) {
        matrix.add(
            Case::wrong(what),
            expected::refusal(alert),
            client.remove(0),
            sender.said(),
        );
    }

    let sender = Sender::Tlslite(tlslite::misuse_server(&lab.minted("P-256"), "unsolicited"));
    let mut said = connect(lab, &[sender.port()], 1, Offers::Nothing);
    let expected = expected::refusal("unexpected_message");
    matrix.add(
        Case::wrong("unsolicited"),
        expected,
        said.remove(0).remove(0),
        sender.said(),
    );
}

/// Who sends what a client has to refuse.
enum Sender {
    Nss(Server),
    Ours(OurServer),
    Tlslite(Server),
}

impl Sender {
    fn port(&self) -> u16 {
        match self {
            Self::Nss(server) | Self::Tlslite(server) => server.port(),
            Self::Ours(server) => server.port,
        }
    }

    fn said(&self) -> Said {
        let silent = || Said::new(Verdict::Closed, "says nothing");
        match self {
            Self::Nss(server) => server
                .read(0, super::peers::NSS_SERVER.read)
                .unwrap_or_else(silent),
            Self::Ours(server) => server.said(),
            Self::Tlslite(server) => server.read(0, tlslite_server_said).unwrap_or_else(silent),
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
    let client = client(lab, UniqueName::Preferred);
    for wrong in &WRONG {
        let expected = with_server_expected(library, wrong);
        check(
            matrix,
            Case::wrong(wrong.what),
            expected,
            &client,
            (program.start)(&lab.wrong(wrong), false),
            program,
        );
    }
    let expected = match library {
        Library::BoringSsl => {
            expected::not_served("BoringSSL compares the key with the credential")
        }
        _ => expected::refusal("decrypt_error"),
    };
    let server = (program.start)(&lab.with_another_key(), false);
    check(
        matrix,
        Case::wrong(WRONG_KEY),
        expected,
        &client,
        server,
        program,
    );
}

/// And everything that no ordinary server can be made to send.
pub(super) fn misuse(matrix: &mut Matrix, lab: &Lab) {
    let program = super::peers::TLSLITE_SERVER;
    for (mode, what, alert) in MISUSE {
        let server = tlslite::misuse_server(&lab.minted("P-256"), mode);
        let client = client(lab, UniqueName::Preferred);
        check(
            matrix,
            Case::wrong(what),
            expected::refusal(alert),
            &client,
            Some(server),
            program,
        );
    }
    let server = tlslite::misuse_server(&lab.minted("P-256"), "unsolicited");
    // This policy offers the named form only, so the credential comes unasked.
    let client = client(lab, UniqueName::Required);
    let expected = expected::refusal("unexpected_message");
    check(
        matrix,
        Case::wrong("unsolicited"),
        expected,
        &client,
        Some(server),
        program,
    );
}

fn check(
    matrix: &mut Matrix,
    case: Case,
    expected: Expected,
    client: &OurClient,
    server: Option<Server>,
    program: ServerProgram,
) {
    let (client, server) = meet(client, server.as_ref(), program);
    matrix.add(case, expected, client, server);
}

fn client(lab: &Lab, policy: UniqueName) -> OurClient {
    OurClient::new(&lab.root(), Backend::Ring, policy)
}

fn with_server_expected(library: Library, wrong: &Wrong) -> Expected {
    let wrong_scheme = !wrong.tlslite_serves();
    match library {
        Library::Nss if !wrong.nss_serves() => expected::not_served("NSS wants digitalSignature"),
        Library::BoringSsl if !wrong.nss_serves() => {
            expected::not_served("BoringSSL wants digitalSignature")
        }
        Library::BoringSsl if wrong_scheme => {
            expected::certificate("BoringSSL sees that the key has no such scheme")
        }
        Library::Tlslite if wrong_scheme => {
            expected::gives_up("tlslite-ng does not sign SHA-384 with P-256")
        }
        _ => expected::refusal(ILLEGAL),
    }
}
