//! A PKCS#11 module, and ways into the token with the key.

use std::sync::Arc;

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};

use super::super::unlock::Unlock;
use super::failed;
use super::fault::Fault;
use super::library::{Library, State};
use super::login::Login;
use crate::token_fault::TokenFault;
use crate::token_uri::TokenUri;

/// A module, with the name of the key in one of its tokens.
pub(super) struct Module {
    library: Arc<Library>,
    uri: TokenUri,
    class: ObjectClass,
    login: Login,
}

/// A session in which the key can be used.
pub(super) struct InToken {
    session: Session,
    key: ObjectHandle,
    generation: u64,
}

/// Where a session is.
pub(super) struct Place<'p> {
    pub(super) pkcs11: &'p Pkcs11,
    pub(super) slot: Slot,
}

impl Module {
    pub(super) fn load(
        uri: &TokenUri,
        class: ObjectClass,
        unlock: &Unlock,
    ) -> Result<Self, TokenFault> {
        Ok(Self {
            library: Library::load(&uri.module)?,
            uri: uri.clone(),
            class,
            login: Login::new(uri.pin(), unlock),
        })
    }

    /// A new session in which the key can be used; if the token was away, with the module begun anew.
    pub(super) fn enter(&self) -> Result<InToken, Fault> {
        let using = self.library.using();
        let generation = using.generation;
        let entered = self.enter_with(&using);
        drop(using);
        match entered {
            Err(Fault::Token(fault)) if fault.is_temporary() => {
                self.library.begin_anew(generation)?;
                self.enter_with(&self.library.using())
            }
            entered => entered,
        }
    }

    /// Does something in a session; `None` if it is older than the module.
    pub(super) fn run<T>(
        &self,
        within: &InToken,
        work: impl FnOnce(&Session, ObjectHandle) -> Result<T, TokenFault>,
    ) -> Option<Result<T, TokenFault>> {
        let using = self.library.using();
        let is_current = using.generation == within.generation;
        is_current.then(|| work(&within.session, within.key))
    }

    /// Ends a session. One that is older than the module has ended with it.
    pub(super) fn leave(&self, within: InToken) {
        let using = self.library.using();
        if using.generation == within.generation {
            // It may be broken, which is why it is ended.
            let _ = within.session.close();
        }
    }

    fn enter_with(&self, using: &State) -> Result<InToken, Fault> {
        // What is older than the module must not be closed, so nothing is by itself.
        let (session, _) = self.session(using, Pkcs11::open_ro_session_no_drop)?;
        match self.key(&session) {
            Ok(key) => Ok(InToken {
                session,
                key,
                generation: using.generation,
            }),
            Err(fault) => {
                let _ = session.close();
                Err(fault.into())
            }
        }
    }

    /// Does something in a session that may change the token; the key need not be there.
    pub(super) fn change<T>(
        &self,
        work: impl FnOnce(&Session, &Place<'_>) -> Result<T, TokenFault>,
    ) -> Result<T, Fault> {
        let using = self.library.using();
        let (session, slot) = self.session(&using, Pkcs11::open_rw_session_no_drop)?;
        let pkcs11 = &using.pkcs11;
        let done = match self.key(&session) {
            Err(TokenFault::NoKey) => work(&session, &Place { pkcs11, slot }),
            Ok(_) | Err(TokenFault::Several { .. }) => Err(TokenFault::Taken),
            Err(fault) => Err(fault),
        };
        let _ = session.close();
        Ok(done?)
    }

    /// A session in which the user is logged in, if the token wants that.
    fn session(
        &self,
        using: &State,
        open: impl FnOnce(&Pkcs11, Slot) -> cryptoki::error::Result<Session>,
    ) -> Result<(Session, Slot), Fault> {
        let (slot, info) = self.slot(&using.pkcs11)?;
        let session = open(&using.pkcs11, slot).map_err(|error| failed(&error))?;
        let entered = match info.login_required() {
            true => self.login.log_in(&using.pkcs11, slot, &session, &info),
            false => Ok(()),
        };
        match entered {
            Ok(()) => Ok((session, slot)),
            Err(fault) => {
                let _ = session.close();
                Err(fault)
            }
        }
    }

    #[cfg(test)]
    pub(super) fn token_name(&self) -> Result<String, TokenFault> {
        let using = self.library.using();
        self.slot(&using.pkcs11)
            .map(|(_, info)| super::login::name(&info))
    }

    /// The one slot whose token is the one of the URI.
    fn slot(&self, pkcs11: &Pkcs11) -> Result<(Slot, TokenInfo), TokenFault> {
        let slots = pkcs11.get_slots_with_token().map_err(|e| failed(&e))?;
        let infos = slots.into_iter().filter_map(|slot| {
            let info = pkcs11.get_token_info(slot).ok()?;
            self.is_meant(&info).then_some((slot, info))
        });
        let mut infos = infos.collect::<Vec<_>>().into_iter();
        match (infos.next(), infos.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err(TokenFault::Away),
            _ => Err(TokenFault::Several { what: "token" }),
        }
    }

    fn is_meant(&self, info: &TokenInfo) -> bool {
        let uri = &self.uri;
        [
            (&uri.token, info.label()),
            (&uri.serial, info.serial_number()),
            (&uri.manufacturer, info.manufacturer_id()),
            (&uri.model, info.model()),
        ]
        .into_iter()
        .all(|(wanted, is)| {
            wanted
                .as_deref()
                .is_none_or(|wanted| wanted == is.as_bytes())
        })
    }

    fn key(&self, session: &Session) -> Result<ObjectHandle, TokenFault> {
        let mut wanted = vec![Attribute::Class(self.class)];
        wanted.extend(self.uri.object.clone().map(Attribute::Label));
        wanted.extend(self.uri.id.clone().map(Attribute::Id));
        let found = session.find_objects(&wanted).map_err(|e| failed(&e))?;
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(TokenFault::NoKey),
            _ => Err(TokenFault::Several { what: "key" }),
        }
    }
}
