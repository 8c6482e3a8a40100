//! Lists that are fetched again and again.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dc_core::WithdrawnNames;

use super::Withdrawals;
use crate::Error;
use crate::list_error::ListError;
use crate::watch::Watch;

impl Withdrawals {
    /// Asks for a list at once, and then every `interval` in a thread, and loads what there is.
    ///
    /// `fetch` gives the bytes of a list, or `None` if there is nothing new, which a server says with
    /// 304; it may take its time. `report` is told of each list that was loaded, to keep it for the next start, and of what
    /// went wrong, once until it is something else.
    ///
    /// ```no_run
    /// # fn fetch(etag: &mut Option<String>) -> std::io::Result<Option<Vec<u8>>> { Ok(None) }
    /// # fn example(lists: std::sync::Arc<dc_rustls::Withdrawals>) -> Result<(), dc_rustls::Error> {
    /// use std::time::Duration;
    ///
    /// let mut etag = None;
    /// let _watch = lists.follow(
    ///     Duration::from_secs(3600),
    ///     move || fetch(&mut etag), // with the HTTP client that the application has
    ///     |loaded| eprintln!("{loaded:?}"),
    /// )?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Fails with [`Error::Io`] if no thread can be started.
    pub fn follow(
        self: &Arc<Self>,
        interval: Duration,
        mut fetch: impl FnMut() -> io::Result<Option<Vec<u8>>> + Send + 'static,
        report: impl FnMut(Result<Arc<WithdrawnNames>, Error>) + Send + 'static,
    ) -> Result<Watch, Error> {
        self.look(interval, report, move || {
            fetch().map_err(|error| Error::List(ListError::Fetch(error)))
        })
    }

    /// The same with a file, which is read when it has changed. Whoever writes it renames a whole one into its place.
    ///
    /// Whoever puts it there need not be trusted: what is no regular file, or has more than 128 MiB, is not read.
    ///
    /// Fails with [`Error::Io`] if no thread can be started.
    pub fn follow_file(
        self: &Arc<Self>,
        path: impl Into<PathBuf>,
        interval: Duration,
        report: impl FnMut(Result<Arc<WithdrawnNames>, Error>) + Send + 'static,
    ) -> Result<Watch, Error> {
        let path = path.into();
        let mut seen = None;
        self.look(interval, report, move || {
            let mut read = || {
                let metadata = fs::metadata(&path)?;
                let now = Some((metadata.modified()?, metadata.len()));
                if seen == now {
                    return Ok(None);
                }
                let list = read_list(&path, &metadata)?;
                seen = now;
                Ok(Some(list))
            };
            let path = path.clone();
            read().map_err(|source| Error::List(ListError::File { path, source }))
        })
    }

    fn look(
        self: &Arc<Self>,
        interval: Duration,
        mut report: impl FnMut(Result<Arc<WithdrawnNames>, Error>) + Send + 'static,
        mut fetch: impl FnMut() -> Result<Option<Vec<u8>>, Error> + Send + 'static,
    ) -> Result<Watch, Error> {
        let lists = Arc::clone(self);
        let mut complaint = None;
        Watch::every(interval, "withdrawn names", move || {
            let loaded = match fetch() {
                Ok(None) => return,
                Ok(Some(list)) => lists.load(list),
                Err(error) => Err(error),
            };
            let said = loaded.as_ref().err().map(Error::to_string);
            if said.is_some() && said == complaint {
                return;
            }
            complaint = said;
            report(loaded);
        })
    }
}

/// The bytes of a list, if it has not more than a list may have.
fn read_list(path: &Path, metadata: &Metadata) -> io::Result<Vec<u8>> {
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    if !metadata.is_file() {
        return refused("it is not a regular file".to_owned());
    }
    let length = metadata.len();
    if length > MOST_BYTES {
        return refused(format!(
            "it has {length} bytes, and no list has more than {MOST_BYTES}"
        ));
    }
    let mut list = Vec::new();
    // What it has grown since is not read; a list that is cut is refused as such.
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut list)?;
    Ok(list)
}

/// Twice what ten million names take.
const MOST_BYTES: u64 = 128 << 20;
