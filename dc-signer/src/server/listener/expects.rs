//! Those for whom a time is kept that has come: they are let in where nobody else is.

use std::fmt;
use std::sync::Arc;

use dc_pki::Sha256;

/// Says of a key whether its holder was told to come now.
#[derive(Clone)]
pub struct Expects(Arc<dyn Fn(&Sha256) -> bool + Send + Sync>);

impl Expects {
    /// As somebody says who knows.
    #[must_use]
    pub fn new(expects: impl Fn(&Sha256) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(expects))
    }

    pub(super) fn holder_of(&self, key: &Sha256) -> bool {
        (self.0)(key)
    }
}

/// Nobody.
impl Default for Expects {
    fn default() -> Self {
        Self::new(|_| false)
    }
}

impl fmt::Debug for Expects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(_) = self;
        f.write_str("Expects(..)")
    }
}
