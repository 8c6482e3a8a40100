//! The agent's memory, apart from the identity itself: one small file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::clock::Told;
use super::schedule::Wait;
use super::withdrawn::ListState;
use crate::error::Error;
use dc_pki::files::{self, Access, NewFile};

/// The memory that outlives restarts. Moments are seconds since 1970.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct State {
    /// The device's id at the signer; none before it enrolled.
    pub device: Option<String>,
    /// The SHA-256 of the enrolment key that the signer knew it by then: whoever has another key may be another device.
    pub device_key: Option<String>,
    /// The SHA-256 of the activation code that was used, so that a new one is noticed.
    pub used_code: Option<String>,
    /// The SHA-256 of the activation code that was sent and to which no answer was heard; none if nothing is.
    pub sent_code: Option<String>,
    /// The fault of the activation code of a device that is in; none if nothing is.
    pub code_trouble: Option<CodeFailure>,
    /// When the enrolment key was first used; none before.
    pub enrolment_key_since: Option<u64>,
    /// True if the signer knows the next enrolment key as well as this one.
    pub switching: bool,
    /// How many requests have failed in a row.
    pub failures: u32,
    /// How long to wait before the next request; none when nothing has failed.
    pub retry: Option<Wait>,
    /// The SHA-256 of what the device was to get in with when a request failed, so that a correction is noticed.
    pub tried_with: Option<String>,
    /// The last failure; none when nothing has since the last success.
    pub last_failure: Option<LastFailure>,
    /// The request whose answer has not arrived, or has not been installed.
    pub pending: Option<Pending>,
    /// A renewal that the operator pulled forward.
    pub pulled: Option<Pulled>,
    /// How long not to ask whether renewals are pulled forward.
    pub poll: Option<Wait>,
    /// How long not to renew again for what the device presents as a client alone, because that was broken.
    pub client_mended: Option<Wait>,
    /// The last time that an authenticated signer told. What earlier versions kept as `seen` may be any time that a
    /// signer ever said, so it counts for nothing.
    pub told: Option<Told>,
    /// How long not to ask for the time again; none while the clock is not in question.
    pub asking: Option<Asking>,
    /// The fault of the signer's own clock or certificate; none if nothing is.
    pub signer_clock: Option<String>,
    /// The generation that the hook was last run for with success.
    pub hooked: Option<u64>,
    /// The last failure of the hook, and when to run it again.
    pub hook_failure: Option<HookFailure>,
    /// The generation that was last seen to be served.
    pub checked: Option<u64>,
    /// The next look at what is served, and what was wrong with the last one.
    pub self_check: Option<SelfCheck>,
    /// The list of withdrawn names; none if it is not fetched.
    pub withdrawn: Option<ListState>,
}

impl State {
    /// Counts no failure any more, and waits for none.
    pub(crate) fn forget_failures(&mut self) {
        self.failures = 0;
        self.retry = None;
        self.last_failure = None;
    }
}

/// An activation code that is good for nothing.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CodeFailure {
    /// The SHA-256 of the code; none if it cannot even be read.
    pub sha256: Option<String>,
    /// The fault, for people.
    pub detail: String,
}

/// A failure.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LastFailure {
    /// When.
    pub at: u64,
    /// A word that does not change its meaning, for programs.
    pub kind: String,
    /// The same for people.
    pub detail: String,
    /// True if it will go on until somebody does something.
    pub permanent: bool,
}

/// A request that may be under way. Its key is in a file of its own.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pending {
    /// The request for the new key, in PEM.
    pub csr: String,
    /// The request for the device's key as a client, in PEM, if it is to be one.
    pub client_csr: Option<String>,
    /// The mark by which the signer sees that it is the same request again.
    pub idempotency_key: String,
    /// The SHA-256 of the credential that is to be replaced.
    pub previous_sha256: Option<String>,
    /// The request for the next enrolment key, in PEM, if the device is to get one.
    pub next_enrolment_csr: Option<String>,
}

/// The signer was asked for the time in vain.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Asking {
    /// How often in a row.
    pub times: u32,
    /// When to ask again.
    pub wait: Wait,
}

/// A renewal that the operator pulled forward.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pulled {
    /// Which pull it is: of credentials that were issued before this.
    pub issued_before: u64,
    /// When to renew, drawn once.
    pub at: u64,
}

/// A hook that has to be run again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct HookFailure {
    /// How often it has failed in a row.
    pub failures: u32,
    /// When to run it again.
    pub next: u64,
    /// The fault.
    pub detail: String,
}

/// A look at what the device's own server serves.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SelfCheck {
    /// The generation that it should serve.
    #[serde(rename = "unit")]
    pub generation: u64,
    /// How often it did not, in a row.
    pub failures: u32,
    /// When to look again.
    pub next: u64,
    /// The fault that was found; none before the first look.
    pub detail: Option<String>,
}

/// The file, and what is in it.
#[derive(Debug)]
pub struct StateFile {
    folder: PathBuf,
    written: Option<State>,
}

impl StateFile {
    /// Reads the state of a folder; what cannot be read counts as nothing, because a device must not
    /// stop for it, and is returned beside it.
    #[must_use]
    pub fn open(folder: &Path) -> (Self, State, Option<Error>) {
        let path = folder.join(NAME);
        let mut file = Self {
            folder: folder.into(),
            written: None,
        };
        if !files::exists(&path) {
            return (file, State::default(), None);
        }
        let read = files::read(&path).map_err(Error::from).and_then(|text| {
            serde_json::from_slice::<State>(&text).map_err(|source| Error::BadFile { path, source })
        });
        match read {
            Ok(state) => {
                file.written = Some(state.clone());
                (file, state, None)
            }
            Err(error) => (file, State::default(), Some(error)),
        }
    }

    /// Writes the state, if it is another one than on the disk: flash memory wears out.
    ///
    /// Fails with [`Error::Write`](dc_pki::Error::Write); then the old state is on the disk.
    pub fn save(&mut self, state: &State) -> Result<(), Error> {
        if self.written.as_ref() == Some(state) {
            return Ok(());
        }
        let path = self.folder.join(NAME);
        let json =
            serde_json::to_vec_pretty(state).map_err(|source| Error::BadFile { path, source })?;
        let file = NewFile {
            name: NAME,
            contents: &json,
            access: Access::Owner,
        };
        files::stage(&self.folder, &file)?.replace()?;
        files::sync(&self.folder)?;
        self.written = Some(state.clone());
        Ok(())
    }
}

const NAME: &str = "state.json";

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn example() -> State {
        State {
            device: Some("abc".to_owned()),
            failures: 3,
            retry: Some(Wait::new(1_800_000_000, 1_800_000_060, 5)),
            pulled: Some(Pulled {
                issued_before: 1,
                at: 2,
            }),
            ..State::default()
        }
    }

    #[test]
    fn a_state_is_remembered_and_only_written_when_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (mut file, state, error) = StateFile::open(folder.path());
        assert!(error.is_none() && state == State::default());
        file.save(&example()).unwrap();
        let path = folder.path().join(NAME);
        fs::remove_file(&path).unwrap();
        file.save(&example()).unwrap();
        assert!(!path.exists());
        file.save(&State::default()).unwrap();
        file.save(&example()).unwrap();
        assert_eq!(StateFile::open(folder.path()).1, example());
    }

    proptest! {
        #[test]
        fn whatever_is_in_the_file_the_agent_starts(garbage: Vec<u8>, cut in 0..200_usize) {
            let folder = tempfile::tempdir().unwrap();
            let json = serde_json::to_vec(&example()).unwrap();
            let garbage = [&[0xff], &garbage[..]].concat();
            for contents in [&garbage[..], &json[..cut.min(json.len() - 1)]] {
                fs::write(folder.path().join(NAME), contents).unwrap();
                let (_, state, error) = StateFile::open(folder.path());
                prop_assert!(error.is_some());
                prop_assert_eq!(state, State::default());
            }
        }
    }
}
