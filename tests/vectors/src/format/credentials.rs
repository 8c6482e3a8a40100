//! `credentials.json`: certificates and credentials, each alone; files that carry them; requests to issuers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Assumed, Form, Hex, Needs, Offer, Refused, Role};

/// Certificates by name.
pub type Certificates = BTreeMap<String, Certificate>;

/// `credentials.json`: credentials, each alone, and files that carry them.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// What the file is.
    pub description: String,
    /// The offer of a vector that has none of its own.
    pub default_offer: Offer,
    /// The root that signed all certificates of the three files, in DER.
    pub root: Hex,
    /// The delegation certificates of the three files.
    pub certificates: Certificates,
    /// Credentials to decode and verify.
    pub credentials: BTreeMap<String, CredentialVector>,
    /// PEM files to read.
    pub files: BTreeMap<String, FileVector>,
    /// Requests to an issuer.
    pub requests: BTreeMap<String, RequestVector>,
}

/// A delegation certificate, or one that is not quite one.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// What is special about it.
    pub note: String,
    /// The certificate, in DER.
    pub der: Hex,
    /// The certificates between it and the root, the one that signed it first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intermediates: Vec<Hex>,
    /// The root that it leads to, if that is not the file's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<Hex>,
    /// The type of its key.
    pub key: KeyType,
    /// Its private key in PKCS#8, in DER. It is public: never trust it.
    pub private_key: Hex,
    /// Unix time, the first second at which it is valid.
    pub not_before: u64,
    /// Unix time, the last second at which it is valid.
    pub not_after: u64,
    /// Its dNSNames.
    pub dns_names: Vec<String>,
}

/// The types of keys that vectors have.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyType {
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// rsaEncryption, 2048 bits.
    Rsa,
    /// id-RSASSA-PSS, 2048 bits.
    RsaPss,
}

/// One credential, and what a verifier makes of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialVector {
    /// What it shows.
    pub note: String,
    /// The anchor of the section that it shows.
    pub section: String,
    /// The end that is to be authenticated.
    pub role: Role,
    /// The extension it came in.
    pub form: Form,
    /// The name of the certificate it came with.
    pub certificate: String,
    /// The whole extension_data.
    pub credential: Hex,
    /// The reference identity, or null.
    pub wanted_name: Option<String>,
    /// What was offered, if it is not the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
    /// Earlier checks that are taken as passed.
    pub assumes: Vec<Assumed>,
    /// Algorithms and settings that not everybody has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Needs>,
    /// Verify at this Unix time,
    pub now_first: u64,
    /// and at this one; they are the same if it is to be refused.
    pub now_last: u64,
    /// The refusal, of what is to be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// What a verifier has to find, of what is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Valid>,
}

/// The contents of a valid credential.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Valid {
    /// Seconds from the certificate's notBefore.
    pub valid_time: u32,
    /// The unique name, in the named form.
    pub unique_name: Option<String>,
    /// The length in bytes of what the certificate's key signed.
    pub signed_message_length: usize,
    /// Its SHA-256.
    pub signed_message_sha256: Hex,
    /// The credential's private key in PKCS#8, in DER. It is public: never trust it.
    pub credential_private_key: Hex,
}

/// A file, and what is read from it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FileVector {
    /// What it shows.
    pub note: String,
    /// The anchor of the section that it shows.
    pub section: String,
    /// The file; its octets are those of the text in UTF-8.
    pub text: String,
    /// The certificate that says the role.
    pub certificate: String,
    /// The refusal, of what is to be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// The credentials in it, in their order: names of `credentials`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Vec<String>>,
}

/// A request to an issuer that holds a certificate's key, and whether it may be granted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RequestVector {
    /// What it shows.
    pub note: String,
    /// The anchor of the section that it shows.
    pub section: String,
    /// The delegation certificate.
    pub certificate: String,
    /// The end to be authenticated.
    pub role: Role,
    /// The unique name; absent for RFC 9345's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_name: Option<String>,
    /// The device's key, a SubjectPublicKeyInfo.
    pub spki: Hex,
    /// The lifetime asked for, in seconds from now.
    pub lifetime: u64,
    /// Unix time of the request.
    pub now: u64,
    /// Algorithms that not everybody has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Needs>,
    /// The refusal, of what is to be refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// The `valid_time` of the credential that may be issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_time: Option<u32>,
}
