//! The application's last word on whom it talks to.

use std::fmt;
use std::sync::Arc;

use dc_core::UniqueName;
use rustls::pki_types::{ServerName, UnixTime};

use super::Peer;
use crate::Refusal;
use crate::withdrawn::Withdrawals;

/// Asked after all checks have passed, for full handshakes and before sessions are resumed.
#[derive(Clone, Default)]
pub(super) struct Authorization {
    pub(super) withdrawals: Option<Arc<Withdrawals>>,
    predicate: Option<Arc<Predicate>>,
}

type Predicate = dyn Fn(&ServerName<'_>, &Peer) -> bool + Send + Sync;

impl Authorization {
    /// Asks this from now on, beside the lists of withdrawn names.
    pub(super) fn ask(
        &mut self,
        allows: impl Fn(&ServerName<'_>, &Peer) -> bool + Send + Sync + 'static,
    ) {
        self.predicate = Some(Arc::new(allows));
    }

    /// Fails if this peer is not to be talked to, whatever it has proved.
    pub(super) fn check(
        &self,
        wanted: &ServerName<'_>,
        peer: &Peer,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        if let Some(withdrawals) = &self.withdrawals {
            // Whoever proves no name of its own is there under the one that was wanted.
            let name = match peer.unique_name() {
                Some(name) => Some(UniqueName::from(name)),
                None => UniqueName::wanted(wanted),
            };
            name.map_or(Ok(()), |name| withdrawals.check(&name, now))?;
        }
        let allows = self.predicate.as_ref();
        match allows.is_none_or(|allows| allows(wanted, peer)) {
            true => Ok(()),
            false => Err(Refusal::NotAuthorized),
        }
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization").finish_non_exhaustive()
    }
}
