//! The reasons that an encrypted key is not decrypted.

use crate::secret::SecretSource;

/// The reason that an encrypted key was not decrypted; its text goes behind the name of the file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LockFault {
    /// Trying a passphrase would take minutes, or more memory than a key is worth.
    #[error(
        "is encrypted so that one passphrase takes too long to try, or too much memory: encrypt it anew with 'openssl pkcs8 -topk8 -v2 aes-256-cbc'"
    )]
    Costly,
    /// Nobody has said where the passphrase is.
    #[error(
        "needs a passphrase: say where it is (--passphrase-file, --passphrase-fd, --passphrase-credential or --passphrase-command; keys.passphrase in a configuration)"
    )]
    NoPassphrase,
    /// This program was built without what decrypts keys.
    #[error("is encrypted, and this build decrypts no keys: install with --features service")]
    NotBuilt,
    /// It is encrypted in another way than PBES2 with AES.
    #[error(
        "is encrypted in a way that is not taken: encrypt it anew with 'openssl pkcs8 -topk8 -v2 aes-256-cbc'"
    )]
    Unsupported,
    /// The passphrase is another one.
    #[error(
        "is not decrypted by the passphrase from {from}: give the one that it was encrypted with"
    )]
    WrongPassphrase {
        /// The place that it came from.
        from: SecretSource,
    },
}
