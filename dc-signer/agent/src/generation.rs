//! A generation: chain, credentials and key that belong together and are swapped together.

use dc_core::pem::StoredCredential;
use pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The description that a generation has of itself. Moments are seconds since 1970.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Meta {
    /// The device's id at the signer.
    pub device: String,
    /// The device's name.
    pub name: String,
    /// The zone of the name.
    pub zone: String,
    /// When the credentials were issued.
    pub issued: u64,
    /// When the first of them ends.
    pub expires: u64,
    /// When to renew: drawn once, when the generation was made.
    pub renew_at: u64,
    /// The SHA-256 of the first credential.
    pub sha256: String,
    /// True if a credential for the device as a client was asked for as well, whether or not one came.
    #[serde(default)]
    pub asked_as_client: bool,
    /// True if one came, and belongs to the generation.
    #[serde(default)]
    pub is_client: bool,
}

/// A generation as it is on the disk; nothing in it is checked.
#[derive(Debug)]
pub struct Generation {
    /// Its number.
    pub number: u64,
    /// The part that the device serves with.
    pub server: Part,
    /// The part that the device presents as a client, or what is wrong with its files; none if there is to be none.
    pub client: Option<Result<Part, Error>>,
    /// Its description of itself.
    pub meta: Meta,
}

/// The part of a generation for one end of connections, as it is on the disk.
#[derive(Clone, Debug)]
pub struct Part {
    /// The chain, which is the other part's as well.
    pub chain: Vec<CertificateDer<'static>>,
    /// The credentials.
    pub credentials: Vec<StoredCredential>,
    /// The public half of its own key: a DER SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
}
