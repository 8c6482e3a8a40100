//! Tests of signing in: who gets in, who stays out, and whose forms count.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use pki_types::UnixTime;
use rcgen::{CertificateParams, KeyPair};

use super::fleet::{TOKEN, VIEWER};
use super::site::{Site, posted};

use crate::server::listener::ClientCertificate;
use dc_pki::clock;
use dc_store::Act;
use dc_store::registry::{Access, Operator, Role, Sha256, State};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_anything_before_signing_in() {
    let site = Site::new("customer-1").await;
    for path in [
        "/",
        "/devices?q=customer",
        &site.address(""),
        &site.address("/suspend"),
    ] {
        for cookie in ["", "__Host-dc-signer=", "__Host-dc-signer=0123456789abcdef"] {
            let page = site.get(path, cookie).await;
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
            assert!(page.to.starts_with("/sign-in") && !page.text.contains("customer-1"));
        }
    }
    // HTTP/1.1 and HTTP/2.
    for address in ["/devices?q=a", "https://localhost/devices?q=a"] {
        let page = site.get(address, "").await;
        assert_eq!(page.to, "/sign-in?next=%2Fdevices%3Fq%3Da");
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_opens_a_session_that_ends_by_signing_out() {
    let site = Site::new("customer-1").await;
    let page = site
        .post(
            "/sign-in",
            "",
            &format!("token=+{TOKEN}+&next=%2Fdevices%3Fq%3Da"),
        )
        .await;
    assert_eq!(
        (page.status, page.to.as_str()),
        (StatusCode::SEE_OTHER, "/devices?q=a")
    );
    let cookie = page.cookie.unwrap();
    let (pair, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(
        attributes,
        "Path=/; Max-Age=28800; HttpOnly; Secure; SameSite=Strict"
    );
    assert_eq!(site.get("/", pair).await.status, StatusCode::OK);
    assert_eq!(site.get("/sign-in", pair).await.to, "/");
    let form = format!("form_token={}", site.form_token(pair).await);
    let page = site.post("/sign-out", pair, &form).await;
    assert_eq!(
        (page.status, page.to.as_str()),
        (StatusCode::SEE_OTHER, "/sign-in")
    );
    assert!(page.cookie.unwrap().contains("Max-Age=0"));
    assert_eq!(site.get("/", pair).await.status, StatusCode::SEE_OTHER);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_token_opens_one() {
    let site = Site::new("customer-1").await;
    for token in [
        "",
        "dcs_",
        "dcs_token-of-dora",
        "dcs_token-of-alic",
        "%00%ff",
    ] {
        let page = site
            .post("/sign-in", "", &format!("token={token}&next=%2F"))
            .await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{token}");
        assert!(page.cookie.is_none() && page.text.contains("No operator has this token"));
        assert!(token.is_empty() || !page.text.contains(&format!("\"{token}\"")));
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_disabled_is_out_at_once() {
    let site = Site::new("customer-1").await;
    let cookie = site.signed_in(TOKEN).await;
    assert_eq!(site.get("/", &cookie).await.status, StatusCode::OK);
    let by = Act::new("operator:tester", clock::now().unwrap()).because("a test".parse().ok());
    let name = "alice".parse().unwrap();
    site.database
        .store
        .disable_operator(&name, &by)
        .await
        .unwrap();
    assert_eq!(site.get("/", &cookie).await.status, StatusCode::SEE_OTHER);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_token_has_ended_is_out_and_told_so_and_warned_before() {
    let site = Site::new("customer-1").await;
    let (store, now) = (&site.database.store, clock::now().unwrap());
    let by = Act::new("operator:tester", now).because("a test".parse().ok());
    let ends_in = async |seconds: u64| {
        let ends = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + seconds));
        let access = Access::Token(Sha256::of(TOKEN.as_bytes()));
        let name = "alice".parse().unwrap();
        let operator = Operator::new(name, Role::Operator, access, Some(ends));
        store.put_operator(&operator, &by).await.unwrap();
    };
    ends_in(30 * 86_400).await;
    let cookie = site.signed_in(TOKEN).await;
    let fleet = site.get("/", &cookie).await.text;
    assert!(!fleet.contains("Your token or certificate ends"));
    ends_in(86_400).await;
    let fleet = site.get("/", &cookie).await.text;
    assert!(fleet.contains("Your token or certificate ends"));
    ends_in(0).await;
    assert_eq!(site.get("/", &cookie).await.status, StatusCode::SEE_OTHER);
    let page = site
        .post("/sign-in", &cookie, &format!("token={TOKEN}&next=/"))
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("has ended on") && page.text.contains("operators renew"));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_gets_no_buttons_and_may_send_nothing() {
    let site = Site::new("customer-1").await;
    let cookie = site.signed_in(VIEWER).await;
    let page = site.get(&site.address(""), &cookie).await;
    assert!(page.status == StatusCode::OK && !page.text.contains("/suspend"));
    assert_eq!(
        site.get(&site.address("/suspend"), &cookie).await.status,
        StatusCode::FORBIDDEN
    );
    let form = format!("form_token={}", site.form_token(&cookie).await);
    let page = site.post(&site.address("/suspend"), &cookie, &form).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("You are viewer") && site.state().await == State::Active);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_page_of_ours_has_sent_changes_nothing() {
    let site = Site::new("customer-1").await;
    let (cookie, other) = (site.signed_in(TOKEN).await, site.signed_in(TOKEN).await);
    let (token, other) = (
        site.form_token(&cookie).await,
        site.form_token(&other).await,
    );
    let path = site.address("/suspend");
    for form in [
        "form_token=",
        "form_token=00",
        &format!("form_token={other}"),
    ] {
        assert_eq!(
            site.post(&path, &cookie, form).await.status,
            StatusCode::FORBIDDEN
        );
    }
    for form in ["", "sure=yes", "form_token=%ff&form_token=1"] {
        assert_eq!(
            site.post(&path, &cookie, form).await.status,
            StatusCode::BAD_REQUEST
        );
    }
    for site_header in ["cross-site", "same-site", "none"] {
        let mut request = posted(&path, &cookie, &format!("form_token={token}"));
        let value = site_header.parse().unwrap();
        request.headers_mut().insert("sec-fetch-site", value);
        assert_eq!(site.send(request).await.status, StatusCode::FORBIDDEN);
    }
    let mut request = posted("/sign-in", "", &format!("token={TOKEN}"));
    request.headers_mut().remove("sec-fetch-site");
    let page = site.send(request).await;
    assert!(page.status == StatusCode::FORBIDDEN && page.cookie.is_none());
    assert_eq!(site.state().await, State::Active);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_as_good_as_a_token_and_its_forms_have_tokens_too() {
    let site = Site::new("customer-1").await;
    let key = KeyPair::generate().unwrap();
    let signed = CertificateParams::default().self_signed(&key).unwrap();
    let certificate = ClientCertificate::shown(signed.into());
    let access = Access::Certificate(certificate.sha256());
    let operator = Operator::new("carol".parse().unwrap(), Role::Operator, access, None);
    let by = Act::new("operator:tester", clock::now().unwrap()).because("a test".parse().ok());
    site.database
        .store
        .put_operator(&operator, &by)
        .await
        .unwrap();
    let with = |mut request: Request<Body>| {
        request.extensions_mut().insert(certificate.clone());
        site.send(request)
    };
    let path = site.address("/suspend");
    let page = with(Request::get(&path).body(Body::empty()).unwrap()).await;
    assert!(page.text.contains("carol") && !page.text.contains("/sign-out"));
    let token = page.text.split("form_token\" value=\"").nth(1).unwrap();
    let form = format!("form_token={}", token.split('"').next().unwrap());
    assert_eq!(
        with(posted(&path, "", "form_token=1")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        with(posted(&path, "", &format!("{form}&reason=NOC-4711")))
            .await
            .status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(site.state().await, State::Suspended);
    site.end().await;
}
