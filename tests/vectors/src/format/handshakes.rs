//! `handshakes.json`: what a peer makes of a handshake, a session or a connection.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Extension, Form, Hex, Needs, Offer, Policy, Refused, Role};

/// `handshakes.json`: what a peer makes of what it gets.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Handshakes {
    /// What the file is.
    pub description: String,
    /// Handshakes that were seen by the end that verifies.
    pub handshakes: BTreeMap<String, HandshakeVector>,
    /// Sessions, and whether a client may resume them.
    pub sessions: BTreeMap<String, SessionVector>,
    /// Sessions that a server made, and whether it may resume them.
    pub server_sessions: BTreeMap<String, ServerSessionVector>,
    /// Authenticated connections, and whether they may be used for another origin.
    pub reuse: BTreeMap<String, ReuseVector>,
}

/// A handshake, as the end that verifies sees it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HandshakeVector {
    /// What it shows.
    pub note: String,
    /// The anchor of the section that it shows.
    pub section: String,
    /// The end that authenticates itself.
    pub role: Role,
    /// The policy of the end that verifies.
    pub policy: Policy,
    /// What it offered, which follows from the policy and the reference identity.
    pub offer: Offer,
    /// The reference identity, or null.
    pub wanted_name: Option<String>,
    /// True if TLS 1.3 was negotiated, false for TLS 1.2.
    pub tls13: bool,
    /// Unix time.
    pub now: u64,
    /// Extensions of interest in other messages than Certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Elsewhere>,
    /// True if the end-entity's entry has a raw public key in place of a certificate (RFC 7250).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub raw_public_key: bool,
    /// Names that the application does not want.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
    /// Keys that the application does not want, each a SubjectPublicKeyInfo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn_keys: Vec<Hex>,
    /// The entries of Certificate.
    pub entries: Vec<Entry>,
    /// CertificateVerify.
    pub certificate_verify: CertificateVerify,
    /// Algorithms that not everybody has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Needs>,
    /// The outcome.
    pub outcome: Outcome,
}

/// An extension in a message other than Certificate.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    /// The message.
    pub message: Message,
    /// The extension.
    pub extension: Extension,
}

/// A message with extensions.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// ServerHello.
    ServerHello,
    /// HelloRetryRequest.
    HelloRetryRequest,
    /// EncryptedExtensions.
    EncryptedExtensions,
    /// NewSessionTicket.
    NewSessionTicket,
}

/// A CertificateEntry.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The certificate, in DER.
    pub certificate: Hex,
    /// The extensions, in their order.
    pub extensions: Vec<Extension>,
}

/// A CertificateVerify, its transcript, and the key that made it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateVerify {
    /// The hash of the transcript up to and with Certificate, which is what is signed with its context (RFC 8446 §4.4.3).
    pub transcript_hash: Hex,
    /// The scheme.
    pub scheme: u16,
    /// The signature.
    pub signature: Hex,
    /// The private key that made it in PKCS#8, in DER, to sign another transcript with.
    pub private_key: Hex,
}

/// What the end that verifies makes of a handshake.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The peer is accepted, as what.
    Accepted(Accepted),
    /// An alert.
    Refused(Refused),
}

/// A peer that was accepted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The form of its credential; null for the certificate's own key.
    pub form: Option<Form>,
    /// Its unique name, in the named form.
    pub unique_name: Option<String>,
    /// Unix time, the last second of the credential.
    pub expires: Option<u64>,
}

/// A session of an earlier handshake, and a connection that would resume it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SessionVector {
    /// What it shows.
    pub note: String,
    /// The anchor of the section that it shows.
    pub section: String,
    /// The peer that the session was made with.
    pub peer: Accepted,
    /// The key of the peer's credential, a SubjectPublicKeyInfo, where it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Hex>,
    /// The reference identity it was made for.
    pub made_for: String,
    /// The policy it was made under.
    pub made_under: Policy,
    /// Its ticket, where the lifetime matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// The connections that resumed it one after another; the session in question is of the last one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherited: Vec<Resumption>,
    /// The reference identity of the new connection.
    pub wanted_name: String,
    /// Its policy.
    pub policy: Policy,
    /// Unix time of the new connection.
    pub now: u64,
    /// Names that were withdrawn since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
    /// Keys that were withdrawn since, each a SubjectPublicKeyInfo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn_keys: Vec<Hex>,
    /// Whether the session may be offered.
    pub resumes: bool,
}

/// A NewSessionTicket (RFC 8446 §4.6.1).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// Unix time at which it was received.
    pub received: u64,
    /// Its `ticket_lifetime` in seconds.
    pub lifetime: u32,
}

/// A connection that resumed a session, and made another.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Resumption {
    /// The policy of that connection.
    pub policy: Policy,
    /// The ticket that it got.
    pub ticket: Ticket,
}

/// A session of an earlier handshake, and a ClientHello that would resume it, as the server sees them.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSessionVector {
    /// What it shows.
    pub note: String,
    /// The anchor of the section that it shows.
    pub section: String,
    /// What the server authenticated itself with.
    pub own: Accepted,
    /// The server_name that the session was made with, or null.
    pub made_with: Option<String>,
    /// The server_name of the new hello, or null.
    pub server_name: Option<String>,
    /// The client, if it was authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientSession>,
    /// Unix time of the new hello.
    pub now: u64,
    /// Whether the server may resume it.
    pub resumes: bool,
}

/// A client of a session, and what the server wants of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSession {
    /// The client.
    pub peer: Accepted,
    /// The key of the peer's credential, a SubjectPublicKeyInfo, where it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Hex>,
    /// The server's reference identity when it was made, or null.
    pub made_for: Option<String>,
    /// The server's policy when it was made.
    pub made_under: Policy,
    /// Its reference identity now, or null.
    pub wanted_name: Option<String>,
    /// Its policy now.
    pub policy: Policy,
    /// Names that were withdrawn since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
    /// Keys that were withdrawn since, each a SubjectPublicKeyInfo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn_keys: Vec<Hex>,
}

/// An authenticated connection, and another origin.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReuseVector {
    /// What it shows.
    pub note: String,
    /// The anchor of the section that it shows.
    pub section: String,
    /// The peer.
    pub peer: Accepted,
    /// The key of the peer's credential, a SubjectPublicKeyInfo, where it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Hex>,
    /// The dNSNames of its certificate.
    pub dns_names: Vec<String>,
    /// The policy that it was made under.
    pub made_under: Policy,
    /// The host of the other origin.
    pub other: String,
    /// The policy for it.
    pub policy: Policy,
    /// True if the connection has served it before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub served: bool,
    /// Unix time.
    pub now: u64,
    /// Names that were withdrawn since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
    /// Keys that were withdrawn since, each a SubjectPublicKeyInfo.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withdrawn_keys: Vec<Hex>,
    /// Whether the connection is authoritative for it.
    pub authoritative: bool,
}
