//! The application's last word on whom it talks to.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::ServerName;

use super::Peer;

/// Asked after all checks have passed, for full handshakes and before sessions are resumed.
#[derive(Clone, Default)]
pub(super) struct Authorization(Option<Arc<Predicate>>);

type Predicate = dyn Fn(&ServerName<'_>, &Peer) -> bool + Send + Sync;

impl Authorization {
    pub(super) fn new(
        allows: impl Fn(&ServerName<'_>, &Peer) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Arc::new(allows)))
    }

    pub(super) fn allows(&self, wanted: &ServerName<'_>, peer: &Peer) -> bool {
        self.0.as_ref().is_none_or(|allows| allows(wanted, peer))
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").finish_non_exhaustive()
    }
}
