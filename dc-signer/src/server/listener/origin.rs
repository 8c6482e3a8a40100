//! The origin of a request, as a browser tells it.

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;

/// Which page has sent a request, as far as a browser says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A page of this very origin.
    Ours,
    /// Some other page.
    Foreign,
    /// Nobody says: it was no browser, or one of long ago.
    Unsaid,
}

impl Origin {
    /// The origin in the head of a request.
    ///
    /// All browsers that get TLS 1.3 right also send `Sec-Fetch-Site`. `Origin` stands in for it; it is `null`
    /// where a page, as ours do, tells the browser to send no referrer.
    #[must_use]
    pub fn of(parts: &Parts) -> Self {
        let header = |name: &str| {
            let value = parts.headers.get(name)?;
            // What cannot be read was not sent by us.
            Some(value.to_str().unwrap_or_default())
        };
        let ours = match (header(SEC_FETCH_SITE), header(ORIGIN.as_str())) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => {
                let authority = parts.uri.authority().map(Authority::as_str);
                let host = authority.or_else(|| header(HOST.as_str()));
                host.is_some() && origin.strip_prefix("https://") == host
            }
            (None, None) => return Self::Unsaid,
        };
        match ours {
            true => Self::Ours,
            false => Self::Foreign,
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
        use Origin::{Foreign, Ours, Unsaid};
        for (headers, expected) in [
            (vec![host, site("same-origin")], Ours),
            (vec![host, site("same-origin"), ("origin", "null")], Ours),
            (vec![host, own], Ours),
            (vec![host], Unsaid),
            (vec![host, ("origin", "null")], Foreign),
            (
                vec![host, ("origin", "http://signer.example:8443")],
                Foreign,
            ),
            (vec![host, ("origin", "https://signer.example")], Foreign),
            (vec![host, ("origin", "https://evil.example")], Foreign),
            (vec![host, own, site("same-site")], Foreign),
            (vec![host, own, site("cross-site")], Foreign),
            (vec![host, own, site("none")], Foreign),
            (vec![own], Foreign),
        ] {
            let said = Origin::of(&parts("/sign-in", &headers));
            assert_eq!(said, expected, "{headers:?}");
        }
        // HTTP/2 has the host elsewhere.
        let parts = parts("https://signer.example:8443/sign-in", &[own]);
        assert_eq!(Origin::of(&parts), Ours);
    }
}
