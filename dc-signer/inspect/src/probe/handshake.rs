//! Errors of a handshake, in one line, with their alerts.

use std::fmt;
use std::io;
use std::time::Duration;

use dc_rustls::Refusal;
use rustls::{AlertDescription, ProtocolVersion};

use super::hello::server_hello;
use super::recorder::Log;
use dc_pki::chain::Untrusted;
use dc_pki::text::Foreign;
use dc_pki::time::Span;

/// A reason that a handshake failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The server closed the connection.
    Closed {
        /// True if it had sent anything before.
        after_an_answer: bool,
    },
    /// The network failed.
    Io(io::Error),
    /// The server does not send TLS.
    NotTls {
        /// The beginning of what it sent.
        start: Vec<u8>,
    },
    /// The credential, or that there is none, is not acceptable.
    Refused {
        /// The reason.
        refusal: Refusal,
        /// The alert that the server got.
        alert: AlertDescription,
    },
    /// The server sent nothing, or stopped in the middle.
    Silent {
        /// How long was waited.
        waited: Duration,
        /// True if it had sent anything before.
        after_an_answer: bool,
    },
    /// Anything else in TLS.
    Tls(rustls::Error),
    /// Something that is not the server's fault.
    Other(dc_rustls::Error),
}

/// The end that sent an alert.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SentBy {
    /// The probe did.
    Client,
    /// The server did.
    Server,
}

impl HandshakeError {
    pub(super) fn new(error: dc_rustls::Error, log: &Log, waited: Duration) -> Self {
        let start = log.received(|bytes| bytes.iter().take(MAX_START).copied().collect::<Vec<_>>());
        let after_an_answer = !start.is_empty();
        if start.first().is_some_and(|kind| !RECORDS.contains(kind)) {
            return Self::NotTls { start };
        }
        match error {
            dc_rustls::Error::Refused(refusal) => Self::Refused {
                alert: match log.received(server_hello).map(|chosen| chosen.version) {
                    Some(ProtocolVersion::TLSv1_3) => refusal.alert(),
                    _ => AlertDescription::CertificateUnknown,
                },
                refusal,
            },
            dc_rustls::Error::Tls(error) => Self::Tls(error),
            dc_rustls::Error::Io(error) => match error.kind() {
                io::ErrorKind::TimedOut => Self::Silent {
                    waited,
                    after_an_answer,
                },
                kind if CLOSED.contains(&kind) => Self::Closed { after_an_answer },
                _ => Self::Io(error),
            },
            other => Self::Other(other),
        }
    }

    /// The alert that ended the handshake, if one did and it is known which.
    #[must_use]
    pub fn alert(&self) -> Option<(AlertDescription, SentBy)> {
        match self {
            Self::Refused { alert, .. } => Some((*alert, SentBy::Client)),
            Self::Tls(rustls::Error::AlertReceived(alert)) => Some((*alert, SentBy::Server)),
            Self::Tls(rustls::Error::InvalidCertificate(error)) => {
                Some((error.clone().into(), SentBy::Client))
            }
            _ => None,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed {
                after_an_answer: false,
            } => f.write_str("the server closed the connection without a word: is it a TLS port?"),
            Self::Closed {
                after_an_answer: true,
            } => f.write_str("the server closed the connection in the middle of the handshake"),
            Self::Io(error) => write!(f, "the network failed: {error}"),
            Self::NotTls { start } => {
                let text = String::from_utf8_lossy(start);
                write!(
                    f,
                    "the server does not speak TLS; it sent \"{}\"",
                    Foreign(text.trim_end())
                )
            }
            Self::Refused { refusal, .. } => fmt::Display::fmt(refusal, f),
            Self::Silent {
                waited,
                after_an_answer,
            } => {
                let what = match after_an_answer {
                    true => "the server stopped in the middle of the handshake",
                    false => "the server sent nothing",
                };
                write!(f, "{what}, for {}: is it a TLS port?", Span::new(*waited))
            }
            Self::Tls(rustls::Error::AlertReceived(alert)) => {
                write!(
                    f,
                    "the server refused with the alert {}",
                    alert_name(*alert)
                )
            }
            Self::Tls(error) => fmt::Display::fmt(&Untrusted(error), f),
            Self::Other(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl std::error::Error for HandshakeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Refused { refusal, .. } => Some(refusal),
            Self::Tls(error) => Some(error),
            Self::Other(error) => Some(error),
            Self::Closed { .. } | Self::NotTls { .. } | Self::Silent { .. } => None,
        }
    }
}

/// An alert by the name that RFC 8446 §6 has for it, and its code.
#[must_use]
pub fn alert_name(alert: AlertDescription) -> String {
    let mut name = String::new();
    for letter in alert.as_str().unwrap_or("unknown").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    // The one whose name runs its words together.
    let name = name.replace("unknown_c_a", "unknown_ca");
    format!("{name} ({})", u8::from(alert))
}

/// A server that closes while there is something it has not read resets the connection.
const CLOSED: [io::ErrorKind; 4] = [
    io::ErrorKind::BrokenPipe,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::UnexpectedEof,
];
/// The types of TLS records: change_cipher_spec to application_data.
const RECORDS: std::ops::RangeInclusive<u8> = 20..=23;
/// Enough to recognise a protocol by.
const MAX_START: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_the_names_of_the_rfc() {
        for (alert, name) in [
            (AlertDescription::IllegalParameter, "illegal_parameter (47)"),
            (AlertDescription::UnknownCA, "unknown_ca (48)"),
            (AlertDescription::BadCertificate, "bad_certificate (42)"),
            (AlertDescription::Unknown(200), "unknown (200)"),
        ] {
            assert_eq!(alert_name(alert), name);
        }
    }

    #[test]
    fn what_is_not_tls_is_shown_without_its_control_characters() {
        let failure = HandshakeError::NotTls {
            start: b"HTTP/1.1 400\x1b[2J\r\n".to_vec(),
        };
        let text = failure.to_string();
        assert!(text.contains("HTTP/1.1 400\\u{1b}[2J"), "{text}");
    }
}
