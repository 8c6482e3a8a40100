//! Certificates, whatever they are for.

use der::{Decode, Encode};
use pki_types::UnixTime;
use serde_json::{Value, json};

use super::key::PublicKey;
use super::sheet::Sheet;
use dc_pki::Sha256;
use dc_pki::extensions::Extensions;
use dc_pki::text::Foreign;
use dc_pki::time::{Moment, Span};

/// The contents of a certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Certificate {
    /// Whom it is for (RFC 4514).
    pub subject: String,
    /// The CA that signed it (RFC 4514).
    pub issuer: String,
    /// The first second at which it is valid.
    pub not_before: UnixTime,
    /// The last second at which it is valid.
    pub not_after: UnixTime,
    /// Its key.
    pub key: PublicKey,
    /// Its key: a DER SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// Its extensions: purposes and names.
    pub extensions: Extensions,
    sha256: Sha256,
}

impl Certificate {
    /// Reads a DER certificate.
    ///
    /// Fails with what is wrong with the DER.
    pub fn read(der: &[u8]) -> der::Result<Self> {
        let certificate = x509_cert::Certificate::from_der(der)?;
        let tbs = certificate.tbs_certificate();
        let spki = tbs.subject_public_key_info().to_der()?;
        Ok(Self {
            subject: tbs.subject().to_string(),
            issuer: tbs.issuer().to_string(),
            not_before: UnixTime::since_unix_epoch(tbs.validity().not_before.to_unix_duration()),
            not_after: UnixTime::since_unix_epoch(tbs.validity().not_after.to_unix_duration()),
            key: PublicKey::of(&spki),
            spki,
            extensions: Extensions::of(tbs.extensions().map_or(&[], Vec::as_slice)),
            sha256: Sha256::of(der),
        })
    }

    /// True if it says that it signed itself, as roots do.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// For people, at this time.
    #[must_use]
    pub fn sheet(&self, title: impl Into<String>, now: UnixTime) -> Sheet {
        let issuer = match self.is_self_issued() {
            true => "itself".to_owned(),
            false => Foreign(&self.issuer).to_string(),
        };
        let ca = self.extensions.is_ca.then_some("yes");
        Sheet::new(title)
            .row_if("subject", some(&self.subject))
            .row_if("names", self.extensions.names())
            .row("issuer", issuer)
            .row_if("CA", ca)
            .row("key", &self.key)
            .row_if("usage", self.extensions.usage())
            .row("valid", self.validity(now))
            .row("sha256", self.sha256)
    }

    fn validity(&self, now: UnixTime) -> String {
        let (from, to) = (Moment(self.not_before), Moment(self.not_after));
        let note = match now {
            now if now < self.not_before => {
                format!("begins in {}", Span::about(now, self.not_before))
            }
            now if now > self.not_after => {
                format!("ended {} ago", Span::about(self.not_after, now))
            }
            now => format!("{} left", Span::about(now, self.not_after)),
        };
        format!("{from} to {to}, {note}")
    }

    /// For programs; `expires_in` is in seconds and negative afterwards.
    #[must_use]
    pub fn to_json(&self, now: UnixTime) -> Value {
        let mut object = self.extensions.to_json();
        let more = json!({
            "type": "certificate",
            "subject": self.subject,
            "issuer": self.issuer,
            "key": self.key.to_json(),
            "not_before": Moment(self.not_before).to_string(),
            "expires": Moment(self.not_after).to_string(),
            "expires_in": seconds_left(now, self.not_after),
            "sha256": self.sha256.to_string(),
        });
        merge(&mut object, more);
        object
    }
}

/// Whole seconds from now to then, negative if that is over.
pub(super) fn seconds_left(now: UnixTime, then: UnixTime) -> i128 {
    i128::from(then.as_secs()) - i128::from(now.as_secs())
}

/// The text, fit for a terminal, unless it is empty.
pub(super) fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| Foreign(text).to_string())
}

/// Adds the members of one object to another.
pub(crate) fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, KeyUsagePurpose};

    use super::*;
    use dc_pki::extensions::DelegationUsage;

    fn der(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(["*.cpe.example.com".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 4, 1);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn at(moment: &str) -> UnixTime {
        moment.parse::<Moment>().unwrap().0
    }

    #[test]
    fn says_names_key_usage_and_how_long_it_is_valid() {
        let usage = CustomExtension::from_oid_content(&dc_core::DELEGATION_USAGE_ARCS, vec![5, 0]);
        let certificate = Certificate::read(&der(|params| {
            params.custom_extensions = vec![usage];
        }));
        let text = certificate
            .unwrap()
            .sheet("certificate", at("2026-03-30T00:00:00Z"))
            .to_string();
        for words in [
            "names:   *.cpe.example.com",
            "key:     ECDSA P-256",
            "usage:   digitalSignature, DelegationUsage",
            "2026-01-01T00:00:00Z to 2026-04-01T00:00:00Z, 2 d left",
        ] {
            assert!(text.contains(words), "{words} not in {text}");
        }
    }

    #[test]
    fn says_what_is_unusual_about_delegation_usage() {
        let with = |critical, value: &[u8]| {
            let id = dc_core::DELEGATION_USAGE_ARCS;
            let mut usage = CustomExtension::from_oid_content(&id, value.to_vec());
            usage.set_criticality(critical);
            let der = der(|params| params.custom_extensions = vec![usage]);
            Certificate::read(&der).unwrap().extensions.delegation_usage
        };
        assert_eq!(with(false, &[5, 0]), DelegationUsage::Present);
        assert_eq!(with(true, &[5, 0]), DelegationUsage::Critical);
        assert_eq!(with(false, &[]), DelegationUsage::OtherValue);
        let without = Certificate::read(&der(|_| {})).unwrap();
        assert_eq!(without.extensions.delegation_usage, DelegationUsage::Absent);
    }

    #[test]
    fn says_whether_it_begins_later_or_has_ended() {
        let certificate = Certificate::read(&der(|_| {})).unwrap();
        assert!(
            certificate
                .validity(at("2025-12-31T00:00:00Z"))
                .ends_with("begins in 1 d")
        );
        let over = at("2026-04-02T00:00:00Z");
        assert!(certificate.validity(over).ends_with("ended 1 d ago"));
        let json = certificate.to_json(over);
        assert_eq!(json["expires_in"].as_i64(), Some(-86_400), "{json}");
    }

    #[test]
    fn a_hostile_subject_moves_no_cursor() {
        let der = der(|params| {
            params
                .distinguished_name
                .push(DnType::CommonName, "\u{1b}[2J\nverdict: accepted");
        });
        let text = Certificate::read(&der)
            .unwrap()
            .sheet("certificate", UnixTime::since_unix_epoch(Duration::ZERO))
            .to_string();
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(!text.contains("\nverdict"), "{text:?}");
    }

    proptest! {
        #[test]
        fn never_panics(mut bytes: Vec<u8>, at in 0usize..400, with: u8) {
            let _ = Certificate::read(&bytes);
            bytes = der(|_| {});
            if let Some(byte) = bytes.get_mut(at) { *byte = with; }
            if let Ok(certificate) = Certificate::read(&bytes) {
                let _ = certificate.sheet("", certificate.not_after).to_string();
            }
        }
    }
}
