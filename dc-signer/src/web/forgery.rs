//! Whether a form was sent by a page of ours: its token, and what the browser says about where it came from.

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use data_encoding::HEXLOWER;
use ring::hmac::{HMAC_SHA256, Key, sign, verify};
use ring::rand::{SystemRandom, generate};

use crate::error::Error;
use crate::registry::Sha256;

/// Makes and checks the tokens of forms.
pub(super) struct Forgery(Key);

impl Forgery {
    /// With a key that no other process has.
    ///
    /// Fails with [`Error::Randomness`].
    pub(super) fn new() -> Result<Self, Error> {
        let random = generate::<[u8; 32]>(&SystemRandom::new()).map_err(|_| Error::Randomness)?;
        Ok(Self(Key::new(HMAC_SHA256, &random.expose())))
    }

    /// What a form must contain that a session or the holder of a key sends: of `whose`, its hash.
    pub(super) fn token(&self, whose: &Sha256) -> String {
        HEXLOWER.encode(sign(&self.0, whose.as_bytes()).as_ref())
    }

    /// Whether this is that token, in a time that does not depend on how much of it is.
    pub(super) fn is_token(&self, whose: &Sha256, given: &str) -> bool {
        let given = HEXLOWER.decode(given.as_bytes());
        given.is_ok_and(|given| verify(&self.0, whose.as_bytes(), &given).is_ok())
    }
}

/// Whether the browser says that a page of this very origin has sent the request.
///
/// All browsers that get TLS 1.3 right also send `Sec-Fetch-Site`. `Origin` stands in for it; it is `null`
/// where a page, as ours do, tells the browser to send no referrer.
pub(super) fn same_origin(parts: &Parts) -> bool {
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    match header(SEC_FETCH_SITE) {
        Some(site) => site == "same-origin",
        None => {
            let origin = header(ORIGIN.as_str()).and_then(|origin| origin.strip_prefix("https://"));
            let authority = parts.uri.authority().map(Authority::as_str);
            let host = authority.or_else(|| header(HOST.as_str()));
            origin.is_some() && origin == host
        }
    }
}

const SEC_FETCH_SITE: &str = "sec-fetch-site";

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::post(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_request_comes_from_here_only_if_the_browser_says_so() {
        let host = ("host", "signer.example:8443");
        let own = ("origin", "https://signer.example:8443");
        let site = |value| ("sec-fetch-site", value);
        for (headers, ours) in [
            (vec![host, site("same-origin")], true),
            (vec![host, site("same-origin"), ("origin", "null")], true),
            (vec![host, own], true),
            (vec![host], false),
            (vec![host, ("origin", "null")], false),
            (vec![host, ("origin", "http://signer.example:8443")], false),
            (vec![host, ("origin", "https://signer.example")], false),
            (vec![host, ("origin", "https://evil.example")], false),
            (vec![host, own, site("same-site")], false),
            (vec![host, own, site("cross-site")], false),
            (vec![host, own, site("none")], false),
            (vec![own], false),
        ] {
            assert_eq!(
                same_origin(&parts("/sign-in", &headers)),
                ours,
                "{headers:?}"
            );
        }
        // HTTP/2 has the host elsewhere.
        let parts = parts("https://signer.example:8443/sign-in", &[own]);
        assert!(same_origin(&parts));
    }

    #[test]
    fn a_token_is_good_for_its_owner_and_its_process_alone() {
        let (ours, other) = (Forgery::new().unwrap(), Forgery::new().unwrap());
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
