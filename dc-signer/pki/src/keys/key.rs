//! A private key that signs, wherever it is.

use std::fmt;

use dc_core::Signer;

use crate::signing::KeyFault;

/// A private key that signs, wherever it is.
///
/// [`sign`](Signer::sign) takes as long as the key's place does, so nobody calls it on a thread that answers others. It is
/// called from several threads at once.
pub trait Key: Signer<Error = KeyFault> + fmt::Debug + Send + Sync {
    /// The public half: a DER SubjectPublicKeyInfo.
    fn spki(&self) -> &[u8];

    /// Looks whether the key can sign now, without a signature of it: its token, or its machine, may be away.
    ///
    /// Takes as long as a signature may. A key that is in this process can.
    fn check(&self) -> Result<(), KeyFault> {
        Ok(())
    }

    /// Signs a certificate request, as CAs want it: with RSA by PKCS#1 v1.5, and otherwise as credentials are signed.
    fn sign_request(&self, message: &[u8]) -> Result<Vec<u8>, KeyFault> {
        self.sign(message)
    }
}
