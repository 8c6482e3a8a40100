//! What the certificate's key signs (RFC 9345 §4, with the context strings of the named form).

use super::Reference;
use super::certificate::Certificate;
use super::der::{INTEGER, SEQUENCE};
use super::key::Key;
use super::rule::Rule;
use super::structure::Credential;
use crate::fault::Fault;
use crate::format::{Form, Role};

impl Reference<'_> {
    /// The signed message.
    pub(super) fn message(
        &self,
        role: Role,
        credential: &Credential<'_>,
        certificate: &Certificate<'_>,
    ) -> Vec<u8> {
        let parts = Parts::new(role, credential, certificate);
        parts.message()
    }

    /// Checks that the certificate's key signed the credential.
    pub(super) fn signature_of(
        &self,
        role: Role,
        credential: &Credential<'_>,
        certificate: &Certificate<'_>,
    ) -> Result<(), Fault> {
        let key = self.key(certificate.spki)?;
        let algorithm = credential.algorithm;
        let fits = self.fits(algorithm, &key);
        if !fits && self.keeps(Rule::AlgorithmIsForTheCertificatesKey) {
            return Err(Fault::AlgorithmKeyMismatch);
        }
        let pkcs1 = matches!(algorithm, 0x0401 | 0x0501 | 0x0601);
        if pkcs1 && self.keeps(Rule::AlgorithmIsOneOfTls13) {
            return Err(Fault::AlgorithmKeyMismatch);
        }
        let parts = Parts::new(role, credential, certificate);
        let own = self.key(credential.spki).ok();
        let own = own.filter(|_| !self.keeps(Rule::CredentialDoesNotSignItself));
        let signature = credential.signature;
        let signed = self.taken_for_signed(&parts).iter().any(|message| {
            let by = |key: &Key<'_>| self.made(algorithm, key, message, signature);
            by(&key) || own.as_ref().is_some_and(by)
        });
        match signed || !self.keeps(Rule::SignatureIsTheCertificateKeys) {
            true => Ok(()),
            false => Err(Fault::BadSignature),
        }
    }

    /// Whether a key made a signature, as its scheme says; a broken rule lets it be made in another way.
    fn made(&self, scheme: u16, key: &Key<'_>, message: &[u8], signature: &[u8]) -> bool {
        let as_if = |scheme| self.signatures.verify(scheme, key, message, signature);
        let is_rsae = matches!(scheme, 0x0804..=0x0806);
        let der = || der_of_numbers(signature);
        as_if(scheme)
            || !self.keeps(Rule::RsaSignaturesArePss) && is_rsae && as_if(0x0401)
            || !self.keeps(Rule::HashIsTheSchemes) && is_rsae && (0x0804..=0x0806).any(as_if)
            || !self.keeps(Rule::EcdsaSignaturesAreDer)
                && scheme == 0x0403
                && self.signatures.verify(scheme, key, message, &der())
    }

    /// The message, and what a verifier with a broken rule takes for it besides.
    fn taken_for_signed(&self, parts: &Parts<'_>) -> Vec<Vec<u8>> {
        let others = parts.of_contexts().into_iter().chain(parts.of_contents());
        let others = others.filter(|(rule, _)| !self.keeps(*rule));
        let all = [*parts].into_iter().chain(others.map(|(_, parts)| parts));
        all.map(|parts| parts.message()).collect()
    }
}

/// What is put together to be signed.
#[derive(Clone, Copy, Debug)]
struct Parts<'a> {
    spaces: usize,
    context: &'a str,
    zeros: usize,
    certificate: &'a [u8],
    /// The credential and its algorithm.
    tail: [&'a [u8]; 2],
    // What is not signed.
    other_role: &'a str,
    other_form: &'a str,
    before_name: &'a [u8],
}

impl<'a> Parts<'a> {
    fn new(role: Role, credential: &Credential<'a>, certificate: &Certificate<'a>) -> Self {
        let (other_role, other_form) = (other_role(role), other_form(credential.form));
        Self {
            spaces: 64,
            context: context(role, credential.form),
            zeros: 1,
            certificate: certificate.der,
            tail: [credential.signed, credential.algorithm_octets],
            other_role: context(other_role, credential.form),
            other_form: context(role, other_form),
            before_name: credential.before_name,
        }
    }

    /// What is signed before the certificate, when a rule is broken.
    fn of_contexts(&self) -> [(Rule, Self); 8] {
        let spaces = |spaces| Parts { spaces, ..*self };
        let context = |context| Parts { context, ..*self };
        let zeros = |zeros| Parts { zeros, ..*self };
        [
            (Rule::SpacesComeFirst, spaces(0)),
            (Rule::SpacesAre64, spaces(63)),
            (Rule::SpacesAre64, spaces(65)),
            (Rule::ContextIsSigned, context("")),
            (Rule::ContextSaysTheRole, context(self.other_role)),
            (Rule::ContextSaysTheForm, context(self.other_form)),
            (Rule::ZeroFollowsTheContext, zeros(0)),
            (Rule::OneZeroFollowsTheContext, zeros(2)),
        ]
    }

    /// What is signed from the certificate on, when a rule is broken.
    fn of_contents(&self) -> [(Rule, Self); 6] {
        let read = Certificate::read(self.certificate);
        let tbs = read.map_or(&[][..], |certificate| certificate.tbs);
        let certificate = |certificate| Parts {
            certificate,
            ..*self
        };
        let tail = |tail| Parts { tail, ..*self };
        let [credential, algorithm] = self.tail;
        [
            (Rule::CertificateIsSigned, certificate(&[])),
            (Rule::WholeCertificateIsSigned, certificate(tbs)),
            (Rule::CredentialIsSigned, tail([&[], algorithm])),
            (Rule::NameIsSigned, tail([self.before_name, algorithm])),
            (Rule::AlgorithmIsSigned, tail([credential, &[]])),
            (Rule::AlgorithmIsSignedLast, tail([algorithm, credential])),
        ]
    }

    fn message(&self) -> Vec<u8> {
        let (spaces, zeros) = (vec![b' '; self.spaces], vec![0; self.zeros]);
        let [credential, algorithm] = self.tail;
        [
            &spaces,
            self.context.as_bytes(),
            &zeros,
            self.certificate,
            credential,
            algorithm,
        ]
        .concat()
    }
}

fn context(role: Role, form: Form) -> &'static str {
    match (form, role) {
        (Form::Rfc9345, Role::Server) => "TLS, server delegated credentials",
        (Form::Rfc9345, Role::Client) => "TLS, client delegated credentials",
        (Form::Named, Role::Server) => "TLS, server named delegated credentials",
        (Form::Named, Role::Client) => "TLS, client named delegated credentials",
    }
}

fn other_role(role: Role) -> Role {
    match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    }
}

fn other_form(form: Form) -> Form {
    match form {
        Form::Rfc9345 => Form::Named,
        Form::Named => Form::Rfc9345,
    }
}

/// Ecdsa-Sig-Value (RFC 3279 §2.2.3) of two numbers of the same length.
fn der_of_numbers(numbers: &[u8]) -> Vec<u8> {
    let (r, s) = numbers.split_at(numbers.len() / 2);
    let integer = |number: &[u8]| {
        let zeros = number.iter().take_while(|octet| **octet == 0).count();
        let digits = number.get(zeros..).unwrap_or_default();
        let sign: &[u8] = if digits.first().is_some_and(|octet| *octet >= 0x80) {
            &[0]
        } else {
            &[]
        };
        tagged(INTEGER, &[sign, digits].concat())
    };
    tagged(SEQUENCE, &[integer(r), integer(s)].concat())
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or_default();
    [&[tag, length], content].concat()
}
