//! Checks one vector as its description says, knowing nothing of how it was made.

use std::time::Duration;

use dc_core::danger::LenientUsage;
use dc_core::{
    DelegatedCredential, DelegationCertificate, SchemeList, SignatureScheme, VerifiedCredential,
    Verifier,
};
use dc_vectors::format::credentials::{Certificate, CredentialVector, Credentials, Valid};
use dc_vectors::format::{Assumed, Needs, Offer};
use pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use rustls::RootCertStore;

use super::words::{Said, form, role, said, wanted};

type Algorithms<'a> = &'a [&'static dyn SignatureVerificationAlgorithm];

/// A vector with what it stands on.
pub(crate) struct Case<'a> {
    vector: &'a CredentialVector,
    certificate: &'a Certificate,
    default_offer: &'a Offer,
    algorithms: Algorithms<'a>,
}

impl<'a> Case<'a> {
    /// A vector of a file, or one like those.
    pub(crate) fn of(
        vector: &'a CredentialVector,
        files: &'a Credentials,
        algorithms: Algorithms<'a>,
    ) -> Self {
        Self {
            vector,
            certificate: &files.certificates[&vector.certificate],
            default_offer: &files.default_offer,
            algorithms,
        }
    }

    /// True if it is for dc-core to say: whether the certificate is valid is not.
    pub(crate) fn is_for_dc_core(&self) -> bool {
        self.vector.assumes.contains(&Assumed::Path)
    }

    /// Fails with what came out differently from what the vector says.
    pub(crate) fn check(&self) -> Result<(), String> {
        let vector = self.vector;
        for now in [vector.now_first, vector.now_last] {
            match (self.verify(now), vector.refused, &vector.valid) {
                (Ok(verified), None, Some(valid)) => self.agrees(valid, &verified)?,
                (Err(said), Some(refused), None) => {
                    let is_allowed =
                        refused.alert == Some(said.alert) || refused.also.contains(said.alert);
                    if !said.faults.contains(&refused.error) || !is_allowed {
                        return Err(format!("at {now}: {said:?}, not {refused:?}"));
                    }
                }
                (Ok(_), Some(wanted), _) => {
                    return Err(format!("at {now}: accepted, not {wanted:?}"));
                }
                (Err(said), None, _) => return Err(format!("at {now}: {said:?}")),
                (_, None, None) | (_, Some(_), Some(_)) => {
                    return Err("neither valid nor refused".to_owned());
                }
            }
        }
        if let Some(valid) = &vector.valid {
            self.is_over_outside(valid)?;
        }
        Ok(())
    }

    /// Nothing is valid a second outside, if it is the credential and not the certificate that ends there.
    fn is_over_outside(&self, valid: &Valid) -> Result<(), String> {
        let expiry = self.certificate.not_before + u64::from(valid.valid_time);
        let before = (expiry - 604_800.min(expiry) == self.vector.now_first)
            .then(|| self.vector.now_first - 1);
        let after = (expiry == self.vector.now_last).then_some(expiry + 1);
        for outside in before.into_iter().chain(after) {
            if self.verify(outside).is_ok() {
                return Err(format!("accepted at {outside}"));
            }
        }
        Ok(())
    }

    pub(crate) fn verify(&self, now: u64) -> Result<VerifiedCredential, Said> {
        let vector = self.vector;
        let offer = offer(vector.offer.as_ref().unwrap_or(self.default_offer));
        let form = form(vector.form);
        let fail = |error| said(&error);
        if offer.schemes(form).is_none() {
            return Err(fail(dc_core::Error::FormNotOffered { form }));
        }
        let credential = DelegatedCredential::decode(form, &vector.credential.0).map_err(fail)?;
        offer.suits(&credential).map_err(fail)?;
        let der = self.certificate.der.0.as_slice().into();
        let certificate = match vector.needs.contains(&Needs::LenientUsage) {
            true => LenientUsage.parse(der),
            false => DelegationCertificate::parse(der),
        };
        let certificate = certificate.map_err(fail)?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let intermediates = &self.certificate.intermediates;
        let issuers: Vec<CertificateDer<'_>> = { intermediates.iter() }
            .map(|der| der.0.as_slice().into())
            .collect();
        let roots = self.roots();
        let verifier = Verifier::new(role(vector.role), &offer, self.algorithms)
            .with_issuers(&issuers, &roots);
        match wanted(vector) {
            Ok(wanted) => verifier
                .verify(&credential, &certificate, wanted.as_ref(), now)
                .map_err(fail),
            Err(not_a_name) => match verifier.verify_own_name(&credential, &certificate, now) {
                Ok(_) => Err(not_a_name),
                Err(error) => Err(fail(error)),
            },
        }
    }

    /// The root of its own that the certificate leads to, if it has one.
    fn roots(&self) -> Vec<TrustAnchor<'static>> {
        let mut store = RootCertStore::empty();
        if let Some(root) = &self.certificate.root {
            store.add(root.0.as_slice().into()).unwrap();
        }
        store.roots
    }

    /// The fields that a valid vector lists.
    fn agrees(&self, valid: &Valid, verified: &VerifiedCredential) -> Result<(), String> {
        let vector = self.vector;
        let decoded = DelegatedCredential::decode(form(vector.form), &vector.credential.0).unwrap();
        let claim = decoded.credential();
        let mut body = Vec::new();
        claim.encode(&mut body).unwrap();
        let (role, form) = (role(vector.role), form(vector.form));
        let message = dc_core::signed_bytes(
            role,
            form,
            &self.certificate.der.0,
            &body,
            decoded.algorithm(),
        );
        let digest = ring::digest::digest(&ring::digest::SHA256, &message);
        let expiry = self.certificate.not_before + u64::from(valid.valid_time);
        for (field, agrees) in [
            ("valid_time", claim.valid_time == valid.valid_time),
            (
                "signed_message_length",
                message.len() == valid.signed_message_length,
            ),
            (
                "signed_message_sha256",
                valid.signed_message_sha256.0 == digest.as_ref(),
            ),
            ("expiry", verified.expiry().as_secs() == expiry),
            (
                "unique_name",
                verified.unique_name().map(dc_core::UniqueName::as_str)
                    == valid.unique_name.as_deref(),
            ),
        ] {
            if !agrees {
                return Err(format!("another {field}"));
            }
        }
        Ok(())
    }
}

pub(crate) fn offer(offer: &Offer) -> dc_core::Offer {
    let list = |codes: &[u16]| SchemeList::new(codes.iter().copied().map(SignatureScheme)).unwrap();
    let lists = [
        (dc_core::Form::Rfc9345, &offer.rfc9345),
        (dc_core::Form::Named, &offer.named),
    ];
    let start = dc_core::Offer::new(list(&offer.signature_algorithms));
    lists
        .into_iter()
        .fold(start, |offer, (form, codes)| match codes {
            Some(codes) => offer.with(form, list(codes)),
            None => offer,
        })
}
