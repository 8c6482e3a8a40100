//! The signer's answer: what was asked for, or why not; and the signer's time.

use std::fmt;

use rustls::{CertificateError, Error as TlsError};
use serde::de::DeserializeOwned;
use ureq::Body;
use ureq::http::header::{DATE, ETAG, RETRY_AFTER};
use ureq::http::{HeaderMap, HeaderName, Response, StatusCode};

use super::tls::{Word, has_ended};
use crate::error::Error;
use crate::schedule::Failure;
use crate::verify::UntrustedError;
use dc_pki::text::Foreign;
use dc_pki::time::{Moment, from_http_date};
use dc_protocol::{Kind, Problem};

/// The answer to a request.
#[derive(Debug)]
pub struct Answer<T> {
    /// The time, by the authenticated signer.
    pub date: Option<u64>,
    /// The chain that it authenticated itself with; none without an answer.
    pub word: Option<Word>,
    /// The outcome: what was asked for, or an error.
    pub result: Result<T, ClientError>,
}

/// A list of withdrawn names, as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FoundList {
    /// The one that was there already.
    Same,
    /// Another one.
    New {
        /// The list.
        bytes: Vec<u8>,
        /// Its entity tag, if the signer gave one.
        etag: Option<String>,
    },
}

impl Answer<FoundList> {
    pub(super) fn read_list(signer: &str, response: Response<Body>, max_body: usize) -> Self {
        let etag = response.headers().get(ETAG);
        let etag = etag.and_then(|etag| Some(etag.to_str().ok()?.to_owned()));
        let max_body = u64::try_from(max_body).unwrap_or(u64::MAX);
        match response.status() {
            StatusCode::NOT_MODIFIED => Self {
                date: date(response.headers()),
                word: None,
                result: Ok(FoundList::Same),
            },
            _ => Self::parse(signer, response, max_body, |bytes| {
                Ok(FoundList::New { bytes, etag })
            }),
        }
    }
}

impl<T: DeserializeOwned> Answer<T> {
    pub(super) fn read(signer: &str, response: Response<Body>, max_body: u64) -> Self {
        Self::parse(signer, response, max_body, |body| {
            serde_json::from_slice(&body).map_err(|source| ClientError::NotUnderstood { source })
        })
    }
}

impl<T> Answer<T> {
    fn parse(
        signer: &str,
        response: Response<Body>,
        max_body: u64,
        parse: impl FnOnce(Vec<u8>) -> Result<T, ClientError>,
    ) -> Self {
        let (head, body) = response.into_parts();
        let date = date(&head.headers);
        let retry_after = text(&head.headers, RETRY_AFTER).and_then(|text| wait(text, date));
        let status = head.status;
        let result = body
            .into_with_config()
            .limit(max_body)
            .read_to_vec()
            .map_err(|source| ClientError::unreachable(signer, source))
            .and_then(|body| match status.is_success() {
                true => parse(body),
                false => Err(ClientError::refused(&body, status.as_u16(), retry_after)),
            });
        Self {
            date,
            word: None,
            result,
        }
    }

    pub(super) fn unreachable(signer: &str, source: ureq::Error) -> Self {
        Self {
            date: None,
            word: None,
            result: Err(ClientError::unreachable(signer, source)),
        }
    }

    pub(super) fn not_understood(source: serde_json::Error) -> Self {
        Self {
            date: None,
            word: None,
            result: Err(ClientError::NotUnderstood { source }),
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn date(headers: &HeaderMap) -> Option<u64> {
    text(headers, DATE).and_then(from_http_date)
}

/// Retry-After is in seconds, or a date, which the answer's own date makes seconds.
fn wait(text: &str, date: Option<u64>) -> Option<u64> {
    let text = text.trim();
    text.parse()
        .ok()
        .or_else(|| Some(from_http_date(text)?.saturating_sub(date?)))
}

/// The error of a request: the reason that the device did not get what it asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The device itself cannot do its part.
    #[error("{source}")]
    Local {
        /// The part that fails.
        source: Error,
    },
    /// The answer is not what the API has.
    #[error("the signer's answer is not what it should be: {source}")]
    NotUnderstood {
        /// Where reading it stopped.
        source: serde_json::Error,
    },
    /// The signer says no.
    #[error("the signer refuses: {}: {}", Foreign(&.problem.title), Foreign(&.problem.detail))]
    Refused {
        /// The cause.
        problem: Box<Problem>,
        /// When to come back, in seconds.
        retry_after: Option<u64>,
    },
    /// Something else than the signer's API says no, or the signer without saying why.
    #[error("the signer answers with HTTP status {status} and no reason")]
    Status {
        /// The HTTP status.
        status: u16,
        /// When to come back, in seconds.
        retry_after: Option<u64>,
    },
    /// There is no answer.
    #[error("the signer at {signer} cannot be reached: {}", Reason(source))]
    Unreachable {
        /// Where the signer should be.
        signer: String,
        /// The event that came instead.
        source: ureq::Error,
    },
    /// The answer must not be installed.
    #[error("the signer's answer is not used: {source}")]
    Untrusted {
        /// The cause.
        source: UntrustedError,
    },
}

impl ClientError {
    pub(crate) fn unreachable(signer: &str, source: ureq::Error) -> Self {
        let signer = signer.to_owned();
        Self::Unreachable { signer, source }
    }

    fn refused(body: &[u8], status: u16, retry_after: Option<u64>) -> Self {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) if problem.status == status => Self::Refused {
                problem: problem.into(),
                retry_after,
            },
            _ => Self::Status {
                status,
                retry_after,
            },
        }
    }

    /// The consequence for the next request.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Refused {
                problem,
                retry_after,
            } => match (is_transient(problem), problem.available_from, *retry_after) {
                (false, ..) => Failure::Permanent,
                // It knows from when on, and says in how many seconds that is, which needs no clock.
                (true, Some(_), Some(after)) => Failure::Reserved { after },
                (true, _, retry_after) => Failure::Transient { retry_after },
            },
            // Without the API's own word for it, it may be a proxy that is set up wrong for an hour.
            Self::Status { retry_after, .. } => Failure::Transient {
                retry_after: *retry_after,
            },
            Self::Local { .. }
            | Self::NotUnderstood { .. }
            | Self::Unreachable { .. }
            | Self::Untrusted { .. } => Failure::Transient { retry_after: None },
        }
    }

    /// True if the same request would get the same again: then a new one is made.
    #[must_use]
    pub fn wants_a_new_request(&self) -> bool {
        match self {
            Self::Untrusted { .. } | Self::NotUnderstood { .. } => true,
            Self::Refused { problem, .. } => !is_transient(problem),
            Self::Local { .. } | Self::Status { .. } | Self::Unreachable { .. } => false,
        }
    }

    /// True if nothing was sent because a certificate of the signer's has ended.
    #[must_use]
    pub fn is_about_an_ended_certificate(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => tls_error(source).is_some_and(has_ended),
            Self::Local { .. }
            | Self::NotUnderstood { .. }
            | Self::Refused { .. }
            | Self::Status { .. }
            | Self::Untrusted { .. } => false,
        }
    }

    /// True if the signer does not know the key that it was asked with, or knows another one by now.
    #[must_use]
    pub fn is_about_the_key(&self) -> bool {
        match self {
            Self::Refused { problem, .. } => {
                matches!(problem.kind(), Some(Kind::KeyRefused | Kind::UnknownDevice))
            }
            Self::Local { .. }
            | Self::NotUnderstood { .. }
            | Self::Status { .. }
            | Self::Unreachable { .. }
            | Self::Untrusted { .. } => false,
        }
    }

    /// A word that does not change its meaning, for programs.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Local { .. } => "local",
            Self::NotUnderstood { .. } => "not-understood",
            Self::Refused { problem, .. } => problem.kind().map_or("refused", Kind::name),
            Self::Status { .. } => "status",
            Self::Unreachable { .. } => "unreachable",
            Self::Untrusted { .. } => "untrusted",
        }
    }
}

fn is_transient(problem: &Problem) -> bool {
    match problem.kind() {
        Some(kind) => kind.is_transient(),
        None => matches!(problem.status, 408 | 425 | 429 | 500..),
    }
}

fn tls_error(source: &ureq::Error) -> Option<&TlsError> {
    match source {
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        ureq::Error::Other(error) => error.downcast_ref(),
        _ => None,
    }
}

/// A certificate that is not valid now is a matter of two clocks, so both are named.
struct Reason<'a>(&'a ureq::Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(source) = self;
        match tls_error(source) {
            Some(TlsError::InvalidCertificate(CertificateError::ExpiredContext {
                time,
                not_after,
            })) => write!(
                f,
                "its certificate has expired: it ended at {}, and it is {} here: set the clock of this device if that is wrong, or else renew the certificate",
                Moment(*not_after),
                Moment(*time)
            ),
            Some(TlsError::InvalidCertificate(CertificateError::NotValidYetContext {
                time,
                not_before,
            })) => write!(
                f,
                "its certificate is not valid yet: it begins at {}, and it is {} here: set the clock that is wrong",
                Moment(*not_before),
                Moment(*time)
            ),
            _ => fmt::Display::fmt(source, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: Kind, status: u16) -> ClientError {
        let problem = serde_json::to_vec(&Problem::new(kind, "do this")).unwrap();
        ClientError::refused(&problem, status, Some(9))
    }

    #[test]
    fn a_refusal_is_permanent_unless_its_kind_passes_by_itself() {
        for kind in Kind::ALL {
            let trouble = refused(kind, kind.status());
            let permanent = trouble.failure() == Failure::Permanent;
            assert_eq!(permanent, !kind.is_transient(), "{kind:?}");
            assert_eq!(trouble.kind(), kind.name());
            assert_eq!(trouble.wants_a_new_request(), permanent, "{kind:?}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_its_words_on_one_line() {
        let problem = Problem::new(Kind::ClockWrong, "set \"NTP\" right\u{1b}[2J\nnow");
        let problem = Box::new(problem);
        let told = ClientError::Refused {
            problem,
            retry_after: None,
        }
        .to_string();
        let expected = "the signer refuses: The service's clock is wrong: set \"NTP\" right\\u{1b}[2J\\u{a}now";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_refusal_in_nobodys_words_is_transient() {
        for trouble in [
            ClientError::refused(b"<html>", 403, Some(9)),
            refused(Kind::DeviceRetired, 502),
        ] {
            let retry_after = Some(9);
            assert_eq!(trouble.failure(), Failure::Transient { retry_after });
        }
    }

    #[test]
    fn a_time_that_the_signer_keeps_is_a_reservation() {
        let mut problem = Problem::new(Kind::Busy, "come again later");
        for available_from in [None, Some(1_800_000_000)] {
            problem.available_from = available_from;
            let json = serde_json::to_vec(&problem).unwrap();
            let failure = ClientError::refused(&json, 503, Some(9)).failure();
            let expected = match available_from {
                Some(_) => Failure::Reserved { after: 9 },
                None => Failure::Transient {
                    retry_after: Some(9),
                },
            };
            assert_eq!(failure, expected);
        }
    }

    #[test]
    fn a_kind_of_a_later_version_is_judged_by_its_status() {
        let mut problem = Problem::new(Kind::NotFound, "");
        problem.kind.push('x');
        for (status, transient) in [(403, false), (422, false), (429, true), (503, true)] {
            problem.status = status;
            assert_eq!(is_transient(&problem), transient, "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = from_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
        for (text, expected) in [
            ("120", Some(120)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:40:37 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
        ] {
            assert_eq!(wait(text, now), expected, "{text}");
        }
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT", None), None);
    }
}
