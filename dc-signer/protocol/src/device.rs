//! The requests of devices, and the answers.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Asks for a device's first credentials.
///
/// The device connects with a client certificate: the manufacturer's, or one that it signed itself
/// and whose key is from then on its *enrolment key*. With the latter it shows an activation code.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct EnrollRequest {
    /// A PKCS#10 request in PEM, signed by the key that the credentials are for. Nothing but that
    /// public key is taken from it.
    pub csr: String,
    /// A PKCS#10 request in PEM, signed by another key, for credentials that the device presents as a client to servers that
    /// ask for one. Nothing but that public key is taken from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_csr: Option<String>,
    /// The activation code, as it was handed out; case, spaces and hyphens do not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The SHA-256 of the first credential that the device holds now, if it has been in before; none if it holds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_sha256: Option<String>,
}

/// The code lets anybody enrol, so it is not shown.
impl fmt::Debug for EnrollRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            csr,
            client_csr,
            code: _,
            previous_sha256,
        } = self;
        f.debug_struct("EnrollRequest")
            .field("csr", csr)
            .field("client_csr", client_csr)
            .field("previous_sha256", previous_sha256)
            .finish_non_exhaustive()
    }
}

/// Asks for new credentials, with the enrolment key's certificate as the client certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RenewRequest {
    /// A PKCS#10 request in PEM, signed by the key that the credentials are for. Nothing but that
    /// public key is taken from it.
    pub csr: String,
    /// A PKCS#10 request in PEM, signed by another key, for credentials that the device presents as a client to servers that
    /// ask for one. Nothing but that public key is taken from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_csr: Option<String>,
    /// The SHA-256 of the first credential that the device holds now; none if it lost it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_sha256: Option<String>,
    /// Chosen by the device, the same when it tries again: then it gets the same answer for an hour,
    /// so that an answer that was lost costs nothing.
    pub idempotency_key: String,
    /// A PKCS#10 request in PEM, signed by the enrolment key that the device wants to use from now
    /// on. The old one stays good until the new one is first used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_enrolment_csr: Option<String>,
}

/// The answer to both: all that a device serves with, but for its private key.
///
/// Chain and credentials belong together, and are stored and swapped in one step.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Credentials {
    /// The device's id at the service.
    pub device: String,
    /// Its unique name, which it keeps.
    pub name: String,
    /// The zone that the name is in.
    pub zone: String,
    /// One for each form that the zone issues, the named one first.
    pub credentials: Vec<Credential>,
    /// Those for the key of `client_csr`, always with the unique name; empty if none were asked for, or if the zone issues
    /// none for clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_credentials: Vec<Credential>,
    /// The certificates to send with them, the delegation certificate first, in PEM.
    pub chain: String,
    /// When the credentials were issued.
    pub issued: u64,
    /// When the first of them ends.
    pub expires: u64,
    /// From when on the device should renew: it picks a moment between this and `renew_until` once,
    /// at random, and keeps it.
    pub renew_from: u64,
    /// Until when it should have renewed.
    pub renew_until: u64,
}

/// One credential.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Credential {
    /// `named` or `rfc9345`.
    pub form: String,
    /// The credential in PEM.
    pub pem: String,
    /// The SHA-256 of the credential: of the bytes inside the PEM block.
    pub sha256: String,
}

/// The answer to whether a zone's devices should renew before their time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RenewalInfo {
    /// The zone.
    pub zone: String,
    /// The SHA-256 of the delegation certificate that the zone issues from now; none if it cannot.
    pub certificate_sha256: Option<String>,
    /// A device whose credential was issued before this moment renews now; 0 means none does.
    pub renew_issued_before: u64,
    /// Over how many seconds, from when it learnt this, it spreads that renewal.
    pub spread: u64,
    /// After how many seconds to ask again.
    pub poll_after: u64,
}

/// The record that the service has of the device that asks.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DeviceRecord {
    /// Its unique name.
    pub name: String,
    /// The zone that the name is in.
    pub zone: String,
    /// `active`: others are refused.
    pub state: String,
    /// When its last credential was issued; none if it has got none since it was reset or replaced.
    pub issued: Option<u64>,
    /// When that credential ends.
    pub expires: Option<u64>,
    /// From when on it should renew, if nothing asks it to do so earlier.
    pub renew_from: Option<u64>,
    /// Until when it should have renewed.
    pub renew_until: Option<u64>,
    /// True if two devices seem to use its enrolment key or its name.
    pub possible_clone: bool,
}
