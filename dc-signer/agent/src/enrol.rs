//! How a device gets in, and who it is afterwards.

use std::path::Path;

use zeroize::Zeroizing;

use super::client::{Who, WhoseKey};
use super::config::{Config, Enrolment, ManufacturerKey};
use super::keys::Key;
use super::request;
use super::state::State;
use crate::error::Error;
use dc_pki::{Sha256, files, pem};
use dc_protocol::Kind;

/// The request that is to be made.
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

    /// The part of it that is remembered: its SHA-256.
    #[must_use]
    pub fn sha256(&self) -> String {
        Sha256::of(self.0.as_bytes()).to_string()
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.debug_struct("Code").finish_non_exhaustive()
    }
}

/// Chooses what to ask for, by what is remembered.
///
/// A code that has not been used yet means that the operator wants the device to enrol, for the first
/// time or again. Fails with [`Error::Read`](dc_pki::Error::Read) and [`Error::TooLarge`](dc_pki::Error::TooLarge) if there is a code and it cannot be
/// read.
pub fn what_to_ask(enrolment: &Enrolment, state: &State) -> Result<Ask, Error> {
    Ok(match enrolment {
        Enrolment::Known => Ask::Renew,
        Enrolment::Manufacturer { .. } => match state.device {
            None => Ask::Enrol(None),
            Some(_) => Ask::Renew,
        },
        Enrolment::Code(path) => match code(path)? {
            Some(code) if state.used_code != Some(code.sha256()) => Ask::Enrol(Some(code)),
            // A device that is in needs its code no more.
            _ => Ask::Renew,
        },
    })
}

/// The code in a file; none if the file is not there, or has been emptied.
///
/// Fails with [`Error::Read`](dc_pki::Error::Read) and [`Error::TooLarge`](dc_pki::Error::TooLarge).
pub fn code(path: &Path) -> Result<Option<Code>, Error> {
    if !files::is_there(path)? {
        return Ok(None);
    }
    let text = read_code(path)?;
    Ok((!text.is_empty()).then_some(Code(text)))
}

/// Reads a code as editors write it: with white space around it, and what some put in front of all text.
fn read_code(path: &Path) -> Result<Zeroizing<String>, Error> {
    let file = files::read(path)?;
    let text = Zeroizing::new(match file.as_slice() {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        text => String::from_utf8_lossy(text).into_owned(),
    });
    let code = text.trim_start_matches('\u{feff}').trim();
    Ok(Zeroizing::new(code.to_owned()))
}

fn utf16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> String {
    let units: Zeroizing<Vec<u16>> = Zeroizing::new(
        bytes
            .chunks_exact(2)
            .filter_map(|two| Some(unit(two.try_into().ok()?)))
            .collect(),
    );
    String::from_utf16_lossy(&units)
}

/// The SHA-256 of what the device is to get in with: another one means that somebody has corrected it.
#[must_use]
pub fn fingerprint(config: &Config) -> String {
    let mut all = Zeroizing::new(config.signer.clone().into_bytes());
    for root in config.signer_roots.roots.iter().chain(&config.roots.roots) {
        all.extend_from_slice(&root.subject_public_key_info);
    }
    match &config.enrolment {
        Enrolment::Known => {}
        Enrolment::Code(path) => {
            add(
                &mut all,
                path,
                read_code(path).map(|code| code.as_bytes().to_vec().into()),
            );
        }
        Enrolment::Manufacturer { chain, key: _ } => {
            add(&mut all, chain, files::read(chain).map_err(Error::from));
        }
    }
    Sha256::of(&all).to_string()
}

/// Adds a file's contents: what is not there, what cannot be read and what is empty are not the same.
fn add(all: &mut Vec<u8>, path: &Path, read: Result<Zeroizing<Vec<u8>>, Error>) {
    match read {
        Ok(contents) => {
            all.push(b'+');
            all.extend_from_slice(&contents);
        }
        Err(_) if files::exists(path) => all.push(b'?'),
        Err(_) => all.push(b'-'),
    }
}

/// True if an enrolment that is refused like this may have gone through before: then its answer was
/// lost, the code is used up, and the device can renew.
#[must_use]
pub fn may_be_in_already(kind: Option<Kind>) -> bool {
    matches!(kind, Some(Kind::CodeRefused | Kind::Conflict))
}

/// The device's identity in TLS: what the manufacturer made it, or the holder of its enrolment key.
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
        ManufacturerKey::File(path) => WhoseKey::Here(dc_pki::keys::read(path)?),
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
    fn a_code_is_the_same_whichever_editor_wrote_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code");
        let text = "\u{feff}ABCD-EFGH\r\n";
        let units = || text.encode_utf16();
        for bytes in [
            text.as_bytes().to_vec(),
            units().flat_map(u16::to_le_bytes).collect(),
            units().flat_map(u16::to_be_bytes).collect(),
        ] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(read_code(&path).unwrap().as_str(), "ABCD-EFGH");
        }
    }

    #[test]
    fn a_code_that_is_gone_empty_or_closed_is_not_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code");
        let hash = || {
            let mut all = Vec::new();
            add(&mut all, &path, files::read(&path).map_err(Error::from));
            all
        };
        let mut seen = vec![hash()];
        fs::write(&path, "").unwrap();
        assert!(code(&path).unwrap().is_none());
        seen.push(hash());
        fs::write(&path, "?").unwrap();
        seen.push(hash());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(code(&path).is_err());
        seen.push(hash());
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 4);
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
