//! Transport × role × form × kind of handshake: every cell as real connections over loopback, and the table of them in
//! `docs/matrix.md`.
//!
//! `UPDATE_TABLES=1 cargo test -p dc-tests --test handshake cells::` writes the table anew. Otherwise it has to say what
//! was counted.

mod met;
mod quic;
mod scene;
mod tcp;

use std::fmt::Write as _;
use std::path::Path as FilePath;
use std::sync::atomic::Ordering;
use std::thread;

use dc_core::Form;
use dc_rustls::server::Acceptor;
use dc_tests::backend::{BACKENDS, Backend};

use self::met::Met;
use self::scene::{Client, Scene};

/// What carries the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Transport {
    Tcp,
    TcpTokio,
    Quic,
}

const TRANSPORTS: [Transport; 3] = [Transport::Tcp, Transport::TcpTokio, Transport::Quic];

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP, blocking",
            Self::TcpTokio => "TCP, tokio",
            Self::Quic => "QUIC, quinn",
        }
    }

    fn meet(self, scene: &Scene, ends: &Ends<'_>, sends_early: bool) -> Met {
        match self {
            Self::Tcp => tcp::blocking(scene, ends, sends_early),
            Self::TcpTokio => tcp::asynchronous(scene, ends, sends_early),
            Self::Quic => quic::meet(scene, ends, sends_early),
        }
    }
}

/// Who has a credential. A server without one has an ordinary certificate, and a client without one nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    Server,
    Client,
    Both,
}

const ROLES: [Role; 3] = [Role::Server, Role::Client, Role::Both];

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Both => "both",
        }
    }

    fn has_server(self) -> bool {
        self != Self::Client
    }

    fn has_client(self) -> bool {
        self != Self::Server
    }
}

/// The kind of handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Kind {
    is_resumed: bool,
    is_retried: bool,
    early: Early,
}

/// The early data of a client that resumes a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Early {
    No,
    Accepted,
    /// The server takes none any more, or asks for another key share.
    Rejected,
}

const KINDS: [(&str, Kind); 7] = [
    ("full", Kind::of(false, false, Early::No)),
    ("full, HelloRetryRequest", Kind::of(false, true, Early::No)),
    ("resumed", Kind::of(true, false, Early::No)),
    (
        "resumed, HelloRetryRequest",
        Kind::of(true, true, Early::No),
    ),
    ("early data", Kind::of(true, false, Early::Accepted)),
    (
        "early data, rejected",
        Kind::of(true, false, Early::Rejected),
    ),
    (
        "early data, HelloRetryRequest",
        Kind::of(true, true, Early::Rejected),
    ),
];

impl Kind {
    const fn of(is_resumed: bool, is_retried: bool, early: Early) -> Self {
        Self {
            is_resumed,
            is_retried,
            early,
        }
    }
}

/// One cell, with the cryptography of each end.
#[derive(Clone, Copy, Debug)]
struct Cell {
    transport: Transport,
    role: Role,
    form: Form,
    kind: Kind,
    near: Backend,
    far: Backend,
}

/// The ends of one connection.
struct Ends<'a> {
    client: &'a Client,
    server: Acceptor,
    takes_early: bool,
}

impl Cell {
    /// Makes the connections, and gives their number.
    ///
    /// Panics if one of them is not what the cell says.
    fn run(&self, scene: &Scene) -> usize {
        let client = self.client(scene);
        let sessions = scene::sessions();
        let mut connections = 0;
        let takes_early = self.kind.early != Early::No;
        if self.kind.is_resumed {
            let ends = Ends {
                client: &client,
                server: self.server(scene, &sessions, false, takes_early),
                takes_early,
            };
            let met = self.transport.meet(scene, &ends, false);
            met.check(self, scene, Kind::of(false, false, Early::No));
            connections += 1;
        }
        let takes_early =
            takes_early && (self.kind.early == Early::Accepted || self.kind.is_retried);
        let ends = Ends {
            client: &client,
            server: self.server(scene, &sessions, self.kind.is_retried, takes_early),
            takes_early,
        };
        let met = self
            .transport
            .meet(scene, &ends, self.kind.early != Early::No);
        met.check(self, scene, self.kind);
        // Whatever the transport says, or not.
        assert_eq!(client.full.load(Ordering::Relaxed), 1, "{self:?}");
        connections + 1
    }
}

/// The connections of all cells of a row.
fn row(scene: &Scene, transport: Transport, role: Role, form: Form) -> String {
    let cells = KINDS.map(|(_, kind)| {
        let mut connections = 0;
        for (&near, &far) in BACKENDS.iter().zip(BACKENDS.iter().rev()) {
            let cell = Cell {
                transport,
                role,
                form,
                kind,
                near,
                far,
            };
            connections += cell.run(scene);
        }
        connections.to_string()
    });
    let form = match form {
        Form::Rfc9345 => "RFC 9345",
        Form::Named => "named",
    };
    let begin = [transport.name(), role.name(), form].map(str::to_owned);
    format!(
        "| {} |\n",
        begin
            .into_iter()
            .chain(cells)
            .collect::<Vec<_>>()
            .join(" | ")
    )
}

#[test]
fn every_cell_of_the_matrix_is_as_the_table_says() {
    let scene = Scene::new();
    let rows = TRANSPORTS.into_iter().flat_map(|transport| {
        let of_role = move |role| Form::ALL.map(move |form| (transport, role, form));
        ROLES.into_iter().flat_map(of_role)
    });
    let rows: Vec<_> = rows.collect();
    let run = |rows: &[(Transport, Role, Form)]| -> String {
        let lines = rows.iter();
        lines
            .map(|&(transport, role, form)| row(&scene, transport, role, form))
            .collect()
    };
    let half = rows.len().div_ceil(2);
    let lines = thread::scope(|scope| {
        let parts: Vec<_> = rows
            .chunks(half)
            .map(|part| scope.spawn(|| run(part)))
            .collect();
        let parts = parts.into_iter().map(|part| part.join().unwrap());
        parts.collect::<String>()
    });
    check_table(&lines);
}

/// Compares or writes the table. Of one provider alone there are fewer connections than it says.
fn check_table(lines: &str) {
    if BACKENDS.len() < 2 {
        return;
    }
    let mut columns = vec!["transport", "credential of", "form"];
    columns.extend(KINDS.map(|(name, _)| name));
    let mut text = HEAD.to_owned();
    let _ = writeln!(
        text,
        "| {} |\n|{}",
        columns.join(" | "),
        "---|".repeat(columns.len())
    );
    text.push_str(lines);
    let path = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../docs/matrix.md");
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(&path, &text).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written, text, "UPDATE_TABLES=1 writes docs/matrix.md anew");
}

const HEAD: &str = "\
# Every kind of connection

Written by `UPDATE_TABLES=1 cargo test -p dc-tests --test handshake cells::`, and compared by the same test without the variable.

Each number counts connections over loopback between a client and a server of dc-rustls that were as the cell says: who is known
as what at both ends, full or resumed, whether early data arrived, and that a line went each way behind the handshake. Half of them
have ring at the client and aws-lc-rs at the server, half the other way round. A session needs a connection before it, which is
counted too.

An end whose credential the second column does not name has none: such a server has an ordinary certificate, such a client nothing.
Early data is rejected by a server that takes none any more, and by every server that sends a HelloRetryRequest. Over QUIC nobody is
told of a HelloRetryRequest, so there only the key shares make sure of it.

";
