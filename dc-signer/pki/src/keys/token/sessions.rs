//! The sessions with a key in a token, one for each thread that works with it at the same time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use super::Outcome;
use super::fault::Fault;
use super::module::{InToken, Module};
use crate::token_fault::TokenFault;

/// The sessions with one key.
pub(super) struct Sessions {
    module: Module,
    /// Those that no thread works in.
    idle: Mutex<Vec<InToken>>,
}

impl Sessions {
    /// With one that is open already.
    pub(super) fn new(module: Module, within: InToken) -> Self {
        Self {
            module,
            idle: Mutex::new(vec![within]),
        }
    }

    /// Works in a session of this thread's; in a new one if that fails, because none of those that were open before may be good
    /// any more, nor the login. A new one has to have the same key.
    pub(super) fn work<T>(
        &self,
        is_same: impl Fn(&Session, ObjectHandle) -> Outcome<()>,
        work: impl Fn(&Session, ObjectHandle) -> Outcome<T>,
    ) -> Outcome<T> {
        let idle = self.idle().pop();
        if let Some(idle) = idle {
            match self.work_in(idle, &work) {
                Ok(done) => return Ok(done),
                Err(_) => self.forget(),
            }
        }
        self.work_in(self.enter(is_same)?, &work)
    }

    /// Works in a session, which is kept for the next time unless it is broken.
    fn work_in<T>(
        &self,
        within: InToken,
        work: impl Fn(&Session, ObjectHandle) -> Outcome<T>,
    ) -> Outcome<T> {
        let done = self.module.run(&within, work).unwrap_or_else(gone);
        match done {
            Ok(_) => self.idle().push(within),
            Err(_) => self.module.leave(within),
        }
        done
    }

    /// A session of its own for this thread.
    fn enter(
        &self,
        is_same: impl Fn(&Session, ObjectHandle) -> Outcome<()>,
    ) -> Result<InToken, TokenFault> {
        let within = self.module.enter().map_err(|fault| match fault {
            Fault::Secret(_) => TokenFault::NoPin,
            Fault::Token(fault) => fault,
        })?;
        let same = self.module.run(&within, is_same);
        match same.unwrap_or_else(gone) {
            Ok(()) => Ok(within),
            Err(fault) => {
                self.module.leave(within);
                Err(fault)
            }
        }
    }

    /// Ends the sessions that nobody works in.
    fn forget(&self) {
        let idle: Vec<_> = self.idle().drain(..).collect();
        for within in idle {
            self.module.leave(within);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<InToken>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.forget();
    }
}

/// The module was begun anew while a session was opened: the next one will do.
pub(super) fn gone<T>() -> Outcome<T> {
    Err(TokenFault::Away)
}
