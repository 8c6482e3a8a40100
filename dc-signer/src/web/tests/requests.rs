//! Requests without a browser: what can be done, what every answer has in its head, and what goes wrong.

use axum::http::StatusCode;

use super::fleet::{HOSTILE, TOKEN, VIEWER};
use super::site::Site;
use dc_store::registry::{Action, ActivationCode, State};

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
        let form = format!("form_token={token}&reason=NOC-4711{form}");
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
    assert!(acts[..3].iter().all(
        |entry| entry.actor == "operator:alice" && entry.reason.as_deref() == Some("NOC-4711")
    ));
    assert!(
        site.get(&site.address(""), &cookie)
            .await
            .text
            .contains("NOC-4711")
    );
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retiring_takes_a_tick_and_a_retired_device_stays_so() {
    let site = Site::new("customer-1").await;
    let cookie = site.signed_in(TOKEN).await;
    let form = format!("form_token={}", site.form_token(&cookie).await);
    let path = site.address("/retire");
    // And a reason, which is kept while the rest is asked for.
    for bad in ["", "&reason=", "&reason=no", "&reason=two%0Alines"] {
        let page = site
            .post(&path, &cookie, &format!("{form}&sure=yes{bad}"))
            .await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            page.text.contains("A reason has 3 to 200 characters"),
            "{}",
            page.text
        );
    }
    let form = format!("{form}&reason=NOC-4711");
    let page = site.post(&path, &cookie, &form).await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.text.contains("value=\"NOC-4711\""));
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
    let key = device.key.unwrap().to_string();
    for exact in [
        device.id.to_string(),
        device.name.to_string(),
        key.clone(),
        key.to_uppercase(),
        format!("https%3A%2F%2F{}%3A8443%2F", device.name),
    ] {
        let page = site.get(&format!("/devices?q={exact}"), &cookie).await;
        assert_eq!(page.to, site.address(""), "{exact}");
    }
    for (start, found) in [
        ("cust", true),
        ("CUST", true),
        ("Customer-1", true),
        (&device.name.as_str()[..5], true),
        (&key[..8], true),
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
async fn the_secret_of_an_activation_code_stays_in_no_address_and_on_no_page() {
    let site = Site::new("customer-1").await;
    let cookie = site.signed_in(VIEWER).await;
    let code = ActivationCode::random().unwrap();
    let public = code.id().to_string();
    let page = site
        .get(
            &format!("/devices?q={}&state=active", *code.expose()),
            &cookie,
        )
        .await;
    assert_eq!(page.to, format!("/devices?q={public}&state=active"));
    let page = site.get(&page.to, &cookie).await;
    assert!(
        page.text.contains(&format!("value=\"{public}\"")),
        "{}",
        page.text
    );
    let path = format!("/devices/export?q={}&format=csv", *code.expose());
    assert_eq!(site.get(&path, &cookie).await.status, StatusCode::OK);
    let log = site.records().await;
    let exports = log.iter().filter(|record| record.0 == Action::Export);
    let scopes: Vec<_> = exports.map(|record| record.1.clone()).collect();
    assert_eq!(scopes, [format!("search=\"{public}\"")]);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_can_be_had_as_a_file_and_that_is_on_record() {
    let site = Site::new("=customer,1").await;
    let cookie = site.signed_in(VIEWER).await;
    let query = "q=%3DCUSTOMER&state=active&ends=none";
    for (format, kind, line) in [
        (
            "csv",
            "text/csv; charset=utf-8; header=present",
            "\"'=customer,1\",",
        ),
        (
            "ndjson",
            "application/x-ndjson",
            "\"external_id\":\"=customer,1\"",
        ),
    ] {
        let path = format!("/devices/export?{query}&format={format}");
        assert_eq!(site.get(&path, "").await.status, StatusCode::SEE_OTHER);
        let file = site.get(&path, &cookie).await;
        assert_eq!(file.header("content-type"), kind);
        let name = format!("attachment; filename=\"devices.{format}\"");
        assert_eq!(file.header("content-disposition"), name);
        assert!(file.text.contains(line), "{}", file.text);
        assert!(
            file.header("content-security-policy")
                .starts_with("default-src 'none'")
        );
    }
    for bad in [
        "",
        "&format=exe",
        "&format=csv&state=asleep",
        "&format=csv&q=a%0Ab",
    ] {
        let page = site
            .get(
                &format!("/devices/export?{}", &bad[bad.len().min(1)..]),
                &cookie,
            )
            .await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{bad}: {}", page.text);
    }
    let scope = "state=active search=\"=CUSTOMER\" has-credential=false";
    let log = site.records().await;
    for action in [Action::Export, Action::ExportEnd] {
        let of_kind = log.iter().filter(|record| record.0 == action);
        let scopes: Vec<_> = of_kind.map(|record| record.1.clone()).collect();
        let end = if action == Action::Export {
            ""
        } else {
            " rows=1"
        };
        assert_eq!(scopes, vec![format!("{scope}{end}"); 2]);
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_is_no_search_is_said_at_its_field() {
    let site = Site::new("customer-1").await;
    let cookie = site.signed_in(VIEWER).await;
    let page = site.get("/devices?q=a%0Ab&state=active", &cookie).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(
        page.text
            .contains("A search has 1 to 256 characters in one line.")
    );
    assert!(page.text.contains("aria-invalid=\"true\""));
    assert!(page.text.contains("<option value=\"active\" selected>"));
    site.end().await;
}
