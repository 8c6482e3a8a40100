//! The names that a delegation certificate and its issuers exclude (RFC 5280 §4.2.1.10).
//!
//! Whoever verifies a chain compares the certificate's own names with the constraints. A wildcard passes there though
//! some of the names that it stands for are excluded, and a unique name may be one of those.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::iter;

use der::asn1::ObjectIdentifier;
use pki_types::{CertificateDer, TrustAnchor};

use crate::certificate::{malformed, only};
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
    pub(crate) fn check(&self, end_entity: &[u8], name: &UniqueName<'_>) -> Result<(), Error> {
        let read = |der| Fields::read(der).map_err(malformed(Field::Certificate));
        let mut issuers = Vec::new();
        // RFC 5280 has constraints in certificates of CAs alone; one that constrains itself means it all the same.
        let intermediates = self.intermediates.iter().map(AsRef::as_ref);
        for certificate in iter::once(end_entity).chain(intermediates) {
            let fields = read(certificate)?;
            let constraints = only(&fields.extensions, NAME_CONSTRAINTS, Field::NameConstraints)?;
            if let Some(extension) = constraints {
                exclude(fields::excluded_dns_names(extension.value), name)?;
            }
            issuers.push(fields.issuer);
        }
        for anchor in self.anchors {
            if let Some(constraints) = &anchor.name_constraints
                && issuers.contains(&anchor.subject.as_ref())
            {
                exclude(fields::excluded_dns_names_of_contents(constraints), name)?;
            }
        }
        Ok(())
    }
}

fn exclude(subtrees: der::Result<Vec<&str>>, name: &UniqueName<'_>) -> Result<(), Error> {
    let subtrees = subtrees.map_err(malformed(Field::NameConstraints))?;
    match subtrees.into_iter().find(|subtree| name.is_within(subtree)) {
        Some(subtree) => Err(Error::NameExcluded {
            name: name.into(),
            subtree: subtree.to_owned(),
        }),
        None => Ok(()),
    }
}

const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
