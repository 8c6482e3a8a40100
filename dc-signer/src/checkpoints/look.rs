//! The check of `[checkpoints]` before a service needs it: the key is there, is the key of the log so far, and signs.

use dc_evidence::VerifyingKey;
use dc_pki::Warning;

use super::state::State;
use super::{Error, places, signer};
use crate::config::{CheckpointKey, Checkpoints, Config};
use crate::keyd::LogKey;

/// Looks whether the audit log could be signed for, and changes nothing; says what somebody should look at.
///
/// Fails with [`Error::Pki`] and [`Error::Key`] if the key cannot be read, with [`Error::KeyOfOthers`] if others may, with
/// [`Error::OtherKey`] if the log was signed for with another one under the same name, and with [`Error::BadState`].
pub fn look(config: &Config) -> Result<(), Error> {
    let Some(settings) = &config.checkpoints else {
        return Ok(());
    };
    if let CheckpointKey::File(path) = &settings.key
        && let Some(Warning::KeyReadable { path, mode }) = dc_pki::files::check_private(path)?
    {
        return Err(Error::KeyOfOthers { path, mode });
    }
    let signer = signer(config, settings)?;
    let now = signer.verifying_key();
    match State::key_so_far(&config.data)? {
        Some(before) if before != *now && before.name() == now.name() => Err(Error::OtherKey {
            before,
            now: now.clone(),
        }),
        _ => Ok(()),
    }
}

/// Finds the places that are files and could not be written by this user now, each with its number and what to do.
#[must_use]
pub fn unwritable(config: &Config) -> Vec<(usize, String)> {
    places::unwritable(&config.checkpoint_places)
}

/// Asks the signing process whether it signs for the audit log with the key that is configured.
///
/// Waits for it, some seconds at most. Fails with [`Error::Process`] and [`Error::OtherLogKey`].
pub fn ask(config: &Config) -> Result<(), Error> {
    let Some(Checkpoints {
        key: CheckpointKey::Process { socket, key },
        ..
    }) = &config.checkpoints
    else {
        return Ok(());
    };
    let found: Result<VerifyingKey, _> =
        LogKey::find(config.keys.unlock.process(socket)).map(|log| log.verifying_key().clone());
    match found {
        Ok(found) if found == *key => Ok(()),
        Ok(found) => Err(Error::OtherLogKey {
            wanted: key.clone(),
            found,
        }),
        Err(source) => Err(Error::Process {
            socket: socket.clone(),
            source,
        }),
    }
}
