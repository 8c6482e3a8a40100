//! A secret key in a token, which makes MACs in there (HMAC-SHA-256) and is never seen here.

use std::fmt;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use zeroize::Zeroizing;

use super::super::secret_key_error::SecretKeyError;
use super::super::unlock::Unlock;
use super::fault::Fault;
use super::module::Module;
use super::sessions::{Sessions, gone};
use super::{Outcome, failed};
use crate::token_fault::TokenFault;
use crate::token_uri::TokenUri;

/// A secret key in a token, which cannot leave it.
pub(in super::super) struct TokenSecret {
    sessions: Sessions,
    /// A MAC that tells this key from another one of the same name.
    known_by: Mac,
}

type Mac = Zeroizing<[u8; MAC_LEN]>;

impl TokenSecret {
    /// Opens the key; the MAC of `known_by` says later whether it is still the same.
    pub(in super::super) fn open(
        uri: &TokenUri,
        known_by: &[u8],
        unlock: &Unlock,
    ) -> Result<Self, SecretKeyError> {
        Ok(Self::open_in(uri, known_by, unlock)?)
    }

    pub(super) fn open_in(uri: &TokenUri, known_by: &[u8], unlock: &Unlock) -> Result<Self, Fault> {
        let module = Module::load(uri, ObjectClass::SECRET_KEY, unlock)?;
        let within = module.enter()?;
        let look = |session: &Session, key| {
            stays_inside(session, key)?;
            mac(session, key, known_by)
        };
        let known_by = match module.run(&within, look).unwrap_or_else(gone) {
            Ok(mac) => mac,
            Err(fault) => {
                module.leave(within);
                return Err(fault.into());
            }
        };
        Ok(Self {
            sessions: Sessions::new(module, within),
            known_by,
        })
    }

    /// The MAC that it was opened with.
    pub(in super::super) fn known_by(&self) -> &[u8; MAC_LEN] {
        &self.known_by
    }

    /// The MAC of a message; `known_by` is what it was opened with.
    pub(in super::super) fn mac(&self, message: &[u8], known_by: &[u8]) -> Outcome<Mac> {
        let is_same = |session: &Session, key| match mac(session, key, known_by)? == self.known_by {
            true => Ok(()),
            false => Err(TokenFault::NoKey),
        };
        let work = |session: &Session, key| mac(session, key, message);
        self.sessions.work(is_same, work)
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret(..)")
    }
}

fn mac(session: &Session, key: ObjectHandle, message: &[u8]) -> Outcome<Mac> {
    let made = session.sign(&Mechanism::Sha256Hmac, key, message);
    let made = Zeroizing::new(made.map_err(|error| failed(&error))?);
    let mac = <[u8; MAC_LEN]>::try_from(&made[..]).map_err(|_| not_sealing("its MACs are cut"))?;
    Ok(Zeroizing::new(mac))
}

/// A token that does not say whether a key can leave it has to be believed; one that says so is not.
fn stays_inside(session: &Session, key: ObjectHandle) -> Outcome<()> {
    let wanted = [
        AttributeType::Sensitive,
        AttributeType::Extractable,
        AttributeType::ValueLen,
    ];
    let attributes = session.get_attributes(key, &wanted);
    for attribute in attributes.map_err(|error| failed(&error))? {
        match attribute {
            Attribute::Sensitive(false) | Attribute::Extractable(true) => {
                return Err(not_sealing("it can leave its token"));
            }
            Attribute::ValueLen(len) if *len < LEN => {
                return Err(not_sealing("it is shorter than 32 bytes"));
            }
            _ => {}
        }
    }
    Ok(())
}

const fn not_sealing(why: &'static str) -> TokenFault {
    TokenFault::NotSealing { why }
}

const MAC_LEN: usize = 32;
/// The least length of a key, and of those that are made.
pub(super) const LEN: u64 = 32;
