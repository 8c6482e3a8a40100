//! Zones as operators give and get them.

use serde::{Deserialize, Serialize};

/// A zone to issue names in.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewZone {
    /// The zone, such as `cpe.example.com`.
    #[schema(max_length = 226)]
    pub zone: String,
    /// The forms of credentials that it issues: `named`, `both` or `rfc9345`. The last two let every device pose as
    /// every other of the zone to clients that do not know the unique name, such as Firefox.
    #[serde(default = "named")]
    pub forms: String,
    /// The ends of connections that its devices get credentials for: `server`, or `both` for clients too. Then every
    /// delegation certificate of the zone needs clientAuth in its extKeyUsage, or none.
    #[serde(default = "server")]
    pub roles: String,
}

fn server() -> String {
    "server".to_owned()
}

fn named() -> String {
    "named".to_owned()
}

/// The forms of credentials that a zone is to issue.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneForms {
    /// `named`, `both` or `rfc9345`.
    pub forms: String,
    /// The reason or a ticket, for the audit log.
    #[schema(min_length = 3, max_length = 200)]
    pub reason: String,
}

/// The ends of connections that a zone is to issue for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneRoles {
    /// `server`, or `both` for clients too.
    pub roles: String,
    /// The reason or a ticket, for the audit log.
    #[schema(min_length = 3, max_length = 200)]
    pub reason: String,
}

/// A zone with its delegation certificates.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Zone {
    /// The zone.
    pub zone: String,
    /// The forms of credentials that it issues.
    pub forms: String,
    /// The ends of connections that it issues for: `server`, or `both` for clients too.
    pub roles: String,
    /// That credentials of both forms are or may be valid, so that the named ones protect only clients that require them; with what
    /// to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Devices whose credential was issued before this are to renew now.
    pub renew_issued_before: Option<u64>,
    /// How the service renews its delegation certificate, if it does so by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<ZoneRenewal>,
    /// The delegation certificates that it has or had.
    pub slots: Vec<Slot>,
}

/// How far the renewal of a zone's delegation certificate is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ZoneRenewal {
    /// When the next certificate is ordered; none if nobody has looked yet.
    pub order_at: Option<u64>,
    /// How often it was ordered.
    pub attempts: u32,
    /// Since when that fails.
    pub failing_since: Option<u64>,
    /// When the next try is.
    pub try_at: Option<u64>,
    /// The reason of the last failure.
    pub error: Option<String>,
    /// The signer that orders now.
    pub ordered_by: Option<String>,
    /// The slot that becomes active next.
    pub candidate: Option<u32>,
    /// When it can.
    pub candidate_soaked_at: Option<u64>,
    /// The signers that lack its key.
    pub candidate_lacking: Vec<String>,
    /// Things that somebody should look at.
    pub warnings: Vec<String>,
}

/// A delegation certificate of a zone.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Slot {
    /// Counts up from 1 in each zone.
    pub slot: u32,
    /// `next`, `active`, `draining` or `gone`.
    pub state: String,
    /// The SHA-256 of the certificate.
    pub certificate_sha256: String,
    /// When the certificate begins.
    pub not_before: u64,
    /// When the certificate ends.
    pub not_after: u64,
}

/// Moves a zone to another delegation certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveOn {
    /// The slot; without one, the next one that lasts longest.
    #[serde(default)]
    pub to: Option<u32>,
    /// Set to leave signers behind that have not got its key: they issue nothing in the zone until they have.
    #[serde(default)]
    pub leave_signers_out: bool,
    /// The reason or a ticket, for the audit log.
    #[schema(min_length = 3, max_length = 200)]
    pub reason: String,
}

/// Asks a zone's devices to renew before their time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PullRenewals {
    /// Those whose credential was issued before this; none takes it back.
    #[serde(default)]
    #[schema(maximum = 253402300799i64)]
    pub issued_before: Option<u64>,
    /// The reason or a ticket, for the audit log.
    #[schema(min_length = 3, max_length = 200)]
    pub reason: String,
}
