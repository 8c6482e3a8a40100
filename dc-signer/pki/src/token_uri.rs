//! Names of keys in tokens (PKCS#11): `pkcs11:` URIs (RFC 7512).

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::secret::SecretSource;

/// A key in a token, by a `pkcs11:` URI: `pkcs11:token=hsm;object=delegation?module-path=/usr/lib/module.so&pin-source=file:/run/pin`.
///
/// Its `pin-source` is a file, as `file:/PATH` or `/PATH`; a program, as `|/PATH`; and besides what RFC 7512 knows, systemd's
/// `credential:NAME`. A `pin-value` is refused, because such a URI is shown and kept.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct TokenUri {
    text: String,
    pub(crate) token: Option<Vec<u8>>,
    pub(crate) serial: Option<Vec<u8>>,
    pub(crate) manufacturer: Option<Vec<u8>>,
    pub(crate) model: Option<Vec<u8>>,
    pub(crate) object: Option<Vec<u8>>,
    pub(crate) id: Option<Vec<u8>>,
    pub(crate) module: PathBuf,
    pin: Option<String>,
}

impl TokenUri {
    /// True if a text is meant as such a URI.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        scheme(text).is_some()
    }

    /// The URI of a key by its names, one of which may be empty; `None` if both are, or the token's is, or the path of the module is not
    /// in UTF-8.
    #[must_use]
    pub fn of(module: &Path, token: &str, object: &[u8], id: &[u8]) -> Option<Self> {
        let path = [
            ("token", token.as_bytes()),
            ("object", object),
            // Some tokens give the same label to several.
            ("id", id),
        ];
        let path = path.into_iter().filter(|(_, value)| !value.is_empty());
        let path: Vec<_> = path
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let module = encode(module.to_str()?.as_bytes()).replace("%2F", "/");
        format!("pkcs11:{}?module-path={module}", path.join(";"))
            .parse()
            .ok()
    }

    /// The name of the token, with other bytes than UTF-8 replaced, or its serial number.
    #[must_use]
    pub fn token(&self) -> String {
        let name = self.token.as_deref().or(self.serial.as_deref());
        String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
    }

    /// The place of the PIN; `None` if the URI does not say, and then it is where passphrases are.
    #[must_use]
    pub fn pin(&self) -> Option<SecretSource> {
        self.pin.as_deref().and_then(pin_source)
    }
}

/// A text is no URI of a key in a token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BadTokenUri {
    /// An attribute is there twice.
    #[error("it has {name} twice: leave one")]
    Another {
        /// The attribute.
        name: String,
    },
    /// An attribute's value cannot be.
    #[error("its {name} is not right: {wanted}")]
    BadValue {
        /// The attribute.
        name: String,
        /// The values that it may have.
        wanted: &'static str,
    },
    /// An attribute that it has to have is not there.
    #[error(
        "it needs {name}, as in pkcs11:token=hsm;object=delegation?module-path=/usr/lib/softhsm/libsofthsm2.so"
    )]
    Missing {
        /// The attribute.
        name: &'static str,
    },
    /// It does not begin with `pkcs11:`.
    #[error("it does not begin with 'pkcs11:'")]
    OtherScheme,
    /// The PIN itself stands in it.
    #[error(
        "it has a PIN in it, which would be shown and kept: give pin-source instead, and change the PIN"
    )]
    PinValue,
    /// An attribute is not known, or does not belong there.
    #[error("it has {name}, which is not taken there")]
    Unknown {
        /// The attribute.
        name: String,
    },
}

impl FromStr for TokenUri {
    type Err = BadTokenUri;

    /// Of a key that signs: its `type`, if it has one, is `private`.
    fn from_str(text: &str) -> Result<Self, BadTokenUri> {
        Self::read(text, "private", "a key that signs is 'private'")
    }
}

impl TokenUri {
    /// Reads the URI of a secret key that seals: its `type`, if it has one, is `secret-key`.
    ///
    /// Fails with [`BadTokenUri`].
    pub fn of_secret_key(text: &str) -> Result<Self, BadTokenUri> {
        Self::read(text, "secret-key", "a key that seals is a 'secret-key'")
    }

    fn read(text: &str, kind: &str, wanted: &'static str) -> Result<Self, BadTokenUri> {
        let rest = scheme(text).ok_or(BadTokenUri::OtherScheme)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        // Wherever it stands: behind a wrong separator it would be part of a name, and shown.
        if rest.contains("pin-value=") {
            return Err(BadTokenUri::PinValue);
        }
        let mut path = Attributes::read(path, ';')?;
        let mut query = Attributes::read(query, '&')?;
        if path
            .take("type")
            .is_some_and(|given| given != kind.as_bytes())
        {
            return Err(bad("type", wanted));
        }
        let module = query.text("module-path", "a path in UTF-8")?;
        let module = module.filter(|path| !path.is_empty());
        let pin = query.text("pin-source", PIN_SOURCES)?;
        if pin.as_deref().is_some_and(|pin| pin_source(pin).is_none()) {
            return Err(bad("pin-source", PIN_SOURCES));
        }
        let uri = Self {
            text: text.to_owned(),
            token: path.take("token"),
            serial: path.take("serial"),
            manufacturer: path.take("manufacturer"),
            model: path.take("model"),
            object: path.take("object"),
            id: path.take("id"),
            module: module
                .ok_or(BadTokenUri::Missing {
                    name: "module-path",
                })?
                .into(),
            pin,
        };
        path.end()?;
        query.end()?;
        if uri.token.is_none() && uri.serial.is_none() {
            return Err(BadTokenUri::Missing { name: "token" });
        }
        if uri.object.is_none() && uri.id.is_none() {
            return Err(BadTokenUri::Missing { name: "object" });
        }
        Ok(uri)
    }
}

impl fmt::Display for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenUri").field(&self.text).finish()
    }
}

/// Attributes with their values, which were percent-encoded.
struct Attributes(Vec<(String, Vec<u8>)>);

impl Attributes {
    fn read(text: &str, separator: char) -> Result<Self, BadTokenUri> {
        let mut found: Vec<(String, Vec<u8>)> = Vec::new();
        for part in text.split(separator).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if found.iter().any(|(known, _)| known == name) {
                let name = name.to_owned();
                return Err(BadTokenUri::Another { name });
            }
            let value = decode(value).ok_or_else(|| {
                bad(
                    name,
                    "bytes that are no letters or digits are written as %20",
                )
            })?;
            found.push((name.to_owned(), value));
        }
        Ok(Self(found))
    }

    fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn text(&mut self, name: &str, wanted: &'static str) -> Result<Option<String>, BadTokenUri> {
        let text = self.take(name).map(String::from_utf8).transpose();
        text.map_err(|_| bad(name, wanted))
    }

    fn end(self) -> Result<(), BadTokenUri> {
        match self.0.into_iter().next() {
            Some((name, _)) => Err(BadTokenUri::Unknown { name }),
            None => Ok(()),
        }
    }
}

fn bad(name: &str, wanted: &'static str) -> BadTokenUri {
    let name = name.to_owned();
    BadTokenUri::BadValue { name, wanted }
}

/// The text behind the scheme, whose letters may be large (RFC 3986 §3.1).
fn scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("pkcs11").then_some(rest)
}

/// Percent-decoding (RFC 3986 §2.1); no character that a URI may not have.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            b'!'..=b'~' => byte,
            _ => return None,
        });
    }
    Some(decoded)
}

/// Percent-encoding (RFC 3986 §2.1) of all that means something in a URI.
fn encode(bytes: &[u8]) -> String {
    let encoded = bytes.iter().map(|byte| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
            char::from(*byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}

fn pin_source(text: &str) -> Option<SecretSource> {
    if let Some(name) = text.strip_prefix("credential:") {
        return Some(SecretSource::Credential(name.to_owned()));
    }
    if let Some(program) = text.strip_prefix('|') {
        return program
            .starts_with('/')
            .then(|| SecretSource::Command(vec![program.to_owned()]));
    }
    let path = text.strip_prefix("file:").unwrap_or(text);
    let path = path.strip_prefix("//").unwrap_or(path);
    path.starts_with('/')
        .then(|| SecretSource::File(path.into()))
}

const PIN_SOURCES: &str = "file:/PATH, |/PROGRAM or credential:NAME";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "pkcs11:token=My%20HSM;object=delegation;id=%01%02;type=private?module-path=/usr/lib/m.so&pin-source=file:/run/pin";

    fn read(text: &str) -> Result<TokenUri, BadTokenUri> {
        text.parse()
    }

    #[test]
    fn the_attributes_are_decoded_and_the_text_is_shown_as_it_was() {
        let uri = read(GOOD).unwrap();
        assert_eq!(uri.token.as_deref(), Some(&b"My HSM"[..]));
        assert_eq!(uri.id.as_deref(), Some(&[1, 2][..]));
        assert_eq!(uri.object.as_deref(), Some(&b"delegation"[..]));
        assert_eq!(uri.module, PathBuf::from("/usr/lib/m.so"));
        assert_eq!(uri.to_string(), GOOD);
        assert!(TokenUri::is_one("PKCS11:x") && !TokenUri::is_one("key.pem"));
    }

    #[test]
    fn a_pin_comes_from_a_file_a_program_or_a_credential() {
        for (given, expected) in [
            ("file:/run/pin", SecretSource::File("/run/pin".into())),
            ("file:///run/pin", SecretSource::File("/run/pin".into())),
            ("/run/pin", SecretSource::File("/run/pin".into())),
            ("credential:pin", SecretSource::Credential("pin".to_owned())),
            (
                "|/bin/pin",
                SecretSource::Command(vec!["/bin/pin".to_owned()]),
            ),
        ] {
            let text = GOOD.replace("file:/run/pin", given);
            assert_eq!(read(&text).unwrap().pin(), Some(expected));
        }
        for given in ["1234", "fd:3", "|pin", "file:pin", ""] {
            let error = read(&GOOD.replace("file:/run/pin", given)).unwrap_err();
            assert!(matches!(error, BadTokenUri::BadValue { .. }), "{error}");
        }
        let without = GOOD.replace("&pin-source=file:/run/pin", "");
        assert_eq!(read(&without).unwrap().pin(), None);
    }

    #[test]
    fn a_key_that_seals_is_named_as_a_secret_key_and_never_as_a_private_one() {
        let secret = GOOD.replace("type=private", "type=secret-key");
        assert_eq!(
            TokenUri::of_secret_key(&secret).unwrap().to_string(),
            secret
        );
        read(&secret).unwrap_err();
        let error = TokenUri::of_secret_key(GOOD).unwrap_err().to_string();
        assert!(error.contains("a key that seals"), "{error}");
        let untyped = GOOD.replace(";type=private", "");
        assert_eq!(TokenUri::of_secret_key(&untyped), read(&untyped));
    }

    #[test]
    fn what_is_missing_twice_or_unknown_is_named() {
        for (from, to, words) in [
            ("pkcs11:", "pkcs12:", "does not begin"),
            ("token=My%20HSM;", "", "needs token"),
            ("object=delegation;id=%01%02;", "", "needs object"),
            ("module-path=/usr/lib/m.so&", "", "needs module-path"),
            (
                "module-path=/usr/lib/m.so",
                "module-path=",
                "needs module-path",
            ),
            ("id=%01%02", "id=%0", "its id"),
            ("id=%01%02", "id=%0g", "its id"),
            ("My%20HSM", "My HSM", "its token"),
            ("type=private", "type=public", "its type"),
            ("type=private", "object=x", "object twice"),
            ("type=private", "x-new=1", "x-new"),
            (
                "pin-source=file:/run/pin",
                "pin-value=1234",
                "change the PIN",
            ),
            (
                "object=delegation",
                "object=delegation&pin-value=1234",
                "change the PIN",
            ),
            (
                "pin-source=file:/run/pin",
                "pin-source=/a&pin-source=/b",
                "pin-source twice",
            ),
        ] {
            let error = read(&GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(words), "{to}: {error}");
            assert!(!error.contains("1234"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn the_uri_of_a_key_by_its_names_is_read_as_them(
            module in "/\\PC{0,20}",
            token in "\\PC{1,20}",
            object in prop::collection::vec(any::<u8>(), 0..20),
            id in prop::collection::vec(any::<u8>(), 1..20),
        ) {
            let uri = TokenUri::of(module.as_ref(), &token, &object, &id).unwrap();
            prop_assert_eq!(uri.to_string().parse(), Ok(uri.clone()));
            prop_assert_eq!(uri.token(), token);
            prop_assert_eq!(uri.object.clone().unwrap_or_default(), object);
            prop_assert_eq!(uri.id.clone(), Some(id));
            prop_assert_eq!(uri.module, PathBuf::from(module));
        }

        #[test]
        fn no_text_panics_and_what_is_taken_is_shown(text in "(pkcs11:)?\\PC{0,60}", at in 0..GOOD.len()) {
            let cut = format!("{}{text}", GOOD.get(..at).unwrap_or(GOOD));
            for text in [text, cut] {
                if let Ok(uri) = read(&text) {
                    prop_assert_eq!(uri.to_string(), text);
                }
            }
        }
    }
}
