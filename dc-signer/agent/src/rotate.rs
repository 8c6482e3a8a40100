//! Another enrolment key, now and then: offered with a renewal, and kept beside the old one until the signer has
//! taken it.
//!
//! The signer takes both keys until the new one is first used. So the device uses it with its next renewal, and the
//! old one is overwritten in one step when that has succeeded. Wherever the device stops in between, it has a key
//! that the signer knows; if it has lost count of which, it tries the other one.

use std::fs;

use super::device::Agent;
use super::event::Event;
use super::keys::{ENROLMENT_KEY, Key};
use super::request;
use crate::error::Error;
use dc_pki::files;

/// The key that a request is made with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum With {
    /// The enrolment key, for a request that lets the device in.
    Enrolling,
    /// The next enrolment key.
    Next,
    /// The enrolment key.
    Present,
}

impl Agent {
    /// The request for the next enrolment key, if it is time for one.
    ///
    /// An error that keeps it from being made is told, and no reason not to renew.
    pub(super) fn next_enrolment_csr(&mut self) -> Option<String> {
        if !self.is_rotation_due() {
            return None;
        }
        match self.offer() {
            Ok(csr) => Some(csr),
            Err(error) => {
                self.tell(&Event::Setback { error });
                None
            }
        }
    }

    /// Which key to ask with first, and the other one if there is one.
    pub(super) fn enrolment_keys(&self) -> (With, Option<With>) {
        match (&self.next_enrolment_key, self.state.switching) {
            (None, _) => (With::Present, None),
            (Some(_), true) => (With::Next, Some(With::Present)),
            (Some(_), false) => (With::Present, Some(With::Next)),
        }
    }

    pub(super) fn enrolment_key(&self, with: With) -> &Key {
        match (with, &self.next_enrolment_key) {
            (With::Next, Some(next)) => next,
            _ => &self.enrolment_key,
        }
    }

    /// The signer has answered a request that was made like this, and, if it was `offered` one, has heard of the
    /// next key.
    pub(super) fn enrolment_key_worked(&mut self, with: With, offered: bool) {
        let now = self.reading().now;
        self.state.enrolment_key_since.get_or_insert(now);
        match with {
            With::Next => self.use_next_key(),
            // A key that was offered when the device had been in before is another device's now.
            With::Enrolling => self.forget_next_key(),
            With::Present => self.state.switching = offered,
        }
    }

    /// Reads what an earlier run left of a switch.
    pub(super) fn resume_switch(&mut self) {
        let path = self.config.state.join(NEXT_ENROLMENT_KEY);
        if files::exists(&path) {
            match Key::read(&path) {
                Ok(key) => self.next_enrolment_key = Some(key),
                Err(error) => self.tell(&Event::Setback { error }),
            }
        } else if self.state.switching {
            // It stopped between the last two steps of `use_next_key`.
            self.switched();
        }
    }

    fn is_rotation_due(&self) -> bool {
        let lifetime = self.config.enrolment_key_lifetime;
        let (Some(lifetime), Some(since)) = (lifetime, self.state.enrolment_key_since) else {
            return false;
        };
        let due = since.saturating_add(lifetime.as_secs());
        self.reading().now >= due && !self.state.switching && !self.wants_to_enrol()
    }

    /// The key that was offered before, if there is one: the signer may know it.
    fn offer(&mut self) -> Result<String, Error> {
        let key = match self.next_enrolment_key.take() {
            Some(key) => key,
            None => {
                let key = Key::generate()?;
                key.save(&self.config.state, NEXT_ENROLMENT_KEY)?;
                key
            }
        };
        let csr = request::csr(&key);
        self.next_enrolment_key = Some(key);
        csr
    }

    fn use_next_key(&mut self) {
        let folder = &self.config.state;
        let renamed = fs::rename(folder.join(NEXT_ENROLMENT_KEY), folder.join(ENROLMENT_KEY))
            .map_err(files::write_failed(&folder.join(ENROLMENT_KEY)))
            .and_then(|()| files::sync(folder));
        if let Err(error) = renamed {
            // The signer knows only the next key from now on, so it stays the first to be asked with.
            self.state.switching = true;
            self.tell(&Event::Setback {
                error: error.into(),
            });
            return;
        }
        if let Some(key) = self.next_enrolment_key.take() {
            self.enrolment_key = key;
        }
        self.switched();
        self.tell(&Event::KeySwitched);
    }

    fn switched(&mut self) {
        self.state.switching = false;
        self.state.enrolment_key_since = Some(self.reading().now);
    }

    fn forget_next_key(&mut self) {
        self.state.switching = false;
        self.next_enrolment_key = None;
        if let Err(error) = files::remove(&self.config.state.join(NEXT_ENROLMENT_KEY)) {
            self.tell(&Event::Setback {
                error: error.into(),
            });
        }
    }
}

/// The key that takes the enrolment key's place.
const NEXT_ENROLMENT_KEY: &str = "next-enrolment-key.pem";
