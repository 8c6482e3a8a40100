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
}
