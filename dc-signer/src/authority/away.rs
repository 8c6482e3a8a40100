//! Keys that are elsewhere, in a token for example: they may be away for a while, and come back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Error;
use super::error::PkiError;
use super::loaded::Loaded;
use dc_pki::keys::{KeyFault, NotSigned};
use dc_store::registry::Sha256;

/// The keys that cannot sign now, by their certificates, with the reason.
pub(super) type Away = BTreeMap<Sha256, Error>;

/// Looks which of these keys cannot sign now, all at once. One that does not answer keeps nobody longer than a few seconds.
pub(super) async fn look(keys: impl Iterator<Item = Arc<Loaded>>) -> Away {
    let mut looking: JoinSet<_> = keys
        .filter(|key| key.delegation.key().location().file().is_none())
        .map(check)
        .collect();
    let mut away = Away::new();
    while let Some(looked) = looking.join_next().await {
        let looked = looked.ok().flatten();
        away.extend(looked.map(|(sha256, source)| (sha256, PkiError::Sign { source }.into())));
    }
    away
}

async fn check(loaded: Arc<Loaded>) -> Option<(Sha256, NotSigned)> {
    let (sha256, asked) = (loaded.certificate_sha256, loaded.clone());
    // A look that hangs is waited for, rather than joined by one more each time.
    let looking = loaded.looking.run(move || asked.delegation.key().check());
    let fault = match timeout(PATIENCE, looking).await {
        Ok(Ok(checked)) => checked.err()?,
        Ok(Err(_)) | Err(_) => NotSigned {
            key: loaded.delegation.key().location().clone(),
            fault: KeyFault::Silent { waited: PATIENCE },
        },
    };
    Some((sha256, fault))
}

/// Longer than a key in a network takes to sign.
const PATIENCE: Duration = Duration::from_secs(3);
