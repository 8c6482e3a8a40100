//! Each kind of vector, beside what the reference makes of it.

use super::Reference;
use super::certificate::Certificate;
use super::credential::{Case, Verified};
use super::files::Found;
use super::mismatch::{Check, compare, listed};
use crate::fault::Fault;
use crate::format::credentials::{CredentialVector, Credentials, FileVector, RequestVector, Valid};
use crate::format::handshakes::{HandshakeVector, Outcome};
use crate::format::selection::{Answer, OfferVector, SelectionVector};
use crate::format::{Alerts, Assumed, Hex, Needs, Offer, Refused};
use crate::published::Published;

impl Reference<'_> {
    pub(super) fn check_credential(&self, vector: &CredentialVector, files: &Credentials) -> Check {
        for now in [vector.now_first, vector.now_last] {
            let listed = listed(vector.refused, &vector.valid)?;
            compare(&listed, &self.judge(vector, files, now))?;
        }
        Ok(())
    }

    /// What is found of a vector's credential at a Unix time.
    ///
    /// Fails with the refusal. The private key is the vector's, because the reference does not know it.
    pub fn judge(
        &self,
        vector: &CredentialVector,
        files: &Credentials,
        now: u64,
    ) -> Result<Valid, Refused> {
        let offer = vector.offer.as_ref().unwrap_or(&files.default_offer);
        let listed = vector.valid.as_ref();
        let key = listed.map(|valid| valid.credential_private_key.clone());
        let verified = self.verified(vector, offer, files, now);
        let verified = verified.map_err(|fault| self.with_alert(fault))?;
        Ok(Valid {
            valid_time: verified.credential.valid_time,
            unique_name: verified.credential.unique_name,
            signed_message_length: verified.message.len(),
            signed_message_sha256: sha256(&verified.message),
            credential_private_key: key.unwrap_or_default(),
        })
    }

    fn verified<'a>(
        &self,
        vector: &'a CredentialVector,
        offer: &Offer,
        files: &Credentials,
        now: u64,
    ) -> Result<Verified<'a>, Fault> {
        let entry = files.certificates.get(&vector.certificate);
        let entry = entry.ok_or(Fault::UntrustedPath)?;
        let chain = [&entry.der].into_iter().chain(&entry.intermediates);
        let chain: Option<Vec<_>> = chain.map(|der| Certificate::read(&der.0)).collect();
        let chain = chain.ok_or(Fault::UntrustedPath)?;
        let certificate = chain.first().ok_or(Fault::UntrustedPath)?;
        let wanted = vector.wanted_name.as_deref();
        let root = entry.root.as_ref().unwrap_or(&files.root);
        let root = Certificate::read(&root.0).ok_or(Fault::UntrustedPath)?;
        if !vector.assumes.contains(&Assumed::Path) {
            self.path(&chain, root.der, now)?;
        }
        if let Some(wanted) = wanted
            && !vector.assumes.contains(&Assumed::CertificateName)
        {
            self.certificate_name(certificate, wanted)?;
        }
        let case = Case {
            role: vector.role,
            offer,
            wanted,
            now,
            path: chain.get(1..).unwrap_or_default(),
            root: Some(&root),
            lenient: vector.needs.contains(&Needs::LenientUsage),
        };
        self.credential(&case, vector.form, &vector.credential.0, certificate)
    }

    pub(super) fn check_file(&self, vector: &FileVector, files: &Credentials) -> Check {
        let entry = files.certificates.get(&vector.certificate);
        let entry = entry.ok_or_else(|| format!("no certificate {}", vector.certificate))?;
        let got = self.file(&vector.text, &entry.der.0).map_err(without_alert);
        // Several vectors can have the same octets.
        let is = |found: &Found, name: &String| {
            files.credentials.get(name).is_some_and(|vector| {
                (vector.form, vector.role) == (found.form, found.role)
                    && vector.credential.0 == found.octets
            })
        };
        match (&got, &vector.credentials) {
            (Ok(found), Some(names))
                if found.len() == names.len() && found.iter().zip(names).all(|(f, n)| is(f, n)) =>
            {
                Ok(())
            }
            _ => {
                let got = got.map(|found| {
                    found
                        .iter()
                        .map(|found| Hex(found.octets.clone()).into())
                        .collect()
                });
                compare(&listed(vector.refused, &vector.credentials)?, &got)
            }
        }
    }

    pub(super) fn check_request(&self, vector: &RequestVector, files: &Credentials) -> Check {
        let entry = files.certificates.get(&vector.certificate);
        let entry = entry.ok_or_else(|| format!("no certificate {}", vector.certificate))?;
        let got = self.grant(vector, entry).map_err(without_alert);
        compare(&listed(vector.refused, &vector.valid_time)?, &got)
    }

    pub(super) fn check_selection(&self, vector: &SelectionVector, files: &Published) -> Check {
        let got = self.select(vector, &files.selection, &files.credentials.certificates);
        let got = got.unwrap_or_else(Answer::Refused);
        compare(&vector.answer, &got)
    }

    pub(super) fn check_offer(&self, vector: &OfferVector) -> Check {
        let got = self.offering(vector).map_err(without_alert);
        let listed = listed(vector.refused, &vector.forms)?;
        let listed = listed.map(|forms| (forms, vector.server_name.clone()));
        compare(&listed, &got)
    }

    pub(super) fn check_handshake(&self, vector: &HandshakeVector, root: &Hex) -> Check {
        let got = match self.handshake(vector, root) {
            Ok(accepted) => Outcome::Accepted(accepted),
            Err(fault) => Outcome::Refused(self.with_alert(fault)),
        };
        compare(&vector.outcome, &got)
    }
}

fn sha256(message: &[u8]) -> Hex {
    let digest = ring::digest::digest(&ring::digest::SHA256, message);
    Hex(digest.as_ref().to_vec())
}

fn without_alert(error: Fault) -> Refused {
    Refused {
        error,
        alert: None,
        also: Alerts::default(),
    }
}
