//! The order of the certificates that a server sends: each signs the one before it (RFC 8446 §4.4.2).

use der::Decode;
use pki_types::{CertificateDer, SignatureVerificationAlgorithm};

use dc_pki::asn1::{contents, first_of_sequence, whole_bytes};
use dc_pki::chain::disorder;

use super::verdict::{Check, CheckError, Rule};

/// The check that the certificates are in the order in which they are to be sent; `None` of one alone that is no CA's.
///
/// Many clients put the rest in order themselves, so only the first one's place is an error.
pub(super) fn check(
    chain: &[CertificateDer<'_>],
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
) -> Option<Check> {
    if let Some(disorder) = disorder(chain) {
        return Some(Check::failed(Rule::Order, CheckError::Order(disorder)));
    }
    let links: Vec<Option<Link>> = chain.iter().map(|der| Link::read(der).ok()).collect();
    (chain.len() > 1).then(|| {
        let oddities = oddities(chain, &links, algorithms);
        let about = (!oddities.is_empty()).then(|| oddities.join("; "));
        Check::passed(Rule::Order, about)
    })
}

/// Certificates that some clients would stumble over, and others only carry.
fn oddities(
    chain: &[CertificateDer<'_>],
    links: &[Option<Link<'_>>],
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
) -> Vec<String> {
    let mut found = Vec::new();
    for (at, (der, link)) in chain.iter().zip(links).enumerate().skip(1) {
        let number = at + 1;
        let before = chain.iter().take(at).position(|other| other == der);
        let previous = links.get(at - 1).and_then(Option::as_ref);
        let Some(link) = link else {
            found.push(format!("certificate {number} cannot be read"));
            continue;
        };
        if let Some(first) = before {
            found.push(format!(
                "certificate {number} is the same as certificate {}: send it once",
                first + 1
            ));
        } else if previous.is_some_and(|previous| !link.signed(previous, algorithms)) {
            found.push(format!(
                "certificate {number} has not signed certificate {at}, and some clients refuse that: send each behind what it signed, and no others"
            ));
        } else if link.is_self_issued() {
            found.push(format!(
                "certificate {number} is a root, which need not be sent: clients have it or do not trust it"
            ));
        }
    }
    found
}

/// The fields of a certificate that link it to others.
struct Link<'a> {
    subject: x509_cert::name::Name,
    issuer: x509_cert::name::Name,
    /// The bytes that the signature covers, as they were received.
    signed: &'a [u8],
    /// The contents of the AlgorithmIdentifier of the key, and the key itself.
    key: (Vec<u8>, Vec<u8>),
    /// The contents of the AlgorithmIdentifier of the signature, and the signature itself.
    signature: (Vec<u8>, Vec<u8>),
}

impl<'a> Link<'a> {
    fn read(der: &'a [u8]) -> der::Result<Self> {
        let certificate = x509_cert::Certificate::from_der(der)?;
        let tbs = certificate.tbs_certificate();
        let spki = tbs.subject_public_key_info();
        Ok(Self {
            subject: tbs.subject().clone(),
            issuer: tbs.issuer().clone(),
            signed: first_of_sequence(der)?,
            key: (
                contents(&spki.algorithm)?,
                whole_bytes((&spki.subject_public_key).into())?,
            ),
            signature: (
                contents(certificate.signature_algorithm())?,
                whole_bytes(certificate.signature().into())?,
            ),
        })
    }

    fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// True if it signed another one; by the names alone if nobody here can verify such signatures.
    fn signed(
        &self,
        other: &Self,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> bool {
        let (key_type, key) = &self.key;
        let (signature_type, signature) = &other.signature;
        let mut able = algorithms
            .iter()
            .filter(|algorithm| {
                algorithm.public_key_alg_id().as_ref() == key_type
                    && algorithm.signature_alg_id().as_ref() == signature_type
            })
            .peekable();
        self.subject == other.issuer
            && (able.peek().is_none()
                || able.any(|algorithm| {
                    let verified = algorithm.verify_signature(key, other.signed, signature);
                    verified.is_ok()
                }))
    }
}
