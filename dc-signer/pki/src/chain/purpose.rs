//! The purposes of the certificates that a peer sends: its own end's, or any (RFC 5280 §4.2.1.12).

use std::fmt;

use dc_core::Role;
use der::Decode;
use pki_types::CertificateDer;

use crate::extensions::Extensions;

/// A certificate of a chain whose extKeyUsage (RFC 5280 §4.2.1.12) does not have the purpose of the end that sends it:
/// serverAuth or clientAuth.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PurposeError {
    /// Where in the chain it is, counted from 1.
    pub at: usize,
    /// The purposes that it has.
    pub got: Vec<String>,
    /// The end that sends the chain.
    pub role: Role,
}

impl PurposeError {
    fn of(at: usize, certificate: &Facts, role: Role) -> Option<Self> {
        let got = &certificate.extensions.extended_key_usage;
        let is_allowed = got.is_empty() || got.iter().any(|purpose| purpose == purpose_of(role));
        (!is_allowed).then(|| Self {
            at: at + 1,
            got: got.clone(),
            role,
        })
    }
}

impl std::error::Error for PurposeError {}

impl fmt::Display for PurposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, got, role } = self;
        let (got, wanted) = (got.join(", "), purpose_of(*role));
        write!(
            f,
            "certificate {at} of the chain has the extKeyUsage {got} alone, and it is refused without {wanted}: ask the CA for one with it"
        )
    }
}

fn purpose_of(role: Role) -> &'static str {
    match role {
        Role::Server => "serverAuth",
        Role::Client => "clientAuth",
    }
}

/// The first certificate that is used for what it may not be: the end entity's, or all that can have signed one.
pub fn misuse(chain: &[CertificateDer<'_>], role: Role) -> Option<PurposeError> {
    let chain: Vec<_> = chain.iter().map(|der| Facts::read(der).ok()).collect();
    let mut last = chain.first()?.as_ref()?;
    if let Some(misuse) = PurposeError::of(0, last, role) {
        return Some(misuse);
    }
    for _ in 1..chain.len() {
        let others = chain.iter().enumerate().skip(1);
        let issuers = others.filter_map(|(at, other)| Some((at, other.as_ref()?)));
        let mut first = None;
        let good = issuers
            .filter(|(_, other)| other.subject == last.issuer)
            .find(|(at, other)| {
                let misuse = PurposeError::of(*at, other, role);
                let is_good = misuse.is_none();
                first = first.take().or(misuse);
                is_good
            });
        match good {
            Some((_, issuer)) => last = issuer,
            None => return first,
        }
    }
    None
}

/// The parts of a certificate that say whom it is for, by whom, and for what.
struct Facts {
    subject: String,
    issuer: String,
    extensions: Extensions,
}

impl Facts {
    fn read(der: &[u8]) -> der::Result<Self> {
        let certificate = x509_cert::Certificate::from_der(der)?;
        let tbs = certificate.tbs_certificate();
        Ok(Self {
            subject: tbs.subject().to_string(),
            issuer: tbs.issuer().to_string(),
            extensions: Extensions::of(tbs.extensions().map_or(&[], Vec::as_slice)),
        })
    }
}
