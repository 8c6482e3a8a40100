//! The list of withdrawn names of the device's zone, for the clients in its network, who may not reach the signer.
//!
//! The signer's list is verified and written to a file, which the device's server gives away. Clients verify it once
//! more, with keys of their own: a device that was taken over can keep a list back, and make none.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dc_core::{ListKey, WithdrawnNames};
use dc_pki::files::{self, Access, NewFile};
use dc_pki::time::Moment;
use pki_types::SignatureVerificationAlgorithm;
use serde::{Deserialize, Serialize};

use super::schedule::Wait;
use crate::error::Error;

/// The list that is fetched, and where it is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WithdrawnList {
    /// The keys that the list is signed with.
    pub keys: Vec<ListKey>,
    /// Where it is written.
    pub file: PathBuf,
    /// How often the signer is asked for a newer one.
    pub every: Duration,
}

/// The agent's memory of the list.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct ListState {
    /// The entity tag of the list in the file.
    pub etag: Option<String>,
    /// How long not to ask for another; none before the first time.
    pub wait: Option<Wait>,
    /// How often it has failed in a row.
    pub failures: u32,
    /// The fault of the last time; none if there was none.
    pub detail: Option<String>,
}

/// The reason that a list which came is not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// It has ended.
    #[error("it has ended at {}: is the signer's list made anew?", Moment::at(*.expires))]
    Ended {
        /// When, in seconds since 1970.
        expires: u64,
    },
    /// It is of another zone.
    #[error("it is of {zone}, not of this device's zone {own}")]
    OtherZone {
        /// The zone that it is of.
        zone: String,
        /// The device's.
        own: String,
    },
    /// There is a newer one already.
    #[error(
        "it has number {number}, and number {kept} is here already: was a backup restored at the signer?"
    )]
    Older {
        /// The number that it has.
        number: u64,
        /// The number of the list that is kept.
        kept: u64,
    },
    /// It cannot be read, or is signed by nobody who is known.
    #[error(transparent)]
    Refused(#[from] dc_core::Error),
}

impl WithdrawnList {
    /// The list in the file, if there is one of this zone that one of the keys has signed.
    pub(super) fn kept(
        &self,
        zone: &str,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Option<WithdrawnNames> {
        let bytes = files::read_up_to(&self.file, MAX_LIST).ok()?;
        let list = WithdrawnNames::verify(bytes.to_vec(), &self.keys, algorithms).ok()?;
        (list.zone().to_string() == zone).then_some(list)
    }

    /// The list that came, which is not older than the one that is kept.
    ///
    /// Fails with [`ListError`].
    pub(super) fn check(
        &self,
        bytes: Vec<u8>,
        zone: &str,
        kept: Option<&WithdrawnNames>,
        now: u64,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<WithdrawnNames, ListError> {
        let list = WithdrawnNames::verify(bytes, &self.keys, algorithms)?;
        if list.zone().to_string() != zone {
            return Err(ListError::OtherZone {
                zone: list.zone().to_string(),
                own: zone.to_owned(),
            });
        }
        let expires = list.expires().as_secs();
        if expires < now {
            return Err(ListError::Ended { expires });
        }
        match kept.filter(|kept| list.is_older_than(kept)) {
            Some(kept) => Err(ListError::Older {
                number: list.sequence(),
                kept: kept.sequence(),
            }),
            None => Ok(list),
        }
    }

    /// Writes a list that was checked.
    ///
    /// Fails with [`Error::Write`](dc_pki::Error::Write); then the old list is there.
    pub(super) fn write(&self, contents: &[u8]) -> Result<(), Error> {
        let folder = self.file.parent().unwrap_or_else(|| Path::new("."));
        let name = self.file.file_name().and_then(|name| name.to_str());
        let new = NewFile {
            name: name.unwrap_or_default(),
            contents,
            access: Access::Everyone,
        };
        files::stage(folder, &new)?.replace()?;
        Ok(files::sync(folder)?)
    }
}

/// The largest list that is kept, in bytes: 1.3 million names.
pub(super) const MAX_LIST: usize = 8 * 1024 * 1024;
