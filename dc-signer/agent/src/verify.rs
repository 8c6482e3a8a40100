//! The checks before anything is installed.

use std::fmt;

use dc_core::pem::StoredCredential;
use dc_core::{DelegatedCredential, DelegationCertificate, Offer, Role, UniqueName, Verifier};
use pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::server::ParsedCertificate;

use super::generation::Part;
use dc_pki::Sha256;
use dc_pki::chain::{self, ChainError};
use dc_pki::text::Foreign;
use dc_protocol::Credentials;

/// The checks of a device's peers, and what they check with.
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

/// A chain and credentials that peers accept now from whoever has the key. Only a [`Checker`] makes
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
    /// Checks the part of an answer of the signer for this role, and this key.
    ///
    /// Fails with [`UntrustedError::Pem`], with [`UntrustedError::OtherName`] if the answer names another device
    /// than its credentials do, and as [`check`](Self::check) does.
    pub fn check_answer(
        &self,
        role: Role,
        answer: &Credentials,
        spki: &[u8],
    ) -> Result<Checked, UntrustedError> {
        let chain =
            dc_core::pem::certificates(answer.chain.as_bytes()).map_err(UntrustedError::Pem)?;
        let answered = match role {
            Role::Server => &answer.credentials,
            Role::Client => &answer.client_credentials,
        };
        let mut credentials = Vec::new();
        for credential in answered {
            let read = dc_core::pem::read(credential.pem.as_bytes());
            credentials.extend(read.map_err(UntrustedError::Credential)?);
        }
        let checked = self.check(role, chain, credentials, spki)?;
        check_words(answer)?;
        match checked.name() {
            Some(name) if name != answer.name => Err(UntrustedError::OtherName {
                named: answer.name.clone(),
                signed: name.to_owned(),
            }),
            _ => Ok(checked),
        }
    }

    /// Checks as a peer will: that all credentials are for this key, under the first certificate, for
    /// this role, for names of the certificate, valid now and for seven days at most, and that the chain
    /// leads to a root.
    ///
    /// Fails with the first [`UntrustedError`] that applies.
    pub fn check(
        &self,
        role: Role,
        chain: Vec<CertificateDer<'static>>,
        credentials: Vec<StoredCredential>,
        spki: &[u8],
    ) -> Result<Checked, UntrustedError> {
        let certificate = self.check_chain(&chain)?;
        // What the chain is for is all that another role changes.
        chain::check(&chain, role).map_err(UntrustedError::Purpose)?;
        let mut expires = None;
        let mut name: Option<String> = None;
        for stored in &credentials {
            let (end, own) = self.check_credential(role, &certificate, stored, spki)?;
            expires = Some(expires.map_or(end, |earlier: UnixTime| earlier.min(end)));
            match (&name, own) {
                (Some(name), Some(own)) if *name != own => {
                    return Err(UntrustedError::OtherName {
                        named: name.clone(),
                        signed: own,
                    });
                }
                (None, own) => name = own,
                _ => {}
            }
        }
        Ok(Checked {
            expires: expires.ok_or(UntrustedError::NoCredential)?,
            not_before: certificate.not_before(),
            name,
            chain,
            credentials,
        })
    }

    /// The same for a part of a generation, as it is on the disk.
    ///
    /// Fails as [`check`](Self::check) does.
    pub fn check_part(&self, role: Role, part: &Part) -> Result<Checked, UntrustedError> {
        let Part {
            chain,
            credentials,
            spki,
        } = part;
        self.check(role, chain.clone(), credentials.clone(), spki)
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
    ) -> Result<DelegationCertificate<'static>, UntrustedError> {
        let (first, intermediates) = chain.split_first().ok_or(UntrustedError::NoChain)?;
        let certificate =
            DelegationCertificate::parse(first.clone()).map_err(UntrustedError::Credential)?;
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
            .map_err(UntrustedError::Chain)?;
        Ok(certificate)
    }

    /// When the credential ends, and its name.
    fn check_credential(
        &self,
        role: Role,
        certificate: &DelegationCertificate<'_>,
        stored: &StoredCredential,
        spki: &[u8],
    ) -> Result<(UnixTime, Option<String>), UntrustedError> {
        let credential = DelegatedCredential::decode(stored.form, &stored.bytes)
            .map_err(UntrustedError::Credential)?;
        if *credential.credential().spki != *spki {
            return Err(UntrustedError::OtherKey);
        }
        let offer = Offer::suiting(&credential);
        let verified = Verifier::new(role, &offer, self.algorithms)
            .with_strict_expiry()
            .verify_own_name(&credential, certificate, self.now)
            .map_err(UntrustedError::Credential)?;
        let name = verified.unique_name().map(ToString::to_string);
        Ok((verified.expiry(), name))
    }
}

/// Fails unless the id is one, and the name directly below the zone.
fn check_words(answer: &Credentials) -> Result<(), UntrustedError> {
    let Credentials {
        device, name, zone, ..
    } = answer;
    let is_id = (1..=MOST_ID).contains(&device.len())
        && device
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let parsed = UniqueName::parse(name.as_bytes()).is_ok();
    let is_of_zone = name
        .split_once('.')
        .is_some_and(|(_, behind)| behind == zone);
    match is_id && parsed && is_of_zone {
        true => Ok(()),
        false => Err(UntrustedError::Misnamed {
            device: device.clone(),
            name: name.clone(),
            zone: zone.clone(),
        }),
    }
}

/// Fails unless a renewal's answer is about the device that has asked.
pub(crate) fn check_id(held: Option<&str>, answer: &Credentials) -> Result<(), UntrustedError> {
    match held {
        Some(held) if held != answer.device => Err(UntrustedError::OtherDevice {
            held: held.to_owned(),
            said: answer.device.clone(),
        }),
        _ => Ok(()),
    }
}

/// Letters of a device's id: more than any service has.
const MOST_ID: usize = 64;

/// The reason that something is not installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UntrustedError {
    /// The chain leads to no root that is trusted, or is not valid now.
    #[error("the chain is not trusted ({0}): check 'roots' in the configuration")]
    Chain(#[source] rustls::Error),
    /// A credential or its certificate breaks a rule of RFC 9345 or of the unique name.
    #[error("the credential is no good: {0}")]
    Credential(#[source] dc_core::Error),
    /// There is no certificate.
    #[error("there is no certificate with the credential")]
    NoChain,
    /// There is no credential.
    #[error("there is no credential")]
    NoCredential,
    /// A credential is for another key.
    #[error("the credential is for a key that is not ours")]
    OtherKey,
    /// The id in the answer is none, or the name is not of the zone: no signature covers these words, and people read them.
    #[error(
        "the answer is about the device '{}' with the name '{}' in the zone '{}': that is no id, or no name of the zone",
        Foreign(device),
        Foreign(name),
        Foreign(zone)
    )]
    Misnamed {
        /// The id.
        device: String,
        /// The name.
        name: String,
        /// The zone.
        zone: String,
    },
    /// The answer to a renewal is about another device than this one.
    #[error(
        "the answer is about the device '{}', and this device is '{}': is it the signer that this device enrolled at, with its database? \
         A device becomes another one by enrolling again, with an activation code or another enrolment key",
        Foreign(said),
        Foreign(held)
    )]
    OtherDevice {
        /// The id that the device has.
        held: String,
        /// The id in the answer.
        said: String,
    },
    /// Two names should be one.
    #[error("one name is {named} and another one {signed}")]
    OtherName {
        /// The one that was said first.
        named: String,
        /// The one that a credential has.
        signed: String,
    },
    /// A certificate of the chain is not for this role.
    #[error("the chain is not for this: {0}")]
    Purpose(#[source] ChainError),
    /// The chain is not PEM.
    #[error("the chain cannot be read: {0}")]
    Pem(#[source] dc_core::Error),
}
