//! Follows an identity folder, and serves with what is in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Store;
use crate::Error;
use crate::watch::Watch;

impl Store {
    /// Reads an identity folder again whenever it changes, and installs it; see [`Watch`].
    ///
    /// Installs what is there before it returns, and looks at the folder's files every `interval` from then on.
    /// `report` is told of every installation and of what could not be installed; a folder that is bad from the
    /// start is reported, not an error. If it panics later on, the folder is followed all the same.
    ///
    /// The folder is followed until the [`Watch`] is dropped.
    ///
    /// Fails with [`Error::Io`] if no thread can be started.
    pub fn watch(
        self: &Arc<Self>,
        folder: impl Into<PathBuf>,
        interval: Duration,
        mut report: impl FnMut(Result<(), Error>) + Send + 'static,
    ) -> Result<Watch, Error> {
        let (store, told) = (Arc::clone(self), Arc::clone(self));
        let install = move |identity| store.install(identity);
        let report = move |news: Result<(), Error>| {
            let failure = news.as_ref().err().map(|error| error.to_string().into());
            told.failure.store(failure);
            report(news);
        };
        Watch::start(folder.into(), interval, install, report)
    }
}
