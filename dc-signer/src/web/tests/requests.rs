//! Requests without a browser: sign-in, roles, forms, and what every answer has in its head.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::fleet::{self, HOSTILE, TOKEN, VIEWER};
use crate::clock;
use crate::listener::ClientCertificate;
use crate::registry::{Access, Action, Device, Operator, Role, Sha256, State};
use crate::store::Act;
use crate::store::testing::Database;
use crate::web::{self, Web};

/// The pages over a fresh database with one device.
struct Site {
    database: Database,
    router: Router,
    device: Device,
}

/// An answer that was read to its end.
struct Page {
    status: StatusCode,
    to: String,
    cookie: Option<String>,
    headers: Vec<(String, String)>,
    text: String,
}

impl Site {
    async fn new(external_id: &str) -> Self {
        let database = Database::sqlite().await;
        let now = clock::now().unwrap();
        fleet::operators(&*database.store, now).await;
        let device = fleet::one(&*database.store, external_id, now).await;
        let web = Web::new(database.store.clone(), Box::new(|_| Ok(()))).unwrap();
        Self {
            router: web::router(web),
            database,
            device,
        }
    }

    async fn send(&self, request: Request<Body>) -> Page {
        Page::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    async fn get(&self, path: &str, cookie: &str) -> Page {
        let request = Request::get(path).header("cookie", cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, cookie: &str, form: &str) -> Page {
        self.send(posted(path, cookie, form)).await
    }

    /// The cookie of a new session.
    async fn signed_in(&self, token: &str) -> String {
        let page = self
            .post("/sign-in", "", &format!("token={token}&next=%2F"))
            .await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        let cookie = page.cookie.unwrap();
        cookie.split(';').next().unwrap().to_owned()
    }

    /// The token that the forms of a session have.
    async fn form_token(&self, cookie: &str) -> String {
        let page = self.get("/", cookie).await.text;
        let after = page.split("name=\"form_token\" value=\"").nth(1).unwrap();
        after.split('"').next().unwrap().to_owned()
    }

    fn address(&self, end: &str) -> String {
        format!("/devices/{}{end}", self.device.id)
    }

    async fn state(&self) -> State {
        let device = fleet::by_id(&*self.database.store, self.device.id).await;
        device.state
    }

    async fn end(self) {
        self.database.end().await;
    }
}

impl Page {
    async fn read(response: Response<Body>) -> Self {
        let header = |name: &str| {
            let value = response.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        Self {
            status: response.status(),
            to: header("location").unwrap_or_default(),
            cookie: header("set-cookie"),
            headers: response
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect(),
            text: {
                let body = response.into_body().collect().await.unwrap().to_bytes();
                String::from_utf8(body.to_vec()).unwrap()
            },
        }
    }

    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map_or("", |(_, value)| value)
    }
}

fn posted(path: &str, cookie: &str, form: &str) -> Request<Body> {
    Request::post(path)
        .header("cookie", cookie)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
        .body(form.to_owned().into())
        .unwrap()
}

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
    let by = Act {
        actor: "cli:root".into(),
        at: clock::now().unwrap(),
    };
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
async fn an_operator_suspends_resumes_and_retires_and_the_audit_log_says_who() {
    let site = Site::new("customer-1").await;
    let cookie = site.signed_in(TOKEN).await;
    let token = site.form_token(&cookie).await;
    for (act, form, state, said) in [
        ("suspend", "", State::Suspended, "The device is suspended."),
        ("resume", "", State::Active, "The device is resumed."),
        (
            "retire",
            "&sure=yes",
            State::Retired,
            "The device is retired.",
        ),
    ] {
        let path = site.address(&format!("/{act}"));
        assert!(site.get(&path, &cookie).await.text.contains("customer-1"));
        let form = format!("form_token={token}{form}");
        let page = site.post(&path, &cookie, &form).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
        assert_eq!(site.state().await, state);
        assert!(site.get(&page.to, &cookie).await.text.contains(said));
    }
    let history = site
        .database
        .store
        .history(site.device.id, 10)
        .await
        .unwrap();
    let acts: Vec<_> = history.acts.iter().map(|record| &record.entry).collect();
    assert_eq!(acts[0].action, Action::Retire);
    assert!(
        acts[..3]
            .iter()
            .all(|entry| entry.actor == "operator:alice")
    );
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retiring_takes_a_tick_and_a_retired_device_stays_so() {
    let site = Site::new("customer-1").await;
    let cookie = site.signed_in(TOKEN).await;
    let form = format!("form_token={}", site.form_token(&cookie).await);
    let path = site.address("/retire");
    let page = site.post(&path, &cookie, &form).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("tick the box") && site.state().await == State::Active);
    site.post(&path, &cookie, &format!("{form}&sure=yes")).await;
    assert_eq!(site.state().await, State::Retired);
    let page = site.post(&site.address("/resume"), &cookie, &form).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(
        page.text
            .contains("This cannot be done to a device that is retired for good")
    );
    // There is no page to ask what makes no sense.
    assert_eq!(
        site.get(&site.address("/resume"), &cookie).await.to,
        site.address("")
    );
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
async fn every_answer_forbids_scripts_framing_and_keeping() {
    let site = Site::new("customer-1").await;
    let cookie = site.signed_in(TOKEN).await;
    let device = site.address("");
    for path in [
        "/",
        "/devices",
        &device,
        "/sign-in",
        "/devices/x",
        "/style.css",
        "/icon.svg",
    ] {
        let page = site.get(path, &cookie).await;
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with(
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'"
        ));
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        assert_eq!(page.header("referrer-policy"), "no-referrer");
        let kept = ["/style.css", "/icon.svg"].contains(&path);
        assert_eq!(page.header("cache-control") == "no-store", !kept, "{path}");
        // The policy would not let a browser apply either.
        assert!(
            !page.text.contains("<script") && !page.text.contains(" style="),
            "{path}"
        );
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_a_page_with_the_id_of_the_request() {
    let site = Site::new("customer-1").await;
    let cookie = site.signed_in(TOKEN).await;
    let gone = format!("/devices/{}", "a".repeat(26));
    let long = format!("token={}", "x".repeat(5000));
    let pages = [
        (
            site.get("/devices/nonsense", &cookie).await,
            StatusCode::NOT_FOUND,
        ),
        (
            site.get("/devices/%ff", &cookie).await,
            StatusCode::NOT_FOUND,
        ),
        (site.get(&gone, &cookie).await, StatusCode::NOT_FOUND),
        (
            site.get(&site.address("/explode"), &cookie).await,
            StatusCode::NOT_FOUND,
        ),
        (
            site.get("/devices?state=asleep", &cookie).await,
            StatusCode::BAD_REQUEST,
        ),
        (
            site.get("/devices?zone=.", &cookie).await,
            StatusCode::BAD_REQUEST,
        ),
        (
            site.get("/devices?q=1&q=2", &cookie).await,
            StatusCode::BAD_REQUEST,
        ),
        (
            site.get("/sign-out", &cookie).await,
            StatusCode::METHOD_NOT_ALLOWED,
        ),
        (
            site.post("/sign-in", "", &long).await,
            StatusCode::BAD_REQUEST,
        ),
        (
            site.post("/sign-out", "", "form_token=1").await,
            StatusCode::FORBIDDEN,
        ),
    ];
    for (page, status) in pages {
        assert_eq!(page.status, status, "{}", page.text);
        assert!(page.text.contains("<h1>") && page.text.contains("Request <code>"));
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_is_a_page_as_well() {
    let site = Site::new("customer-1").await;
    let cookie = site.signed_in(TOKEN).await;
    site.database.store.close().await;
    let page = site.get("/", &cookie).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        page.text.contains("The database does not answer") && page.header("retry-after") == "60"
    );
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_external_id_is_text_wherever_it_is_shown() {
    let site = Site::new(HOSTILE).await;
    let cookie = site.signed_in(TOKEN).await;
    for path in [
        "/devices".to_owned(),
        site.address(""),
        site.address("/retire"),
    ] {
        let text = site.get(&path, &cookie).await.text;
        assert!(
            text.contains("&lt;script&gt;alert(document.domain)"),
            "{path}"
        );
        assert!(
            !text.contains("<script") && !text.contains("<img src=x"),
            "{path}"
        );
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_found_by_whatever_names_it() {
    let site = Site::new("customer-1").await;
    let cookie = site.signed_in(VIEWER).await;
    let device = &site.device;
    for exact in [
        device.id.to_string(),
        device.name.to_string(),
        device.key.unwrap().to_string(),
    ] {
        let page = site.get(&format!("/devices?q={exact}"), &cookie).await;
        assert_eq!(page.to, site.address(""), "{exact}");
    }
    for (start, found) in [
        ("cust", true),
        ("customer-1", true),
        ("ustomer", false),
        ("%25", false),
    ] {
        let page = site.get(&format!("/devices?q={start}"), &cookie).await;
        assert_eq!(page.text.contains(&site.address("")), found, "{start}");
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_as_good_as_a_token_and_its_forms_have_tokens_too() {
    let site = Site::new("customer-1").await;
    let certificate = ClientCertificate::shown([7; 32]);
    let access = Access::Key(Sha256::from_bytes([7; 32]));
    let operator = Operator {
        name: "carol".parse().unwrap(),
        role: Role::Operator,
        access,
        disabled: false,
    };
    let by = Act {
        actor: "cli:root".into(),
        at: clock::now().unwrap(),
    };
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
        with(posted(&path, "", &form)).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(site.state().await, State::Suspended);
    site.end().await;
}
