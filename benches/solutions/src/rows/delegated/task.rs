//! What the vendor's operator does at the signer, as lines of JSON between this program and the signer's process.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing to do.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Task {
    /// Names are issued under this zone from now on, in these forms.
    AddZone { zone: String, forms: String },
    /// Takes the `chain.pem` and `key.pem` of a folder as the next delegation certificate.
    Import { zone: String, folder: String },
    /// A device that may enrol; the answer has its activation code.
    AddDevice { external_id: String },
    /// It gets no credentials from now on.
    Suspend { device: String },
    /// Another box takes its place, with its name or with a new one; the answer has its activation code.
    Replace { device: String, new_name: bool },
    /// It is later than it was, and nobody has worked meanwhile.
    TimeHasPassed,
}

/// What the signer's process says.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Said {
    /// It listens at this port.
    Ready(u16),
    Done(Value),
    Failed(String),
}

/// What lines begin with that are a [`Said`]; a process may say other things too.
pub(super) const MARK: &str = "signer says: ";
