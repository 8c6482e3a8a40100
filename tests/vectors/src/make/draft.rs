//! A credential to be signed, every part of which can be wrong.

use ring::digest::{SHA256, digest};

use super::alerts::refused;
use super::certificates::certificate;
use super::keys::{DEVICE, Key};
use super::{DAY, NAME, NOT_BEFORE, NOW, WEEK};
use crate::fault::Fault;
use crate::format::credentials::{CredentialVector, KeyType, Valid};
use crate::format::{Assumed, Form, Hex, Needs, Offer, Refused, Role};

/// A credential with all that is said about it; the default is a good one.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) note: String,
    pub(super) section: &'static str,
    pub(super) role: Role,
    pub(super) form: Form,
    /// The certificate that it is presented with,
    pub(super) certificate: &'static str,
    /// and the one in the message that was signed, if it is another.
    pub(super) signed_under: Option<&'static str>,
    pub(super) device: Key,
    /// The key that signs, if it is not the certificate's.
    pub(super) signer: Option<Key>,
    pub(super) valid_time: u32,
    pub(super) scheme: u16,
    pub(super) spki: Vec<u8>,
    pub(super) name: Option<Vec<u8>>,
    pub(super) algorithm: u16,
    pub(super) context: String,
    pub(super) wanted: Option<String>,
    pub(super) offer: Option<Offer>,
    pub(super) assumes: Vec<Assumed>,
    pub(super) needs: Vec<Needs>,
    pub(super) now: u64,
    pub(super) refused: Option<Refused>,
}

impl Draft {
    /// A good credential that ends in a day.
    pub(super) fn new(role: Role, form: Form) -> Self {
        let name = (form == Form::Named).then_some(NAME);
        Self {
            note: "valid".to_owned(),
            section: "structure",
            role,
            form,
            certificate: "good",
            signed_under: None,
            device: DEVICE,
            signer: None,
            valid_time: u32::try_from(NOW + DAY - NOT_BEFORE).unwrap(),
            scheme: DEVICE.scheme(),
            spki: DEVICE.spki(),
            name: name.map(Into::into),
            algorithm: DEVICE.scheme(),
            context: context(role, form),
            wanted: name.filter(|_| role == Role::Server).map(Into::into),
            offer: None,
            assumes: vec![Assumed::Path, Assumed::CertificateName],
            needs: Vec::new(),
            now: NOW,
            refused: None,
        }
    }

    /// The same, but for what is changed.
    pub(super) fn but(
        &self,
        section: &'static str,
        note: &str,
        change: impl FnOnce(&mut Self),
    ) -> Self {
        let mut changed = Self {
            section,
            note: note.to_owned(),
            ..self.clone()
        };
        change(&mut changed);
        changed
    }

    pub(super) fn refused(mut self, fault: Fault) -> Self {
        self.refused = Some(refused(fault));
        self
    }

    /// Presents it with this certificate, whose key signs it.
    pub(super) fn under(&mut self, id: &'static str) {
        self.certificate = id;
        self.algorithm = certificate(id).key.scheme();
        self.need(certificate(id).key.kind);
    }

    /// For the key of this device.
    pub(super) fn for_key(&mut self, device: Key) {
        (self.device, self.scheme, self.spki) = (device, device.scheme(), device.spki());
        self.need(device.kind);
    }

    /// A name that is what was wanted, if anything was.
    pub(super) fn name(&mut self, name: &[u8]) {
        self.name = Some(name.to_vec());
        let text = String::from_utf8_lossy(name).into_owned();
        self.wanted = self.wanted.as_ref().map(|_| text);
    }

    fn need(&mut self, kind: KeyType) {
        if let Some(needs) = needs(kind).filter(|needs| !self.needs.contains(needs)) {
            self.needs.push(needs);
        }
    }

    /// The `Credential` or `NamedCredential`.
    pub(super) fn body(&self) -> Vec<u8> {
        let mut body = self.valid_time.to_be_bytes().to_vec();
        body.extend(self.scheme.to_be_bytes());
        body.extend(&u32::try_from(self.spki.len()).unwrap().to_be_bytes()[1..]);
        body.extend(&self.spki);
        if let Some(name) = &self.name {
            body.push(name.len().try_into().unwrap());
            body.extend(name);
        }
        body
    }

    /// The message that is signed.
    pub(super) fn message(&self) -> Vec<u8> {
        let id = self.signed_under.unwrap_or(self.certificate);
        let certificate = &certificate(id).vector.der.0;
        let algorithm = self.algorithm.to_be_bytes();
        [
            &[b' '; 64],
            self.context.as_bytes(),
            &[0],
            certificate,
            &self.body(),
            &algorithm,
        ]
        .concat()
    }

    /// The whole, signed as it should be.
    pub(super) fn signed(&self) -> Vec<u8> {
        self.signed_over(&self.message())
    }

    /// The whole, with a signature over another message.
    pub(super) fn signed_over(&self, message: &[u8]) -> Vec<u8> {
        let own = certificate(self.signed_under.unwrap_or(self.certificate)).key;
        self.with_signature(&self.signer.unwrap_or(own).sign(self.algorithm, message))
    }

    pub(super) fn with_signature(&self, signature: &[u8]) -> Vec<u8> {
        let mut credential = self.body();
        credential.extend(self.algorithm.to_be_bytes());
        credential.extend(u16::try_from(signature.len()).unwrap().to_be_bytes());
        credential.extend(signature);
        credential
    }

    /// The last second.
    pub(super) fn expiry(&self) -> u64 {
        certificate(self.certificate).vector.not_before + u64::from(self.valid_time)
    }

    pub(super) fn vector(&self, credential: Vec<u8>) -> CredentialVector {
        let (now_first, now_last) = match self.refused {
            Some(_) => (self.now, self.now),
            None => self.window(),
        };
        let name = self.name.clone().map(String::from_utf8);
        let message = self.message();
        let valid = Valid {
            valid_time: self.valid_time,
            unique_name: name.and_then(Result::ok),
            signed_message_length: message.len(),
            signed_message_sha256: Hex(digest(&SHA256, &message).as_ref().to_vec()),
            credential_private_key: Hex(self.device.pkcs8()),
        };
        CredentialVector {
            note: self.note.clone(),
            section: self.section.to_owned(),
            role: self.role,
            form: self.form,
            certificate: self.certificate.to_owned(),
            credential: Hex(credential),
            wanted_name: self.wanted.clone(),
            offer: self.offer.clone(),
            assumes: self.assumes.clone(),
            needs: self.needs.clone(),
            now_first,
            now_last,
            refused: self.refused,
            valid: self.refused.is_none().then_some(valid),
        }
    }

    /// The seconds between which it is valid, and the certificate too.
    fn window(&self) -> (u64, u64) {
        let certificate = &certificate(self.certificate).vector;
        let first = self
            .expiry()
            .saturating_sub(WEEK)
            .max(certificate.not_before);
        (first, self.expiry().min(certificate.not_after))
    }
}

/// The context string (RFC 9345 §4, and the document's "signed").
pub(super) fn context(role: Role, form: Form) -> String {
    let role = role_name(role);
    match form {
        Form::Rfc9345 => format!("TLS, {role} delegated credentials"),
        Form::Named => format!("TLS, {role} named delegated credentials"),
    }
}

pub(super) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Client => "client",
    }
}

pub(super) fn form_name(form: Form) -> &'static str {
    match form {
        Form::Rfc9345 => "rfc9345",
        Form::Named => "named",
    }
}

/// Algorithms that not everybody has, for keys of this type.
pub(super) fn needs(kind: KeyType) -> Option<Needs> {
    match kind {
        KeyType::P521 => Some(Needs::P521),
        KeyType::Ed448 => Some(Needs::Ed448),
        KeyType::RsaPss => Some(Needs::RsaPssPss),
        KeyType::P256 | KeyType::P384 | KeyType::Ed25519 | KeyType::Rsa => None,
    }
}
