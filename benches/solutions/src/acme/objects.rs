//! The JSON objects of ACME, as both sides read and write them: RFC 8555 §7.1, RFC 8739 §3.1 and RFC 9115 §2.3.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Result;

/// Where a server has what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Directory {
    pub(crate) new_nonce: String,
    pub(crate) new_account: String,
    pub(crate) new_order: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) new_authz: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoke_cert: Option<String>,
    #[serde(default)]
    pub(crate) meta: Meta,
}

/// What a server can do beyond RFC 8555.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    #[serde(default, rename = "externalAccountRequired")]
    pub(crate) external_account_required: bool,
    /// RFC 9115 §2.3.4.
    #[serde(default, rename = "delegation-enabled")]
    pub(crate) delegation_enabled: bool,
    /// RFC 8739 §3.2.
    #[serde(
        default,
        rename = "auto-renewal",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) auto_renewal: Option<AutoRenewalMeta>,
}

/// The limits of automatic renewal, in seconds: RFC 8739 §3.2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AutoRenewalMeta {
    pub(crate) min_lifetime: u64,
    pub(crate) max_duration: u64,
    /// Whether orders can ask that anybody may fetch the certificate.
    #[serde(default)]
    pub(crate) allow_certificate_get: bool,
}

/// What a certificate is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identifier {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) value: String,
}

impl Identifier {
    /// A host's name.
    pub(crate) fn dns(name: &str) -> Self {
        Self {
            kind: "dns".to_owned(),
            value: name.to_owned(),
        }
    }
}

/// How long a CA is to renew a certificate by itself: RFC 8739 §3.1.1. Dates are as RFC 3339 has them, the rest is in
/// seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AutoRenewal {
    /// At once if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start_date: Option<String>,
    pub(crate) end_date: String,
    /// From one certificate's nominal begin to the next one's.
    pub(crate) lifetime: u64,
    /// How much earlier than its nominal begin a certificate is already valid.
    #[serde(default)]
    pub(crate) lifetime_adjust: u64,
    /// Whether anybody may fetch the certificate with a GET.
    #[serde(default)]
    pub(crate) allow_certificate_get: bool,
}

/// An order, as it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewOrder {
    pub(crate) identifiers: Vec<Identifier>,
    #[serde(
        default,
        rename = "auto-renewal",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) auto_renewal: Option<AutoRenewal>,
    /// The delegation that the order is made under: RFC 9115 §2.3.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delegation: Option<String>,
}

/// An order, as the server shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) status: Status,
    #[serde(default)]
    pub(crate) identifiers: Vec<Identifier>,
    #[serde(default)]
    pub(crate) authorizations: Vec<String>,
    pub(crate) finalize: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<String>,
    #[serde(
        default,
        rename = "star-certificate",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) star_certificate: Option<String>,
    #[serde(
        default,
        rename = "auto-renewal",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) auto_renewal: Option<AutoRenewal>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delegation: Option<String>,
    /// Why it is invalid: a problem document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Value>,
}

/// An authorization, as the server shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Authorization {
    pub(crate) status: Status,
    pub(crate) identifier: Identifier,
    #[serde(default)]
    pub(crate) challenges: Vec<Challenge>,
}

/// A challenge, as the server shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Challenge {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) url: String,
    pub(crate) status: Status,
    #[serde(default)]
    pub(crate) token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Value>,
}

/// Where an order, an authorization, a challenge or an account is in its life: RFC 8555 §7.1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// RFC 8739 §3.1.2: the renewals have been stopped.
    Canceled,
    Deactivated,
    Expired,
    Invalid,
    Pending,
    Processing,
    Ready,
    Revoked,
    Valid,
    /// A status that nobody has told us about.
    #[serde(other)]
    Unknown,
}

/// A moment as RFC 3339 has it.
pub(crate) fn to_date(moment: u64) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(moment.min(LAST_MOMENT));
    humantime::format_rfc3339_seconds(time).to_string()
}

/// The Unix seconds of such a date.
pub(crate) fn from_date(date: &str) -> Result<u64> {
    let time = humantime::parse_rfc3339(date)
        .map_err(|_| format!("{date:?} is not a date such as 2027-01-01T00:00:00Z"))?;
    Ok(time.duration_since(SystemTime::UNIX_EPOCH)?.as_secs())
}

/// The last second of the year 9999; later ones have no date.
const LAST_MOMENT: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn reads_the_dates_that_it_writes(moment in 0..LAST_MOMENT) {
            prop_assert_eq!(from_date(&to_date(moment)).unwrap(), moment);
        }

        #[test]
        fn reads_any_text_as_a_date_or_an_order_without_panic(text in ".*") {
            let _ = from_date(&text);
            let _ = serde_json::from_str::<NewOrder>(&text);
        }
    }
}
