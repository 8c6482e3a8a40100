//! The audit log and its checkpoints.

use serde::{Deserialize, Serialize};

use crate::checkpoints::{PlaceStatus, Status};
use dc_store::registry::Record;

/// A record of the audit log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct AuditRecord {
    /// Its place in the log, from 1 on.
    pub seq: u64,
    /// The time, by the clock of the signer that did it.
    pub time: u64,
    /// The signer that it was done at.
    pub node: String,
    /// The operator, the device or the signer that did it.
    pub actor: String,
    /// The action.
    pub action: String,
    /// The unique name or the operator that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The SHA-256 of the SubjectPublicKeyInfo that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spki_sha256: Option<String>,
    /// The SHA-256 of the credential or the delegation certificate that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_sha256: Option<String>,
    /// The zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// When what it is about ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
    /// A commitment to what it set and does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail_sha256: Option<String>,
    /// The reason, in the words of whoever did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The filter of a read, the record that it answers, or an operator's role; and at its end `from=` and the address that an act over HTTP
    /// came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The hash of the record before it.
    pub prev_hash: String,
}

/// Records of the audit log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct AuditRecords {
    /// The records.
    pub records: Vec<AuditRecord>,
    /// The value of `before`, or of `after`, for the next page, if there may be one. A page may be empty and have a next one:
    /// each looks at a million records at most.
    pub next: Option<u64>,
}

/// The last checkpoint of the audit log that this signer has signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct AuditCheckpoint {
    /// The key to verify it with, as C2SP signed-note writes it: `name+id+key`.
    pub key: String,
    /// How many records it has.
    pub size: u64,
    /// When it was signed; 0 if none was.
    pub time: u64,
    /// The checkpoint (C2SP tlog-checkpoint), with its cosignatures.
    pub note: Option<String>,
    /// The reason that none is signed now, if none is.
    pub failure: Option<String>,
    /// Set if that is because the log was cut or rewritten.
    pub refused: bool,
    /// The places that it is sent to.
    pub places: Vec<CheckpointPlaceStatus>,
}

/// A place that checkpoints are sent to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct CheckpointPlaceStatus {
    /// Its path or URL.
    pub name: String,
    /// How many it has not got yet.
    pub waiting: usize,
    /// The reason that it did not take the last one, if it did not.
    pub failure: Option<String>,
}

impl From<&Record> for AuditRecord {
    fn from(record: &Record) -> Self {
        let entry = &record.entry;
        Self {
            seq: record.seq,
            time: entry.time.as_secs(),
            node: entry.node.clone(),
            actor: entry.actor.clone(),
            action: entry.action.to_string(),
            name: entry.name.clone(),
            spki_sha256: entry.spki_sha256.map(|hash| hash.to_string()),
            credential_sha256: entry.credential_sha256.map(|hash| hash.to_string()),
            zone: entry.zone.clone(),
            expires: entry.expires.map(|time| time.as_secs()),
            detail_sha256: entry.detail_sha256.map(|hash| hash.to_string()),
            reason: entry.reason.clone(),
            scope: entry.scope.clone(),
            prev_hash: record.prev_hash.to_string(),
        }
    }
}

impl From<Status> for AuditCheckpoint {
    fn from(status: Status) -> Self {
        let place = |place: PlaceStatus| CheckpointPlaceStatus {
            name: place.name,
            waiting: place.waiting,
            failure: place.failure,
        };
        Self {
            key: status.key,
            size: status.size,
            time: status.at,
            note: status.note,
            failure: status.failure,
            refused: status.refused,
            places: status.places.into_iter().map(place).collect(),
        }
    }
}
