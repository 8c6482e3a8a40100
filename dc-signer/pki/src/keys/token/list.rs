//! The tokens of a module with their keys, as they tell of themselves.

use std::path::Path;

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};

use super::super::stored::{StoredKey, Token, TokenState};
use super::super::unlock::Unlock;
use super::fault::Fault;
use super::library::Library;
use super::login::Login;
use super::{attributes, failed};
use crate::error::Error;
use crate::token_fault::TokenFault;
use crate::token_uri::TokenUri;

/// The tokens of a module, or the one of a name.
pub(in super::super) fn list(
    module: &Path,
    name: Option<&str>,
    unlock: Option<&Unlock>,
) -> Result<Vec<Token>, Error> {
    let listed = Library::load(module)
        .map_err(Fault::from)
        .and_then(|library| {
            let using = library.using();
            let found = tokens(&using.pkcs11, name)?;
            // A PIN is for one token, and tried with no other.
            let login = match (unlock, name, found.len()) {
                (None, ..) => None,
                (Some(unlock), Some(_), 0 | 1) => Some(Login::new(None, unlock)),
                _ => return Err(TokenFault::Several { what: "token" }.into()),
            };
            if found.is_empty() && name.is_some() {
                return Err(TokenFault::Away.into());
            }
            let tokens = found.into_iter();
            let tokens = tokens
                .map(|(slot, info)| token(&using.pkcs11, module, slot, &info, login.as_ref()));
            tokens.collect()
        });
    listed.map_err(|fault| match fault {
        Fault::Secret(error) => Error::Secret(error),
        Fault::Token(fault) => Error::TokenModule {
            module: module.into(),
            fault,
        },
    })
}

fn tokens(pkcs11: &Pkcs11, name: Option<&str>) -> Result<Vec<(Slot, TokenInfo)>, TokenFault> {
    let slots = pkcs11.get_slots_with_token().map_err(|e| failed(&e))?;
    let infos = slots.into_iter().filter_map(|slot| {
        let info = pkcs11.get_token_info(slot).ok()?;
        name.is_none_or(|name| name == info.label())
            .then_some((slot, info))
    });
    Ok(infos.collect())
}

fn token(
    pkcs11: &Pkcs11,
    module: &Path,
    slot: Slot,
    info: &TokenInfo,
    login: Option<&Login>,
) -> Result<Token, Fault> {
    let state = state(info);
    let keys = match state {
        TokenState::NotInitialised => Vec::new(),
        _ => {
            let session = pkcs11.open_ro_session_no_drop(slot);
            let session = session.map_err(|error| failed(&error))?;
            let entered = match login {
                Some(login) if info.login_required() => login.log_in(pkcs11, slot, &session, info),
                _ => Ok(()),
            };
            let keys = entered.and_then(|()| Ok(keys(&session, module, info)?));
            let _ = session.close();
            keys?
        }
    };
    Ok(Token {
        label: info.label().to_owned(),
        serial: info.serial_number().to_owned(),
        model: info.model().to_owned(),
        state,
        keys,
    })
}

fn state(info: &TokenInfo) -> TokenState {
    let faults = [
        (!info.token_initialized(), TokenState::NotInitialised),
        (
            info.login_required() && !info.user_pin_initialized(),
            TokenState::NoUserPin,
        ),
        (info.user_pin_locked(), TokenState::PinLocked),
        (info.user_pin_final_try(), TokenState::LastTry),
        (info.user_pin_count_low(), TokenState::FewTries),
    ];
    let first = faults.into_iter().find(|(is_so, _)| *is_so);
    first.map_or(TokenState::Usable, |(_, state)| state)
}

fn keys(session: &Session, module: &Path, info: &TokenInfo) -> Result<Vec<StoredKey>, TokenFault> {
    let found = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]);
    let found = found.map_err(|error| failed(&error))?;
    { found.into_iter() }
        .map(|key| stored(session, key, module, info))
        .collect()
}

fn stored(
    session: &Session,
    key: ObjectHandle,
    module: &Path,
    info: &TokenInfo,
) -> Result<StoredKey, TokenFault> {
    let wanted = [
        AttributeType::Label,
        AttributeType::Id,
        AttributeType::Extractable,
        AttributeType::NeverExtractable,
        AttributeType::Local,
    ];
    let (mut label, mut id) = (Vec::new(), Vec::new());
    let (mut extractable, mut never, mut local) = (None, None, None);
    let attributes = session.get_attributes(key, &wanted);
    for attribute in attributes.map_err(|error| failed(&error))? {
        match attribute {
            Attribute::Label(value) => label = value,
            Attribute::Id(value) => id = value,
            Attribute::Extractable(value) => extractable = Some(value),
            Attribute::NeverExtractable(value) => never = Some(value),
            Attribute::Local(value) => local = Some(value),
            _ => {}
        }
    }
    Ok(StoredKey {
        uri: TokenUri::of(module, info.label(), &label, &id),
        label: String::from_utf8_lossy(&label).into_owned(),
        id,
        spki: attributes::spki(session, key).ok(),
        extractable,
        always_inside: never.zip(local).map(|(never, local)| never && local),
    })
}
