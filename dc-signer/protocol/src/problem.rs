//! A problem, as RFC 9457 writes it: a stable type, a status, and a sentence for people.

use serde::{Deserialize, Serialize};

/// A refusal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Problem {
    /// A URN that never changes its meaning; see [`Kind::urn`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The same in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The fault of this request, and what to do.
    pub detail: String,
    /// From when on the same request succeeds, in seconds since 1970, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_from: Option<u64>,
    /// Which request it was, to be found in the logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of this kind, with a sentence that says what to do.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.urn(),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            available_from: None,
            request_id: None,
        }
    }

    /// Which kind it is, if this version knows it.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        let name = self.kind.strip_prefix(URN)?;
        Kind::ALL.into_iter().find(|kind| kind.row().0 == name)
    }
}

/// The kinds of problem, each with a name that stays, an HTTP status and a title.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// The service has too much to do.
    Busy,
    /// The request is not the JSON that it should be.
    BadRequest,
    /// The certificate signing request cannot be read, or its signature is wrong.
    BadCsr,
    /// The connection has no client certificate.
    CertificateRequired,
    /// The signer's clock cannot be right.
    ClockWrong,
    /// Another box than the one that is enrolled wants to be this device.
    CloneSuspected,
    /// The activation code is unknown, used, too old, or was guessed at too often.
    CodeRefused,
    /// It contradicts what is there.
    Conflict,
    /// The device is retired, for good.
    DeviceRetired,
    /// The device is suspended.
    DeviceSuspended,
    /// The key may not be used, or is somebody else's.
    KeyRefused,
    /// The operator's role does not allow it.
    Forbidden,
    /// It is a bug of the service.
    Internal,
    /// This path has no such method.
    MethodNotAllowed,
    /// Another box has a valid credential for the device's name; `available_from` says until when.
    NameHeld,
    /// There is nothing of this name.
    NotFound,
    /// The service is starting or stopping, or cannot be reached with its own certificate.
    NotReady,
    /// Its own limit of requests is used up.
    RateLimited,
    /// The service cannot store anything now.
    StorageUnavailable,
    /// The request did not arrive in time.
    Timeout,
    /// The request is longer than any such request.
    TooLarge,
    /// No operator's token or certificate came with the request.
    TokenRequired,
    /// The client certificate's key belongs to no device.
    UnknownDevice,
    /// The body is of another media type than the request wants.
    UnsupportedMediaType,
    /// The zone has no delegation certificate to issue from.
    ZoneNotReady,
}

/// The severity of a problem for whoever runs the service.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Severity {
    /// A bug, or files that somebody changed.
    Bug,
    /// The service cannot work now.
    Outage,
    /// The request is refused, or the caller has to wait.
    Refusal,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::Busy,
        Self::BadRequest,
        Self::BadCsr,
        Self::CertificateRequired,
        Self::ClockWrong,
        Self::CloneSuspected,
        Self::CodeRefused,
        Self::Conflict,
        Self::DeviceRetired,
        Self::DeviceSuspended,
        Self::KeyRefused,
        Self::Forbidden,
        Self::Internal,
        Self::MethodNotAllowed,
        Self::NameHeld,
        Self::NotFound,
        Self::NotReady,
        Self::RateLimited,
        Self::StorageUnavailable,
        Self::Timeout,
        Self::TooLarge,
        Self::TokenRequired,
        Self::UnknownDevice,
        Self::UnsupportedMediaType,
        Self::ZoneNotReady,
    ];

    /// The type that programs compare.
    #[must_use]
    pub fn urn(self) -> String {
        format!("{URN}{}", self.row().0)
    }

    /// The last part of the URN, which also labels metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        self.row().1
    }

    /// A few words.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.row().2
    }

    /// True if the same request may succeed later without anybody doing anything.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self.status(), 408 | 429 | 500 | 503)
    }

    /// After how many seconds the same request is worth another try, unless its answer knows better.
    ///
    /// None where nobody knows: then a device waits longer each time, as it does for a service that does not answer. A zone without a
    /// certificate waits for an operator and a CA, and the device's credential lasts for days.
    #[must_use]
    pub fn retry_after(self) -> Option<u64> {
        self.row().4
    }

    /// Its severity for whoever runs the service.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.row().3
    }

    /// Name, HTTP status, title, severity, and the seconds until the next try.
    #[rustfmt::skip]
    fn row(self) -> (&'static str, u16, &'static str, Severity, Option<u64>) {
        use Severity::{Bug, Outage, Refusal};
        match self {
            Self::Busy => ("busy", 503, "The service has too much to do", Refusal, Some(60)),
            Self::BadRequest => ("bad-request", 400, "The request cannot be read", Refusal, None),
            Self::BadCsr => ("bad-csr", 422, "The certificate signing request is no good", Refusal, None),
            Self::CertificateRequired => ("certificate-required", 401, "A client certificate is needed", Refusal, None),
            Self::ClockWrong => ("clock-wrong", 503, "The service's clock is wrong", Outage, Some(60)),
            Self::CloneSuspected => ("clone-suspected", 403, "The device may have been copied", Refusal, None),
            Self::CodeRefused => ("code-refused", 403, "The activation code is not accepted", Refusal, None),
            Self::Conflict => ("conflict", 409, "It contradicts what is there", Refusal, None),
            Self::DeviceRetired => ("device-retired", 410, "The device is retired", Refusal, None),
            Self::DeviceSuspended => ("device-suspended", 403, "The device is suspended", Refusal, None),
            Self::KeyRefused => ("key-refused", 422, "The key is not accepted", Refusal, None),
            Self::Forbidden => ("forbidden", 403, "The role does not allow it", Refusal, None),
            Self::Internal => ("internal", 500, "The service has a bug", Bug, Some(600)),
            Self::MethodNotAllowed => ("method-not-allowed", 405, "There is no such method here", Refusal, None),
            Self::NameHeld => ("name-held", 503, "Another box still has the name", Refusal, None),
            Self::NotFound => ("not-found", 404, "There is nothing here", Refusal, None),
            Self::NotReady => ("not-ready", 503, "The service is not ready", Outage, None),
            Self::RateLimited => ("rate-limited", 429, "Too many requests", Refusal, None),
            Self::StorageUnavailable => ("storage-unavailable", 503, "Nothing can be stored now", Outage, Some(60)),
            Self::Timeout => ("timeout", 408, "The request took too long to arrive", Refusal, None),
            Self::TooLarge => ("too-large", 413, "The request is too long", Refusal, None),
            Self::TokenRequired => ("token-required", 401, "An operator's token is needed", Refusal, None),
            Self::UnknownDevice => ("unknown-device", 403, "The device is not known", Refusal, None),
            Self::UnsupportedMediaType => ("unsupported-media-type", 415, "The media type is another one", Refusal, None),
            Self::ZoneNotReady => ("zone-not-ready", 503, "The zone cannot issue now", Outage, None),
        }
    }
}

const URN: &str = "urn:dc-signer:problem:";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_is_found_by_it() {
        let names: BTreeSet<_> = Kind::ALL.map(Kind::name).into();
        assert_eq!(names.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let problem = Problem::new(kind, "do this");
            assert_eq!(problem.kind(), Some(kind));
            assert!((400..600).contains(&kind.status()), "{kind:?}");
        }
    }

    #[test]
    fn only_a_bug_and_an_outage_call_for_whoever_runs_the_service() {
        assert_eq!(Kind::Internal.severity(), Severity::Bug);
        assert_eq!(Kind::StorageUnavailable.severity(), Severity::Outage);
        assert_eq!(Kind::Busy.severity(), Severity::Refusal);
        for kind in Kind::ALL {
            let comes_again = kind.retry_after().is_some();
            assert!(!comes_again || kind.is_transient(), "{kind:?}");
            assert!(
                kind.severity() == Severity::Refusal || kind.is_transient(),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn nobody_is_told_when_a_zone_can_issue_again() {
        for kind in [Kind::ZoneNotReady, Kind::NotReady, Kind::NameHeld] {
            assert!(
                kind.is_transient() && kind.retry_after().is_none(),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_problem_is_json_as_rfc_9457_has_it() {
        let json = serde_json::to_value(Problem::new(Kind::CodeRefused, "get another")).unwrap();
        assert_eq!(json["type"], "urn:dc-signer:problem:code-refused");
        assert_eq!(json["status"], 403);
        assert_eq!(json["detail"], "get another");
        assert!(json.get("request_id").is_none());
    }

    #[test]
    fn a_kind_of_a_later_version_is_none_of_ours() {
        let mut problem = Problem::new(Kind::NotFound, "");
        problem.kind.push_str("-at-all");
        assert_eq!(problem.kind(), None);
    }
}
