//! The device as a client: it presents a credential to servers that ask for one, a cloud service for example.
//!
//! The signer gives it beside the server's, for a key of its own, and it is in the same generation. What is wrong with it costs
//! the server nothing.

use std::fmt;

use dc_core::Role;

use super::config::Config;
use super::device::Agent;
use super::event::Event;
use super::generation::Generation;
use super::keys::{Key, NewKeys};
use super::schedule::Wait;
use super::verify::{Checked, Checker, UntrustedError};
use crate::error::Error;
use dc_protocol::Credentials;

/// The fault of what a device is to present as a client.
#[derive(Debug)]
pub(super) enum ClientFault<'a> {
    /// A file of it cannot be read, or is not what its name says.
    Damaged(&'a Error),
    /// The signer gave none.
    NotGiven,
    /// Servers do not accept it.
    Refused(UntrustedError),
}

impl ClientFault<'_> {
    /// True if the signer has given something that is worth nothing now, so that another would help.
    fn is_mended_by_renewal(&self) -> bool {
        matches!(self, Self::Damaged(_) | Self::Refused(_))
    }
}

impl fmt::Display for ClientFault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(error) => {
                write!(
                    f,
                    "what the device presents as a client cannot be used: {error}"
                )
            }
            Self::NotGiven => f.write_str(NONE),
            Self::Refused(why) => {
                write!(f, "servers do not accept the device as a client: {why}")
            }
        }
    }
}

impl Config {
    /// The fault of what a generation has for the device as a client; none if it is to be none, or has not enrolled yet.
    pub(super) fn client_fault<'a>(
        &self,
        generation: Option<&'a Generation>,
        checker: &Checker<'_>,
    ) -> Option<ClientFault<'a>> {
        self.client?;
        match &generation?.client {
            None => Some(ClientFault::NotGiven),
            Some(Err(error)) => Some(ClientFault::Damaged(error)),
            Some(Ok(part)) => checker
                .check_part(Role::Client, part)
                .err()
                .map(ClientFault::Refused),
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

    /// True if the device was given something to present as a client, and it is worth nothing at a time.
    pub(super) fn is_broken_client(&self, now: u64) -> bool {
        let generation = self.generation.as_ref();
        let fault = self.config.client_fault(generation, &self.checker(now));
        fault.is_some_and(|fault| fault.is_mended_by_renewal())
    }

    /// True if a renewal is due because of that: at once, and then not for 12 hours.
    pub(super) fn client_needs_mending(&self, now: u64) -> bool {
        let wait = self.state.client_mended;
        wait.is_none_or(|wait| wait.left(self.clock.wall()) == 0) && self.is_broken_client(now)
    }

    /// Remembers that a renewal was for that.
    pub(super) fn client_is_mended(&mut self, now: u64) {
        let wait = Wait::new(now, now.saturating_add(BETWEEN_MENDINGS), self.clock.wall());
        self.state.client_mended = Some(wait);
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

const NONE: &str = "the device has no credential as a client: its zone may issue none ('dc-signer zones roles ZONE both' at the signer; the next renewal brings one, and within a day if the zone's renewals are pulled)";
/// Storage that has lost one credential may lose the next, and each costs a request, and the server a reload.
const BETWEEN_MENDINGS: u64 = 12 * 3600;
