//! Keys that are elsewhere, in a token for example: they may be away for a while, and come back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Error;
use super::error::PkiError;
use super::loaded::Loaded;
use super::promise::Promise;
use super::view::View;
use dc_pki::keys::{KeyFault, NotSigned};
use dc_store::registry::{Sha256, Zone};

/// The keys that cannot sign now what their zone promises, by zone and certificate, with the reason.
pub(super) type Away = BTreeMap<(String, Sha256), Error>;

/// Looks which of these keys cannot sign now, all at once. One that does not answer keeps nobody longer than a few seconds.
pub(super) async fn look(keys: Vec<(Promise, Arc<Loaded>)>) -> Away {
    let mut looking: JoinSet<_> = keys
        .into_iter()
        .filter(|(_, key)| key.delegation.key().location().file().is_none())
        .map(|(promise, key)| check(promise, key))
        .collect();
    let mut away = Away::new();
    while let Some(looked) = looking.join_next().await {
        let looked = looked.ok().flatten();
        away.extend(looked.map(|(of, error)| (of, error.into())));
    }
    away
}

/// The promises of the zones now, with the keys of theirs that were opened before.
pub(super) fn promises_of(old: &View, zones: &[Zone]) -> Vec<(Promise, Arc<Loaded>)> {
    let mut promises = Vec::new();
    for zone in zones {
        if let Ok(old) = old.zone(&zone.zone) {
            promises.extend(old.opened().map(|key| (Promise::of(zone), key.clone())));
        }
    }
    promises
}

async fn check(promise: Promise, loaded: Arc<Loaded>) -> Option<((String, Sha256), PkiError)> {
    let (of, asked) = (
        (promise.zone.to_string(), loaded.certificate_sha256),
        loaded.clone(),
    );
    // A look that hangs is waited for, rather than joined by one more each time.
    let looking = loaded.looking.run(move || {
        let checked = asked.delegation.key().check();
        checked.map_err(|source| PkiError::Sign { source })?;
        promise.try_with(&asked)
    });
    let error = match timeout(PATIENCE, looking).await {
        Ok(Ok(checked)) => checked.err()?,
        Ok(Err(_)) | Err(_) => {
            let key = loaded.delegation.key().location().clone();
            let fault = KeyFault::Silent { waited: PATIENCE };
            let source = NotSigned { key, fault };
            PkiError::Sign { source }
        }
    };
    Some((of, error))
}

/// Longer than a key in a network takes to sign.
const PATIENCE: Duration = Duration::from_secs(3);
