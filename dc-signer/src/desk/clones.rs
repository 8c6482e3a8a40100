//! Noticing that two devices use one enrolment key.
//!
//! A device shows the credential that it holds when it renews. If that is an older one than it was given, either the
//! last answer was lost, and then it comes again within hours; or another device got that answer.

use std::time::Duration;

use pki_types::UnixTime;

use super::issue::by_device;
use super::{Desk, Refusal};
use crate::registry::{Change, Device, Sha256};

impl Desk {
    /// Flags the device if what it shows is not what it was given. It still gets its credentials: a flag is
    /// for an operator to look at, and must not be a way to lock somebody out.
    pub(super) async fn watch_for_clones(
        &self,
        device: &Device,
        shown: Option<&Sha256>,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        if looks_cloned(device, shown, now) {
            self.flag(device, now).await?;
        }
        Ok(())
    }

    /// Flags a device as possibly cloned.
    pub(super) async fn flag(&self, device: &Device, now: UnixTime) -> Result<(), Refusal> {
        if !device.possible_clone {
            tracing::warn!(device = %device.id, name = %device.name, "two devices seem to use one name");
            let by = by_device(now);
            let flag = Change::FlagClone;
            self.store.change_device(device.id, &flag, &by).await?;
        }
        Ok(())
    }
}

fn looks_cloned(device: &Device, shown: Option<&Sha256>, now: UnixTime) -> bool {
    // Nothing to show is how a device looks that was reset.
    let (Some(held), Some(shown)) = (device.credential, shown) else {
        return false;
    };
    let age = now.as_secs().saturating_sub(held.issued.as_secs());
    held.sha256 != *shown && age >= LOST_ANSWER.as_secs()
}

/// By then a device whose answer got lost has asked again: it waits four hours at most between two tries.
const LOST_ANSWER: Duration = Duration::from_secs(6 * 3600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Held;
    use crate::registry::testing::{at, device, key};

    fn holding() -> Device {
        Device {
            credential: Some(Held {
                sha256: key(2),
                spki_sha256: key(3),
                issued: at(1_800_000_000),
                expires: at(1_800_590_400),
            }),
            ..device()
        }
    }

    #[test]
    fn a_device_that_shows_what_it_was_given_is_no_clone() {
        assert!(!looks_cloned(&holding(), Some(&key(2)), at(1_800_300_000)));
    }

    #[test]
    fn an_older_credential_is_a_lost_answer_for_six_hours() {
        for (age, cloned) in [(6 * 3600 - 1, false), (6 * 3600, true)] {
            let now = at(1_800_000_000 + age);
            assert_eq!(looks_cloned(&holding(), Some(&key(1)), now), cloned);
        }
    }

    #[test]
    fn a_device_that_lost_its_credential_is_no_clone() {
        assert!(!looks_cloned(&holding(), None, at(1_800_300_000)));
        assert!(!looks_cloned(&device(), Some(&key(1)), at(1_800_300_000)));
    }
}
