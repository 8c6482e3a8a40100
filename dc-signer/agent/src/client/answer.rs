//! What came back: what was asked for, or why not; and the signer's time.

use std::fmt;

use rustls::{CertificateError, Error as TlsError};
use serde::de::DeserializeOwned;
use ureq::Body;
use ureq::http::Response;
use ureq::http::header::{DATE, RETRY_AFTER};

use super::tls::{Word, has_ended};
use crate::error::Error;
use crate::schedule::Failure;
use crate::verify::Untrusted;
use dc_pki::text::Foreign;
use dc_pki::time::{Moment, from_http_date};
use dc_protocol::{Kind, Problem};

/// The answer to a request.
#[derive(Debug)]
pub struct Answer<T> {
    /// What the authenticated signer says the time is.
    pub date: Option<u64>,
    /// What it showed to authenticate itself; none without an answer.
    pub word: Option<Word>,
    /// What was asked for, or why not.
    pub result: Result<T, Trouble>,
}

impl<T: DeserializeOwned> Answer<T> {
    pub(super) fn read(signer: &str, response: Response<Body>, max_body: u64) -> Self {
        let (head, body) = response.into_parts();
        let header = |name| head.headers.get(name)?.to_str().ok();
        let date = header(DATE).and_then(from_http_date);
        let retry_after = header(RETRY_AFTER).and_then(|text| wait(text, date));
        let status = head.status;
        let result = body
            .into_with_config()
            .limit(max_body)
            .read_to_vec()
            .map_err(|source| Trouble::unreachable(signer, source))
            .and_then(|body| match status.is_success() {
                true => serde_json::from_slice(&body)
                    .map_err(|source| Trouble::NotUnderstood { source }),
                false => Err(Trouble::refused(&body, status.as_u16(), retry_after)),
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
            result: Err(Trouble::unreachable(signer, source)),
        }
    }

    pub(super) fn not_understood(source: serde_json::Error) -> Self {
        Self {
            date: None,
            word: None,
            result: Err(Trouble::NotUnderstood { source }),
        }
    }
}

/// Retry-After is in seconds, or a date, which the answer's own date makes seconds.
fn wait(text: &str, date: Option<u64>) -> Option<u64> {
    let text = text.trim();
    text.parse()
        .ok()
        .or_else(|| Some(from_http_date(text)?.saturating_sub(date?)))
}

/// Why a device did not get what it asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Trouble {
    /// The device itself cannot do its part.
    Local {
        /// What fails.
        source: Error,
    },
    /// The answer is not what the API has.
    NotUnderstood {
        /// Where reading it stopped.
        source: serde_json::Error,
    },
    /// The signer says no.
    Refused {
        /// Why.
        problem: Box<Problem>,
        /// When to come back, in seconds.
        retry_after: Option<u64>,
    },
    /// Something else than the signer's API says no, or the signer without saying why.
    Status {
        /// The HTTP status.
        status: u16,
        /// When to come back, in seconds.
        retry_after: Option<u64>,
    },
    /// There is no answer.
    Unreachable {
        /// Where the signer should be.
        signer: String,
        /// What happened instead.
        source: ureq::Error,
    },
    /// The answer must not be installed.
    Untrusted {
        /// Why.
        source: Untrusted,
    },
}

impl Trouble {
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

    /// What it means for the next request.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::Refused {
                problem,
                retry_after,
            } => match is_transient(problem) {
                true => Failure::Transient {
                    retry_after: *retry_after,
                },
                false => Failure::Permanent,
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

    /// Whether the same request would get the same again: then a new one is made.
    #[must_use]
    pub fn wants_a_new_request(&self) -> bool {
        match self {
            Self::Untrusted { .. } | Self::NotUnderstood { .. } => true,
            Self::Refused { problem, .. } => !is_transient(problem),
            Self::Local { .. } | Self::Status { .. } | Self::Unreachable { .. } => false,
        }
    }

    /// Whether nothing was sent because a certificate of the signer's has ended.
    #[must_use]
    pub fn is_about_an_ended_certificate(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => tls_error(source).is_some_and(has_ended),
            _ => false,
        }
    }

    /// Whether the signer does not know the key that it was asked with, or knows another one by now.
    #[must_use]
    pub fn is_about_the_key(&self) -> bool {
        match self {
            Self::Refused { problem, .. } => {
                matches!(problem.kind(), Some(Kind::KeyRefused | Kind::UnknownDevice))
            }
            _ => false,
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

impl std::error::Error for Trouble {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Local { source } => Some(source),
            Self::NotUnderstood { source } => Some(source),
            Self::Unreachable { source, .. } => Some(source),
            Self::Untrusted { source } => Some(source),
            Self::Refused { .. } | Self::Status { .. } => None,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local { source } => fmt::Display::fmt(source, f),
            Self::NotUnderstood { source } => {
                write!(f, "the signer's answer is not what it should be: {source}")
            }
            Self::Refused { problem, .. } => write!(
                f,
                "the signer refuses: {}: {}",
                Foreign(&problem.title),
                Foreign(&problem.detail)
            ),
            Self::Status { status, .. } => {
                write!(
                    f,
                    "the signer answers with HTTP status {status} and no reason"
                )
            }
            Self::Unreachable { signer, source } => {
                write!(f, "the signer at {signer} cannot be reached: ")?;
                write_reason(f, source)
            }
            Self::Untrusted { source } => write!(f, "the signer's answer is not used: {source}"),
        }
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
fn write_reason(f: &mut fmt::Formatter<'_>, source: &ureq::Error) -> fmt::Result {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: Kind, status: u16) -> Trouble {
        let problem = serde_json::to_vec(&Problem::new(kind, "do this")).unwrap();
        Trouble::refused(&problem, status, Some(9))
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
        let told = Trouble::Refused {
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
            Trouble::refused(b"<html>", 403, Some(9)),
            refused(Kind::DeviceRetired, 502),
        ] {
            let retry_after = Some(9);
            assert_eq!(trouble.failure(), Failure::Transient { retry_after });
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
