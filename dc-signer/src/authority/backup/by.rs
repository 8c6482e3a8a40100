//! Whoever brings a database back.

use pki_types::UnixTime;

use super::Error;
use crate::authority::claim::{self, Claim};
use crate::config::Config;
use dc_store::registry::{Reason, Role};
use dc_store::{Act, Store};

/// Whoever brings a database back, which is checked in a database that is there.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// The credential that they show.
    pub claim: &'a Claim,
    /// Their reason.
    pub reason: Option<&'a Reason>,
    /// When.
    pub now: UnixTime,
}

impl By<'_> {
    pub(super) async fn act(&self, store: &Store) -> Result<Act, Error> {
        let Self { claim, reason, now } = *self;
        let caller = claim.identify(store, Role::Admin, reason, now).await?;
        Ok(caller.act(now))
    }

    /// Records that there was no credential, once records may follow, unless what was done has said so already.
    pub(super) async fn tell(&self, store: &Store) -> Result<(), Error> {
        if let Claim::Root(_) = self.claim {
            let number = store.broken_glass_of(&self.act(store).await?).await?;
            if let Some(number) = number {
                claim::warn(number);
                return Ok(());
            }
        }
        Ok(self.claim.tell(store, self.now).await?)
    }

    /// Checks in the database that is to be replaced, which knows who was kept out since.
    pub(super) async fn check_in(&self, config: &Config) -> Result<(), Error> {
        let store = dc_store::open(&config.database, &config.node).await?;
        let allowed = self.act(&store).await;
        store.close().await;
        allowed.map(|_| ())
    }
}
