//! Errors of the setup: for whoever runs the signer, unlike most of [`Error`](super::Error).

use std::path::PathBuf;

use dc_pki::names::ZoneName;
use dc_pki::sealing::{SealError, Which};
use dc_store::registry::{Purpose, Sha256};

/// A setup that a signer cannot work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A manufacturer's anchors are no certificates that chains can lead to.
    #[error(
        "{} has a certificate that no chain can lead to: put the manufacturer's CA certificates there",
        path.display()
    )]
    BadAnchors {
        /// The file.
        path: PathBuf,
    },
    /// A secret in the data folder is not what was written.
    #[error("{} is not what was written there: restore it from a backup", path.display())]
    BadSecret {
        /// The file.
        path: PathBuf,
    },
    /// The database was used, and the secrets that it was used with are not there.
    #[error(
        "{} is not there, but the database was used with it, and other secrets would rename devices: restore it from a backup, copy it from another signer of this database, or seal it into the database there ('dc-signer secrets seal --reason WHY --config FILE') and give this one the key",
        folder.display()
    )]
    MissingSecrets {
        /// The folder where they belong.
        folder: PathBuf,
    },
    /// Nobody has given the key that secrets are sealed with.
    #[error(
        "there is no key-encryption key: make one with 'openssl rand -hex 32', or in a token with 'dc-signer secrets make-key', and have its place in the configuration as [secrets] key"
    )]
    NoKeyGiven,
    /// A secret has no version before the one that is used.
    #[error("the secret {purpose} has never been another one: there is nothing to take back")]
    NoOlderSecret {
        /// Its purpose.
        purpose: Purpose,
    },
    /// The secrets are sealed in the database, and there is no key here to open them.
    #[error(
        "the secrets of this database are sealed in it with the key-encryption key {key}: have the place of that key in the configuration as [secrets] key"
    )]
    NoSealingKey {
        /// The key's id.
        key: String,
    },
    /// The secrets are in the data folders of signers, not in the database.
    #[error(
        "the secrets are not sealed in the database: do that first, with 'dc-signer secrets seal --reason WHY --config FILE' on a signer that has them"
    )]
    NotSealed,
    /// A secret in the data folder is a version that was replaced.
    #[error(
        "{} is version {version} of the secret {purpose}, which was replaced: version {current} is the current one{}",
        path.display(),
        match is_sealed {
            true => ", and is sealed in the database: remove the folder that the file is in",
            false => ": copy the folder of secrets from a signer that has it, or restore it from a backup",
        }
    )]
    OldSecret {
        /// The file.
        path: PathBuf,
        /// The purpose of the secret.
        purpose: Purpose,
        /// Its version.
        version: u32,
        /// The version that is used.
        current: u32,
        /// True if that one is sealed in the database.
        is_sealed: bool,
    },
    /// Something cannot be issued, or nothing.
    #[error("{why}")]
    NotReady {
        /// The reason, with what to do.
        why: String,
    },
    /// A folder of the data folder holds another certificate than its name says.
    #[error(
        "{} has another certificate than its folder's name says: import the right one again",
        path.display()
    )]
    OtherCertificate {
        /// The file with the certificate.
        path: PathBuf,
    },
    /// A backup was made with other secrets than are here.
    #[error(
        "{} is another signer's than the backup's: restore into a data folder of its own",
        path.display()
    )]
    OtherSecrets {
        /// The file here that differs.
        path: PathBuf,
    },
    /// A secret in the data folder is another one than the database was first used with.
    #[error(
        "{} is another secret than this database's (its fingerprint is {}, and the database's {}): with it, codes of other signers would be refused and devices get other names: stop this signer, and copy the folder of secrets from the signer that was first, or restore it from a backup",
        path.display(),
        brief(here),
        brief(there)
    )]
    OtherThanDatabase {
        /// The file.
        path: PathBuf,
        /// Its fingerprint.
        here: Sha256,
        /// The fingerprint of the secret that the database was used with.
        there: Sha256,
    },
    /// Something is sealed in the database, and was not opened.
    #[error("{what} is sealed in the database, and cannot be opened: {source}")]
    Sealed {
        /// The thing.
        what: String,
        /// The reason.
        source: SealError,
    },
    /// The key-encryption key cannot be used.
    #[error("[secrets]: {source}")]
    SealingKey {
        /// The reason.
        source: SealError,
    },
    /// The database has another version of a secret as its newest than the audit log says.
    #[error(
        "version {version} of the secret {purpose} is the newest in the database, and record {record} of the audit log says that another one is current: somebody has put back a version that was replaced, so restore the database, and find out who can write it"
    )]
    SecretPutBack {
        /// The purpose of the secret.
        purpose: Purpose,
        /// Its version.
        version: u32,
        /// The record.
        record: u64,
    },
    /// The secrets have changed, and this process cannot open those that are used now.
    #[error("the secrets of this database have changed, and cannot be used here: {why}")]
    SecretsNotHere {
        /// The reason.
        why: String,
    },
    /// The key that is to replace another one is that one.
    #[error(
        "[secrets] next_key is the same key as key: nothing was sealed anew; make another one for next_key"
    )]
    SameKeys,
    /// A delegation certificate's key did not sign a credential that verifies.
    #[error("the key of {zone}'s delegation certificate {certificate} does not sign: {source}")]
    SelfTest {
        /// The zone.
        zone: ZoneName,
        /// SHA-256 of the certificate.
        certificate: Sha256,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A secret was taken back already, and what would come back is what was withdrawn then.
    #[error(
        "version {version} of the secret {purpose} is version {same} again, brought back already: taking that back would bring back what was withdrawn; 'dc-signer secrets rotate {purpose} --reason WHY --config FILE' makes a new one"
    )]
    TakenBack {
        /// Its purpose.
        purpose: Purpose,
        /// The version that is used.
        version: u32,
        /// The version that it is the same as.
        same: u32,
    },
    /// Signers that run could not open what is sealed with another key-encryption key.
    #[error(
        "{} could not open it, which runs without the {} key-encryption key: have it there as [secrets] {} and restart the service, then do this again; or give --leave-signers-out, and until then such a signer goes on with what it has opened, is not ready, and does not start again",
        nodes.join(", "),
        match which {
            Which::Current => "present",
            Which::Next => "next",
        },
        match which {
            Which::Current => "key or next_key",
            Which::Next => "next_key",
        }
    )]
    SignersLackKey {
        /// The signers.
        nodes: Vec<String>,
        /// The key.
        which: Which,
    },
}

/// Enough of a fingerprint to tell two apart.
fn brief(fingerprint: &Sha256) -> String {
    fingerprint.to_string().chars().take(8).collect()
}
