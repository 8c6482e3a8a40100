//! Credentials that another issuer made.

use alloc::vec::Vec;

use pki_types::SignatureVerificationAlgorithm;

use super::{Approved, Issued, verify_own};
use crate::credential::DelegatedCredential;
use crate::error::Error;

impl Approved<'_> {
    /// Takes a credential that another issuer made for the same request, by its own clock, and verifies it as a peer would.
    ///
    /// It is for the request's key and name, with its scheme; when it ends is the other issuer's to say. Fails with
    /// [`Error::BadSignature`] if it is for something else or by another key, with what decoding fails with, and as
    /// verifying does: [`Error::ValidityTooLong`] or [`Error::Expired`] by this side's clock among it.
    pub fn accept(
        self,
        extension_data: &[u8],
        algorithms: &[&'static dyn SignatureVerificationAlgorithm],
    ) -> Result<Issued, Error> {
        let credential = DelegatedCredential::decode(self.form, extension_data)?;
        let mut others = Vec::new();
        credential.credential().encode(&mut others)?;
        if others.get(VALID_TIME_LEN..) != self.credential_bytes.get(VALID_TIME_LEN..) {
            return Err(Error::BadSignature);
        }
        let expiry = verify_own(self.policy, &credential, algorithms, self.now)?;
        Ok(Issued {
            form: self.form,
            expiry,
            bytes: extension_data.to_vec(),
        })
    }
}

/// The octets of a credential before all that a request says (RFC 9345 §4).
const VALID_TIME_LEN: usize = 4;
