//! Issuing: a policy that is checked once, an approval that is used once, a result that is verified
//! before it leaves.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};

use crate::certificate::DelegationCertificate;
use crate::constraints;
use crate::credential::{Credential, DelegatedCredential, Form};
use crate::error::Error;
use crate::name::UniqueName;
use crate::offer::Offer;
use crate::scheme::SignatureScheme;
use crate::spki::PublicKey;
use crate::tbs::{Role, signed_bytes};
use crate::verify::Verifier;
use crate::{DEFAULT_LIFETIME, MAX_VALIDITY};

/// The key of a delegation certificate, wherever it is: in a file, an HSM, or another service.
pub trait Signer {
    /// The error of a key that does not sign.
    type Error;

    /// The scheme that [`sign`](Self::sign) uses, which must fit the delegation certificate's key.
    fn scheme(&self) -> SignatureScheme;

    /// Signs `message`, which is a few hundred bytes longer than the certificate and not hashed yet.
    ///
    /// RSASSA-PSS salts are as long as the hash; ECDSA signatures are DER (RFC 8446 §4.2.3).
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Self::Error>;
}

/// The terms of issuing: the certificate, the names that its issuers leave to it, the role, and lifetimes.
#[derive(Clone, Debug)]
pub struct IssuingPolicy {
    certificate: DelegationCertificate<'static>,
    excluded_subtrees: Vec<String>,
    role: Role,
    lifetime: Duration,
}

impl IssuingPolicy {
    /// Issues credentials of 164 hours that authenticate `role`.
    #[must_use]
    pub fn new(certificate: DelegationCertificate<'static>, role: Role) -> Self {
        Self {
            certificate,
            excluded_subtrees: Vec::new(),
            role,
            lifetime: DEFAULT_LIFETIME,
        }
    }

    /// Another lifetime for requests that do not ask for one.
    ///
    /// Fails with [`Error::ValidityTooLong`] above 7 days and with [`Error::LifetimeZero`] below a
    /// second (RFC 9345 §3).
    pub fn with_lifetime(mut self, lifetime: Duration) -> Result<Self, Error> {
        self.lifetime = check_lifetime(lifetime)?;
        Ok(self)
    }

    /// Also refuses a unique name that one of the certificate's issuers excludes (RFC 5280 §4.2.1.10), in place of the
    /// issuers that were given before.
    ///
    /// An issuer has to: whoever verifies the chain lets a wildcard pass though some of the names that it stands for are
    /// excluded. `issuers` are the certificates above the delegation certificate, in any order, the root among them if it
    /// is known.
    ///
    /// Fails with [`Error::MalformedCertificate`] or [`Error::DuplicateExtension`] if what one of them excludes cannot be
    /// known.
    pub fn with_issuers(mut self, issuers: &[CertificateDer<'_>]) -> Result<Self, Error> {
        self.excluded_subtrees = constraints::excluded_subtrees(issuers)?;
        Ok(self)
    }

    /// The delegation certificate.
    #[must_use]
    pub fn certificate(&self) -> &DelegationCertificate<'static> {
        &self.certificate
    }

    /// The dNSNames whose subtrees the issuers exclude, as their certificates have them.
    #[must_use]
    pub fn excluded_subtrees(&self) -> &[String] {
        &self.excluded_subtrees
    }

    /// Checks that the certificate covers a name, and that none of the issuers excludes it.
    ///
    /// Fails with [`Error::NameNotCovered`], and with [`Error::NameExcluded`] if an issuer was given by
    /// [`with_issuers`](Self::with_issuers) that does.
    pub fn check_name(&self, name: &UniqueName<'_>) -> Result<(), Error> {
        self.certificate.covers(name)?;
        constraints::exclude(&self.excluded_subtrees, name)
    }

    /// Checks a request against RFC 9345 §3 and §4 and the rules of the unique name.
    ///
    /// The lifetime that the request asks for is kept or refused; the policy's own is cut so that the
    /// credential ends before the certificate does. That the request's key belongs to whom the name
    /// belongs to is for the caller to know.
    ///
    /// Fails with [`Error::CertificateNotValid`], [`Error::ValidityTooLong`],
    /// [`Error::LifetimeZero`], [`Error::ExpiryAfterCertificate`], [`Error::BadPublicKey`],
    /// [`Error::UnusableKey`], [`Error::ForbiddenScheme`], [`Error::SchemeKeyMismatch`],
    /// [`Error::NameNotCovered`], [`Error::NameExcluded`], [`Error::ValidTimeOverflow`] or
    /// [`Error::LengthOutOfRange`].
    pub fn approve(&self, request: &Request<'_>, now: UnixTime) -> Result<Approved<'_>, Error> {
        let valid_time = self.valid_time(request.lifetime, now)?;
        let scheme = credential_scheme(request)?;
        if let Some(name) = &request.unique_name {
            self.check_name(name)?;
        }
        let credential = Credential::new(
            valid_time,
            scheme,
            request.spki,
            request.unique_name.clone(),
        );
        let mut credential_bytes = Vec::new();
        credential.encode(&mut credential_bytes)?;
        Ok(Approved {
            policy: self,
            form: credential.form(),
            credential_bytes,
            now,
        })
    }

    /// Seconds from notBefore to the end of a credential that begins now.
    fn valid_time(&self, lifetime: Option<Duration>, now: UnixTime) -> Result<u32, Error> {
        let (not_before, not_after) = (self.certificate.not_before(), self.certificate.not_after());
        // The last second a credential may have is the one before notAfter, so notAfter itself is
        // already too late to issue anything.
        if now < not_before || now >= not_after {
            return Err(Error::CertificateNotValid {
                now,
                not_before,
                not_after,
            });
        }
        let seconds = check_lifetime(lifetime.unwrap_or(self.lifetime))?.as_secs();
        let wanted = now.as_secs().saturating_add(seconds);
        let latest = not_after.as_secs() - 1;
        if lifetime.is_some() && wanted > latest {
            let expiry = UnixTime::since_unix_epoch(Duration::from_secs(wanted));
            return Err(Error::ExpiryAfterCertificate { expiry, not_after });
        }
        let expiry = wanted.min(latest);
        u32::try_from(expiry - not_before.as_secs()).map_err(|_| Error::ValidTimeOverflow {
            expiry: UnixTime::since_unix_epoch(Duration::from_secs(expiry)),
            not_before,
        })
    }
}

fn check_lifetime(lifetime: Duration) -> Result<Duration, Error> {
    if lifetime > MAX_VALIDITY {
        return Err(Error::ValidityTooLong {
            remaining: lifetime,
            max: MAX_VALIDITY,
        });
    }
    if lifetime.as_secs() == 0 {
        return Err(Error::LifetimeZero);
    }
    Ok(lifetime)
}

fn credential_scheme(request: &Request<'_>) -> Result<SignatureScheme, Error> {
    let key = PublicKey::parse(request.spki)?;
    let Some(scheme) = request.scheme else {
        return SignatureScheme::for_credential_key(&key).ok_or(Error::UnusableKey);
    };
    scheme.check_allowed_for_credential()?;
    scheme.check_key(&key)?;
    Ok(scheme)
}

/// A request to an issuer: a credential for one key.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    spki: &'a [u8],
    scheme: Option<SignatureScheme>,
    unique_name: Option<UniqueName<'a>>,
    lifetime: Option<Duration>,
}

impl<'a> Request<'a> {
    /// A credential of RFC 9345's form for this key, a DER SubjectPublicKeyInfo, with the policy's
    /// lifetime and the scheme that the key's type implies.
    #[must_use]
    pub fn new(spki: &'a [u8]) -> Self {
        Self {
            spki,
            scheme: None,
            unique_name: None,
            lifetime: None,
        }
    }

    /// Asks for the named form with this name.
    #[must_use]
    pub fn unique_name(mut self, name: UniqueName<'a>) -> Self {
        self.unique_name = Some(name);
        self
    }

    /// Asks for this lifetime: exactly this, or a refusal.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Asks for this `dc_cert_verify_algorithm`.
    #[must_use]
    pub fn scheme(mut self, scheme: SignatureScheme) -> Self {
        self.scheme = Some(scheme);
        self
    }
}

/// A request that the policy allows: good for one credential.
#[derive(Debug)]
#[must_use]
pub struct Approved<'p> {
    policy: &'p IssuingPolicy,
    form: Form,
    credential_bytes: Vec<u8>,
    now: UnixTime,
}

impl<'p> Approved<'p> {
    /// Signs and then verifies the result as a peer would.
    ///
    /// Fails with [`SignError::Signer`] if the signer does, and with [`SignError::Refused`] if its
    /// scheme does not fit the delegation certificate's key ([`Error::SchemeKeyMismatch`]), if what it
    /// returned is not that key's signature ([`Error::BadSignature`]) or cannot be checked by
    /// `algorithms` ([`Error::UnsupportedScheme`]).
    pub fn sign<S: Signer>(
        self,
        signer: &S,
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<Issued, SignError<S::Error>> {
        let unsigned = self.prepare(signer.scheme())?;
        let signature = signer.sign(unsigned.message()).map_err(SignError::Signer)?;
        Ok(unsigned.complete(&signature, algorithms)?)
    }

    /// The first half of [`sign`](Self::sign), for a signer that answers later.
    ///
    /// Fails with [`Error::SchemeKeyMismatch`] or [`Error::UnsupportedScheme`] if `algorithm` does
    /// not fit the delegation certificate's key.
    pub fn prepare(self, algorithm: SignatureScheme) -> Result<Unsigned<'p>, Error> {
        let certificate = &self.policy.certificate;
        algorithm.check_key(&certificate.public_key()?)?;
        let message = signed_bytes(
            self.policy.role,
            self.form,
            certificate.der(),
            &self.credential_bytes,
            algorithm,
        );
        Ok(Unsigned {
            approved: self,
            algorithm,
            message,
        })
    }
}

/// An approved credential that waits for its signature.
#[derive(Debug)]
#[must_use]
pub struct Unsigned<'p> {
    approved: Approved<'p>,
    algorithm: SignatureScheme,
    message: Vec<u8>,
}

impl Unsigned<'_> {
    /// The message that the delegation certificate's key has to sign.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// The second half of [`Approved::sign`]; fails as that does.
    pub fn complete(
        self,
        signature: &[u8],
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<Issued, Error> {
        let Approved {
            policy,
            form,
            credential_bytes,
            now,
        } = self.approved;
        let bytes = DelegatedCredential::encode(&credential_bytes, self.algorithm, signature)?;
        let credential = DelegatedCredential::decode(form, &bytes)?;
        let expiry = verify_own(policy, &credential, algorithms, now)?;
        Ok(Issued {
            form,
            expiry,
            bytes,
        })
    }
}

/// Verifies what was just signed as the peer that it suits best would.
fn verify_own(
    policy: &IssuingPolicy,
    credential: &DelegatedCredential<'_>,
    algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    now: UnixTime,
) -> Result<UnixTime, Error> {
    let offer = Offer::suiting(credential);
    let verified = Verifier::new(policy.role, &offer, algorithms)
        .with_strict_expiry()
        .verify_own_name(credential, &policy.certificate, now)?;
    Ok(verified.expiry())
}

/// A credential that was signed and verified.
#[derive(Clone, Debug)]
pub struct Issued {
    form: Form,
    expiry: UnixTime,
    bytes: Vec<u8>,
}

impl Issued {
    /// The form it has.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// The last second at which it is valid.
    #[must_use]
    pub fn expiry(&self) -> UnixTime {
        self.expiry
    }

    /// Its encoding, the `extension_data` that a server sends.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The same, by value.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The error of an approved credential that was not issued after all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SignError<E> {
    /// The signer does not fit the certificate, or its signature does not verify.
    Refused(Error),
    /// The signer failed.
    Signer(E),
}

impl<E> From<Error> for SignError<E> {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl<E: fmt::Display> fmt::Display for SignError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "not issued: {error}"),
            Self::Signer(error) => write!(f, "the signer failed: {error}"),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for SignError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Refused(error) => Some(error),
            Self::Signer(error) => Some(error),
        }
    }
}

mod accept;
#[cfg(test)]
mod tests;
