//! An acceptor that keeps itself fresh.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;

use super::{Acceptor, Settings, Store};
use crate::Error;

impl Acceptor {
    /// Serves what is in an identity folder, and follows the folder as it is renewed: `chain.pem`,
    /// `credential.pem` and `key.pem`, or a link to the folder that has them; see [`Watch`](super::Watch).
    ///
    /// The settings are those of [`Settings::new`]. The folder is looked at every 10 seconds by a thread, which ends with the last
    /// clone of the acceptor. A folder that is empty, or cannot be served, is no error: it may be filled or
    /// mended later. Until then clients get the [`fallback`](Self::fallback), or handshake_failure, and
    /// [`accept`](Self::accept) fails with [`Error::NothingInstalled`], which says what is wrong with the folder. **Nothing else
    /// does** without the feature `tracing`, which makes it a warning in the log: use
    /// [`follow_with`](Self::follow_with) where there is neither that, nor a look at the errors of `accept`, as with
    /// a `Listener` or a fallback.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    /// use dc_rustls::server::Acceptor;
    ///
    /// let acceptor = Acceptor::follow("/etc/dc", Arc::new(rustls::crypto::ring::default_provider()))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Fails with [`Error::Io`] if no thread can be started.
    pub fn follow(
        folder: impl Into<PathBuf>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        Self::follow_with(folder, Settings::new(provider), |_| ())
    }

    /// The same with these settings, and a report of each installation and of what could not be
    /// installed, to log it or to raise an alarm; the first is made before this returns.
    ///
    /// Fails as [`follow`](Self::follow) does.
    pub fn follow_with(
        folder: impl Into<PathBuf>,
        settings: Settings,
        report: impl FnMut(Result<(), Error>) + Send + 'static,
    ) -> Result<Self, Error> {
        let store = Store::with_settings(settings);
        let watch = store.watch(folder, INTERVAL, report)?;
        let mut acceptor = Self::new(store);
        acceptor.watch = Some(Arc::new(watch));
        Ok(acceptor)
    }
}

const INTERVAL: Duration = Duration::from_secs(10);
