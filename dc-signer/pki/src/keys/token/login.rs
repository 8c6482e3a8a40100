//! Logging in to a token, without locking it.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error as Cryptoki, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::RawAuthPin;

use super::super::unlock::Unlock;
use super::failed;
use super::fault::Fault;
use crate::secret::SecretSource;
use crate::token_fault::{TokenFault, Tries};

/// The place of a token's PIN, and the PINs that were refused.
pub(super) struct Login {
    pin: Unlock,
    refused: Unlock,
}

impl Login {
    /// With the PIN from a place; if there is none, from where passphrases are.
    pub(super) fn new(pin: Option<SecretSource>, unlock: &Unlock) -> Self {
        Self {
            pin: pin.map_or_else(|| unlock.clone(), Unlock::with),
            refused: unlock.clone(),
        }
    }

    /// Logs in with the PIN, unless the token has refused it before or says that one more wrong one would lock it.
    pub(super) fn log_in(
        &self,
        pkcs11: &Pkcs11,
        slot: Slot,
        session: &Session,
        info: &TokenInfo,
    ) -> Result<(), Fault> {
        // Whoever is logged in with another session is so with this one.
        if let Ok(state) = session.get_session_info()
            && matches!(
                state.session_state(),
                SessionState::RoUser | SessionState::RwUser
            )
        {
            return Ok(());
        }
        if info.user_pin_locked() {
            return Err(TokenFault::PinLocked.into());
        }
        if info.user_pin_final_try() {
            return Err(TokenFault::LastTry.into());
        }
        let pin = self.pin.passphrase().ok_or(TokenFault::NoPin)?;
        let pin = pin.map_err(Fault::Secret)?;
        let token = name(info);
        if self.refused.was_refused(&token, &pin) {
            return Err(TokenFault::PinWrong { tries: tries(info) }.into());
        }
        let raw = RawAuthPin::from(Box::new(pin.to_vec()));
        match session.login_with_raw(UserType::User, &raw) {
            Ok(()) | Err(Cryptoki::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(Cryptoki::Pkcs11(RvError::PinLocked, _)) => Err(TokenFault::PinLocked.into()),
            Err(Cryptoki::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            )) => {
                self.refused.refuse(&token, &pin);
                let now = pkcs11.get_token_info(slot);
                let tries = now.map_or_else(|_| Tries::default(), |info| tries(&info));
                Err(TokenFault::PinWrong { tries }.into())
            }
            Err(Cryptoki::Pkcs11(RvError::UserPinNotInitialized, _)) => {
                Err(TokenFault::NoUserPin.into())
            }
            Err(error) => Err(failed(&error).into()),
        }
    }
}

/// The name that a refused PIN is remembered under.
pub(super) fn name(info: &TokenInfo) -> String {
    [info.serial_number(), info.label()].join("/")
}

fn tries(info: &TokenInfo) -> Tries {
    match (info.user_pin_final_try(), info.user_pin_count_low()) {
        (true, _) => Tries::One,
        (false, true) => Tries::Few,
        (false, false) => Tries::Unsaid,
    }
}
