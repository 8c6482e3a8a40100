//! The extensions that matter here, of a certificate or of a request for one.

use std::fmt;

use der::Decode;
use der::asn1::ObjectIdentifier;
use der::oid::AssociatedOid;
use serde_json::{Value, json};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName};

use crate::text::Foreign;

/// What the extensions say; one that is absent or cannot be read says nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Extensions {
    /// The dNSNames of subjectAltName, as they are written there.
    pub dns_names: Vec<String>,
    /// The bits of keyUsage.
    pub key_usage: Vec<&'static str>,
    /// The purposes of extKeyUsage: their names, object identifiers, or `unreadable`; none if it is absent.
    pub extended_key_usage: Vec<String>,
    /// Whether basicConstraints says that it is a CA's.
    pub is_ca: bool,
    /// What it says about delegating.
    pub delegation_usage: DelegationUsage,
}

/// DelegationUsage (RFC 9345 §4.2), as it was found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum DelegationUsage {
    /// It is not there.
    #[default]
    Absent,
    /// It is there, as RFC 9345 wants it: `NULL` and not critical.
    Present,
    /// It is there and critical, which is forbidden.
    Critical,
    /// It is there, and its value is not `NULL`.
    OtherValue,
}

impl Extensions {
    /// Looks through a list of extensions.
    #[must_use]
    pub fn of(extensions: &[Extension]) -> Self {
        let mut found = Self::default();
        for extension in extensions {
            found.take(extension);
        }
        found
    }

    /// The same of a DER certificate.
    ///
    /// Fails with what is wrong with the DER.
    pub fn of_certificate(der: &[u8]) -> der::Result<Self> {
        let certificate = x509_cert::Certificate::from_der(der)?;
        let extensions = certificate.tbs_certificate().extensions();
        Ok(Self::of(extensions.map_or(&[], Vec::as_slice)))
    }

    fn take(&mut self, extension: &Extension) {
        let value = extension.extn_value.as_bytes();
        match extension.extn_id {
            DELEGATION_USAGE => self.delegation_usage = DelegationUsage::of(extension),
            id if id == SubjectAltName::OID => self.dns_names = dns_names(value),
            id if id == KeyUsage::OID => self.key_usage = key_usage(value),
            id if id == ExtendedKeyUsage::OID => self.extended_key_usage = purposes(value),
            id if id == BasicConstraints::OID => {
                self.is_ca = BasicConstraints::from_der(value).is_ok_and(|basic| basic.ca);
            }
            _ => {}
        }
    }

    /// Everything that the key may be used for, in one line; `None` if nothing is said.
    #[must_use]
    pub fn usage(&self) -> Option<String> {
        let bits = self.key_usage.iter().map(ToString::to_string);
        let purposes = self.extended_key_usage.iter().cloned();
        let delegation = match self.delegation_usage {
            DelegationUsage::Absent => None,
            usage => Some(usage.to_string()),
        };
        let all: Vec<String> = bits.chain(purposes).chain(delegation).collect();
        (!all.is_empty()).then(|| all.join(", "))
    }

    /// The dNSNames, fit for a terminal; `None` without any.
    #[must_use]
    pub fn names(&self) -> Option<String> {
        let names = self.dns_names.iter().map(|name| Foreign(name).to_string());
        let names: Vec<String> = names.collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// `{names, key_usage, extended_key_usage, delegation_usage, ca}`.
    pub fn to_json(&self) -> Value {
        json!({
            "names": self.dns_names,
            "key_usage": self.key_usage,
            "extended_key_usage": self.extended_key_usage,
            "delegation_usage": self.delegation_usage.code(),
            "ca": self.is_ca,
        })
    }
}

impl DelegationUsage {
    fn of(extension: &Extension) -> Self {
        match (extension.critical, extension.extn_value.as_bytes()) {
            (true, _) => Self::Critical,
            (false, [0x05, 0x00]) => Self::Present,
            (false, _) => Self::OtherValue,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Present => "present",
            Self::Critical => "critical",
            Self::OtherValue => "other-value",
        }
    }
}

impl fmt::Display for DelegationUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "no DelegationUsage",
            Self::Present => "DelegationUsage",
            Self::Critical => "DelegationUsage (critical, which RFC 9345 forbids)",
            Self::OtherValue => "DelegationUsage (with another value than NULL)",
        })
    }
}

fn dns_names(value: &[u8]) -> Vec<String> {
    let names = SubjectAltName::from_der(value).map(|names| names.0);
    let names = names.unwrap_or_default().into_iter();
    names
        .filter_map(|name| match name {
            GeneralName::DnsName(dns) => Some(dns.as_str().to_owned()),
            _ => None,
        })
        .collect()
}

fn key_usage(value: &[u8]) -> Vec<&'static str> {
    let Ok(usage) = KeyUsage::from_der(value) else {
        return Vec::new();
    };
    [
        (usage.digital_signature(), "digitalSignature"),
        (usage.non_repudiation(), "nonRepudiation"),
        (usage.key_encipherment(), "keyEncipherment"),
        (usage.data_encipherment(), "dataEncipherment"),
        (usage.key_agreement(), "keyAgreement"),
        (usage.key_cert_sign(), "keyCertSign"),
        (usage.crl_sign(), "cRLSign"),
    ]
    .into_iter()
    .filter_map(|(is_set, name)| is_set.then_some(name))
    .collect()
}

fn purposes(value: &[u8]) -> Vec<String> {
    let purposes = ExtendedKeyUsage::from_der(value).map(|usage| usage.0);
    let Some(purposes) = purposes.ok().filter(|purposes| !purposes.is_empty()) else {
        // Nothing would say that everything is allowed.
        return vec!["unreadable".to_owned()];
    };
    let purposes = purposes.into_iter();
    purposes
        .map(|id| match id {
            SERVER_AUTH => "serverAuth".to_owned(),
            CLIENT_AUTH => "clientAuth".to_owned(),
            other => other.to_string(),
        })
        .collect()
}

/// DelegationUsage (RFC 9345 §4.2).
const DELEGATION_USAGE: ObjectIdentifier =
    ObjectIdentifier::new_unwrap(dc_core::DELEGATION_USAGE_OID);
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
