//! The key of a log, wherever it is kept.

use std::fmt;

use crate::{Error, Signature, SigningKey, VerifyingKey};

/// Signs checkpoints with the key of a log: a key file here, or a token, or another process that holds the key and counts
/// for itself.
pub trait CheckpointSigner: fmt::Debug + Send + Sync {
    /// The key that others verify the log's checkpoints with.
    fn verifying_key(&self) -> &VerifyingKey;

    /// Signs a checkpoint's text. It may block, so it is never called where it must not.
    ///
    /// Fails with [`Error::SignerFailed`].
    fn sign(&self, text: &str) -> Result<Signature, Error>;
}

impl CheckpointSigner for SigningKey {
    fn verifying_key(&self) -> &VerifyingKey {
        self.verifying_key()
    }

    fn sign(&self, text: &str) -> Result<Signature, Error> {
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

        fn sign(&self, text: &str) -> Result<Signature, Error> {
            Ok(self.1.sign(text))
        }
    }

    #[test]
    fn what_comes_back_is_verified() {
        let key = signing_key("log");
        let checkpoint = Checkpoint::of_log(&Frontier::new(), "log");
        assert_eq!(checkpoint.sign_by(&key), checkpoint.sign(&key));
        let mixed = Mixed(key, signing_key("other"));
        let refused = checkpoint.sign_by(&mixed).unwrap_err();
        assert!(matches!(refused, Error::NotSigned { .. }), "{refused:?}");
    }
}
