//! The names that a delegation certificate and its issuers exclude (RFC 5280 §4.2.1.10).
//!
//! Whoever verifies a chain compares the certificate's own names with the constraints. A wildcard passes there though
//! some of the names that it stands for are excluded, and a unique name may be one of those.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use pki_types::{CertificateDer, TrustAnchor};

use crate::certificate::{DelegationCertificate, malformed, name_constraints};
use crate::error::{Error, Field};
use crate::fields::{self, Fields};
use crate::name::UniqueName;

/// The possible issuers of a delegation certificate.
#[derive(Clone, Copy, Default)]
pub(crate) struct Issuers<'a> {
    /// The certificates that the peer sent behind the delegation certificate.
    pub(crate) intermediates: &'a [CertificateDer<'a>],
    /// The trust anchors, of which those count that the certificates name as their issuer.
    pub(crate) anchors: &'a [TrustAnchor<'a>],
}

impl Issuers<'_> {
    /// Checks that neither the delegation certificate nor one of them excludes this name.
    ///
    /// Fails with [`Error::NameExcluded`], and with [`Error::MalformedCertificate`] or [`Error::DuplicateExtension`] if
    /// that cannot be known.
    pub(crate) fn check(
        &self,
        certificate: &DelegationCertificate<'_>,
        name: &UniqueName<'_>,
    ) -> Result<(), Error> {
        // RFC 5280 has constraints in certificates of CAs alone; one that constrains itself means it all the same.
        exclude(&excluded(certificate.name_constraints()?)?, name)?;
        let mut issuers = Vec::with_capacity(1 + self.intermediates.len());
        issuers.push(certificate.issuer());
        for intermediate in self.intermediates {
            let fields = read(intermediate)?;
            exclude(&excluded_by(&fields)?, name)?;
            issuers.push(fields.issuer);
        }
        for anchor in self.anchors {
            if let Some(constraints) = &anchor.name_constraints
                && issuers.contains(&anchor.subject.as_ref())
            {
                let subtrees = fields::excluded_dns_names_of_contents(constraints);
                exclude(&subtrees.map_err(malformed(Field::NameConstraints))?, name)?;
            }
        }
        Ok(())
    }
}

/// The dNSNames whose subtrees certificates exclude (RFC 5280 §4.2.1.10), in their order.
///
/// Fails with [`Error::MalformedCertificate`] and [`Error::DuplicateExtension`] if that cannot be known.
pub fn excluded_subtrees(issuers: &[CertificateDer<'_>]) -> Result<Vec<String>, Error> {
    let mut subtrees = Vec::new();
    for issuer in issuers {
        let excluded = excluded_by(&read(issuer)?)?;
        subtrees.extend(excluded.into_iter().map(ToOwned::to_owned));
    }
    Ok(subtrees)
}

/// Refuses a name that is in one of these subtrees, with [`Error::NameExcluded`].
pub(crate) fn exclude(subtrees: &[impl AsRef<str>], name: &UniqueName<'_>) -> Result<(), Error> {
    let mut subtrees = subtrees.iter().map(AsRef::as_ref);
    match subtrees.find(|subtree| name.is_within(subtree)) {
        Some(subtree) => Err(Error::NameExcluded {
            name: name.into(),
            subtree: subtree.to_owned(),
        }),
        None => Ok(()),
    }
}

fn excluded_by<'a>(certificate: &Fields<'a>) -> Result<Vec<&'a str>, Error> {
    excluded(name_constraints(&certificate.extensions)?)
}

/// The dNSNames whose subtrees these NameConstraints exclude.
fn excluded(constraints: Option<&[u8]>) -> Result<Vec<&str>, Error> {
    match constraints {
        Some(value) => fields::excluded_dns_names(value).map_err(malformed(Field::NameConstraints)),
        None => Ok(Vec::new()),
    }
}

fn read(der: &[u8]) -> Result<Fields<'_>, Error> {
    Fields::read(der).map_err(malformed(Field::Certificate))
}
