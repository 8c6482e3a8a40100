//! Errors of the service's commands.

use std::io;
use std::path::PathBuf;

use dc_pki::names::ZoneName;
use dc_pki::sealing::SealError;
use dc_pki::secret::SecretError;
use dc_signer::authority::claim::ClaimError;
use dc_signer::renewal::ordering::OrderingError;
use dc_signer::{authority, config, keyd, server};
use dc_store::owner;
use dc_store::registry;

use crate::cmd;

/// A failure of one of the service's commands, in one line that names the thing and the next step.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The signer did not do it.
    #[error(transparent)]
    Authority(#[from] authority::Error),
    /// Archives of the audit log were not given to whoever verifies it.
    #[error(
        "nothing is proved of the records up to {last}: the log's issuances up to there are in archives alone; give all their files with '--archives FILE…', or say '--without-archives' if you do not want that"
    )]
    ArchivesNotGiven {
        /// The last record that is archived.
        last: u64,
    },
    /// A backup was not made, or not put back.
    #[error(transparent)]
    Backup(#[from] authority::backup::Error),
    /// An operator's certificate lets nobody in now.
    #[error("{}: the certificate has ended or has not begun: add the next one with 'dc-signer operators renew --certificate'", .path.display())]
    CertificateEnded {
        /// The file.
        path: PathBuf,
    },
    /// A file of checkpoints cannot be read or written.
    #[error("{}: {source}{}", .path.display(), whose(.source))]
    CheckpointFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A checkpoint in a file, or the key for one, is not as it must be.
    #[error("{}: {source}", .path.display())]
    Checkpoints {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: dc_evidence::Error,
    },
    /// Whoever acts may not.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A failure that every command may have.
    #[error(transparent)]
    Cmd(#[from] cmd::Error),
    /// There is no configuration.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// A simulation was shown that loses devices.
    #[error("devices are lost")]
    Loses,
    /// A fleet cannot be simulated.
    #[error(transparent)]
    Plan(#[from] dc_plan::Error),
    /// A plot is not written.
    #[error("{} is not written: {source}", .path.display())]
    Plot {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The database is not as its audit log says, in more places than one.
    #[error(
        "{first}; {more} more, which 'dc-signer audit verify' lists: do what docs/runbook.md says under 'Audit mismatch'"
    )]
    Mismatches {
        /// The first of them.
        first: Box<dc_store::Error>,
        /// How many more there are.
        more: u64,
    },
    /// Somebody else may write the configuration of the signing process, or what it names.
    #[error("{}", .exposed.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Exposed {
        /// The files and folders, each with what to do.
        exposed: Vec<server::Exposed>,
    },
    /// Nobody has configured a CA for a zone.
    #[error(
        "no CA is configured for zone {zone}: add [[acme]] or [[order_command]] to the configuration, or bring a certificate with 'dc-signer zones rollover {zone} --import DIR --reason WHY --config FILE'"
    )]
    NoCa {
        /// The zone.
        zone: ZoneName,
    },
    /// The signing process does not start, or its log is not as it was written.
    #[error(transparent)]
    Keyd(#[from] keyd::Error),
    /// The first operator of a database is not an admin.
    #[error(
        "the first operator has to be an admin, because only an admin adds others: say --role admin"
    )]
    FirstIsAdmin,
    /// Somebody without a credential agrees to what another has asked for.
    #[error(
        "two operators agree to this, and --as-root-because is none: do the act itself with it, which asks nobody else"
    )]
    NobodyAgrees,
    /// A path leads to no file that could be written.
    #[error("{} is no name of a file", .path.display())]
    NoFileName {
        /// The path.
        path: PathBuf,
    },
    /// An export of the audit log cannot be read, or is not as it should be.
    #[error("{}: {source}", .path.display())]
    Export {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: Box<dc_store::export::ExportError>,
    },
    /// The file of an archive is not where archives are written to.
    #[error(
        "{} is not there, and the issuances of records {first} to {last} are in it alone: bring it back, or give all files with '--archives FILE…'; '--without-archives' goes on without a proof of them", .path.display()
    )]
    NoArchive {
        /// The file.
        path: PathBuf,
        /// Its first record.
        first: u64,
        /// Its last record.
        last: u64,
    },
    /// An export is to be written over something.
    #[error("{} exists, and an export overwrites nothing: give another file, or --resume to go on with the export in it", .path.display())]
    ExportExists {
        /// The file.
        path: PathBuf,
    },
    /// A file of checkpoints has none in it.
    #[error("{} has no checkpoint in it: find out whether it was emptied, and take the file of another place", .path.display())]
    NoCheckpoint {
        /// The file.
        path: PathBuf,
    },
    /// A list of devices has none in it.
    #[error("{} names no device: write one a line, by its external id, its id or its name", .path.display())]
    NoDevices {
        /// The file.
        path: PathBuf,
    },
    /// The zone that was named is not there.
    #[error("there is no zone {zone}: 'dc-signer zones list --config {}' says which there are", .config.display())]
    NoZone {
        /// Its name.
        zone: ZoneName,
        /// The configuration.
        config: PathBuf,
    },
    /// A step that cannot be undone was not done, because nobody said that it is meant.
    #[error("{}", not_confirmed(*.asked))]
    NotConfirmed {
        /// True if somebody was asked.
        asked: bool,
    },
    /// A certificate was not ordered, or is not what was ordered.
    #[error(transparent)]
    Ordering(#[from] OrderingError),
    /// A command cannot work for the user whose folder it is.
    #[error(transparent)]
    Owner(#[from] owner::Error),
    /// A file, a key or a certificate is not as it must be.
    #[error(transparent)]
    Pki(#[from] dc_pki::Error),
    /// The process cannot have the threads that the service needs.
    #[error("cannot start threads: {source}")]
    Runtime {
        /// The reason.
        source: io::Error,
    },
    /// A key-encryption key was not made.
    #[error(transparent)]
    Sealing(#[from] SealError),
    /// The server cannot work.
    #[error(transparent)]
    Server(#[from] server::Error),
    /// The service cannot start, or not go on.
    #[error(transparent)]
    Service(#[from] server::ServiceError),
    /// The signer cannot work as it is set up.
    #[error(transparent)]
    Setup(#[from] authority::SetupError),
    /// Some devices of many were refused.
    #[error("{refused} of {of} devices were refused: correct these, and give them again")]
    SomeRefused {
        /// The number that was refused.
        refused: usize,
        /// The number of all.
        of: usize,
    },
    /// An operator's token cannot be read.
    #[error(transparent)]
    Token(#[from] SecretError),
    /// A token is to be written over something else.
    #[error("{} exists, and is no token that this renews: nothing was changed; give another file, or move it away", .path.display())]
    TokenFileExists {
        /// The file.
        path: PathBuf,
    },
    /// The database does not do what it should.
    #[error(transparent)]
    Store(#[from] dc_store::Error),
    /// Nothing was done, because a second operator has to agree; it was said how. Not a failure, and not done.
    #[error("it waits for a second operator")]
    Waits,
}

impl Error {
    /// The rule of the registry that one device broke; others may fare better.
    pub(super) fn refusal(&self) -> Option<&registry::Error> {
        let (Self::Store(source) | Self::Authority(authority::Error::Store(source))) = self else {
            return None;
        };
        match source {
            dc_store::Error::Refused { source } => Some(source),
            _ => None,
        }
    }

    /// True if the signer's set-up is to blame.
    pub(super) fn is_of_setup(&self) -> bool {
        matches!(
            self,
            Self::Setup(_) | Self::Authority(authority::Error::Setup(_))
        )
    }
}

/// The advice about a file that this process may not use, which is not root any more when root works in the service's place. Never to
/// give the service a folder that is not its own: it may be the one that its configuration is in.
fn whose(source: &io::Error) -> String {
    if source.kind() != io::ErrorKind::PermissionDenied {
        return String::new();
    }
    let me = owner::Account::me().word();
    format!(
        ": this is done as {me}: use a file in a folder of {me}'s, such as one made with 'install -d -o {me} DIR'"
    )
}

const fn not_confirmed(asked: bool) -> &'static str {
    match asked {
        true => "nothing was changed, because it was not confirmed",
        false => {
            "nothing was changed: this wants to be confirmed, and there is no terminal to ask at: add --yes if it is meant"
        }
    }
}
