//! CSRF tokens: that a form was made by a page of ours.

use data_encoding::HEXLOWER;
use ring::hmac::{HMAC_SHA256, Key, sign, verify};

use dc_pki::Error;
use dc_store::registry::Sha256;

/// Makes and checks the tokens of forms.
pub(super) struct Csrf(Key);

impl Csrf {
    /// With a key that no other process has.
    ///
    /// Fails with [`Error::Randomness`].
    pub(super) fn new() -> Result<Self, Error> {
        let random = dc_pki::random::<32>()?;
        Ok(Self(Key::new(HMAC_SHA256, &random)))
    }

    /// The token of a form that a session or the holder of a key sends: of `whose`, its hash.
    pub(super) fn token(&self, whose: &Sha256) -> String {
        HEXLOWER.encode(sign(&self.0, whose.as_bytes()).as_ref())
    }

    /// True if this is that token, in a time that does not depend on how much of it is.
    pub(super) fn is_token(&self, whose: &Sha256, given: &str) -> bool {
        let given = HEXLOWER.decode(given.as_bytes());
        given.is_ok_and(|given| verify(&self.0, whose.as_bytes(), &given).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_owner_and_its_process_alone() {
        let (ours, other) = (Csrf::new().unwrap(), Csrf::new().unwrap());
        let (alice, bob) = (Sha256::of(b"alice"), Sha256::of(b"bob"));
        let token = ours.token(&alice);
        assert!(ours.is_token(&alice, &token));
        assert!(!ours.is_token(&bob, &token));
        assert!(!other.is_token(&alice, &token));
        for wrong in ["", "00", &token[1..], &token.to_ascii_uppercase()] {
            assert!(!ours.is_token(&alice, wrong), "{wrong}");
        }
    }
}
