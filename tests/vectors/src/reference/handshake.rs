//! What the end that verifies makes of a handshake.

use super::Reference;
use super::certificate::Certificate;
use super::credential::{Case, Verified, list};
use super::key::{Key, key_type};
use super::rule::Rule;
use crate::fault::Fault;
use crate::format::handshakes::{Accepted, HandshakeVector, Message};
use crate::format::{Extension, Form, Hex, Policy, Role};

impl Reference<'_> {
    /// Who the peer of a handshake is.
    pub(super) fn handshake(&self, seen: &HandshakeVector, root: &Hex) -> Result<Accepted, Fault> {
        self.nothing_elsewhere(seen)?;
        if !seen.tls13 {
            return match seen.policy == Policy::Required && self.keeps(Rule::RequiredNeedsTls13) {
                true => Err(Fault::VersionTooOld),
                false => self.by_certificate(seen, root),
            };
        }
        if seen.entries.is_empty() {
            return self.without_certificate(seen);
        }
        if seen.raw_public_key {
            return self.raw_public_key(seen);
        }
        let chain = chain(seen).ok_or(Fault::UntrustedPath)?;
        let end_entity = chain.first().ok_or(Fault::UntrustedPath)?;
        self.path(&chain, &root.0, seen.now)?;
        if let Some(wanted) = &seen.wanted_name {
            self.certificate_name(end_entity, wanted)?;
        }
        let Some((form, data)) = self.presented(seen)? else {
            self.may_lack_a_credential(seen.policy)?;
            let key = self.key(end_entity.spki)?;
            self.certificates_proof(seen, &key)?;
            return Ok(CERTIFICATE);
        };
        self.counts_as_a_credential(seen, form)?;
        let case = Case {
            role: seen.role,
            offer: &seen.offer,
            wanted: seen.wanted_name.as_deref(),
            now: seen.now,
            path: chain.get(1..).unwrap_or_default(),
            root: None,
            lenient: false,
        };
        if !self.keeps(Rule::CertificateVerifyComesLast)
            && let Ok(credential) = self.decode(form, data)
            && let Ok(key) = self.credentials_key(&credential)
        {
            self.credentials_proof(seen, credential.scheme, &key, end_entity)?;
        }
        let verified = self.credential(&case, form, data, end_entity)?;
        if !self.keeps(Rule::WithdrawalComesLast) {
            self.is_wanted(seen, &verified)?;
        }
        let scheme = verified.credential.scheme;
        self.credentials_proof(seen, scheme, &verified.key, end_entity)?;
        self.is_wanted(seen, &verified)?;
        Ok(Accepted {
            form: Some(form),
            unique_name: verified.credential.unique_name,
            expires: Some(verified.expires),
        })
    }

    /// A Certificate message without entries: of a client that has none.
    fn without_certificate(&self, seen: &HandshakeVector) -> Result<Accepted, Fault> {
        let wants = matches!(
            seen.policy,
            Policy::Required | Policy::RequiredOrCertificate
        );
        match wants && self.keeps(Rule::RequiredClientHasACertificate) {
            true => Err(Fault::NoCertificate),
            false => Ok(CERTIFICATE),
        }
    }

    /// A raw public key (RFC 7250), which has no credential beside it, and is judged elsewhere.
    fn raw_public_key(&self, seen: &HandshakeVector) -> Result<Accepted, Fault> {
        let carried = { seen.entries.iter() }.flat_map(|entry| &entry.extensions);
        let credential = carried.filter_map(form).next().is_some();
        match credential && self.keeps(Rule::RawKeysHaveNoCredential) {
            true => Err(Fault::CredentialBesideRawKey),
            false => Ok(CERTIFICATE),
        }
    }

    /// Under a policy that does not take them, an unnamed credential that was offered all the same is none.
    fn counts_as_a_credential(&self, seen: &HandshakeVector, form: Form) -> Result<(), Fault> {
        let rule = match seen.policy {
            Policy::Required => Rule::ServerMayRequireAName,
            Policy::RequiredOrCertificate => Rule::ServerMayRequireANameOrACertificate,
            Policy::Preferred | Policy::Ignored => return Ok(()),
        };
        let offered = list(&seen.offer, form).is_some();
        match form == Form::Rfc9345 && offered && self.keeps(rule) {
            true => Err(Fault::CredentialRequired),
            false => Ok(()),
        }
    }

    /// What the application does not want any more.
    fn is_wanted(&self, seen: &HandshakeVector, verified: &Verified<'_>) -> Result<(), Fault> {
        let credential = &verified.credential;
        let name = credential.unique_name.as_ref();
        let name = name.is_some_and(|name| seen.withdrawn.contains(name));
        let mut keys = seen.withdrawn_keys.iter();
        let key = keys.any(|key| key.0 == credential.spki);
        let unwanted = name && self.keeps(Rule::WithdrawnNamesAreRefused)
            || key && self.keeps(Rule::WithdrawnKeysAreRefused);
        match unwanted {
            true => Err(Fault::Withdrawn),
            false => Ok(()),
        }
    }

    /// Whether a policy accepts a certificate's own key.
    fn may_lack_a_credential(&self, policy: Policy) -> Result<(), Fault> {
        let may = match policy {
            Policy::Required => !self.keeps(Rule::RequiredNeedsACredential),
            Policy::RequiredOrCertificate => self.keeps(Rule::CertificateMayBeAcceptedBesides),
            Policy::Preferred => self.keeps(Rule::PreferredTakesACertificate),
            Policy::Ignored => self.keeps(Rule::IgnoredTakesACertificate),
        };
        may.then_some(()).ok_or(Fault::CredentialRequired)
    }

    /// In TLS 1.2 no entry has extensions, and ServerKeyExchange proves the key, which no vector has.
    fn by_certificate(&self, seen: &HandshakeVector, root: &Hex) -> Result<Accepted, Fault> {
        let chain = chain(seen).ok_or(Fault::UntrustedPath)?;
        let end_entity = chain.first().ok_or(Fault::UntrustedPath)?;
        self.path(&chain, &root.0, seen.now)?;
        if let Some(wanted) = &seen.wanted_name {
            self.certificate_name(end_entity, wanted)?;
        }
        Ok(CERTIFICATE)
    }

    /// Neither form has a place in other messages of the peer.
    fn nothing_elsewhere(&self, seen: &HandshakeVector) -> Result<(), Fault> {
        let wrong = seen.elsewhere.iter().any(|elsewhere| {
            let rule = match elsewhere.message {
                Message::ServerHello => Rule::NotInServerHello,
                Message::HelloRetryRequest => Rule::NotInHelloRetryRequest,
                Message::EncryptedExtensions => Rule::NotInEncryptedExtensions,
                Message::NewSessionTicket => Rule::NotInNewSessionTicket,
            };
            form(&elsewhere.extension).is_some() && self.keeps(rule)
        });
        match wrong {
            true => Err(Fault::WrongMessage),
            false => Ok(()),
        }
    }

    /// The credential of the end-entity certificate's entry, if it has one.
    fn presented<'a>(&self, seen: &'a HandshakeVector) -> Result<Option<(Form, &'a [u8])>, Fault> {
        let Some((first, others)) = seen.entries.split_first() else {
            return Ok(None);
        };
        let unoffered = first.extensions.iter().filter_map(form);
        let mut unoffered = unoffered.filter(|form| list(&seen.offer, *form).is_none());
        if !self.keeps(Rule::DuplicatesComeBeforeTheOffer) && unoffered.next().is_some() {
            return Err(Fault::NotOffered);
        }
        let kinds: Vec<u16> = first.extensions.iter().map(|e| e.kind).collect();
        if has_twice(&kinds) && self.keeps(Rule::EntryHasNoExtensionTwice) {
            return Err(Fault::DuplicateExtension);
        }
        let mut found = first.extensions.iter().filter_map(presented);
        let mut chosen = found.next();
        for next in found {
            let both = chosen.is_some_and(|(form, _)| form != next.0);
            if both && self.keeps(Rule::EntryHasOneForm) {
                return Err(Fault::BothForms);
            }
            if next.0 == Form::Named && both {
                chosen = Some(next);
            }
        }
        if !self.keeps(Rule::OtherEntriesAreIgnored) {
            let mut others = others.iter().flat_map(|entry| &entry.extensions);
            chosen = chosen.or_else(|| others.find_map(presented));
        }
        let unknown = first
            .extensions
            .iter()
            .any(|extension| is_grease(extension.kind));
        if unknown && !self.keeps(Rule::UnknownExtensionsAreIgnored) {
            return Err(Fault::WrongMessage);
        }
        Ok(chosen)
    }

    /// CertificateVerify by the credential's key.
    fn credentials_proof(
        &self,
        seen: &HandshakeVector,
        scheme: u16,
        key: &Key<'_>,
        certificate: &Certificate<'_>,
    ) -> Result<(), Fault> {
        let got = seen.certificate_verify.scheme;
        if got != scheme && self.keeps(Rule::CertificateVerifyHasTheScheme) {
            return Err(Fault::WrongCertificateVerifyScheme);
        }
        let proved = self.proves(seen, key)
            || !self.keeps(Rule::CertificatesKeyDoesNotProve)
                && self.proves(seen, &self.key(certificate.spki)?);
        match proved || !self.keeps(Rule::CredentialsKeyIsProved) {
            true => Ok(()),
            false => Err(Fault::BadCertificateVerify),
        }
    }

    /// CertificateVerify by the certificate's own key (RFC 8446 §4.4.3).
    fn certificates_proof(&self, seen: &HandshakeVector, key: &Key<'_>) -> Result<(), Fault> {
        let scheme = seen.certificate_verify.scheme;
        let offered = seen.offer.signature_algorithms.contains(&scheme);
        let pkcs1 = matches!(scheme, 0x0401 | 0x0501 | 0x0601);
        let fits = key_type(scheme) == key.kind;
        if !offered && self.keeps(Rule::CertificatesOwnSchemeWasOffered)
            || !fits
            || pkcs1 && self.keeps(Rule::CertificatesOwnSchemeIsOneOfTls13)
        {
            return Err(Fault::WrongCertificateVerifyScheme);
        }
        match self.proves(seen, key) || !self.keeps(Rule::CertificatesKeyIsProved) {
            true => Ok(()),
            false => Err(Fault::BadCertificateVerify),
        }
    }

    fn proves(&self, seen: &HandshakeVector, key: &Key<'_>) -> bool {
        let verify = &seen.certificate_verify;
        let is_of = |context: &str| {
            let spaces = [b' '; 64];
            let parts = [
                &spaces[..],
                context.as_bytes(),
                &[0],
                &verify.transcript_hash.0,
            ];
            let (scheme, signature) = (verify.scheme, &verify.signature.0);
            self.signatures
                .verify(scheme, key, &parts.concat(), signature)
        };
        let (own, other) = match seen.role {
            Role::Server => (SERVER, CLIENT),
            Role::Client => (CLIENT, SERVER),
        };
        is_of(own) || !self.keeps(Rule::CertificateVerifySaysTheRole) && is_of(other)
    }
}

/// The form of credential that an extension is for.
pub(super) fn form(extension: &Extension) -> Option<Form> {
    match extension.kind {
        34 => Some(Form::Rfc9345),
        0xff22 => Some(Form::Named),
        _ => None,
    }
}

fn presented(extension: &Extension) -> Option<(Form, &[u8])> {
    Some((form(extension)?, &extension.data.0))
}

/// True if a number is there twice.
pub(super) fn has_twice(kinds: &[u16]) -> bool {
    let mut sorted = kinds.to_vec();
    sorted.sort_unstable();
    sorted
        .windows(2)
        .any(|pair| matches!(pair, [one, other] if one == other))
}

/// The numbers that RFC 8701 keeps for what nobody knows.
pub(super) fn is_grease(kind: u16) -> bool {
    kind & 0x0f0f == 0x0a0a && kind >> 8 == kind & 0xff
}

fn chain(seen: &HandshakeVector) -> Option<Vec<Certificate<'_>>> {
    let entries = seen.entries.iter();
    entries
        .map(|entry| Certificate::read(&entry.certificate.0))
        .collect()
}

/// A peer that was authenticated by its certificate's own key.
const CERTIFICATE: Accepted = Accepted {
    form: None,
    unique_name: None,
    expires: None,
};
const SERVER: &str = "TLS 1.3, server CertificateVerify";
const CLIENT: &str = "TLS 1.3, client CertificateVerify";
