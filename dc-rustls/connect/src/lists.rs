//! The list of withdrawn names in a file, and how strictly it is followed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dc_core::UniqueName;
use dc_rustls::{ListKey, ListPolicy, Watch, Withdrawals};
use rustls::crypto::ring;

use crate::error::Error;

/// A list to follow.
#[derive(Clone, Debug)]
pub struct ListFile {
    /// Where whoever fetches it puts it.
    pub path: PathBuf,
    /// The keys of the signer.
    pub keys: Vec<ListKey>,
    /// The zone whose names it has.
    pub zone: UniqueName<'static>,
    /// The rule without a current one.
    pub policy: ListPolicy,
}

/// A list that is followed for as long as this lives.
#[derive(Debug)]
pub struct Followed {
    /// For connections.
    pub lists: Arc<Withdrawals>,
    _watch: Watch,
}

impl ListFile {
    /// Loads the list, and again when the file has changed, which is looked at so often; what is wrong with it is said on standard error.
    ///
    /// Fails with [`Error::Unusable`] if no thread can be started.
    pub fn follow(self, interval: Duration) -> Result<Followed, Error> {
        let lists = Withdrawals::new(&ring::default_provider())
            .map_err(Error::Unusable)?
            .zone(self.zone, self.keys, self.policy)
            .report(|zone, standing| {
                eprintln!("dc-connect: the list of withdrawn names of {zone} is {standing}");
            });
        let lists = Arc::new(lists);
        let report = |loaded: Result<_, dc_rustls::Error>| {
            if let Err(error) = loaded {
                eprintln!("dc-connect: {error}");
            }
        };
        let watch = lists.follow_file(self.path, interval, report);
        Ok(Followed {
            _watch: watch.map_err(Error::Unusable)?,
            lists,
        })
    }
}
