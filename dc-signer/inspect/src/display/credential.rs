//! Credentials, believed as little as whoever receives one should.

use dc_core::{DelegatedCredential, DelegationCertificate, Form, Role, SignatureScheme};
use pki_types::UnixTime;
use serde_json::{Value, json};

use super::certificate::seconds_left;
use super::key::PublicKey;
use super::sheet::Sheet;
use dc_pki::Sha256;
use dc_pki::text::scheme_name;
use dc_pki::time::{Moment, Span};

/// The claims of a credential.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Credential {
    /// Its form.
    pub form: Form,
    /// The device's name, in the named form.
    pub unique_name: Option<String>,
    /// Its key.
    pub key: PublicKey,
    /// Its key: a DER SubjectPublicKeyInfo.
    pub spki: Vec<u8>,
    /// The scheme that its key signs with.
    pub scheme: SignatureScheme,
    /// The scheme that the delegation certificate's key has signed it with.
    pub algorithm: SignatureScheme,
    /// Seconds from the certificate's notBefore to its end.
    pub valid_time: u32,
    /// Its last second, if its certificate is known.
    pub expiry: Option<UnixTime>,
    /// Which end it authenticates, if its certificate is known and signed it.
    pub role: Option<Role>,
    sha256: Sha256,
}

impl Credential {
    /// Reads a credential; without its certificate nobody knows when it ends or whose it is.
    ///
    /// Fails as [`DelegatedCredential::decode`] does.
    pub fn read(
        form: Form,
        bytes: &[u8],
        certificate: Option<&DelegationCertificate<'_>>,
    ) -> Result<Self, dc_core::Error> {
        let credential = DelegatedCredential::decode(form, bytes)?;
        let claim = credential.credential();
        Ok(Self {
            form,
            unique_name: claim.unique_name.as_ref().map(ToString::to_string),
            key: PublicKey::of(claim.spki),
            spki: claim.spki.to_vec(),
            scheme: claim.dc_cert_verify_algorithm,
            algorithm: credential.algorithm(),
            valid_time: claim.valid_time,
            expiry: certificate.map(|certificate| certificate.expiry(claim.valid_time)),
            role: None,
            sha256: Sha256::of(bytes),
        })
    }

    /// The same with the role that its signature proved.
    #[must_use]
    pub fn with_role(mut self, role: Option<Role>) -> Self {
        self.role = role;
        self
    }

    /// For people, at this time.
    #[must_use]
    pub fn sheet(&self, title: impl Into<String>, now: UnixTime) -> Sheet {
        Sheet::new(title)
            .row("form", self.form)
            .row_if("name", self.unique_name.as_ref())
            .row_if("for a", self.role)
            .row(
                "key",
                format_args!("{}, signs with {}", self.key, self.scheme),
            )
            .row("signed with", self.algorithm)
            .row("expires", self.expires(now))
            .row("key sha256", self.key.fingerprint())
            .row("sha256", self.sha256)
    }

    fn expires(&self, now: UnixTime) -> String {
        let Some(expiry) = self.expiry else {
            return format!(
                "{} s after the notBefore of its certificate, which is not here",
                self.valid_time
            );
        };
        match now > expiry {
            true => format!("{}, {} ago", Moment(expiry), Span::about(expiry, now)),
            false => format!("{}, in {}", Moment(expiry), Span::about(now, expiry)),
        }
    }

    /// For programs; `expires_in` is in seconds and negative afterwards, and null without a
    /// certificate.
    #[must_use]
    pub fn to_json(&self, now: UnixTime) -> Value {
        json!({
            "type": "credential",
            "form": self.form.to_string(),
            "name": self.unique_name,
            "role": self.role.map(|role| role.to_string()),
            "key": self.key.to_json(),
            "algorithm": scheme_name(self.scheme),
            "signed_with": scheme_name(self.algorithm),
            "valid_time": self.valid_time,
            "expires": self.expiry.map(|expiry| Moment(expiry).to_string()),
            "expires_in": self.expiry.map(|expiry| seconds_left(now, expiry)),
            "sha256": self.sha256.to_string(),
        })
    }
}
