//! rustls with the rule of draft-wing-settle-public-key-hash-01: a server has the key whose hash is in its name.

use crate::Result;
use crate::clients::by_key::{Connection, Form, refusal};
use crate::clients::{Client, Outcome, Visit, rustls_version};
use crate::clock::Clock;
use crate::rows::key_hash::hash_label;

/// A client that compares the server's key with its name. It does no more with the certificate than take the key out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyHash;

impl KeyHash {
    fn connect(visit: &Visit<'_>) -> Result<Outcome> {
        let connection = Connection::open(visit.name, visit.port, Form::Certificate, None)?;
        if !is_named_after(visit.name, &connection.fingerprint) {
            return Ok(Outcome::Refused(
                "another key than the name says".to_owned(),
            ));
        }
        connection.get("/")?.success()?;
        Ok(Outcome::Connected)
    }
}

impl Client for KeyHash {
    fn name(&self) -> &'static str {
        "rustls, key hash"
    }

    fn version(&self) -> std::result::Result<String, String> {
        Ok(format!("{} with a verifier of ours", rustls_version()))
    }

    /// Roots and what the user accepts are of no use to it.
    fn visit(&self, _clock: &Clock, visits: &[Visit<'_>]) -> Vec<Outcome> {
        let connect = |visit: &Visit<'_>| match visit {
            _ if !has_hash(visit.name) => Outcome::Unable("the name holds no hash"),
            Visit {
                revocation_list: Some(_),
                ..
            } => Outcome::Unable("names cannot be revoked"),
            _ => Self::connect(visit).unwrap_or_else(|error| Outcome::Refused(refusal(&*error))),
        };
        visits.iter().map(connect).collect()
    }
}

/// Whether the second label of a name is that of a key; letters of both cases are the same (§5 of the draft).
fn is_named_after(name: &str, key: &[u8; 32]) -> bool {
    let label = second_label(name);
    label.is_some_and(|label| label.eq_ignore_ascii_case(&hash_label(key)))
}

/// Whether a name is local and its second label looks like a hash (§4.1 of the draft).
fn has_hash(name: &str) -> bool {
    let is_local = LOCAL.iter().any(|suffix| name.ends_with(suffix));
    let is_digit = |byte: u8| matches!(byte.to_ascii_lowercase(), b'a'..=b'z' | b'2'..=b'7');
    let is_hash = |label: &str| {
        let hash = label.strip_prefix('0');
        hash.is_some_and(|hash| hash.len() == HASH && hash.bytes().all(is_digit))
    };
    is_local && second_label(name).is_some_and(is_hash)
}

fn second_label(name: &str) -> Option<&str> {
    name.split('.').nth(1)
}

/// 32 bytes in base32.
const HASH: usize = 52;
/// §6.1 of the draft, which spells the second with a hyphen.
const LOCAL: [&str; 4] = [".local", ".home.arpa", ".internal", ".localhost"];

#[cfg(test)]
mod tests {
    use super::*;

    /// Appendix A of the draft.
    const NAME: &str = "printer.0EHV4BUAOTDR4WKEXHDRMBEPFGLCK3ASA4A3FWIQGPIKES2J6LIMA.local";
    const HASH_OF_KEY: [u8; 32] = [
        0x21, 0xeb, 0xc0, 0xd0, 0x0e, 0x98, 0xe3, 0xcb, 0x28, 0x97, 0x38, 0xe2, 0xc0, 0x91, 0xe5,
        0x32, 0xc4, 0xad, 0x82, 0x40, 0xe0, 0x36, 0x5b, 0x22, 0x06, 0x7a, 0x14, 0x49, 0x69, 0x3e,
        0x5a, 0x18,
    ];

    #[test]
    fn the_draft_s_example_is_named_after_its_key() {
        assert!(has_hash(NAME));
        assert!(is_named_after(NAME, &HASH_OF_KEY));
        let mut other = HASH_OF_KEY;
        other[31] ^= 1;
        assert!(!is_named_after(NAME, &other));
    }

    #[test]
    fn names_without_a_hash_are_not_its_business() {
        assert!(!has_hash("printer.local"));
        assert!(!has_hash(&NAME.replace(".local", ".example")));
        assert!(!has_hash(&NAME.replace(".0", ".1")));
    }
}
