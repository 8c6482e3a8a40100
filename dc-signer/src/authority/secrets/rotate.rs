//! New versions of secrets, and going back to the one before.

use std::time::Duration;

use dc_store::registry::{Action, Purpose, SharedSecret};
use dc_store::{Act, Store};
use pki_types::UnixTime;
use zeroize::Zeroizing;

use super::super::{Error, SetupError};
use super::open::{Open, Vault};
use super::{new, newest};
use crate::config::Config;

/// The time for which an older version goes on to count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rotation {
    /// Not at all: it was stolen.
    AtOnce,
    /// For as long as something may be open that was made with it; lists are signed with both keys for this time.
    Overlap(Duration),
}

/// Makes a new version of a secret, and says which.
///
/// Names stay as they are: only devices that are added later are named with a new key. Fails with [`SetupError::NotSealed`] if the
/// secrets are in data folders, with [`SetupError::NoKeyGiven`] and [`SetupError::SealingKey`], and with
/// [`SecretsChanged`](dc_store::registry::Error::SecretsChanged).
pub async fn rotate(
    config: &Config,
    store: &Store,
    purpose: Purpose,
    rotation: Rotation,
    by: &Act,
) -> Result<SharedSecret, Error> {
    let open = Open::sealed(config, store).await?;
    let secret = new(purpose)?;
    let old_ends = end(&open, purpose, rotation, by.at).await?;
    add(&open, purpose, secret, old_ends, by).await
}

/// Makes the version of a secret that was used before the newest one the one that is used; it gets a new number.
///
/// Things that were made with the version that is taken back count as after a rotation, but for lists, which are not signed with it any
/// more. Fails as [`rotate`] does, with [`SetupError::NoOlderSecret`], and with [`SetupError::TakenBack`]
/// if that was done already.
pub async fn take_back(
    config: &Config,
    store: &Store,
    purpose: Purpose,
    by: &Act,
) -> Result<SharedSecret, Error> {
    let open = Open::sealed(config, store).await?;
    let newest = newest(&open.before, purpose).ok_or(SetupError::NotSealed)?;
    let older =
        |row: &&SharedSecret| row.purpose == purpose && row.fingerprint != newest.fingerprint;
    let older = open
        .before
        .iter()
        .filter(older)
        .max_by_key(|row| row.version);
    let older = older.ok_or(SetupError::NoOlderSecret { purpose })?;
    let same = |row: &&SharedSecret| {
        row.purpose == purpose
            && row.fingerprint == newest.fingerprint
            && row.version < newest.version
    };
    if let Some(same) = open.before.iter().find(same) {
        let (version, same) = (newest.version, same.version);
        return Err(SetupError::TakenBack {
            purpose,
            version,
            same,
        }
        .into());
    }
    let older = older.clone();
    let opening = move |vault: &Vault| vault.places().open(std::slice::from_ref(&older), &[]);
    let opened = open.run(opening).await?;
    let secret = opened.first().ok_or(SetupError::NotSealed)?;
    let rotation = match purpose {
        Purpose::Lists => Rotation::AtOnce,
        Purpose::Codes | Purpose::Names => Rotation::Overlap(Duration::ZERO),
    };
    let ends = end(&open, purpose, rotation, by.at).await?;
    add(&open, purpose, secret.secret.clone(), ends, by).await
}

/// When the versions before a new one end; none if nothing ends them.
async fn end(
    open: &Open<'_>,
    purpose: Purpose,
    rotation: Rotation,
    now: UnixTime,
) -> Result<Option<UnixTime>, Error> {
    let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let now = now.as_secs();
    Ok(match (purpose, rotation) {
        // It names nobody any more, and whoever has it learns names that are no secrets.
        (Purpose::Names, _) => None,
        (Purpose::Codes | Purpose::Lists, Rotation::AtOnce) => Some(at(now.saturating_sub(1))),
        (Purpose::Lists, Rotation::Overlap(overlap)) => {
            Some(at(now.saturating_add(overlap.as_secs())))
        }
        (Purpose::Codes, Rotation::Overlap(_)) => {
            let lifetime = open.config.enrolment.code_lifetime.as_secs();
            let last = open
                .store
                .last_code_ends()
                .await?
                .map_or(0, |end| end.as_secs());
            let last = last.max(now.saturating_add(lifetime));
            Some(at(last.saturating_add(WAITING.as_secs())))
        }
    })
}

/// Adds a version, and ends those before it.
async fn add(
    open: &Open<'_>,
    purpose: Purpose,
    secret: Zeroizing<Vec<u8>>,
    old_ends: Option<UnixTime>,
    by: &Act,
) -> Result<SharedSecret, Error> {
    let version = newest(&open.before, purpose).map_or(0, |row| row.version);
    let row = SharedSecret {
        purpose,
        version: version.saturating_add(1),
        fingerprint: purpose.fingerprint(&secret),
        sealed: None,
        since: by.at,
        until: None,
    };
    let before = open.before.clone();
    let sealing = move |vault: &Vault| vault.seal_row(&*vault.key(&before)?, &row, &secret);
    let row = open.run(sealing).await?;
    let mut after = open.before.clone();
    for old in after.iter_mut().filter(|old| old.purpose == purpose) {
        // One that ends earlier does so; none is there for longer than it was to be.
        old.until = match (old.until, old_ends) {
            (Some(until), Some(ends)) => Some(until.min(ends)),
            (until, ends) => until.or(ends),
        };
    }
    after.push(row.clone());
    after.sort_by_key(|row| (row.purpose, row.version));
    let records = vec![(Action::RotateSecret, Some(row.clone()))];
    open.change(after, records, by).await?;
    Ok(row)
}

/// The time that a device may wait for its name before its code counts, and a margin.
const WAITING: Duration = Duration::from_secs(8 * 86_400);
