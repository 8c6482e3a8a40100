//! A handshake, every part of which can be wrong.

use ring::digest::{SHA256, digest};

use crate::fault::Fault;
use crate::format::handshakes::{
    Accepted, CertificateVerify, Elsewhere, Entry, HandshakeVector, Outcome,
};
use crate::format::{Extension, Form, Hex, Needs, Offer, Policy, Role};
use crate::make::alerts::refused;
use crate::make::certificates::certificate;
use crate::make::credentials::schemes;
use crate::make::draft::{Draft, needs, role_name};
use crate::make::keys::Key;
use crate::make::{NAME, NOW};

/// A handshake with all that is said about it; the default is a good one.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) note: String,
    pub(super) section: &'static str,
    pub(super) role: Role,
    pub(super) policy: Policy,
    pub(super) wanted: Option<String>,
    /// What was offered, if it does not follow from the policy and the reference identity.
    pub(super) offer: Option<Offer>,
    pub(super) tls13: bool,
    pub(super) now: u64,
    pub(super) certificate: &'static str,
    /// Sent in place of that certificate and its intermediates.
    pub(super) chain: Option<Vec<Vec<u8>>>,
    /// The extensions of each entry, the end-entity's first.
    pub(super) extensions: Vec<Vec<Extension>>,
    pub(super) elsewhere: Vec<Elsewhere>,
    /// The key, the scheme and the message of CertificateVerify.
    pub(super) verify_key: Key,
    pub(super) verify_scheme: u16,
    pub(super) verify_context: String,
    pub(super) transcript: [u8; 32],
    pub(super) signed_transcript: [u8; 32],
    pub(super) needs: Vec<Needs>,
    /// The credential as which the peer is accepted; none for the certificate's own key.
    pub(super) accepted: Option<Draft>,
    pub(super) fault: Option<Fault>,
}

impl Scene {
    /// A handshake in which this credential is presented, under a policy that takes its form.
    pub(super) fn with(draft: &Draft) -> Self {
        let policy = match draft.form {
            Form::Named => Policy::Required,
            Form::Rfc9345 => Policy::Ignored,
        };
        let server = draft.role == Role::Server;
        let key_needs = [certificate(draft.certificate).key.kind, draft.device.kind]
            .into_iter()
            .filter_map(needs);
        Self {
            note: String::new(),
            section: "client-checks",
            role: draft.role,
            policy,
            wanted: server.then(|| draft.wanted.clone().unwrap_or_else(|| NAME.to_owned())),
            offer: None,
            tls13: true,
            now: NOW,
            certificate: draft.certificate,
            chain: None,
            extensions: vec![vec![carried(draft)]],
            elsewhere: Vec::new(),
            verify_key: draft.device,
            verify_scheme: draft.scheme,
            verify_context: format!("TLS 1.3, {} CertificateVerify", role_name(draft.role)),
            transcript: transcript("the handshake of the vectors"),
            signed_transcript: transcript("the handshake of the vectors"),
            needs: key_needs.collect(),
            accepted: Some(draft.clone()),
            fault: None,
        }
    }

    /// A handshake with the certificate's own key and no credential.
    pub(super) fn without_credential(role: Role, id: &'static str) -> Self {
        let own = certificate(id).key;
        let draft = Draft::new(role, Form::Rfc9345).but("", "", |draft| draft.under(id));
        Self {
            policy: Policy::Preferred,
            extensions: vec![Vec::new()],
            verify_key: own,
            verify_scheme: own.scheme(),
            accepted: None,
            ..Self::with(&draft)
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
        self.fault = Some(fault);
        self
    }

    pub(super) fn vector(&self) -> HandshakeVector {
        let message = [
            &[b' '; 64],
            self.verify_context.as_bytes(),
            &[0],
            &self.signed_transcript,
        ]
        .concat();
        HandshakeVector {
            note: self.note.clone(),
            section: self.section.to_owned(),
            role: self.role,
            policy: self.policy,
            offer: self
                .offer
                .clone()
                .unwrap_or_else(|| offer(self.policy, self.wanted.as_deref())),
            wanted_name: self.wanted.clone(),
            tls13: self.tls13,
            now: self.now,
            elsewhere: self.elsewhere.clone(),
            entries: self.entries(),
            certificate_verify: CertificateVerify {
                transcript_hash: Hex(self.transcript.to_vec()),
                scheme: self.verify_scheme,
                signature: Hex(self.verify_key.sign(self.verify_scheme, &message)),
                private_key: Hex(self.verify_key.pkcs8()),
            },
            needs: self.needs.clone(),
            outcome: self.outcome(),
        }
    }

    fn entries(&self) -> Vec<Entry> {
        let chain = self.chain.clone().unwrap_or_else(|| {
            let certificate = &certificate(self.certificate).vector;
            let intermediates = certificate.intermediates.iter().map(|der| der.0.clone());
            std::iter::once(certificate.der.0.clone())
                .chain(intermediates)
                .collect()
        });
        let mut extensions = self.extensions.iter().cloned();
        let entry = |der| Entry {
            certificate: Hex(der),
            extensions: extensions.next().unwrap_or_default(),
        };
        chain.into_iter().map(entry).collect()
    }

    fn outcome(&self) -> Outcome {
        if let Some(fault) = self.fault {
            return Outcome::Refused(refused(fault));
        }
        let draft = self.accepted.as_ref();
        let name = draft.and_then(|draft| draft.name.clone());
        Outcome::Accepted(Accepted {
            form: draft.map(|draft| draft.form),
            unique_name: name.map(|name| String::from_utf8(name).unwrap()),
            expires: draft.map(Draft::expiry),
        })
    }
}

/// What follows from a policy and a reference identity: an address is no name to offer the named form for.
pub(super) fn offer(policy: Policy, wanted: Option<&str>) -> Offer {
    let is_address = wanted.is_some_and(|name| name.parse::<std::net::IpAddr>().is_ok());
    let (rfc9345, named) = match policy {
        Policy::Required | Policy::RequiredOrCertificate => (false, true),
        Policy::Preferred => (true, true),
        Policy::Ignored => (true, false),
    };
    Offer {
        rfc9345: rfc9345.then(schemes),
        named: (named && !is_address).then(schemes),
        signature_algorithms: schemes(),
    }
}

pub(super) fn transcript(text: &str) -> [u8; 32] {
    digest(&SHA256, text.as_bytes())
        .as_ref()
        .try_into()
        .unwrap()
}

/// The extension of a CertificateEntry that carries a credential.
pub(super) fn carried(draft: &Draft) -> Extension {
    carrying(draft.form, draft.signed())
}

pub(super) fn carrying(form: Form, credential: Vec<u8>) -> Extension {
    let kind = match form {
        Form::Rfc9345 => 34,
        Form::Named => 0xff22,
    };
    Extension {
        kind,
        data: Hex(credential),
    }
}
