//! The key of a log, wherever it is kept.

use std::fmt;

use crate::{Error, Hash, Signature, SigningKey, VerifyingKey};

/// Signs checkpoints with the key of a log: a key file here, or a token, or another process that holds the key and counts
/// for itself.
pub trait CheckpointSigner: fmt::Debug + Send + Sync {
    /// The key that others verify the log's checkpoints with.
    fn verifying_key(&self) -> &VerifyingKey;

    /// The number of records of the log that it signed for last, and their root: it wants to be shown how the log has grown from
    /// there. None if it has signed for none, or does not count. It may block.
    ///
    /// Fails with [`Error::SignerFailed`].
    fn last(&self) -> Result<Option<(u64, Hash)>, Error> {
        Ok(None)
    }

    /// Signs a checkpoint's text. It may block, so it is never called where it must not.
    ///
    /// Fails with [`Error::SignerFailed`], and with [`Error::SignerRefused`] if it has signed for a log that this one does not go on
    /// from.
    fn sign(&self, text: &str, growth: Option<&Growth>) -> Result<Signature, Error>;
}

/// The proof that a log begins with a shorter one (RFC 9162 §2.1.4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Growth {
    /// The number of records of the shorter one.
    pub from: u64,
    /// The hashes that show it.
    pub proof: Vec<Hash>,
}

impl CheckpointSigner for SigningKey {
    fn verifying_key(&self) -> &VerifyingKey {
        self.verifying_key()
    }

    fn sign(&self, text: &str, _: Option<&Growth>) -> Result<Signature, Error> {
        Ok(self.sign(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::signing_key;
    use crate::{Checkpoint, Frontier};

    /// Signs with another key than it says.
    #[derive(Debug)]
    struct Mixed(SigningKey, SigningKey);

    impl CheckpointSigner for Mixed {
        fn verifying_key(&self) -> &VerifyingKey {
            self.0.verifying_key()
        }

        fn sign(&self, text: &str, _: Option<&Growth>) -> Result<Signature, Error> {
            Ok(self.1.sign(text))
        }
    }

    #[test]
    fn what_comes_back_is_verified() {
        let key = signing_key("log");
        let checkpoint = Checkpoint::of_log(&Frontier::new(), "log");
        assert_eq!(checkpoint.sign_by(&key, None), checkpoint.sign(&key));
        let mixed = Mixed(key, signing_key("other"));
        let refused = checkpoint.sign_by(&mixed, None).unwrap_err();
        assert!(matches!(refused, Error::NotSigned { .. }), "{refused:?}");
    }
}
