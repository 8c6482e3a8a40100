//! Settings that a reload may change, for whoever reads them.

use std::fmt;
use std::sync::Arc;

/// One part of the settings, as they are now. All parts are of one snapshot, which is swapped as a whole.
pub struct Live<T>(Arc<dyn Fn() -> Arc<T> + Send + Sync>);

impl<T: Send + Sync + 'static> Live<T> {
    /// Reads the part from where all of them are.
    pub fn new(part: impl Fn() -> Arc<T> + Send + Sync + 'static) -> Self {
        Self(Arc::new(part))
    }

    /// Settings that nothing changes.
    pub fn fixed(settings: T) -> Self {
        let settings = Arc::new(settings);
        Self::new(move || settings.clone())
    }

    /// The settings now.
    #[must_use]
    pub fn load(&self) -> Arc<T> {
        (self.0)()
    }
}

/// Reads the same settings.
impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.debug_struct("Live").finish_non_exhaustive()
    }
}
