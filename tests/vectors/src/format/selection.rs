//! `selection.json`: what is offered, and what is sent in answer to an offer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Extension, Form, Hex, Needs, Policy, Refused, Role};

/// `selection.json`: what a peer sends in answer to an offer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Selections {
    /// What the file is.
    pub description: String,
    /// Credentials of `credentials.json` and of this file that are held, by name.
    pub held: BTreeMap<String, Held>,
    /// Offers, what is held, and what is to be sent.
    pub selections: BTreeMap<String, SelectionVector>,
    /// References, policies, and what a client offers.
    pub offers: BTreeMap<String, OfferVector>,
}

/// A credential that a peer holds with its key.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The form.
    pub form: Form,
    /// The delegation certificate.
    pub certificate: String,
    /// The whole extension_data.
    pub credential: Hex,
    /// The credential's private key in PKCS#8, in DER.
    pub private_key: Hex,
}

/// An offer, and the answer of a peer that holds credentials.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SelectionVector {
    /// What it shows.
    pub note: String,
    /// The anchor of the section that it shows.
    pub section: String,
    /// The end that answers: a server answers a ClientHello, a client a CertificateRequest.
    pub role: Role,
    /// True if the hello offers TLS 1.3; a CertificateRequest always is of TLS 1.3.
    pub tls13: bool,
    /// The name in the hello's server_name extension.
    pub server_name: Option<String>,
    /// The extensions that matter, in their order; any others of a hello may stand among them.
    pub extensions: Vec<Extension>,
    /// Those of the second ClientHello, after a HelloRetryRequest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_extensions: Option<Vec<Extension>>,
    /// What is held, the favourite first: names of `held`.
    pub held: Vec<String>,
    /// True if the peer also has a certificate for every name with its own key, which every client takes.
    pub certificate: bool,
    /// True if the operator allows a named credential for a client that sends no server_name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub named_without_server_name: bool,
    /// Unix time.
    pub now: u64,
    /// Algorithms that not everybody has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Needs>,
    /// What is to be sent.
    pub answer: Answer,
}

/// What a peer sends in answer to an offer.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The credential of this name.
    Credential(String),
    /// The certificate, with its own key and without a credential.
    Certificate,
    /// A client's Certificate message without entries.
    Empty,
    /// An alert.
    Refused(Refused),
}

/// A reference identity and a policy, and what a client offers.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OfferVector {
    /// What it shows.
    pub note: String,
    /// The anchor of the section that it shows.
    pub section: String,
    /// The reference identity.
    pub wanted_name: String,
    /// The policy.
    pub policy: Policy,
    /// The refusal, where nothing may be sent at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// The forms that are offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forms: Option<Vec<Form>>,
    /// The server_name that is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
}
