//! What is checked before anything is installed: all of it.

use std::fmt;

use dc_core::pem::StoredCredential;
use dc_core::{DelegatedCredential, DelegationCertificate, Offer, Role, Verifier};
use pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::server::ParsedCertificate;

use super::folder::Unit;
use dc_pki::Sha256;
use dc_protocol::Credentials;

/// What a device's clients will check with.
pub struct Checker<'a> {
    /// Where chains have to lead.
    pub roots: &'a RootCertStore,
    /// The signatures that can be checked.
    pub algorithms: &'a [&'static dyn SignatureVerificationAlgorithm],
    /// The time.
    pub now: UnixTime,
}

impl fmt::Debug for Checker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            roots,
            algorithms: _,
            now,
        } = self;
        f.debug_struct("Checker")
            .field("roots", &roots.len())
            .field("now", now)
            .finish_non_exhaustive()
    }
}

/// A chain and credentials that clients accept now from whoever has the key. Only a [`Checker`] makes
/// one.
#[derive(Clone, Debug)]
pub struct Checked {
    chain: Vec<CertificateDer<'static>>,
    credentials: Vec<StoredCredential>,
    expires: UnixTime,
    not_before: UnixTime,
    name: Option<String>,
}

impl Checked {
    /// The chain, the delegation certificate first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The credentials, at least one.
    #[must_use]
    pub fn credentials(&self) -> &[StoredCredential] {
        &self.credentials
    }

    /// When the first of them ends.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.expires
    }

    /// When the delegation certificate began: it is later now, whatever the clock says.
    #[must_use]
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// The unique name in the credentials, if any of them has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The SHA-256 of the first credential.
    #[must_use]
    pub fn sha256(&self) -> String {
        self.credentials
            .first()
            .map(|first| Sha256::of(&first.bytes).to_string())
            .unwrap_or_default()
    }
}

impl Checker<'_> {
    /// Checks an answer of the signer to a request for this key.
    ///
    /// Fails with [`Untrusted::Pem`], with [`Untrusted::OtherName`] if the answer names another device
    /// than its credentials do, and as [`check`](Self::check) does.
    pub fn check_answer(&self, answer: &Credentials, spki: &[u8]) -> Result<Checked, Untrusted> {
        let chain = dc_core::pem::certificates(answer.chain.as_bytes()).map_err(Untrusted::Pem)?;
        let mut credentials = Vec::new();
        for credential in &answer.credentials {
            let read = dc_core::pem::read(credential.pem.as_bytes());
            credentials.extend(read.map_err(Untrusted::Credential)?);
        }
        let checked = self.check(chain, credentials, spki)?;
        match checked.name() {
            Some(name) if name != answer.name => Err(Untrusted::OtherName {
                named: answer.name.clone(),
                signed: name.to_owned(),
            }),
            _ => Ok(checked),
        }
    }

    /// Checks as a client will: that all credentials are for this key, under the first certificate, for
    /// a server, for names of the certificate, valid now and for seven days at most, and that the chain
    /// leads to a root.
    ///
    /// Fails with the first [`Untrusted`] that applies.
    pub fn check(
        &self,
        chain: Vec<CertificateDer<'static>>,
        credentials: Vec<StoredCredential>,
        spki: &[u8],
    ) -> Result<Checked, Untrusted> {
        let certificate = self.check_chain(&chain)?;
        let mut expires = None;
        let mut name: Option<String> = None;
        for stored in &credentials {
            let (end, own) = self.check_credential(&certificate, stored, spki)?;
            expires = Some(expires.map_or(end, |earlier: UnixTime| earlier.min(end)));
            match (&name, own) {
                (Some(name), Some(own)) if *name != own => {
                    return Err(Untrusted::OtherName {
                        named: name.clone(),
                        signed: own,
                    });
                }
                (None, own) => name = own,
                _ => {}
            }
        }
        Ok(Checked {
            expires: expires.ok_or(Untrusted::NoCredential)?,
            not_before: certificate.not_before(),
            name,
            chain,
            credentials,
        })
    }

    /// The same for a unit as it is on the disk.
    ///
    /// Fails as [`check`](Self::check) does.
    pub fn check_unit(&self, unit: &Unit) -> Result<Checked, Untrusted> {
        self.check(unit.chain.clone(), unit.credentials.clone(), &unit.spki)
    }

    /// When the first certificate of a chain that leads to a root began, whatever the time is now; none if there is
    /// no such chain.
    #[must_use]
    pub fn began(&self, chain: &[CertificateDer<'static>]) -> Option<UnixTime> {
        let first = DelegationCertificate::parse(chain.first()?.clone()).ok()?;
        let then = Checker {
            now: first.not_before(),
            ..*self
        };
        Some(then.check_chain(chain).ok()?.not_before())
    }

    fn check_chain(
        &self,
        chain: &[CertificateDer<'static>],
    ) -> Result<DelegationCertificate<'static>, Untrusted> {
        let (first, intermediates) = chain.split_first().ok_or(Untrusted::NoChain)?;
        let certificate =
            DelegationCertificate::parse(first.clone()).map_err(Untrusted::Credential)?;
        ParsedCertificate::try_from(first)
            .and_then(|parsed| {
                verify_server_cert_signed_by_trust_anchor(
                    &parsed,
                    self.roots,
                    intermediates,
                    self.now,
                    self.algorithms,
                )
            })
            .map_err(Untrusted::Chain)?;
        Ok(certificate)
    }

    /// When the credential ends, and its name.
    fn check_credential(
        &self,
        certificate: &DelegationCertificate<'_>,
        stored: &StoredCredential,
        spki: &[u8],
    ) -> Result<(UnixTime, Option<String>), Untrusted> {
        let credential = DelegatedCredential::decode(stored.form, &stored.bytes)
            .map_err(Untrusted::Credential)?;
        if *credential.credential().spki != *spki {
            return Err(Untrusted::OtherKey);
        }
        let offer = Offer::suiting(&credential);
        let verified = Verifier::new(Role::Server, &offer, self.algorithms)
            .with_strict_expiry()
            .verify_own_name(&credential, certificate, self.now)
            .map_err(Untrusted::Credential)?;
        let name = verified.unique_name().map(ToString::to_string);
        Ok((verified.expiry(), name))
    }
}

/// Why something is not installed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Untrusted {
    /// The chain leads to no root that is trusted, or is not valid now.
    Chain(rustls::Error),
    /// A credential or its certificate breaks a rule of RFC 9345 or of the unique name.
    Credential(dc_core::Error),
    /// There is no certificate.
    NoChain,
    /// There is no credential.
    NoCredential,
    /// A credential is for another key.
    OtherKey,
    /// Two names should be one.
    OtherName {
        /// The one that was said first.
        named: String,
        /// The one that a credential has.
        signed: String,
    },
    /// The chain is not PEM.
    Pem(dc_core::Error),
}

impl std::error::Error for Untrusted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Chain(source) => Some(source),
            Self::Credential(source) => Some(source),
            Self::Pem(source) => Some(source),
            Self::NoChain | Self::NoCredential | Self::OtherKey | Self::OtherName { .. } => None,
        }
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(source) => write!(
                f,
                "the chain is not trusted ({source}): check 'roots' in the configuration"
            ),
            Self::Credential(source) => write!(f, "the credential is no good: {source}"),
            Self::NoChain => f.write_str("there is no certificate with the credential"),
            Self::NoCredential => f.write_str("there is no credential"),
            Self::OtherKey => f.write_str("the credential is for a key that is not ours"),
            Self::OtherName { named, signed } => {
                write!(f, "one name is {named} and another one {signed}")
            }
            Self::Pem(source) => write!(f, "the chain cannot be read: {source}"),
        }
    }
}
