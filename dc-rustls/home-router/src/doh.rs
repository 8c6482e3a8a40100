//! DNS over HTTPS (RFC 8484): GET with `?dns=`, and POST.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64ct::{Base64UrlUnpadded, Encoding};

use crate::web::{Here, Web};

/// `GET /dns-query?dns=…`
pub(crate) async fn get(
    State(web): State<Arc<Web>>,
    Extension(here): Extension<Here>,
    RawQuery(query): RawQuery,
) -> Response {
    match decode(query.as_deref().unwrap_or_default()) {
        Some(message) => answer(&web, &here, &message).await,
        None => refuse(
            StatusCode::BAD_REQUEST,
            "put one query into ?dns=, in base64url without padding (RFC 8484 section 4.1)",
        ),
    }
}

/// `POST /dns-query`
pub(crate) async fn post(
    State(web): State<Arc<Web>>,
    Extension(here): Extension<Here>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if !is_dns(&headers) {
        return refuse(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the content type application/dns-message",
        );
    }
    match body {
        Ok(message) => answer(&web, &here, &message).await,
        // 413 for what is longer than any DNS message.
        Err(rejection) => rejection.into_response(),
    }
}

async fn answer(web: &Web, here: &Here, query: &[u8]) -> Response {
    here.connection.count_query();
    let way = here.connection.way(here.local);
    let Ok(answer) = web.resolver.answer(query, way).await else {
        return refuse(StatusCode::BAD_REQUEST, "this is not a DNS message");
    };
    let caching = match answer.max_age {
        Some(seconds) => format!("max-age={seconds}"),
        None => "no-store".to_owned(),
    };
    let headers = [
        (CONTENT_TYPE, MEDIA_TYPE.to_owned()),
        (CACHE_CONTROL, caching),
    ];
    (headers, answer.bytes).into_response()
}

fn refuse(status: StatusCode, why: &'static str) -> Response {
    (status, why).into_response()
}

/// The message in a query string; `None` unless there is exactly one.
fn decode(query: &str) -> Option<Vec<u8>> {
    let mut values = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("dns="));
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    Base64UrlUnpadded::decode_vec(value).ok()
}

/// Parameters behind the media type mean nothing here.
fn is_dns(headers: &HeaderMap) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let media_type = value.unwrap_or_default().split(';').next();
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(MEDIA_TYPE))
}

/// The longest DNS message over a stream.
pub(crate) const MAX_LENGTH: usize = 0xffff;
const MEDIA_TYPE: &str = "application/dns-message";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_one_message_among_other_parameters() {
        assert_eq!(decode("ct=x&dns=AAEC&x"), Some(vec![0, 1, 2]));
        assert_eq!(decode("dns="), Some(Vec::new()));
    }

    #[test]
    fn refuses_none_two_padding_and_the_other_alphabet() {
        for query in [
            "",
            "dns",
            "xdns=AAEC",
            "dns=AAEC&dns=AAEC",
            "dns=AA==",
            "dns=+/+/",
            "dns=A%41EC",
        ] {
            assert_eq!(decode(query), None, "{query}");
        }
    }

    #[test]
    fn knows_its_media_type() {
        let is = |value: &'static str| {
            is_dns(&HeaderMap::from_iter([(
                CONTENT_TYPE,
                value.parse().unwrap(),
            )]))
        };
        assert!(is("application/dns-message") && is("Application/DNS-Message ; a=b"));
        assert!(!is("application/dns-json") && !is("") && !is_dns(&HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn no_query_string_makes_it_panic(query in "\\PC{0,80}") {
            let _ = decode(&query);
        }

        #[test]
        fn what_was_encoded_is_decoded(message in prop::collection::vec(any::<u8>(), 0..600)) {
            let query = format!("dns={}", Base64UrlUnpadded::encode_string(&message));
            prop_assert_eq!(decode(&query), Some(message));
        }
    }
}
