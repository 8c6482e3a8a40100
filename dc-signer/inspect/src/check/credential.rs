//! A credential under its certificate, by dc-core's checks.

use dc_core::{
    DelegatedCredential, DelegationCertificate, Error, Offer, Role, VerifiedCredential, Verifier,
    find_role,
};
use pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};

use super::Peer;
use super::verdict::{Check, CheckError, Rule, Verdict};
use crate::ParsedCertificate;
use crate::parsed::ders;
use dc_pki::time::{Moment, Span};

/// The checks of RFC 9345 §4.1.3 that need no connection, and the unique name.
pub(super) fn checks(
    peer: &Peer,
    chain: &[ParsedCertificate],
    credential: Result<&DelegatedCredential<'_>, &Error>,
) -> Vec<Check> {
    let Some(end_entity) = chain.first() else {
        return vec![Check::not_checked(Rule::Signature, NO_CERTIFICATE)];
    };
    let certificate = match end_entity.delegation() {
        Ok(certificate) => certificate,
        Err(error) => return cannot_delegate(error.clone()),
    };
    let credential = match credential {
        Ok(credential) => credential,
        Err(error) => {
            let error = CheckError::Credential(error.clone());
            return vec![Check::failed(Rule::Scheme, error)];
        }
    };
    let case = Case {
        peer,
        certificate,
        credential,
        issuers: &ders(chain.get(1..).unwrap_or_default()),
    };
    case.checks()
}

/// One more check: that a private key is the one that a credential is for.
#[must_use]
pub fn verify_key(verdict: Verdict, credential_spki: &[u8], key_spki: &[u8]) -> Verdict {
    verdict.with(match credential_spki == key_spki {
        true => Check::passed(Rule::PrivateKey, None),
        false => Check::failed(Rule::PrivateKey, CheckError::PrivateKey),
    })
}

/// The check that the end-entity certificate may delegate at all.
pub(super) fn may_delegate(chain: &[ParsedCertificate]) -> Option<Check> {
    let rule = Rule::Delegation;
    Some(match chain.first()?.delegation() {
        Ok(_) => Check::passed(rule, None),
        Err(error) => Check::failed(rule, CheckError::Credential(error.clone())),
    })
}

/// Without a delegation certificate there is no notBefore to count from, and no key to verify with.
fn cannot_delegate(error: Error) -> Vec<Check> {
    let missing = "the certificate may not delegate";
    vec![
        Check::not_checked(Rule::Expiry, missing),
        Check::not_checked(Rule::Validity, missing),
        Check::not_checked(Rule::Scheme, missing),
        Check::failed(Rule::Delegation, CheckError::Credential(error)),
        Check::not_checked(Rule::Signature, missing),
        Check::not_checked(Rule::UniqueName, missing),
    ]
}

struct Case<'a> {
    peer: &'a Peer,
    certificate: &'a DelegationCertificate<'static>,
    credential: &'a DelegatedCredential<'a>,
    /// The certificates behind the first.
    issuers: &'a [CertificateDer<'a>],
}

impl Case<'_> {
    fn checks(&self) -> Vec<Check> {
        let now = self.verify(self.peer.now).err();
        // In its last second no credential has ended or lasts too long: what fails then is not time.
        let at_its_end = self.verify(self.expiry()).err();
        let signature = self.signature();
        let scheme = match &at_its_end {
            Some(error) if is_about_scheme(error) && signature.as_ref() != Err(error) => {
                at_its_end.clone()
            }
            _ => None,
        };
        let name = at_its_end.filter(is_about_name);
        vec![
            self.expires(now.as_ref()),
            self.lasts(now.as_ref()),
            self.check(Rule::Scheme, scheme.clone(), self.scheme()),
            Check::passed(Rule::Delegation, None),
            self.signed(&signature),
            self.name(name, signature.is_err() || scheme.is_some()),
        ]
    }

    /// Everything, as the peer does it, at some time.
    fn verify(&self, now: UnixTime) -> Result<VerifiedCredential, Error> {
        let offer = Offer::suiting(self.credential);
        let roots = self.peer.roots.as_ref();
        let roots = roots.map_or(&[][..], |roots| roots.roots.as_slice());
        let verifier = Verifier::new(self.peer.role, &offer, self.algorithms())
            .with_issuers(self.issuers, roots);
        match &self.peer.wanted {
            Some(wanted) => verifier.verify(self.credential, self.certificate, Some(wanted), now),
            None => verifier.verify_own_name(self.credential, self.certificate, now),
        }
    }

    fn algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        self.peer.provider.signature_verification_algorithms.all
    }

    fn expiry(&self) -> UnixTime {
        let claim = self.credential.credential();
        self.certificate.expiry(claim.valid_time)
    }

    fn expires(&self, error: Option<&Error>) -> Check {
        let failed = matches!(error, Some(Error::Expired { .. }));
        let about = format!("until {}", Moment(self.expiry()));
        self.check(Rule::Expiry, error.filter(|_| failed).cloned(), about)
    }

    fn lasts(&self, error: Option<&Error>) -> Check {
        let failed = matches!(error, Some(Error::ValidityTooLong { .. }));
        let left = format!("{} left", Span::about(self.peer.now, self.expiry()));
        self.check(Rule::Validity, error.filter(|_| failed).cloned(), left)
    }

    fn scheme(&self) -> String {
        let claim = self.credential.credential();
        claim.dc_cert_verify_algorithm.to_string()
    }

    /// Whose signature it is, which says more than that it is not the wanted role's.
    fn signature(&self) -> Result<Role, Error> {
        let wanted = self.peer.role;
        let got = find_role(self.credential, self.certificate, self.algorithms())?;
        match got == wanted {
            true => Ok(got),
            false => Err(Error::RoleMismatch { wanted, got }),
        }
    }

    fn signed(&self, signature: &Result<Role, Error>) -> Check {
        let about = format!(
            "for a {}, with {}",
            self.peer.role,
            self.credential.algorithm()
        );
        self.check(Rule::Signature, signature.clone().err(), about)
    }

    /// `is_hidden`: an earlier check failed, at which dc-core stops before it looks at the name.
    fn name(&self, error: Option<Error>, is_hidden: bool) -> Check {
        let claim = self.credential.credential();
        let name = claim.unique_name.as_ref();
        match (name, &self.peer.wanted) {
            (None, _) => Check::not_checked(Rule::UniqueName, NO_NAME),
            (Some(_), _) if is_hidden && error.is_none() => {
                Check::not_checked(Rule::UniqueName, "nothing vouches for the name")
            }
            (Some(name), _) => self.check(Rule::UniqueName, error, name.to_string()),
        }
    }

    fn check(&self, rule: Rule, error: Option<Error>, about: impl Into<String>) -> Check {
        match error {
            None => Check::passed(rule, about.into()),
            Some(error) => Check::failed(rule, CheckError::Credential(error)),
        }
    }
}

fn is_about_scheme(error: &Error) -> bool {
    matches!(
        error,
        Error::BadPublicKey
            | Error::ForbiddenScheme { .. }
            | Error::SchemeKeyMismatch { .. }
            | Error::UnsupportedScheme { .. }
    )
}

fn is_about_name(error: &Error) -> bool {
    matches!(
        error,
        Error::NameMismatch { .. }
            | Error::NameNotCovered { .. }
            | Error::NameExcluded { .. }
            // Of a certificate above, whose constraints cannot be read: the first one has been parsed.
            | Error::MalformedCertificate { .. }
            | Error::DuplicateExtension { .. }
    )
}

const NO_CERTIFICATE: &str = "its certificate is not here";
const NO_NAME: &str =
    "the rfc9345 form has none: any device of this certificate could be the one that is wanted";
