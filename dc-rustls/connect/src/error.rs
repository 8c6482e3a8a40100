//! Everything for which a device is not reached, and what the program ends with.

use std::error::Error as StdError;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use dc_rustls::Refusal;

use crate::advice::advice;
use crate::asked::Asked;
use crate::target::{Place, Target};

/// Everything that can go wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An option is unknown, or has no value.
    Arguments(lexopt::Error),
    /// The value of an option is of no use.
    BadValue {
        /// The option.
        option: &'static str,
        /// The value.
        value: String,
        /// The kind of value that it takes.
        wanted: &'static str,
    },
    /// The connection was cut: whatever came last may be missing.
    Cut {
        /// The device.
        target: Target,
        /// The cause.
        source: io::Error,
    },
    /// A file cannot be used.
    File {
        /// The option that names it.
        option: &'static str,
        /// Which file.
        path: PathBuf,
        /// The fault.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Nothing was said for so long.
    Idle {
        /// The device.
        target: Target,
        /// How long.
        after: Duration,
        /// True if that is because one end had closed.
        is_half_closed: bool,
    },
    /// The port cannot be opened.
    Listen {
        /// Which one.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// This end of the connection, a program here, is gone.
    Local(io::Error),
    /// A port that is not for this machine alone was not asked for.
    NotLoopback {
        /// Its address.
        address: SocketAddr,
    },
    /// The device did not prove its name, there is no list of withdrawn names and has to be, or TLS failed for another reason.
    NotProved {
        /// The device.
        target: Target,
        /// Where somebody answered.
        at: SocketAddr,
        /// For this it was asked.
        asked: Asked,
        /// The reason.
        source: Box<dc_rustls::Error>,
    },
    /// The system does not give what a program needs.
    System(io::Error),
    /// Connecting took too long.
    TooSlow {
        /// The device.
        target: Target,
        /// How long.
        after: Duration,
    },
    /// The settings make no configuration.
    Unusable(dc_rustls::Error),
    /// Nobody answers, or the name has no address.
    Unreachable {
        /// The device.
        target: Target,
        /// Where it was looked for, if not where its name is.
        to: Option<Place>,
        /// The cause.
        source: io::Error,
    },
    /// A connection that was open may not stay.
    Unwanted {
        /// The device.
        target: Target,
        /// The reason.
        source: Box<dc_rustls::Error>,
    },
    /// Arguments that do not go together, or of which one is missing.
    Usage(&'static str),
}

impl Error {
    /// The exit status of the program.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Arguments(_)
            | Self::BadValue { .. }
            | Self::NotLoopback { .. }
            | Self::Usage(_) => 2,
            Self::File { .. } | Self::Listen { .. } | Self::System(_) | Self::Unusable(_) => 1,
            Self::TooSlow { .. } | Self::Unreachable { .. } => 3,
            Self::NotProved { source, .. } | Self::Unwanted { source, .. } => match **source {
                // Whatever the device has proved: it is this end that has no list.
                dc_rustls::Error::Refused(Refusal::ListNotCurrent { .. }) => 1,
                dc_rustls::Error::Io(_) => 5,
                dc_rustls::Error::Tls(rustls::Error::InvalidCertificate(_))
                | dc_rustls::Error::NoUniqueName { .. }
                | dc_rustls::Error::Refused(_) => 4,
                _ => 5,
            },
            Self::Cut { .. } | Self::Idle { .. } | Self::Local(_) => 6,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arguments(error) => write!(f, "{error}; see --help"),
            Self::BadValue {
                option,
                value,
                wanted,
            } => write!(f, "{option} {value}: give {wanted}"),
            Self::Cut { target, source } => say_cut(f, target, source),
            Self::File {
                option,
                path,
                source,
            } => write!(f, "{option} {}: {source}", path.display()),
            Self::Idle {
                target,
                after,
                is_half_closed,
            } => say_idle(f, target, *after, *is_half_closed),
            Self::Listen { address, source } => write!(
                f,
                "cannot listen on {address}: {source}; give another address"
            ),
            Self::Local(error) => write!(f, "the local end is gone: {error}"),
            Self::NotLoopback { address } => say_open(f, address),
            Self::NotProved {
                target,
                at,
                asked,
                source,
            } => say_not_proved(f, target, at, *asked, source),
            Self::System(error) => write!(f, "the system does not let us work: {error}"),
            Self::TooSlow { target, after } => write!(
                f,
                "{target} was not connected within {}: is it on, and is this its address? --connect-timeout gives it longer",
                humantime::format_duration(*after)
            ),
            Self::Unusable(error) => write!(f, "{error}"),
            Self::Unreachable { target, to, source } => {
                say_unreachable(f, target, to.as_ref(), source)
            }
            Self::Unwanted { target, source } => write!(
                f,
                "the connection with {target} may not stay: {source}{}",
                advice(source, Asked::default())
            ),
            Self::Usage(what) => write!(f, "{what}; see --help"),
        }
    }
}

fn say_cut(f: &mut fmt::Formatter<'_>, target: &Target, source: &io::Error) -> fmt::Result {
    write!(
        f,
        "the connection with {target} was cut, and what came last may be missing: "
    )?;
    match source.kind() {
        // The words of rustls for it are for programmers.
        io::ErrorKind::UnexpectedEof => f.write_str("it ended without the goodbye of TLS"),
        _ => write!(f, "{source}"),
    }
}

fn say_idle(
    f: &mut fmt::Formatter<'_>,
    target: &Target,
    after: Duration,
    is_half_closed: bool,
) -> fmt::Result {
    let after = humantime::format_duration(after);
    write!(f, "nothing was said with {target} for {after}")?;
    f.write_str(match is_half_closed {
        true => " after one end had closed",
        false => "; --idle-timeout says how long that may be",
    })
}

fn say_unreachable(
    f: &mut fmt::Formatter<'_>,
    target: &Target,
    to: Option<&Place>,
    source: &io::Error,
) -> fmt::Result {
    match to {
        Some(to) => write!(
            f,
            "{target} is not reached at {to}, which --to says: {source}; is it on, and is this its address?"
        ),
        None => write!(
            f,
            "{target} is not reached: {source}; is it on? --to says where it is, if the name has no address or another one"
        ),
    }
}

fn say_not_proved(
    f: &mut fmt::Formatter<'_>,
    target: &Target,
    at: &SocketAddr,
    asked: Asked,
    source: &dc_rustls::Error,
) -> fmt::Result {
    let name = target.name.to_str();
    match is_listless(source) {
        true => write!(f, "{name} is not connected to: {source}")?,
        false => write!(f, "the server at {at} did not prove to be {name}: {source}")?,
    }
    f.write_str(advice(source, asked))
}

fn is_listless(error: &dc_rustls::Error) -> bool {
    matches!(
        error,
        dc_rustls::Error::Refused(Refusal::ListNotCurrent { .. })
    )
}

fn say_open(f: &mut fmt::Formatter<'_>, address: &SocketAddr) -> fmt::Result {
    let port = address.port();
    write!(
        f,
        "{address} is open to other machines, which could then talk to devices without TLS: give an address such as 127.0.0.1:{port}, or --danger-open-to-others"
    )
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Arguments(error) => Some(error),
            Self::File { source, .. } => Some(source.as_ref()),
            Self::Cut { source, .. }
            | Self::Listen { source, .. }
            | Self::Unreachable { source, .. } => Some(source),
            Self::Local(error) | Self::System(error) => Some(error),
            Self::NotProved { source, .. } | Self::Unwanted { source, .. } => Some(source.as_ref()),
            Self::Unusable(source) => Some(source),
            Self::BadValue { .. }
            | Self::Idle { .. }
            | Self::NotLoopback { .. }
            | Self::TooSlow { .. }
            | Self::Usage(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::parse("k3v.cpe.example.com", Some(443)).unwrap()
    }

    #[test]
    fn nobody_is_told_to_give_what_was_given() {
        let unreachable = |to: Option<&str>| Error::Unreachable {
            target: target(),
            to: to.map(|to| Place::parse(to).unwrap()),
            source: io::ErrorKind::ConnectionRefused.into(),
        };
        let given = unreachable(Some("[fd00::1]:4433")).to_string();
        assert!(
            given.contains("at [fd00::1]:4433, which --to says"),
            "{given}"
        );
        let by_name = unreachable(None).to_string();
        assert!(by_name.contains("--to says where it is"), "{by_name}");
        let idle = |is_half_closed| Error::Idle {
            target: target(),
            after: Duration::from_secs(60),
            is_half_closed,
        };
        assert!(idle(false).to_string().contains("--idle-timeout"));
        assert!(!idle(true).to_string().contains("--idle-timeout"));
    }

    #[test]
    fn advice_is_of_what_was_not_asked_for_yet() {
        let unasked = dc_rustls::Error::Refused(Refusal::UnexpectedExtension);
        let mut asked = Asked::default();
        assert!(advice(&unasked, asked).contains("--danger-accept-unnamed"));
        asked.trust.unnamed = true;
        assert_eq!(advice(&unasked, asked), "");
    }
}
