//! The chain of a certificate, its names and its constraints (RFC 5280 §6, as far as the vectors go).

use std::net::IpAddr;

use super::Reference;
use super::certificate::Certificate;
use super::name::is_address;
use super::rule::Rule;
use super::signature::scheme_of_certificate;
use crate::fault::Fault;

impl Reference<'_> {
    /// Checks that the first certificate leads to the root through the others, and that all are valid now.
    pub(super) fn path(
        &self,
        chain: &[Certificate<'_>],
        root: &[u8],
        now: u64,
    ) -> Result<(), Fault> {
        let root = Certificate::read(root).ok_or(Fault::UntrustedPath)?;
        let rest = chain.iter().skip(1);
        let authorities = rest.filter(|authority| authority.der != root.der);
        let authorities: Vec<&Certificate<'_>> = authorities.chain([&root]).collect();
        let trusted = chain
            .iter()
            .zip(&authorities)
            .all(|(certificate, authority)| self.issued(authority, certificate))
            && authorities.iter().all(|authority| authority.is_authority());
        if !trusted && self.keeps(Rule::PathLeadsToTheRoot) {
            return Err(Fault::UntrustedPath);
        }
        if !chain
            .iter()
            .all(|certificate| self.is_valid(certificate, now))
        {
            return Err(Fault::CertificateNotValid);
        }
        let names = chain
            .first()
            .map(Certificate::dns_names)
            .unwrap_or_default();
        let allowed = |authority: &&Certificate<'_>| {
            let permits = |name: &&str| permits(authority, name) && !self.excludes(authority, name);
            names.iter().all(permits)
        };
        match authorities.iter().all(allowed) {
            true => Ok(()),
            false => Err(Fault::UntrustedPath),
        }
    }

    fn issued(&self, authority: &Certificate<'_>, certificate: &Certificate<'_>) -> bool {
        let made = || {
            let scheme = scheme_of_certificate(certificate.algorithm)?;
            let key = self.key(authority.spki).ok()?;
            let (message, signature) = (certificate.tbs, certificate.signature);
            Some(self.signatures.verify(scheme, &key, message, signature))
        };
        let names = certificate.issuer == authority.subject;
        names && (made() == Some(true) || !self.keeps(Rule::PathIsSigned))
    }

    /// True if a certificate is valid at a Unix time.
    pub(super) fn is_valid(&self, certificate: &Certificate<'_>, now: u64) -> bool {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let (from, to) = (certificate.not_before, certificate.not_after);
        (now >= from || !self.keeps(Rule::CertificateHasBegun))
            && (now <= to || !self.keeps(Rule::CertificateHasNotEnded))
            && (now != from || self.keeps(Rule::CertificateHasAFirstSecond))
            && (now != to || self.keeps(Rule::CertificateHasALastSecond))
    }

    /// Checks that the certificate is for the reference identity (RFC 9525).
    pub(super) fn certificate_name(
        &self,
        certificate: &Certificate<'_>,
        wanted: &str,
    ) -> Result<(), Fault> {
        let matches = match is_address(wanted) {
            true => {
                address(wanted).is_some_and(|octets| certificate.addresses().contains(&&*octets))
            }
            false => {
                let name = wanted.strip_suffix('.').unwrap_or(wanted);
                let names = certificate.dns_names();
                names.iter().any(|dns_name| self.covers(dns_name, name))
            }
        };
        match matches || !self.keeps(Rule::CertificateIsForTheReference) {
            true => Ok(()),
            false => Err(Fault::CertificateName),
        }
    }

    /// True if an authority's constraints exclude a name.
    pub(super) fn excludes(&self, authority: &Certificate<'_>, name: &str) -> bool {
        let [_, excluded] = authority.constraints();
        let lowered = |subtree: &str| match self.keeps(Rule::CaseOfASubtreeIsIgnored) {
            true => subtree.to_ascii_lowercase(),
            false => subtree.to_owned(),
        };
        excluded
            .iter()
            .map(|subtree| lowered(subtree))
            .any(|subtree| {
                self.is_within(name, &subtree)
                    || name.ends_with(&subtree) && !self.keeps(Rule::SubtreeBeginsAtALabel)
            })
    }

    /// True if an excluded subtree, in lower case, has a name.
    fn is_within(&self, name: &str, subtree: &str) -> bool {
        let relative = match self.keeps(Rule::FinalDotOfASubtreeIsIgnored) {
            true => subtree.strip_suffix('.').unwrap_or(subtree),
            false => subtree,
        };
        if relative.is_empty() {
            return self.keeps(Rule::EmptySubtreeIsEverything);
        }
        let name = name.to_ascii_lowercase();
        if let Some(below) = relative.strip_prefix('*')
            && !self.keeps(Rule::StarOfASubtreeIsALabel)
        {
            return name.ends_with(below);
        }
        match relative.strip_prefix('.') {
            Some(domain) => {
                name.ends_with(relative) && self.keeps(Rule::DottedSubtreeIsWhatIsBelow)
                    || name == domain && !self.keeps(Rule::DottedSubtreeIsOnlyWhatIsBelow)
            }
            None => name == relative || name.ends_with(&format!(".{relative}")),
        }
    }
}

/// True if an authority has no permitted dNSNames, or one of them is for the name.
fn permits(authority: &Certificate<'_>, name: &str) -> bool {
    let [permitted, _] = authority.constraints();
    let name = name.strip_prefix("*.").unwrap_or(name);
    permitted.is_empty()
        || permitted
            .iter()
            .any(|subtree| within(name, &subtree.to_ascii_lowercase()))
}

/// RFC 5280 §4.2.1.10: a name with labels put in front of the subtree's, or none.
fn within(name: &str, subtree: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let subtree = subtree.strip_prefix('.').unwrap_or(subtree);
    subtree.is_empty() || name == subtree || name.ends_with(&format!(".{subtree}"))
}

fn address(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    Some(match bare.parse().ok()? {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    })
}
