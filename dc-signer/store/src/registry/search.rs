//! A text that an operator looks for: it may be any of the things that they have in hand.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use dc_pki::names;

use super::{ActivationCode, CodeId, DeviceId, Error, ExternalId, Sha256};

/// A text to look for: 1 to 256 characters in one line.
///
/// Of an activation code only the public part is kept, so that its secret is in no log and on no page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Search(String);

impl Search {
    /// The most characters.
    pub const MAX_LEN: usize = 256;
    /// The fewest digits of a SHA-256.
    pub const MIN_DIGITS: usize = 8;

    /// The text, without spaces at its ends.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The start of an external id, in capitals or small letters.
    #[must_use]
    pub fn external_id(&self) -> Option<&str> {
        let printable = self.0.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        (printable && self.0.len() <= ExternalId::MAX_LEN).then_some(self.0.as_str())
    }

    /// The start of a unique name, also out of a URL.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let text = self.0.to_ascii_lowercase();
        let text = text.split_once("://").map_or(&*text, |(_, rest)| rest);
        let host = text.split('/').next().unwrap_or_default();
        let host = match host.split_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => host,
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
        let host = host.trim_end_matches('.');
        (!host.is_empty() && host.bytes().all(is_name)).then(|| host.to_owned())
    }

    /// A device's id.
    #[must_use]
    pub fn id(&self) -> Option<DeviceId> {
        self.0.to_ascii_lowercase().parse().ok()
    }

    /// The first and the last SHA-256 that begin with these digits, of which there are at least [`Search::MIN_DIGITS`]; colons and
    /// spaces between them do not count, and neither does what says that there are more.
    #[must_use]
    pub fn hashes(&self) -> Option<(Sha256, Sha256)> {
        let whole = self.0.trim_end_matches(['…', '.']);
        let digits: String = whole.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
        if !(Self::MIN_DIGITS..=64).contains(&digits.len()) || !digits.is_ascii() {
            return None;
        }
        let digits = digits.to_ascii_lowercase();
        let filled = |with: &str| {
            let text = format!("{digits}{}", with.repeat(64 - digits.len()));
            let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
            bytes.try_into().ok().map(Sha256::from_bytes)
        };
        Some((filled("0")?, filled("f")?))
    }

    /// The public part of an activation code: its first ten letters, or its first two groups.
    #[must_use]
    pub fn code(&self) -> Option<CodeId> {
        let letters: String = self.0.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
        if !matches!(letters.len(), 10..=12) {
            return None;
        }
        let public = letters.to_ascii_uppercase();
        // The last letter of the public part has bits of nothing.
        let public = BASE32_NOPAD.decode(public.get(..10)?.as_bytes()).ok()?;
        public.try_into().ok().map(CodeId::from_bytes)
    }

    /// A manufacturer's serial number, as it was written and in capitals and small letters.
    #[must_use]
    pub fn serials(&self) -> Vec<String> {
        let mut all = vec![self.0.clone(), self.0.to_uppercase(), self.0.to_lowercase()];
        all.sort();
        all.dedup();
        all
    }

    /// True of what names one device at most: all of its id, of a hash or of a unique name, or a code.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.id().is_some()
            || self.code().is_some()
            || self.hashes().is_some_and(|(first, last)| first == last)
            || self
                .name()
                .is_some_and(|name| name.contains('.') && names::parse(&name).is_ok())
    }
}

impl FromStr for Search {
    type Err = Error;

    /// Fails with [`Error::BadSearch`].
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if let Ok(code) = text.parse::<ActivationCode>() {
            return Ok(Self(code.id().to_string()));
        }
        let fits = (1..=Self::MAX_LEN).contains(&text.chars().count());
        match fits && !text.chars().any(char::is_control) {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::BadSearch),
        }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A way in which a search fits more devices than are looked at, so that more of it has to be typed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Crowd {
    /// External ids begin so, in too many mixtures of capitals and small letters.
    ExternalIds,
    /// Hashes begin so.
    Hashes,
    /// Unique names begin so.
    Names,
}

impl Crowd {
    /// Them, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::ExternalIds => "external ids",
            Self::Hashes => "keys or credentials",
            Self::Names => "unique names",
        }
    }

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExternalIds => "external-ids",
            Self::Hashes => "hashes",
            Self::Names => "names",
        }
    }
}

/// The first spelling of a text, in capitals and small letters, with which begins what is not before `from`; none if all of that is
/// before it.
///
/// With an index in which capitals and small letters differ, it finds a text in whichever there are: from what is found first behind
/// one spelling it goes on to the next one that can be there.
pub(crate) fn spelling_from(text: &str, from: &str) -> Option<String> {
    let (letters, from) = (text.as_bytes(), from.as_bytes());
    let same = |(a, b): &(&u8, &u8)| a.eq_ignore_ascii_case(b);
    let common = letters.iter().zip(from).take_while(same).count();
    if common == letters.len() || common == from.len() {
        return Some(spelled(from.get(..common)?, letters.get(common..)?));
    }
    greater(letters, from, common)
}

/// The spelling behind one; none if it is the last.
pub(crate) fn spelling_behind(spelling: &str) -> Option<String> {
    let letters = spelling.as_bytes();
    greater(letters, letters, letters.len().checked_sub(1)?)
}

/// The first spelling that is greater than `than` at one place up to the last one, and the same before it.
fn greater(letters: &[u8], than: &[u8], last: usize) -> Option<String> {
    (0..=last).rev().find_map(|place| {
        let (letter, other) = (letters.get(place)?, than.get(place)?);
        let ways = [letter.to_ascii_uppercase(), letter.to_ascii_lowercase()];
        let way = ways.into_iter().find(|way| way > other)?;
        let mut start = than.get(..place)?.to_vec();
        start.push(way);
        Some(spelled(&start, letters.get(place + 1..)?))
    })
}

/// A start, and behind it the first spelling of the rest: capitals come first.
fn spelled(start: &[u8], rest: &[u8]) -> String {
    let mut all = start.to_vec();
    all.extend(rest.iter().map(u8::to_ascii_uppercase));
    // Both are of ASCII, because external ids are.
    String::from_utf8_lossy(&all).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn search(text: &str) -> Search {
        text.parse().unwrap()
    }

    #[test]
    fn of_an_activation_code_only_the_public_part_is_kept() {
        let code = ActivationCode::random().unwrap();
        let text = code.expose();
        for typed in [
            text.to_string(),
            text.to_uppercase(),
            text.replace('-', " "),
        ] {
            let search = search(&format!(" {typed}\n"));
            assert_eq!(search.as_str(), code.id().to_string());
            assert_eq!(search.code(), Some(code.id()));
            assert!(search.is_exact());
        }
        let groups: Vec<&str> = text.split('-').take(2).collect();
        let two = search(&groups.join("-"));
        assert_eq!(two.code(), Some(code.id()));
    }

    #[test]
    fn a_name_is_found_in_a_url_and_a_hash_however_it_is_written() {
        for text in [
            "K3V.cpe.example.com",
            "https://k3v.CPE.example.com:8443/status?x",
            "k3v.cpe.example.com.",
            "k3v.cpe.example.com:443",
        ] {
            let search = search(text);
            assert_eq!(search.name().unwrap(), "k3v.cpe.example.com", "{text}");
            assert!(search.is_exact(), "{text}");
        }
        assert_eq!(search("k3v").name().unwrap(), "k3v");
        assert!(!search("k3v").is_exact());
        for none in ["a b", "a_b", "'", "é", "."] {
            assert_eq!(search(none).name(), None, "{none}");
        }
        let hash = Sha256::of(b"x");
        let text = hash.to_string();
        let pairs: Vec<_> = text
            .as_bytes()
            .chunks(2)
            .map(String::from_utf8_lossy)
            .collect();
        for written in [text.clone(), text.to_uppercase(), pairs.join(":")] {
            assert_eq!(search(&written).hashes(), Some((hash, hash)), "{written}");
            assert!(search(&written).is_exact());
        }
        let start = search(&format!("{}…", &text[..12])).hashes().unwrap();
        assert!(start.0 < hash && hash < start.1);
        assert_eq!(search(&text[..7]).hashes(), None);
        assert_eq!(search("0123456é").hashes(), None);
    }

    #[test]
    fn what_is_empty_too_long_or_of_several_lines_is_no_search() {
        for text in ["", "  ", "a\nb", "a\0b", &"x".repeat(257)] {
            assert_eq!(text.parse::<Search>(), Err(Error::BadSearch), "{text:?}");
        }
        search(&"é".repeat(256));
    }

    /// What an index says: the first that is not before a text.
    fn first<'a>(sorted: &'a [String], from: &str) -> Option<&'a String> {
        sorted.iter().find(|id| id.as_str() >= from)
    }

    proptest! {
        #[test]
        fn every_spelling_that_is_there_is_found(
            mut ids in prop::collection::vec("[aAbB0~-]{1,5}", 0..40),
            text in "[aAbB0-]{1,3}",
        ) {
            ids.sort();
            let mut found = Vec::new();
            let mut next = spelling_from(&text, "");
            while let Some(at) = next {
                let Some(id) = first(&ids, &at) else { break };
                next = match spelling_from(&text, id) {
                    Some(spelling) if id.starts_with(&spelling) => {
                        found.extend(ids.iter().filter(|id| id.starts_with(&spelling)).cloned());
                        let behind = spelling_behind(&spelling);
                        prop_assert!(behind.as_ref().is_none_or(|behind| *behind > spelling));
                        behind
                    }
                    other => {
                        prop_assert!(other.as_ref().is_none_or(|other| *other > at));
                        other
                    }
                };
            }
            let folded = text.to_lowercase();
            let expected: Vec<String> =
                ids.iter().filter(|id| id.to_lowercase().starts_with(&folded)).cloned().collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_text_is_a_search_or_none(text: String) {
            if let Ok(search) = text.parse::<Search>() {
                let _ = (search.name(), search.id(), search.hashes(), search.code(), search.serials());
                let _ = (search.external_id(), search.is_exact());
            }
        }
    }
}
