//! A device that is in renews, whatever has become of its activation code; but it says so.

use super::client::ClientError;
use super::config::Enrolment;
use super::device::Agent;
use super::enrol::{self, Ask, Code};
use super::event::Event;
use super::schedule::Failure;
use super::state::CodeFailure;
use crate::error::Error;

impl Agent {
    /// True if there is an activation code that has not been used.
    pub(super) fn wants_to_enrol(&self) -> bool {
        matches!(self.what_to_ask(), Ok(Ask::Enrol(_)))
    }

    /// Chooses what to ask the signer for. Who is in does not wait for a code that cannot be read.
    pub(super) fn what_to_ask(&self) -> Result<Ask, Error> {
        match enrol::what_to_ask(&self.config.enrolment, &self.state) {
            Err(_) if self.is_in() => Ok(Ask::Renew),
            asked => asked,
        }
    }

    /// Tells what is wrong with the code of a device that is in, and forgets it when that has been put right.
    pub(super) fn look_at_code(&mut self) {
        let Enrolment::Code(path) = &self.config.enrolment else {
            return;
        };
        let known = self.state.code_trouble.as_ref();
        let trouble = match enrol::code(path) {
            Err(error) if self.is_in() => Some(CodeFailure {
                sha256: None,
                detail: format!(
                    "the activation code cannot be used, and the device renews without it: {error}"
                ),
            }),
            Ok(Some(code)) => known
                .filter(|known| known.sha256 == Some(code.sha256()))
                .cloned(),
            Ok(None) | Err(_) => None,
        };
        self.note_code(trouble);
    }

    /// True if who asked to be let in, with this result, should ask to renew as well.
    pub(super) fn renews_instead(&self, trouble: &ClientError) -> bool {
        match trouble {
            ClientError::Refused { problem, .. } if enrol::may_be_in_already(problem.kind()) => {
                true
            }
            _ if !self.is_in() => false,
            _ if trouble.failure() == Failure::Permanent => true,
            // Nothing is said about the code yet, so it is tried again; but nothing is lost meanwhile.
            ClientError::Refused { .. }
            | ClientError::Status { .. }
            | ClientError::NotUnderstood { .. } => self.is_renewal_due(),
            ClientError::Local { .. }
            | ClientError::Unreachable { .. }
            | ClientError::Untrusted { .. } => {
                trouble.is_about_an_ended_certificate() && self.is_renewal_due()
            }
        }
    }

    /// The device has renewed although this came of its code, which is given back if it is used up.
    pub(super) fn set_aside<'a>(
        &mut self,
        code: Option<&'a Code>,
        trouble: &ClientError,
    ) -> Option<&'a Code> {
        let code = code.filter(|_| trouble.failure() == Failure::Permanent)?;
        // Else the answer to it was lost.
        if let (true, Enrolment::Code(path)) = (self.is_in(), &self.config.enrolment) {
            let detail = format!(
                "the activation code in {} is not taken, or has been used, and the device renews without it ({trouble}): get another one, or remove the file",
                path.display()
            );
            self.note_code(Some(CodeFailure {
                sha256: Some(code.sha256()),
                detail,
            }));
        }
        Some(code)
    }

    fn note_code(&mut self, trouble: Option<CodeFailure>) {
        if self.state.code_trouble == trouble {
            return;
        }
        if let Some(CodeFailure { detail, .. }) = &trouble {
            let why = detail.clone();
            self.tell(&Event::Code { why });
        }
        self.state.code_trouble = trouble;
    }

    /// True if the signer has let it in before.
    fn is_in(&self) -> bool {
        self.state.device.is_some() || self.generation.is_some()
    }

    fn is_renewal_due(&self) -> bool {
        let now = self.reading().now;
        !self.is_accepted_at(now) || self.renewal_in(now) == 0
    }
}
