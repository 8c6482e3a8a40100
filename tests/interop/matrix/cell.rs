//! One cell of the matrix: what was tried, how it should end, how it ended.

use std::fmt;

use rustls::HandshakeKind;
use serde_json::{Value, json};

/// What one end made of a handshake, as it says itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It was told this and gave up.
    Alert(String),
    /// Done; the program does not say with what.
    Accepted,
    /// Done with the certificate.
    Certificate,
    /// The other end went away without a word.
    Closed,
    /// Done with the credential.
    Credential,
    /// The program does not start with such a key or credential.
    NotServed,
    /// Not good enough for it.
    Refused,
}

impl Verdict {
    pub(crate) fn alert(name: &str) -> Self {
        Self::Alert(name.to_owned())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alert(name) => return write!(f, "alert {name}"),
            Self::Accepted => "accepted",
            Self::Certificate => "certificate",
            Self::Closed => "closed",
            Self::Credential => "credential",
            Self::NotServed => "not served",
            Self::Refused => "refused",
        })
    }
}

/// What one end says of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) verdict: Verdict,
    /// Known of our own ends only.
    pub(crate) kind: Option<HandshakeKind>,
    /// Its own words, for people.
    pub(crate) words: String,
}

impl Said {
    pub(crate) fn new(verdict: Verdict, words: impl Into<String>) -> Self {
        Self {
            verdict,
            kind: None,
            words: words.into(),
        }
    }

    /// The program does not start with this.
    pub(crate) fn not_served() -> Self {
        Self::new(Verdict::NotServed, "")
    }
}

/// Which end the peer is; the other one is ours, unless it has to misbehave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    Client,
    Server,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// The cryptography under our own end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Backend {
    AwsLc,
    Ring,
}

/// What was tried with a peer.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) credential_key: &'static str,
    pub(crate) delegation_key: &'static str,
    /// Whether the named form was offered too, by our client or from our server.
    pub(crate) both_forms: bool,
    pub(crate) handshake: Handshake,
    pub(crate) backend: Backend,
    /// What is wrong with the credential.
    pub(crate) wrong: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Handshake {
    /// Right behind one that was refused, by the same program: it must have kept no session.
    Again,
    Full,
    Resumed,
    Retry,
}

impl Handshake {
    fn name(self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::Retry => "HelloRetryRequest",
        }
    }

    fn is(self, kind: HandshakeKind) -> bool {
        match self {
            // Where nothing was refused, there is a session.
            Self::Again => true,
            Self::Full => kind == HandshakeKind::Full,
            Self::Resumed => kind == HandshakeKind::Resumed,
            Self::Retry => kind == HandshakeKind::FullWithHelloRetryRequest,
        }
    }
}

impl Case {
    pub(crate) fn to_json(&self, peer: &str, role: Role) -> Value {
        json!({
            "peer": peer,
            "role": role.name(),
            "credential_key": self.credential_key,
            "delegation_key": self.delegation_key,
            "forms": if self.both_forms { "both" } else { "rfc9345" },
            "handshake": self.handshake.name(),
            "our_crypto": match self.backend {
                Backend::AwsLc => "aws-lc-rs",
                Backend::Ring => "ring",
            },
            "wrong": self.wrong,
        })
    }
}

/// How a handshake should end, at both ends, and why so if it is not with the credential.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Expected {
    pub(crate) client: Verdict,
    pub(crate) server: Verdict,
    pub(crate) because: &'static str,
}

/// A cell with its result.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) case: Case,
    pub(crate) expected: Expected,
    pub(crate) client: Said,
    pub(crate) server: Said,
}

impl Cell {
    pub(crate) fn is_as_expected(&self) -> bool {
        self.client.verdict == self.expected.client
            && self.server.verdict == self.expected.server
            && self.is_of_the_kind()
    }

    /// Whether the end that is ours saw the handshake that was wanted; true if there was none.
    pub(crate) fn is_of_the_kind(&self) -> bool {
        let kinds = [self.client.kind, self.server.kind];
        kinds
            .into_iter()
            .flatten()
            .all(|kind| self.case.handshake.is(kind))
    }

    pub(crate) fn to_json(&self, peer: &str, role: Role, exception: Option<&str>) -> Value {
        let mut cell = self.case.to_json(peer, role);
        let Expected {
            client,
            server,
            because,
        } = &self.expected;
        cell["expected"] = json!({ "client": client.to_string(), "server": server.to_string() });
        cell["because"] = json!(because);
        cell["got"] = json!({
            "client": self.client.verdict.to_string(),
            "server": self.server.verdict.to_string(),
            "client_says": self.client.words,
            "server_says": self.server.words,
        });
        cell["exception"] = json!(exception);
        cell["ok"] = json!(exception.is_some() || self.is_as_expected());
        cell
    }
}
