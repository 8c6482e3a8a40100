//! The three files of vectors. `docs/vectors.md` describes them for people, `docs/vectors/schema.json` for machines.

mod alerts;
pub mod credentials;
pub mod handshakes;
mod hex;
pub mod selection;

use serde::{Deserialize, Serialize};

pub use self::alerts::Alerts;
pub use self::hex::Hex;
use crate::fault::Fault;

/// The end of a connection that a credential authenticates.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The server.
    Server,
    /// The client.
    Client,
}

/// The form of a credential.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Extension 34.
    Rfc9345,
    /// Extension 0xFF22.
    Named,
}

/// A client's policy for the unique name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// A named credential, and nothing else.
    Required,
    /// A named credential, or a certificate for the reference identity with its own key.
    RequiredOrCertificate,
    /// The named form, else RFC 9345's, else a certificate.
    Preferred,
    /// RFC 9345's form, else a certificate.
    Ignored,
}

/// The lists of a peer, code points of signature schemes.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The list of extension 34; absent if it was not offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rfc9345: Option<Vec<u16>>,
    /// The list of extension 0xFF22; absent if it was not offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named: Option<Vec<u16>>,
    /// The list of signature_algorithms.
    pub signature_algorithms: Vec<u16>,
}

/// A refusal: the fault, and the alert where TLS sends one.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The fault.
    pub error: Fault,
    /// The AlertDescription (RFC 8446 §6); absent where nothing is sent to a peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<u8>,
    /// The alerts that the specification allows in its place.
    #[serde(default, skip_serializing_if = "Alerts::is_empty")]
    pub also: Alerts,
}

/// An earlier check that a vector takes as passed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Assumed {
    /// The chain leads to a trusted root, and every certificate is valid now.
    Path,
    /// The certificate has the reference identity.
    CertificateName,
}

/// An algorithm that not every implementation has; without it, a vector is left out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Needs {
    /// ECDSA on P-521.
    P521,
    /// Ed448.
    Ed448,
    /// RSASSA-PSS with keys of its own type (id-RSASSA-PSS).
    RsaPssPss,
    /// A policy that accepts an empty DelegationUsage.
    LenientUsage,
}

/// An extension of a message.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: u16,
    /// Its extension_data.
    pub data: Hex,
}
