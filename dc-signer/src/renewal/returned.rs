//! A look at what a CA returned, before it is anybody's delegation certificate.

mod error;

use std::path::Path;
use std::time::Duration;

use dc_core::{DelegationCertificate, Role};
use der::Decode;
use pki_types::{CertificateDer, UnixTime};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring::default_provider;
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore};
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use dc_pki::chain::{self, ChainError};
use dc_pki::extensions::Extensions;
use dc_pki::names::ZoneName;
use dc_pki::text::Foreign;
use dc_pki::{CsrError, Roles, files, pem};

pub use error::ReturnedError;

/// The certificate that was asked for.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// The zone: the certificate is for `*.ZONE` and for nothing else.
    pub zone: &'a ZoneName,
    /// The ends of connections that it is for.
    pub roles: Roles,
    /// The DER SubjectPublicKeyInfo of the key that it was ordered for.
    pub spki: &'a [u8],
    /// The roots that its chain has to lead to.
    pub anchors: &'a RootCertStore,
}

/// The public key that a request in DER is for: a DER SubjectPublicKeyInfo.
///
/// Fails with [`CsrError`].
pub fn requested_key(csr_der: &[u8]) -> Result<Vec<u8>, CsrError> {
    let algorithms = default_provider().signature_verification_algorithms;
    dc_pki::public_key(csr_der, algorithms.all)
}

/// A chain that is what was asked for. It is made by [`check`] alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Returned {
    chain: Vec<CertificateDer<'static>>,
    not_before: UnixTime,
    not_after: UnixTime,
}

impl Returned {
    /// The delegation certificate, in DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        self.chain.first().map_or(&[], |certificate| certificate)
    }

    /// The chain as it is kept and sent, in PEM: without a root, and without what else was between the certificates.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        let chain = self.chain.iter();
        chain.map(|der| pem::encode("CERTIFICATE", der)).collect()
    }

    /// The first second at which it is valid.
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// The last second at which it is valid.
    #[must_use]
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }
}

/// Takes what a CA returned, a chain in PEM with the certificate first, if it is what was asked for.
///
/// Fails with [`ReturnedError`], the first thing that is wrong.
pub fn check(
    returned: &[u8],
    expected: &Expected<'_>,
    now: UnixTime,
) -> Result<Returned, ReturnedError> {
    let mut chain = read(returned)?;
    if let Some(error) = chain::disorder(&chain) {
        return Err(ReturnedError::Chain(ChainError::Order(error)));
    }
    // Nobody sends a root: who trusts it has it.
    if chain.len() > 1 && chain.last().is_some_and(is_self_issued) {
        chain.pop();
    }
    let first = chain.first().ok_or(ReturnedError::Empty)?;
    let certificate = DelegationCertificate::parse(first.clone().into_owned())
        .map_err(ReturnedError::MayNotDelegate)?;
    check_names(first, expected.zone)?;
    if certificate.spki() != expected.spki {
        return Err(ReturnedError::OtherKey);
    }
    check_lifetime(&certificate, now)?;
    check_purpose(first, &chain, expected.roles)?;
    check_links(&chain)?;
    // Its first second may be to come by this machine's clock.
    let at = certificate.not_before().max(now);
    check_anchors(&chain, expected.anchors, at)?;
    Ok(Returned {
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
        chain,
    })
}

fn read(returned: &[u8]) -> Result<Vec<CertificateDer<'static>>, ReturnedError> {
    if returned.len() > files::MAX_LEN {
        let (got, max) = (returned.len(), files::MAX_LEN);
        return Err(ReturnedError::TooLarge { got, max });
    }
    if returned.trim_ascii().is_empty() {
        return Err(ReturnedError::Empty);
    }
    if pem::has_private_key(returned) {
        return Err(ReturnedError::PrivateKey);
    }
    let chain = pem::certificates(Path::new("answer"), returned);
    let chain = chain.map_err(|error| ReturnedError::NoPem(without_path(error)))?;
    match chain.len() {
        got if got > MAX_CERTIFICATES => Err(ReturnedError::TooMany {
            got,
            max: MAX_CERTIFICATES,
        }),
        _ => Ok(chain),
    }
}

/// The fault of a PEM that is in no file.
fn without_path(error: dc_pki::Error) -> dc_core::Error {
    match error {
        dc_pki::Error::BadPem { source, .. } => source,
        _ => dc_core::Error::MissingPem {
            label: "CERTIFICATE",
        },
    }
}

/// Its names are the zone's wildcard, and nothing of any other kind.
fn check_names(der: &[u8], zone: &ZoneName) -> Result<(), ReturnedError> {
    let wildcard = zone.wildcard();
    let names = names(der);
    match names.iter().all(|name| *name == wildcard) && !names.is_empty() {
        true => Ok(()),
        false => Err(ReturnedError::OtherNames {
            expected: wildcard,
            got: names,
        }),
    }
}

/// All of subjectAltName; what is no dNSName with its kind.
fn names(der: &[u8]) -> Vec<String> {
    let certificate = Certificate::from_der(der).ok();
    let names = certificate.and_then(|certificate| {
        let tbs = certificate.tbs_certificate();
        let names = tbs.get_extension::<SubjectAltName>().ok().flatten();
        names.map(|(_, names)| names.0)
    });
    let text = |name: GeneralName| match name {
        GeneralName::DnsName(dns) => Foreign(&dns.as_str().to_ascii_lowercase()).to_string(),
        GeneralName::IpAddress(_) => "an IP address".to_owned(),
        GeneralName::Rfc822Name(_) => "an e-mail address".to_owned(),
        GeneralName::UniformResourceIdentifier(_) => "a URI".to_owned(),
        _ => "a name that is none of DNS".to_owned(),
    };
    names.into_iter().flatten().map(text).collect()
}

fn check_lifetime(
    certificate: &DelegationCertificate<'_>,
    now: UnixTime,
) -> Result<(), ReturnedError> {
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    if not_after <= now {
        return Err(ReturnedError::Ended { not_after, now });
    }
    if not_before.as_secs() > now.as_secs().saturating_add(MAX_AHEAD.as_secs()) {
        return Err(ReturnedError::NotYet { not_before, now });
    }
    let lifetime = not_after.as_secs().saturating_sub(not_before.as_secs());
    match lifetime > MAX_LIFETIME.as_secs() {
        true => Err(ReturnedError::TooLong {
            lifetime: Duration::from_secs(lifetime),
            max: MAX_LIFETIME,
        }),
        false => Ok(()),
    }
}

fn check_purpose(
    first: &[u8],
    chain: &[CertificateDer<'static>],
    roles: Roles,
) -> Result<(), ReturnedError> {
    let wanted: &[Role] = match roles {
        Roles::Both => &[Role::Server, Role::Client],
        Roles::Server => &[Role::Server],
    };
    for role in wanted {
        chain::check(chain, *role).map_err(ReturnedError::Chain)?;
    }
    // Without extKeyUsage it would be for mail and code as well, which no CA means.
    match Extensions::of_certificate(first) {
        Ok(extensions) if extensions.extended_key_usage.is_empty() => {
            Err(ReturnedError::NoPurpose { roles })
        }
        _ => Ok(()),
    }
}

/// Every certificate is signed by the one behind it, as far as names tell.
fn check_links(chain: &[CertificateDer<'static>]) -> Result<(), ReturnedError> {
    let parsed = chain.iter().map(|der| Certificate::from_der(der).ok());
    let parsed: Vec<Certificate> = parsed.flatten().collect();
    let pairs = parsed.iter().zip(parsed.iter().skip(1));
    for (at, (lower, upper)) in pairs.enumerate() {
        let [issuer, subject] = [
            lower.tbs_certificate().issuer(),
            upper.tbs_certificate().subject(),
        ];
        if issuer != subject {
            let [issuer, subject] = [issuer, subject].map(|name| shown(&name.to_string()));
            return Err(ReturnedError::NoLink {
                at: at + 1,
                issuer,
                subject,
            });
        }
    }
    Ok(())
}

fn check_anchors(
    chain: &[CertificateDer<'static>],
    anchors: &RootCertStore,
    at: UnixTime,
) -> Result<(), ReturnedError> {
    let (first, others) = chain.split_first().ok_or(ReturnedError::Empty)?;
    let algorithms = default_provider().signature_verification_algorithms;
    let verified = ParsedCertificate::try_from(first).and_then(|parsed| {
        verify_server_cert_signed_by_trust_anchor(&parsed, anchors, others, at, algorithms.all)
    });
    verified.map_err(|source| match source {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            let last = chain.last().and_then(|der| Certificate::from_der(der).ok());
            let issuer = last.map(|last| last.tbs_certificate().issuer().to_string());
            ReturnedError::NoRoot {
                issuer: shown(&issuer.unwrap_or_default()),
                length: chain.len(),
            }
        }
        source => ReturnedError::Untrusted(source),
    })
}

/// A name that a stranger chose, fit for a terminal.
fn shown(name: &str) -> String {
    match name {
        "" => "an issuer without a name".to_owned(),
        name => Foreign(name).to_string(),
    }
}

fn is_self_issued(der: &CertificateDer<'_>) -> bool {
    Certificate::from_der(der).is_ok_and(|certificate| {
        let tbs = certificate.tbs_certificate();
        tbs.issuer() == tbs.subject()
    })
}

/// How far ahead of this machine's clock a certificate may begin: CAs date them back, clocks differ.
pub const MAX_AHEAD: Duration = Duration::from_secs(3600);
/// The longest lifetime that is taken: 825 days, what private CAs may give at most to be believed by browsers.
pub const MAX_LIFETIME: Duration = Duration::from_secs(825 * 24 * 3600);
const MAX_CERTIFICATES: usize = 10;

#[cfg(test)]
mod tests;
