//! The values that errors name, in words.

use core::fmt;
use core::time::Duration;

use der::DateTime;
use pki_types::{IpAddr, ServerName, UnixTime};

use super::Field;
use crate::credential::Form;
use crate::tbs::Role;

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Algorithm => "algorithm",
            Self::Certificate => "certificate",
            Self::DcCertVerifyAlgorithm => "dc_cert_verify_algorithm",
            Self::DelegatedCredential => "delegated credential",
            Self::DelegationUsage => "DelegationUsage",
            Self::KeyUsage => "keyUsage",
            Self::SchemeList => "signature scheme list",
            Self::Signature => "signature",
            Self::SubjectAltName => "subjectAltName",
            Self::SubjectPublicKeyInfo => "subjectPublicKeyInfo",
            Self::UniqueName => "unique_name",
            Self::ValidTime => "valid_time",
        })
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named => "named",
            Self::Rfc9345 => "rfc9345",
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Client => "client",
        })
    }
}

/// The server that a client wanted to reach.
pub(super) struct Wanted<'a>(pub(super) &'a ServerName<'static>);

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ServerName::DnsName(name) => f.write_str(name.as_ref()),
            ServerName::IpAddress(IpAddr::V4(ip)) => {
                fmt::Display::fmt(&core::net::Ipv4Addr::from(*ip.as_ref()), f)
            }
            ServerName::IpAddress(IpAddr::V6(ip)) => {
                fmt::Display::fmt(&core::net::Ipv6Addr::from(*ip.as_ref()), f)
            }
            _ => f.write_str("something else"),
        }
    }
}

/// A moment, in UTC.
pub(super) struct Time<'a>(pub(super) &'a UnixTime);

impl fmt::Display for Time<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_unix_duration(Duration::from_secs(self.0.as_secs())) {
            Ok(date) => fmt::Display::fmt(&date, f),
            Err(_) => write!(f, "{} s after 1970", self.0.as_secs()),
        }
    }
}

/// A length of time, without the units that are zero in front.
pub(super) struct Span<'a>(pub(super) &'a Duration);

impl fmt::Display for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
        let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{rest} s"),
            (0, 0, _) => write!(f, "{minutes} min {rest} s"),
            (0, _, _) => write!(f, "{hours} h {minutes} min {rest} s"),
            _ => write!(f, "{days} d {hours} h {minutes} min {rest} s"),
        }
    }
}
