//! The checks of RFC 9345 §4.1.3, and the proof that they passed.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use pki_types::{
    CertificateDer, DnsName, ServerName, SignatureVerificationAlgorithm, TrustAnchor, UnixTime,
};

use crate::MAX_VALIDITY;
use crate::certificate::DelegationCertificate;
use crate::constraints::Issuers;
use crate::credential::{Credential, DelegatedCredential, Form};
use crate::error::Error;
use crate::name::UniqueName;
use crate::offer::Offer;
use crate::scheme::SignatureScheme;
use crate::spki::PublicKey;
use crate::tbs::{Role, signed_bytes};

/// The checks of a peer that receives credentials.
#[derive(Clone, Copy)]
pub struct Verifier<'a> {
    role: Role,
    offer: &'a Offer,
    algorithms: &'a [&'static dyn SignatureVerificationAlgorithm],
    max_validity: Duration,
    strict_expiry: bool,
    issuers: Issuers<'a>,
}

impl<'a> Verifier<'a> {
    /// A verifier of credentials that authenticate `role`, sent in answer to `offer`.
    ///
    /// `algorithms` are all those of the provider; the scheme and the key pick one.
    #[must_use]
    pub fn new(
        role: Role,
        offer: &'a Offer,
        algorithms: &'a [&'static dyn SignatureVerificationAlgorithm],
    ) -> Self {
        Self {
            role,
            offer,
            algorithms,
            max_validity: MAX_VALIDITY,
            strict_expiry: false,
            issuers: Issuers::default(),
        }
    }

    /// Accepts less than 7 days of remaining validity at most, as an application profile may say
    /// (RFC 9345 §3).
    ///
    /// Fails with [`Error::ValidityLimitTooLong`] above 7 days;
    /// [`danger::with_max_validity`](crate::danger::with_max_validity) has no such limit.
    pub fn with_max_validity(self, max: Duration) -> Result<Self, Error> {
        if max > MAX_VALIDITY {
            return Err(Error::ValidityLimitTooLong {
                wanted: max,
                max: MAX_VALIDITY,
            });
        }
        Ok(self.with_any_max_validity(max))
    }

    /// Also refuses credentials that end with the certificate or after it.
    ///
    /// RFC 9345 §3 forbids issuing them but asks no verifier to look.
    #[must_use]
    pub fn with_strict_expiry(mut self) -> Self {
        self.strict_expiry = true;
        self
    }

    /// Also refuses a unique name that one of the certificate's issuers excludes (RFC 5280 §4.2.1.10).
    ///
    /// Whoever verifies the chain cannot: a wildcard is allowed though some of the names that it stands for are
    /// not. `intermediates` are the certificates that came with the delegation certificate, and `anchors`
    /// those that are trusted, of which the ones count that a certificate names as its issuer.
    #[must_use]
    pub fn with_issuers(
        mut self,
        intermediates: &'a [CertificateDer<'a>],
        anchors: &'a [TrustAnchor<'a>],
    ) -> Self {
        self.issuers = Issuers {
            intermediates,
            anchors,
        };
        self
    }

    pub(crate) fn with_any_max_validity(mut self, max: Duration) -> Self {
        self.max_validity = max;
        self
    }

    /// Checks everything that RFC 9345 §4.1.3 and the unique name ask for, but for the
    /// CertificateVerify, which the result checks.
    ///
    /// The caller has already checked the certificate's chain, validity and names against `wanted`,
    /// the name the client connects to. `wanted` may be `None` for credentials that authenticate a
    /// client, whose unique name is then the outcome, and for credentials without a name.
    ///
    /// Fails with the first of these that applies: [`Error::FormNotOffered`],
    /// [`Error::SchemeNotOffered`], [`Error::AlgorithmNotOffered`], [`Error::Expired`],
    /// [`Error::ValidityTooLong`], [`Error::ExpiryAfterCertificate`], [`Error::ForbiddenScheme`],
    /// [`Error::BadPublicKey`], [`Error::SchemeKeyMismatch`], [`Error::UnsupportedScheme`],
    /// [`Error::BadSignature`], [`Error::MissingReferenceIdentity`], [`Error::NameMismatch`],
    /// [`Error::NameNotCovered`], [`Error::NameExcluded`]. The last needs
    /// [`with_issuers`](Self::with_issuers), and one of those that cannot be read is
    /// [`Error::MalformedCertificate`] or [`Error::DuplicateExtension`].
    pub fn verify(
        &self,
        credential: &DelegatedCredential<'_>,
        certificate: &DelegationCertificate<'_>,
        wanted: Option<&ServerName<'_>>,
        now: UnixTime,
    ) -> Result<VerifiedCredential, Error> {
        self.offer.suits(credential)?;
        let claim = credential.credential();
        let expiry = self.check_time(claim, certificate, now)?;
        let key = VerifiedKey::new(claim, self.algorithms)?;
        check_signature(self.role, credential, certificate, self.algorithms)?;
        if let Some(name) = &claim.unique_name {
            self.check_name(name, certificate, wanted)?;
        }
        Ok(VerifiedCredential {
            role: self.role,
            unique_name: claim.unique_name.as_ref().map(Into::into),
            expiry,
            scheme: claim.dc_cert_verify_algorithm,
            spki: claim.spki.to_owned(),
            key,
        })
    }

    /// Verifies as the peer that connects to the very name in the credential: what an issuer, or a
    /// holder, checks of its own.
    ///
    /// Together with [`Offer::suiting`], only what is wrong with the credential itself is left to fail.
    /// Fails as [`verify`](Self::verify) does, but never with [`Error::MissingReferenceIdentity`] or
    /// [`Error::NameMismatch`].
    pub fn verify_own_name(
        &self,
        credential: &DelegatedCredential<'_>,
        certificate: &DelegationCertificate<'_>,
        now: UnixTime,
    ) -> Result<VerifiedCredential, Error> {
        let name = credential.credential().unique_name.as_ref();
        let wanted = name.and_then(|name| {
            let name = DnsName::try_from(name.as_str()).ok()?;
            Some(ServerName::DnsName(name))
        });
        self.verify(credential, certificate, wanted.as_ref(), now)
    }

    fn check_time(
        &self,
        claim: &Credential<'_>,
        certificate: &DelegationCertificate<'_>,
        now: UnixTime,
    ) -> Result<UnixTime, Error> {
        let expiry = certificate.expiry(claim.valid_time);
        // RFC 9345 §4.1.3 (1): the time does not exceed the expiry, so the last second counts.
        let Some(remaining) = expiry.as_secs().checked_sub(now.as_secs()) else {
            return Err(Error::Expired { now, expiry });
        };
        // (2): at most so long ahead of now, whatever valid_time claims.
        let remaining = Duration::from_secs(remaining);
        if remaining > self.max_validity {
            return Err(Error::ValidityTooLong {
                remaining,
                max: self.max_validity,
            });
        }
        let not_after = certificate.not_after();
        if self.strict_expiry && expiry >= not_after {
            return Err(Error::ExpiryAfterCertificate { expiry, not_after });
        }
        Ok(expiry)
    }

    fn check_name(
        &self,
        name: &UniqueName<'_>,
        certificate: &DelegationCertificate<'_>,
        wanted: Option<&ServerName<'_>>,
    ) -> Result<(), Error> {
        match (wanted, self.role) {
            (Some(wanted), _) if !name.is(wanted) => {
                return Err(Error::NameMismatch {
                    wanted: wanted.to_owned(),
                    got: name.into(),
                });
            }
            (None, Role::Server) => return Err(Error::MissingReferenceIdentity),
            (Some(_), _) | (None, Role::Client) => {}
        }
        certificate.covers(name)?;
        self.issuers.check(certificate, name)
    }
}

impl fmt::Debug for Verifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            role,
            offer,
            algorithms: _,
            max_validity,
            strict_expiry,
            issuers: _,
        } = self;
        f.debug_struct("Verifier")
            .field("role", role)
            .field("offer", offer)
            .field("max_validity", max_validity)
            .field("strict_expiry", strict_expiry)
            .finish_non_exhaustive()
    }
}

/// A credential that passed every check: the only way to use its key.
///
/// Not `Clone`: what holds it knows how long it does, which [`Validity`](crate::Validity) says of the certificates.
pub struct VerifiedCredential {
    role: Role,
    unique_name: Option<UniqueName<'static>>,
    expiry: UnixTime,
    scheme: SignatureScheme,
    spki: Vec<u8>,
    key: VerifiedKey,
}

impl VerifiedCredential {
    /// Checks a CertificateVerify: `message` is what it signs (RFC 8446 §4.4.3), `scheme` and
    /// `signature` are what it says.
    ///
    /// Fails with [`Error::CertificateVerifyScheme`] if the credential promised another scheme
    /// (RFC 9345 §4.1.3 (3)) and with [`Error::BadCertificateVerify`] if its key did not make the
    /// signature.
    pub fn verify_handshake(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        if scheme != self.scheme {
            return Err(Error::CertificateVerifyScheme {
                wanted: self.scheme,
                got: scheme,
            });
        }
        let VerifiedKey { algorithm, bits } = &self.key;
        algorithm
            .verify_signature(bits, message, signature)
            .map_err(|_| Error::BadCertificateVerify)
    }

    /// The end that the credential authenticates.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The form it has.
    #[must_use]
    pub fn form(&self) -> Form {
        match self.unique_name {
            None => Form::Rfc9345,
            Some(_) => Form::Named,
        }
    }

    /// The device's name, if the credential is of the named form.
    #[must_use]
    pub fn unique_name(&self) -> Option<&UniqueName<'static>> {
        self.unique_name.as_ref()
    }

    /// The last second at which the credential is valid.
    #[must_use]
    pub fn expiry(&self) -> UnixTime {
        self.expiry
    }

    /// The scheme that its key signs with.
    #[must_use]
    pub fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    /// Its key: a DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }
}

impl fmt::Debug for VerifiedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            role,
            unique_name,
            expiry,
            scheme,
            spki: _,
            key: _,
        } = self;
        f.debug_struct("VerifiedCredential")
            .field("role", role)
            .field("unique_name", unique_name)
            .field("expiry", expiry)
            .field("scheme", scheme)
            .finish_non_exhaustive()
    }
}

/// The credential's public key with the algorithm that verifies its signatures.
struct VerifiedKey {
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    bits: Vec<u8>,
}

impl VerifiedKey {
    fn new(
        claim: &Credential<'_>,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<Self, Error> {
        let scheme = claim.dc_cert_verify_algorithm;
        // RFC 9345 §4.1.3 (4).
        scheme.check_allowed_for_credential()?;
        let key = PublicKey::parse(claim.spki)?;
        Ok(Self {
            algorithm: scheme.algorithm(&key, algorithms)?,
            bits: key.bits.to_owned(),
        })
    }
}

/// Finds out which end a credential authenticates, which only its signature says.
///
/// Fails with [`Error::BadSignature`] if it is not this certificate's in either role, and with
/// [`Error::SchemeKeyMismatch`] or [`Error::UnsupportedScheme`] if that cannot be known. Says
/// nothing about validity.
pub fn find_role(
    credential: &DelegatedCredential<'_>,
    certificate: &DelegationCertificate<'_>,
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
) -> Result<Role, Error> {
    match check_signature(Role::Server, credential, certificate, algorithms) {
        Ok(()) => Ok(Role::Server),
        Err(Error::BadSignature) => {
            check_signature(Role::Client, credential, certificate, algorithms)?;
            Ok(Role::Client)
        }
        Err(error) => Err(error),
    }
}

/// RFC 9345 §4.1.3 (6): the certificate's key made the signature, over the bytes that were received.
fn check_signature(
    role: Role,
    credential: &DelegatedCredential<'_>,
    certificate: &DelegationCertificate<'_>,
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
) -> Result<(), Error> {
    let key = certificate.public_key()?;
    let verifier = credential.algorithm().algorithm(&key, algorithms)?;
    let message = signed_bytes(
        role,
        credential.form(),
        certificate.der(),
        credential.credential_bytes(),
        credential.algorithm(),
    );
    verifier
        .verify_signature(key.bits, &message, credential.signature())
        .map_err(|_| Error::BadSignature)
}

#[cfg(test)]
mod tests;
