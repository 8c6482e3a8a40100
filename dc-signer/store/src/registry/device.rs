//! A device: what is known about it, and what it may do in which state.

use std::str::FromStr;
use std::time::Duration;

use dc_core::UniqueName;
use pki_types::UnixTime;

use super::fields::Fields;
use super::{DeviceId, Error, ExternalId, Hold, Sha256, State};
use dc_pki::names::ZoneName;

impl FromStr for State {
    type Err = Error;

    /// Fails with [`Error::BadState`].
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(Error::BadState)
    }
}

/// The contents that a manufacturer's certificate (IEEE 802.1AR) is expected to have.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Manufactured {
    /// The manufacturer's name in the configuration, which says whose anchors count.
    pub manufacturer: String,
    /// The serial number in the certificate's subject.
    pub serial: String,
}

impl Manufactured {
    /// True if every database takes it: PostgreSQL has no text with a zero in it, and a certificate
    /// that somebody made may say anything.
    #[must_use]
    pub fn can_be_stored(&self) -> bool {
        !self.manufacturer.contains('\0') && !self.serial.contains('\0')
    }
}

/// The second enrolment key of a device during a switch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NextKey {
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: Sha256,
    /// When the switch began.
    pub since: UnixTime,
}

/// The credential that a device now holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Held {
    /// SHA-256 of the credential, of the first one if there are two forms.
    pub sha256: Sha256,
    /// SHA-256 of the SubjectPublicKeyInfo in it.
    pub spki_sha256: Sha256,
    /// When it was issued.
    pub issued: UnixTime,
    /// When it ends.
    pub expires: UnixTime,
}

/// The credential that a device showed when it was last given one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Shown {
    /// That is not known: it has not been given any yet, or by a signer of an earlier version.
    #[default]
    Unknown,
    /// Nothing: it was new, or had been reset.
    Nothing,
    /// A credential, by its SHA-256.
    Credential(Sha256),
}

/// How an enrolment key stands to a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyUse {
    /// The one key, or the old one of a switch that the new one has not finished.
    Current,
    /// The new key of a switch: its first issuance finishes the switch.
    Next,
    /// The old key of a switch that began more than [`Device::SWITCH_TIME`] ago.
    Ended,
    /// None of the device's.
    Unknown,
}

/// A device in the registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Device {
    /// Our name for it.
    pub id: DeviceId,
    /// The vendor's name for it.
    pub external_id: ExternalId,
    /// Where it is in its life.
    pub state: State,
    /// The zone of its name, for life.
    pub zone: ZoneName,
    /// Its unique name, which no other device has or had.
    pub name: UniqueName<'static>,
    /// Which of a customer's devices it is; part of what the name is derived from.
    pub slot: u32,
    /// How often it got a new name; part of what the name is derived from.
    pub epoch: u32,
    /// SHA-256 of the SubjectPublicKeyInfo of its enrolment key.
    pub key: Option<Sha256>,
    /// The second enrolment key during a switch.
    pub next_key: Option<NextKey>,
    /// Which manufacturer's certificate may enrol it.
    pub manufactured: Option<Manufactured>,
    /// The credential that it now holds.
    pub credential: Option<Held>,
    /// The hold on its name, by this box and by those before.
    pub hold: Hold,
    /// The credential that it showed when it was given that one.
    pub shown: Shown,
    /// Set if two devices seem to use its key or its name.
    pub possible_clone: bool,
    /// When it was added.
    pub created: UnixTime,
    /// When anything but its credential last changed.
    pub changed: UnixTime,
}

impl Device {
    /// SHA-256 of its ids, which the record has that added it, or replaced it: the text `dc-device-v1`, the 16 bytes of the id, the
    /// external id, slot and epoch in 8 bytes, and, if there is one, the manufacturer and the serial number, each with its length in
    /// 8 bytes in front.
    ///
    /// The external id may be personal data, which the log must not tell. The other one is 128 random bits and in no record,
    /// so whoever has only the log cannot try external ids out.
    #[must_use]
    pub fn commitment(&self) -> Sha256 {
        let [slot, epoch] = [self.slot, self.epoch].map(|number| u64::from(number).to_be_bytes());
        let mut fields = vec![
            &self.id.as_bytes()[..],
            self.external_id.as_str().as_bytes(),
            &slot,
            &epoch,
        ];
        if let Some(made) = &self.manufactured {
            fields.extend([made.manufacturer.as_bytes(), made.serial.as_bytes()]);
        }
        Fields::hash("dc-device-v1", &fields)
    }

    /// How long both keys of a switch work, if the new one is not used before.
    pub const SWITCH_TIME: Duration = Duration::from_secs(24 * 3600);

    /// How an enrolment key stands to the device.
    #[must_use]
    pub fn key_use(&self, spki_sha256: &Sha256, now: UnixTime) -> KeyUse {
        match self.next_key {
            Some(next) if next.spki_sha256 == *spki_sha256 => KeyUse::Next,
            Some(next) if self.key == Some(*spki_sha256) => {
                let age = now.as_secs().saturating_sub(next.since.as_secs());
                match age < Self::SWITCH_TIME.as_secs() {
                    true => KeyUse::Current,
                    false => KeyUse::Ended,
                }
            }
            None if self.key == Some(*spki_sha256) => KeyUse::Current,
            _ => KeyUse::Unknown,
        }
    }

    /// Checks that a credential may be issued for this name, asked for with this enrolment key.
    ///
    /// Whatever issues asks this first. Fails with [`Error::NotActive`], [`Error::OtherName`], [`Error::KeyEnded`],
    /// [`Error::UnknownKey`], and [`Error::NameHeld`] while another box's credential for the name is valid.
    pub fn may_issue(
        &self,
        name: &UniqueName<'_>,
        key: &Sha256,
        now: UnixTime,
    ) -> Result<KeyUse, Error> {
        if self.state != State::Active {
            return Err(Error::NotActive { state: self.state });
        }
        if self.name != *name {
            return Err(Error::OtherName);
        }
        let good = match self.key_use(key, now) {
            KeyUse::Ended => return Err(Error::KeyEnded),
            KeyUse::Unknown => return Err(Error::UnknownKey),
            good => good,
        };
        self.name_is_free(now)?;
        Ok(good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::registry::{at, device, key};

    #[test]
    fn only_an_active_device_gets_credentials_for_its_own_name_with_its_own_key() {
        let mut device = device();
        device.key = Some(key(1));
        let name = device.name.clone();
        for state in State::ALL {
            device.state = state;
            let expected = match state {
                State::Active => Ok(KeyUse::Current),
                state => Err(Error::NotActive { state }),
            };
            assert_eq!(device.may_issue(&name, &key(1), at(2)), expected);
        }
        device.state = State::Active;
        let other = dc_pki::names::parse("other.cpe.example.com").unwrap();
        assert_eq!(
            device.may_issue(&other, &key(1), at(2)),
            Err(Error::OtherName)
        );
        assert_eq!(
            device.may_issue(&name, &key(2), at(2)),
            Err(Error::UnknownKey)
        );
    }

    #[test]
    fn states_are_read_as_they_are_written() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse::<State>(), Ok(state));
        }
        assert_eq!("Active".parse::<State>(), Err(Error::BadState));
    }
}
