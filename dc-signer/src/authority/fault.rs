//! Why a signer cannot work as it is set up: for whoever runs it, unlike a [`Refusal`](super::Refusal).

use std::fmt;
use std::path::PathBuf;

use crate::registry::Sha256;
use dc_pki::names::ZoneName;

/// Why a signer cannot work as it is set up.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// A manufacturer's anchors are no certificates that chains can lead to.
    BadAnchors {
        /// The file.
        path: PathBuf,
    },
    /// A secret in the data folder is not what was written.
    BadSecret {
        /// The file.
        path: PathBuf,
    },
    /// The database has seen devices, and the secrets that it was used with are not there.
    MissingSecrets {
        /// The folder where they belong.
        folder: PathBuf,
    },
    /// Something cannot be issued, or nothing.
    NotReady {
        /// Why, with what to do.
        why: String,
    },
    /// A folder of the data folder holds another certificate than its name says.
    OtherCertificate {
        /// The file with the certificate.
        path: PathBuf,
    },
    /// A backup was made with other secrets than are here.
    OtherSecrets {
        /// The file here that differs.
        path: PathBuf,
    },
    /// A delegation certificate's key did not sign a credential that verifies.
    SelfTest {
        /// The zone.
        zone: ZoneName,
        /// SHA-256 of the certificate.
        certificate: Sha256,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::SelfTest { source, .. } => Some(&**source),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadAnchors { path } => write!(
                f,
                "{} has a certificate that no chain can lead to: put the manufacturer's CA certificates there",
                path.display()
            ),
            Self::BadSecret { path } => write!(
                f,
                "{} is not what was written there: restore it from a backup",
                path.display()
            ),
            Self::MissingSecrets { folder } => write!(
                f,
                "{} is not there, but the database was used with it, and other secrets would rename devices: restore it from a backup, or copy it from another signer of this database",
                folder.display()
            ),
            Self::NotReady { why } => f.write_str(why),
            Self::OtherCertificate { path } => write!(
                f,
                "{} has another certificate than its folder's name says: import the right one again",
                path.display()
            ),
            Self::OtherSecrets { path } => write!(
                f,
                "{} is another signer's than the backup's: restore into a data folder of its own",
                path.display()
            ),
            Self::SelfTest {
                zone,
                certificate,
                source,
            } => write!(
                f,
                "the key of {zone}'s delegation certificate {certificate} does not sign: {source}"
            ),
        }
    }
}
