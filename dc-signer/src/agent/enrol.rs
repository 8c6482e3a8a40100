//! How a device gets in, and who it is afterwards.

use zeroize::Zeroizing;

use super::client::{Who, WhoseKey};
use super::config::{Enrolment, ManufacturerKey};
use super::keys::Key;
use super::request::{self, sha256};
use super::state::State;
use crate::error::Error;
use crate::protocol::Kind;
use crate::{files, pem};

/// What to ask the signer for.
#[derive(Debug)]
pub enum Ask {
    /// To be let in, with an activation code or with the manufacturer's certificate.
    Enrol(Option<Code>),
    /// For the next credentials.
    Renew,
}

/// An activation code. It lets anybody in, so it is not shown and wiped when it is dropped.
pub struct Code(Zeroizing<String>);

impl Code {
    /// The code itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is remembered of it.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(self.0.as_bytes())
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.debug_struct("Code").finish_non_exhaustive()
    }
}

/// What to ask for, after what is remembered.
///
/// A code that has not been used yet means that the operator wants the device to enrol, for the first
/// time or again. Fails with [`Error::Read`] and [`Error::TooLarge`] if there is a code and it cannot be
/// read.
pub fn what_to_ask(enrolment: &Enrolment, state: &State) -> Result<Ask, Error> {
    Ok(match enrolment {
        Enrolment::Known => Ask::Renew,
        Enrolment::Manufacturer { .. } => match state.device {
            None => Ask::Enrol(None),
            Some(_) => Ask::Renew,
        },
        // A device that is in needs its code no more.
        Enrolment::Code(path) if !files::exists(path) => Ask::Renew,
        Enrolment::Code(path) => {
            let file = files::read(path)?;
            let text = String::from_utf8_lossy(&file);
            let code = Code(Zeroizing::new(text.trim().to_owned()));
            match state.used_code == Some(code.sha256()) {
                true => Ask::Renew,
                false => Ask::Enrol(Some(code)),
            }
        }
    })
}

/// Whether an enrolment that is refused like this may have gone through before: then its answer was
/// lost, the code is used up, and the device can renew.
#[must_use]
pub fn may_be_in_already(kind: Option<Kind>) -> bool {
    matches!(kind, Some(Kind::CodeRefused | Kind::Conflict))
}

/// Who the device is in TLS: what the manufacturer made it, or the holder of its enrolment key.
///
/// Fails as reading the manufacturer's files does, and with [`Error::RequestNotMade`].
pub fn who(enrolment: &Enrolment, key: &Key) -> Result<Who, Error> {
    let Enrolment::Manufacturer { chain, key } = enrolment else {
        return Ok(Who {
            chain: vec![request::self_signed(key)?],
            key: WhoseKey::Here(key.private_key()),
        });
    };
    let certificates = pem::certificates(chain, &files::read(chain)?)?;
    let key = match key {
        ManufacturerKey::File(path) => WhoseKey::Here(pem::private_key(path, &files::read(path)?)?),
        ManufacturerKey::Program(command) => WhoseKey::Elsewhere(command.clone()),
    };
    Ok(Who {
        chain: certificates,
        key,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_code_is_used_once_and_a_new_one_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code");
        let enrolment = Enrolment::Code(path.clone());
        let mut state = State::default();
        let ask = |state: &State| what_to_ask(&enrolment, state).unwrap();
        assert!(matches!(ask(&state), Ask::Renew));
        fs::write(&path, " ABCD-EFGH\n").unwrap();
        let Ask::Enrol(Some(code)) = ask(&state) else {
            panic!("not enrolled");
        };
        assert_eq!(code.as_str(), "ABCD-EFGH");
        assert_eq!(format!("{code:?}"), "Code { .. }");
        state.used_code = Some(code.sha256());
        assert!(matches!(ask(&state), Ask::Renew));
        fs::write(&path, "OTHER").unwrap();
        assert!(matches!(ask(&state), Ask::Enrol(Some(_))));
    }

    #[test]
    fn a_manufacturers_device_enrols_once() {
        let enrolment = Enrolment::Manufacturer {
            chain: "c".into(),
            key: ManufacturerKey::File("k".into()),
        };
        let mut state = State::default();
        let ask = what_to_ask(&enrolment, &state).unwrap();
        assert!(matches!(ask, Ask::Enrol(None)));
        state.device = Some("d".to_owned());
        assert!(matches!(
            what_to_ask(&enrolment, &state).unwrap(),
            Ask::Renew
        ));
    }
}
