//! The renewal of a zone's delegation certificate, as all signers of a database know it.

use std::time::Duration;

use pki_types::UnixTime;

use crate::registry::Sha256;
use dc_pki::names::ZoneName;

/// The state of one zone's renewal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Renewal {
    /// The zone.
    pub zone: ZoneName,
    /// SHA-256 of the certificate that the times are of; none before a zone's first.
    pub certificate_sha256: Option<Sha256>,
    /// When the next certificate is ordered.
    pub order_at: UnixTime,
    /// When the CA is asked next when it wants the certificate to be renewed; none if it is not asked.
    pub ask_at: Option<UnixTime>,
    /// After a try that failed, when to try again.
    pub try_at: Option<UnixTime>,
    /// How often the next certificate was ordered.
    pub attempts: u32,
    /// Since when it fails.
    pub failing_since: Option<UnixTime>,
    /// When it was ordered last.
    pub tried: Option<UnixTime>,
    /// The reason of the last failure.
    pub error: Option<String>,
    /// The process that orders now.
    pub holder: Option<Holder>,
}

impl Renewal {
    /// Of a zone, before anything is known.
    #[must_use]
    pub fn of(zone: ZoneName) -> Self {
        Self {
            zone,
            certificate_sha256: None,
            order_at: UnixTime::since_unix_epoch(Duration::ZERO),
            ask_at: None,
            try_at: None,
            attempts: 0,
            failing_since: None,
            tried: None,
            error: None,
            holder: None,
        }
    }
}

/// The process that orders a certificate, and keeps all others from it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holder {
    /// Which process it is.
    pub id: [u8; 16],
    /// How the audit log calls it.
    pub node: String,
    /// From then on another one may take over.
    pub until: UnixTime,
}

/// An act of a renewal that goes into the audit log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Noted {
    /// A certificate is ordered.
    Ordered,
    /// The order brought none: the reason is [`Renewal::error`].
    Failed,
}
