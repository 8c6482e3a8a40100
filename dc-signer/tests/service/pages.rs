//! The operator's pages, as the whole service has them.

use crate::client::Answer;
use crate::rig::Rig;

/// A header's value, in lower case.
fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let start = format!("{name}: ");
    let mut lines = answer.head.lines();
    let value = lines.find_map(|line| line.strip_prefix(&start));
    value.unwrap_or_else(|| panic!("no {name}: {answer:?}"))
}

/// The text between two others, the first time they occur.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap();
    rest.split_once(after).unwrap().0
}

fn post(rig: &Rig, path: &str, cookie: &str, form: &str) -> Answer {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-origin"),
        ("cookie", cookie),
    ];
    rig.client()
        .request("POST", path, &headers, form.as_bytes())
}

fn get(rig: &Rig, path: &str, cookie: &str) -> Answer {
    rig.client()
        .request("GET", path, &[("cookie", cookie)], b"")
}

#[test]
fn an_operator_suspends_a_device_on_a_page_and_the_api_says_so() {
    let rig = Rig::start();
    let device = rig.add("customer-7");
    let id = device["id"].as_str().unwrap();
    let answer = rig.client().get("/");
    assert_eq!(
        (answer.status, header(&answer, "location")),
        (303, "/sign-in")
    );

    let answer = post(&rig, "/sign-in", "", &format!("token={}", rig.token()));
    assert_eq!((answer.status, header(&answer, "location")), (303, "/"));
    let cookie = header(&answer, "set-cookie").split(';').next().unwrap();
    // A header's name is lower case here, a cookie's is not.
    let cookie = cookie.replace("__host-", "__Host-");
    rig.keep_secret(cookie.split_once('=').unwrap().1);

    let fleet = get(&rig, "/", &cookie);
    assert!(fleet.status == 200 && fleet.body.contains("cpe.example.com"));
    let token = between(&fleet.body, "name=\"form_token\" value=\"", "\"");
    let path = format!("/devices/{id}/suspend");
    let answer = post(
        &rig,
        &path,
        &cookie,
        &format!("form_token={token}&reason=NOC-4711"),
    );
    assert_eq!(answer.status, 303, "{answer:?}");
    let page = get(&rig, header(&answer, "location"), &cookie);
    assert!(page.body.contains("The device is suspended."), "{page:?}");

    let shown = rig.admin().get(&format!("/v1/admin/devices/{id}")).ok();
    assert_eq!(shown["state"], "suspended");
}

#[test]
fn an_error_is_a_page_whose_id_is_in_the_log_and_json_for_programs() {
    let rig = Rig::start();
    let answer = post(&rig, "/sign-out", "", "form_token=0");
    assert_eq!(answer.status, 403);
    let id = between(&answer.body, "Request <code>", "</code>");
    assert_eq!(header(&answer, "x-request-id"), id);
    rig.wait_until("the log has it", || rig.log().contains(id));
    let answer = rig.client().get("/v1/nothing");
    assert_eq!(header(&answer, "content-type"), "application/problem+json");
}

#[test]
fn a_browser_that_goes_astray_gets_a_page_and_a_program_json() {
    let rig = Rig::start();
    let browser = [("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")];
    for path in ["/nothing", "/favicon.ico", "/devices/a/b/c"] {
        let answer = rig.client().request("GET", path, &browser, b"");
        assert_eq!(answer.status, 404);
        assert_eq!(header(&answer, "content-type"), "text/html; charset=utf-8");
        assert!(header(&answer, "content-security-policy").contains("default-src 'none'"));
        let id = between(&answer.body, "Request <code>", "</code>");
        assert_eq!(header(&answer, "x-request-id"), id);
        rig.client().get(path).refused(404, "not-found");
    }
    let answer = rig.client().request("GET", "/v1/nothing", &browser, b"");
    answer.refused(404, "not-found");
}

#[test]
fn an_operators_pages_and_requests_are_limited_together() {
    let rig = Rig::start();
    let answer = post(&rig, "/sign-in", "", &format!("token={}", rig.token()));
    let cookie = header(&answer, "set-cookie").split(';').next().unwrap();
    let cookie = cookie.replace("__host-", "__Host-");
    rig.keep_secret(cookie.split_once('=').unwrap().1);
    rig.edit_config("[limits]", "[limits]\noperator_rate = 1");
    rig.reload();
    // However slow this machine is, it is faster than one request a second now and then.
    let limited = |ask: &dyn Fn() -> Answer| {
        let mut answers = (0..50).map(|_| ask());
        answers.find(|answer| answer.status == 429).unwrap()
    };
    let answer = limited(&|| get(&rig, "/", &cookie));
    assert_eq!(header(&answer, "retry-after"), "1");
    assert!(answer.body.contains("That was too fast"), "{answer:?}");
    let form = format!("token={}", rig.token());
    limited(&|| post(&rig, "/sign-in", "", &form));
    limited(&|| rig.admin().get("/v1/admin/devices")).refused(429, "rate-limited");
    let metrics = rig.client().get("/metrics").body;
    assert!(
        metrics.contains("dc_shed_total{reason=\"operator_rate\"}"),
        "{metrics}"
    );
}
