//! DNS over HTTPS as RFC 8484 has it: requests of every kind, in both versions of HTTP.

use std::path::Path;

use base64ct::{Base64UrlUnpadded, Encoding};
use hickory_proto::op::Message;
use http_body_util::Full;
use hyper::{Request, Response, body::Bytes};

use super::{Options, Router, client, upstream::Upstream};
use crate::{connection, setup, vendor::Device};

const DNS: &str = "application/dns-message";

/// Sends one request, over a connection of its own.
pub(super) async fn send(
    router: &Router,
    root: &Path,
    device: &Device,
    protocol: &str,
    request: Request<Full<Bytes>>,
) -> Response<Bytes> {
    let tls = connection::connect(router.https, root, &device.name, protocol);
    connection::send(tls.await.unwrap(), request).await
}

pub(super) fn get(device: &Device, path: &str) -> Request<Full<Bytes>> {
    let url = format!("https://{}{path}", device.name);
    let request = Request::get(url).header("Host", &device.name);
    request.body(Full::default()).unwrap()
}

fn post(device: &Device, media_type: &str, body: Vec<u8>) -> Request<Full<Bytes>> {
    Request::post(format!("https://{}/dns-query", device.name))
        .header("Host", &device.name)
        .header("Content-Type", media_type)
        .body(Full::new(body.into()))
        .unwrap()
}

fn dns(message: &[u8]) -> String {
    format!(
        "/dns-query?dns={}",
        Base64UrlUnpadded::encode_string(message)
    )
}

fn header<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn names_are_found_with_get_and_post_and_kept_as_long_as_their_records() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-doh", "P-256", "named");
    let router = Options::new(&device.identity, &upstream).start();
    let root = vendor.root();
    for protocol in ["http/1.1", "h2"] {
        for (name, caching, records) in [
            ("www.example.", "max-age=7", 2),
            ("none.example.", "max-age=61", 0),
            ("silent.example.", "no-store", 0),
        ] {
            let query = client::query(name);
            let requests = [
                get(&device, &dns(&query)),
                post(&device, DNS, query.clone()),
            ];
            for request in requests {
                let response = send(&router, &root, &device, protocol, request).await;
                assert_eq!(response.status(), 200);
                assert_eq!(header(&response, "content-type"), DNS);
                assert_eq!(header(&response, "cache-control"), caching, "{name}");
                let answer = Message::from_vec(response.body()).unwrap();
                assert_eq!(answer.metadata.id.to_be_bytes(), query[..2]);
                assert_eq!(answer.answers.len(), records, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn bad_requests_are_told_apart() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-bad-doh", "P-256", "named");
    let router = Options::new(&device.identity, &upstream).start();
    let root = vendor.root();
    let query = client::query("www.example.");
    let mut delete = get(&device, "/dns-query");
    *delete.method_mut() = hyper::Method::DELETE;
    for (status, request) in [
        (400, get(&device, "/dns-query")),
        (400, get(&device, "/dns-query?dns=AA==")),
        (400, get(&device, "/dns-query?dns=AA")),
        (400, post(&device, DNS, vec![1, 2, 3])),
        (404, get(&device, "/dns")),
        (405, delete),
        (413, post(&device, DNS, vec![0; 65_536])),
        (415, post(&device, "application/dns-json", query)),
    ] {
        let what = format!("{} {}", request.method(), request.uri());
        let response = send(&router, &root, &device, "h2", request).await;
        assert_eq!(response.status(), status, "{what}");
    }
    // Garbage with an id is DNS, if bad DNS.
    let request = post(&device, DNS, vec![0xab; 40]);
    let response = send(&router, &root, &device, "h2", request).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.body()[..2], [0xab, 0xab]);
    assert_eq!(response.body()[3] & 0x0f, 1, "FORMERR");
}

#[tokio::test]
async fn the_page_forbids_the_browser_what_it_does_not_need() {
    let Some(_) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-headers", "P-256", "named");
    let router = Options::new(&device.identity, &upstream).start();
    for path in ["/", "/style.css", "/icon.svg", "/nothing"] {
        let request = get(&device, path);
        let response = send(&router, &vendor.root(), &device, "h2", request).await;
        let policy = header(&response, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(header(&response, "x-frame-options"), "DENY");
        assert_eq!(header(&response, "referrer-policy"), "no-referrer");
    }
}

/// What a browser does: it hears over TCP that there is HTTP/3, and goes there with the next request.
#[tokio::test]
async fn an_answer_over_tcp_says_where_http3_is_and_it_is_there() {
    let Some(lab) = setup::lab() else { return };
    let (vendor, upstream) = (setup::vendor(), Upstream::start());
    let device = vendor.enrol("router-alt-svc", "P-256", "named");
    let router = Options::new(&device.identity, &upstream)
        .fallback(lab.ordinary())
        .start();
    for protocol in ["http/1.1", "h2"] {
        for path in ["/", "/style.css", "/nothing"] {
            let request = get(&device, path);
            let response = send(&router, &vendor.root(), &device, protocol, request).await;
            let expected = format!("h3=\":{}\"; ma=3600", router.http3);
            assert_eq!(header(&response, "alt-svc"), expected);
        }
    }
    let body = crate::quic::get_at(router.http3, &vendor.root(), &device.name, "/").await;
    assert!(body.contains(&device.name), "{body}");
}
