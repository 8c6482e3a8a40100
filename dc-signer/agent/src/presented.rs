//! The device as a client: it presents a credential to servers that ask for one, a cloud service for example.
//!
//! The signer gives it beside the server's, for a key of its own, and it is in the same generation. What is wrong with it costs
//! the server nothing.

use dc_core::Role;

use super::config::Config;
use super::device::Agent;
use super::event::Event;
use super::generation::Generation;
use super::keys::{Key, NewKeys};
use super::verify::{Checked, Checker, UntrustedError};
use dc_protocol::Credentials;

impl Config {
    /// The fault of what a generation has for the device as a client; none if it is to be none, or has not enrolled yet.
    #[must_use]
    pub fn client_fault(
        &self,
        generation: Option<&Generation>,
        checker: &Checker<'_>,
    ) -> Option<String> {
        self.client?;
        match checker.check_client(generation?) {
            Ok(_) => None,
            Err(UntrustedError::NoCredential) => Some(NONE.to_owned()),
            Err(why) => Some(format!(
                "servers do not accept the device as a client: {why}"
            )),
        }
    }
}

impl Agent {
    /// True if the device is to be a client, and the signer has not been asked for that yet.
    pub(super) fn is_new_client(&self) -> bool {
        let generation = self.generation.as_ref();
        let was_asked = generation.is_none_or(|generation| generation.meta.asked_as_client);
        self.config.client.is_some() && !was_asked
    }

    /// The part of an answer for the device as a client, if there is one that servers accept.
    pub(super) fn as_client<'k>(
        &mut self,
        answer: &Credentials,
        keys: &'k NewKeys,
    ) -> Option<(Checked, &'k Key)> {
        let key = keys.client.as_ref()?;
        if answer.client_credentials.is_empty() {
            return None;
        }
        let checker = self.checker(self.reading().now);
        match checker.check_answer(Role::Client, answer, &key.spki()) {
            Ok(checked) => Some((checked, key)),
            Err(why) => {
                self.tell(&Event::NoClient { why });
                None
            }
        }
    }
}

const NONE: &str = "the device has no credential as a client: its zone may issue none ('dc-signer zones roles ZONE both' at the signer, and 'pull-renewals' to have it now)";
