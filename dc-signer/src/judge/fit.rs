//! Whether what is presented can be accepted by anybody, whatever is trusted and whenever that is.

use std::fmt;

use pki_types::CertificateDer;
use rustls::server::ParsedCertificate;

use super::check::Fault;
use super::order;
use crate::describe::Certificate;

/// Why every client refuses a server's chain, the end-entity certificate first; `None` if that depends on the
/// client.
pub(crate) fn unfit(chain: &[CertificateDer<'_>]) -> Option<Fault> {
    order::disorder(chain)
        .map(Fault::Order)
        .or_else(|| unreadable(chain))
        .or_else(|| misuse(chain).map(Fault::Misuse))
}

/// What every peer does first.
pub(super) fn unreadable<'c>(
    chain: impl IntoIterator<Item = &'c CertificateDer<'c>>,
) -> Option<Fault> {
    let mut parsed = chain.into_iter().map(ParsedCertificate::try_from);
    parsed.find_map(Result::err).map(Fault::Chain)
}

/// A certificate of a server's chain whose extKeyUsage (RFC 5280 §4.2.1.12) does not have serverAuth.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Misuse {
    /// Where in the chain it is, counted from 1.
    pub at: usize,
    /// What it has.
    pub got: Vec<String>,
}

impl Misuse {
    fn of(at: usize, certificate: &Certificate) -> Option<Self> {
        let got = &certificate.extensions.extended_key_usage;
        let is_allowed = got.is_empty() || got.iter().any(|purpose| purpose == "serverAuth");
        (!is_allowed).then(|| Self {
            at: at + 1,
            got: got.clone(),
        })
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, got } = self;
        let got = got.join(", ");
        write!(
            f,
            "certificate {at} of the chain has the extKeyUsage {got} alone, and it is refused without serverAuth: ask the CA for one with it"
        )
    }
}

/// The first certificate that is used for what it may not be: the end entity's, or all that can have signed one.
pub(super) fn misuse(chain: &[CertificateDer<'_>]) -> Option<Misuse> {
    let chain: Vec<_> = chain
        .iter()
        .map(|der| Certificate::read(der).ok())
        .collect();
    let mut last = chain.first()?.as_ref()?;
    if let Some(misuse) = Misuse::of(0, last) {
        return Some(misuse);
    }
    for _ in 1..chain.len() {
        let others = chain.iter().enumerate().skip(1);
        let issuers = others.filter_map(|(at, other)| Some((at, other.as_ref()?)));
        let mut first = None;
        let good = issuers
            .filter(|(_, other)| other.subject == last.issuer)
            .find(|(at, other)| {
                let misuse = Misuse::of(*at, other);
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
