//! Ed25519 keys with a name, of the kinds that C2SP `signed-note` numbers.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::signature::check_name;
use crate::{Error, base64};

/// A public key of one kind with its name; shown and read as C2SP writes it, `name+id+key`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct NamedKey<const KIND: u8> {
    name: String,
    public: [u8; 32],
}

impl<const KIND: u8> NamedKey<KIND> {
    /// Fails with [`Error::BadKeyName`].
    pub(crate) fn new(name: &str, public: [u8; 32]) -> Result<Self, Error> {
        check_name(name)?;
        let name = name.to_owned();
        Ok(Self { name, public })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The first 4 bytes of `SHA-256(name || 0x0A || kind || key)`: which of a name's keys it is.
    pub(crate) fn id(&self) -> [u8; 4] {
        let mut context = Context::new(&SHA256);
        context.update(self.name.as_bytes());
        context.update(&[b'\n', KIND]);
        context.update(&self.public);
        let mut id = [0; 4];
        id.iter_mut()
            .zip(context.finish().as_ref())
            .for_each(|(to, from)| *to = *from);
        id
    }

    pub(crate) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        key.verify(text.as_bytes(), signature).is_ok()
    }
}

impl<const KIND: u8> FromStr for NamedKey<KIND> {
    type Err = Error;

    /// Fails with [`Error::BadVerifyingKey`] and [`Error::BadKeyName`].
    fn from_str(text: &str) -> Result<Self, Error> {
        // Base64 may have plus signs, the two before it may not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::BadVerifyingKey);
        };
        let key = base64::decode(key).ok_or(Error::BadVerifyingKey)?;
        let public = match key.split_first() {
            Some((kind, public)) if *kind == KIND => public,
            _ => return Err(Error::BadVerifyingKey),
        };
        let public = public.try_into().map_err(|_| Error::BadVerifyingKey)?;
        let found = Self {
            name: name.to_owned(),
            public,
        };
        match HEXLOWER.encode(&found.id()) == id {
            true => Self::new(name, public),
            false => Err(Error::BadVerifyingKey),
        }
    }
}

impl<const KIND: u8> fmt::Display for NamedKey<KIND> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = base64::encode(&[&[KIND], &self.public[..]].concat());
        write!(f, "{}+{}+{key}", self.name, HEXLOWER.encode(&self.id()))
    }
}
