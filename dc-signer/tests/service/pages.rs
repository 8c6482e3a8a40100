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

/// What stands between two texts for the first time.
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
    let answer = post(&rig, &path, &cookie, &format!("form_token={token}"));
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
