//! Operators over HTTP and on the pages: reasons, ends of tokens, what they read, and acts that take two.

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::rig::{Rig, as_operator};

/// Runs a command as the admin of the rig.
fn command(rig: &Rig, arguments: &[&str]) -> (bool, String) {
    let config = rig.data().join("config.toml");
    let output = as_operator(&config)
        .args(arguments)
        .arg("--config")
        .arg(&config)
        .output()
        .unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.success(), said)
}

/// Another operator, by their token.
fn operator(rig: &Rig, name: &str, role: &str) -> Client {
    let add = [
        "operators",
        "add",
        name,
        "--role",
        role,
        "--reason",
        "a test",
    ];
    let (done, said) = command(rig, &add);
    assert!(done, "{said}");
    let token = said.lines().last().unwrap();
    rig.keep_secret(token);
    rig.client().token(token)
}

/// The records of the audit log with these actions.
fn records(rig: &Rig, actions: &str) -> Vec<(String, String, Option<String>, Option<String>)> {
    use sqlx::{ConnectOptions, Row};
    let path = rig.data().join("data/dc-signer.db");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = options.connect().await.unwrap();
        let sql = "SELECT action, actor, reason, scope FROM audit WHERE instr($1, action) > 0 ORDER BY seq";
        let rows = sqlx::query(sql).bind(actions.to_owned());
        let rows = rows.fetch_all(&mut connection).await.unwrap();
        rows.iter()
            .map(|row| (row.get(0), row.get(1), row.get(2), row.get(3)))
            .collect()
    })
}

fn detail(answer: &Value) -> &str {
    answer["detail"].as_str().unwrap()
}

#[test]
fn nobody_takes_rights_or_gives_them_back_without_a_reason() {
    let rig = Rig::start();
    let id = rig.add("one")["id"].as_str().unwrap().to_owned();
    let device = format!("/v1/admin/devices/{id}");
    let zone = "/v1/admin/zones/cpe.example.com";
    for path in [
        format!("{device}/suspend"),
        format!("{device}/resume"),
        format!("{device}/retire"),
        format!("{device}/replace"),
        format!("{zone}/rollover"),
        format!("{zone}/pull-renewals"),
        format!("{zone}/remove"),
        "/v1/admin/operators/dev/disable".to_owned(),
        "/v1/admin/operators/dev/enable".to_owned(),
    ] {
        let problem = rig
            .admin()
            .post(&path, &json!({}))
            .refused(400, "bad-request");
        assert!(
            detail(&problem).contains("missing field `reason`"),
            "{problem}"
        );
        for bad in ["", "no", "two\nlines"] {
            let bad = json!({"reason": bad});
            let problem = rig.admin().post(&path, &bad).refused(400, "bad-request");
            assert!(
                detail(&problem).contains("3 to 200 characters"),
                "{problem}"
            );
        }
    }
    let suspend = json!({"reason": "NOC-4711, Köln"});
    rig.admin()
        .post(&format!("{device}/suspend"), &suspend)
        .ok();
    let history = rig.admin().get(&format!("{device}/history")).ok();
    assert_eq!(history["acts"][0]["reason"], "NOC-4711, Köln");
    assert_eq!(history["acts"][0]["actor"], "operator:dev");
}

#[test]
fn a_token_is_renewed_over_http_and_one_that_ended_says_so() {
    let rig = Rig::start();
    rig.configure("[operators]\noverlap = \"0s\"\n");
    let noc = operator(&rig, "noc", "viewer");
    let renewed = |answer: Answer| {
        let answer = answer.ok();
        let token = answer["token"].as_str().unwrap().to_owned();
        rig.keep_secret(&token);
        (rig.client().token(&token), answer["operator"].clone())
    };
    let renew = "/v1/admin/operators/noc/renew";
    noc.post(renew, &json!({"valid": 3600}))
        .refused(400, "bad-request");
    let wanted = json!({"valid": 3600, "reason": "every hour"});
    let (next, shown) = renewed(noc.post(renew, &wanted));
    let now = crate::rig::now().as_secs();
    assert!((now + 3500..=now + 3600).contains(&shown["expires"].as_u64().unwrap()));
    next.get("/v1/admin/devices").ok();
    let problem = noc.get("/v1/admin/devices").refused(401, "token-required");
    assert!(detail(&problem).contains("has ended on"), "{problem}");
    let long = json!({"valid": 400 * 86_400, "reason": "for good"});
    let problem = next.post(renew, &long).refused(400, "bad-request");
    assert!(detail(&problem).contains("at most 366 d"), "{problem}");
    next.post("/v1/admin/operators/dev/renew", &json!({"reason": "mine"}))
        .refused(403, "forbidden");
    // An admin's for another takes a reason.
    rig.admin()
        .post(renew, &json!({}))
        .refused(400, "bad-request");
    let (third, _) = renewed(rig.admin().post(renew, &json!({"reason": "lost"})));
    third.get("/v1/admin/zones").ok();
    rig.admin()
        .post(
            "/v1/admin/operators/noc/disable",
            &json!({"reason": "left"}),
        )
        .ok();
    third.get("/v1/admin/zones").refused(401, "token-required");
    let listed = rig.admin().get("/v1/admin/operators").ok();
    let noc = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "noc");
    assert_eq!(noc.unwrap()["disabled"], true);
    // The metrics have the end of whoever may come in.
    let rig = rig.restart();
    let name = "dc_operator_credential_not_after_seconds{operator=";
    rig.wait_until("the metrics have it", || {
        rig.client().get("/metrics").body.contains(name)
    });
    let metrics = rig.client().get("/metrics").body;
    let mut ends = metrics.lines().filter(|line| line.starts_with(name));
    assert!(
        ends.next()
            .unwrap()
            .starts_with(&format!("{name}\"dev\"}} 1"))
    );
    assert_eq!(ends.next(), None);
}

#[test]
fn an_act_that_takes_two_waits_and_is_done_by_the_second_ones_yes() {
    let rig = Rig::start();
    let bob = operator(&rig, "bob", "operator");
    let carol = operator(&rig, "carol", "admin");
    rig.configure("[approval]\nrollover = true\nretire_above = 0\nvalid = \"1h\"\n");
    let ids: Vec<String> = ["a", "b", "c"]
        .map(|name| rig.add(name)["id"].as_str().unwrap().to_owned())
        .into();
    let state = |id: &str| {
        let shown = rig.admin().get(&format!("/v1/admin/devices/{id}")).ok();
        shown["state"].as_str().unwrap().to_owned()
    };
    let retire = json!({"devices": ids[..2], "reason": "scrapped"});
    let many = "/v1/admin/devices/retire";
    let answer = rig.admin().post(many, &retire);
    assert_eq!(answer.status, 202, "{answer:?}");
    let asked = answer.json();
    assert_eq!(asked["devices"], json!(ids[..2]));
    // The same is not asked twice.
    assert_eq!(
        rig.admin().post(many, &retire).json()["number"],
        asked["number"]
    );
    let path = format!("/v1/admin/approvals/{}", asked["number"]);
    for wrong in ["-1", "AAA", "1.5"] {
        let wrong = format!("/v1/admin/approvals/{wrong}/approve");
        let refused = rig.admin().post(&wrong, &json!({}));
        refused.refused(400, "bad-request");
    }
    let problem = rig.admin().post(&format!("{path}/approve"), &json!({}));
    let problem = problem.refused(403, "forbidden");
    assert!(detail(&problem).contains("yourself"), "{problem}");
    assert_eq!(state(&ids[0]), "preregistered");
    let done = bob.post(&format!("{path}/approve"), &json!({})).ok();
    assert_eq!(done["devices"]["retired"].as_array().unwrap().len(), 2);
    assert_eq!(
        (state(&ids[0]), state(&ids[2])),
        ("retired".into(), "preregistered".into())
    );
    bob.post(&format!("{path}/approve"), &json!({}))
        .refused(409, "conflict");
    let retired = records(&rig, "retire");
    assert_eq!(retired[0].1, "operator:dev+bob");
    assert_eq!(retired[0].2.as_deref(), Some("scrapped"));
    // One alone too, and refused.
    let one = format!("/v1/admin/devices/{}/retire", ids[2]);
    let asked = rig.admin().post(&one, &json!({"reason": "scrapped"}));
    assert_eq!(asked.status, 202, "{asked:?}");
    let path = format!("/v1/admin/approvals/{}", asked.json()["number"]);
    bob.post(
        &format!("{path}/refuse"),
        &json!({"reason": "still in use"}),
    )
    .ok();
    assert_eq!(state(&ids[2]), "preregistered");
    let listed = bob.get("/v1/admin/approvals").ok();
    assert_eq!(listed[0]["state"], "refused");
    assert_eq!(listed[0]["decided_by"], "bob");
    // What is agreed to is the certificate that was asked for.
    rig.import_next_certificate();
    rig.reload();
    let rollover = "/v1/admin/zones/cpe.example.com/rollover";
    let asked = rig.admin().act(rollover, &json!({}));
    assert_eq!(asked.status, 202, "{asked:?}");
    let asked = asked.json();
    assert_eq!(asked["zone"], "cpe.example.com");
    let path = format!("/v1/admin/approvals/{}/approve", asked["number"]);
    bob.post(&path, &json!({})).refused(403, "forbidden");
    let done = carol.post(&path, &json!({})).ok();
    assert_eq!(done["zone"]["slots"][1]["state"], "active");
    assert_eq!(
        done["zone"]["slots"][1]["certificate_sha256"],
        asked["certificate_sha256"]
    );
}

#[test]
fn whoever_could_agree_is_made_and_let_in_by_two_over_http_too() {
    let rig = Rig::start();
    let bob = operator(&rig, "bob", "admin");
    operator(&rig, "noc", "operator");
    rig.configure("[approval]\nretire_above = 0\n");
    let waiting = |path: &str| {
        let path = format!("/v1/admin/operators/noc/{path}");
        let answer = rig.admin().post(&path, &json!({"reason": "a test"}));
        assert_eq!(answer.status, 202, "{answer:?}");
        let answer = answer.json();
        let token = answer["token"].as_str().unwrap().to_owned();
        rig.keep_secret(&token);
        let number = &answer["approval"]["number"];
        let approve = format!("/v1/admin/approvals/{number}/approve");
        (rig.client().token(&token), approve)
    };
    let (noc, approve) = waiting("renew");
    noc.get("/v1/admin/zones").refused(401, "token-required");
    rig.admin()
        .post(&approve, &json!({}))
        .refused(403, "forbidden");
    let done = bob.post(&approve, &json!({})).ok();
    assert_eq!(done["operator"]["name"], "noc");
    noc.get("/v1/admin/zones").ok();
    rig.admin()
        .act("/v1/admin/operators/noc/disable", &json!({}))
        .ok();
    let (next, approve) = waiting("enable");
    bob.post(&approve, &json!({})).ok();
    next.get("/v1/admin/zones").ok();
    noc.get("/v1/admin/zones").refused(401, "token-required");
    // The last admin stays, by HTTP too.
    bob.act("/v1/admin/operators/dev/disable", &json!({})).ok();
    let problem = bob.act("/v1/admin/operators/bob/disable", &json!({}));
    let problem = problem.refused(409, "conflict");
    assert!(detail(&problem).contains("--as-root-because"), "{problem}");
}

#[test]
fn whoever_asked_and_was_kept_out_since_has_asked_for_nothing() {
    let rig = Rig::start();
    let bob = operator(&rig, "bob", "operator");
    rig.configure("[approval]\nretire_above = 0\n");
    let id = rig.add("a")["id"].as_str().unwrap().to_owned();
    let asked = bob.act(&format!("/v1/admin/devices/{id}/retire"), &json!({}));
    let path = format!("/v1/admin/approvals/{}/approve", asked.json()["number"]);
    rig.admin()
        .act("/v1/admin/operators/bob/disable", &json!({}))
        .ok();
    let problem = rig.admin().post(&path, &json!({})).refused(409, "conflict");
    assert!(
        detail(&problem).contains("bob, who asked for this"),
        "{problem}"
    );
}

#[test]
fn reads_and_exports_are_on_record_and_not_one_a_page() {
    let mut rig = Rig::start();
    for name in ["a", "b", "c"] {
        rig.add(name);
    }
    let vera = operator(&rig, "vera", "viewer");
    for _ in 0..20 {
        vera.get("/v1/admin/devices?limit=2").ok();
    }
    let export = vera.get("/v1/admin/devices/export?state=preregistered");
    let rows = export.body.lines().count();
    rig.wait_until("the export has ended", || {
        !records(&rig, "export-end").is_empty()
    });
    let exported = records(&rig, "export export-end");
    assert_eq!(exported.len(), 2, "{exported:?}");
    assert_eq!(exported[0].1, "operator:vera");
    let scope = "state=preregistered from=127.0.0.1";
    assert_eq!(exported[0].3.as_deref(), Some(scope));
    let scope = format!("state=preregistered rows={rows} from=127.0.0.1");
    assert_eq!(exported[1].3, Some(scope));
    assert!(records(&rig, "read").is_empty());
    // What is not on record yet is before the end.
    rig.signal("TERM");
    assert!(rig.ended());
    let read = records(&rig, "read");
    assert_eq!(read.len(), 1, "{read:?}");
    assert_eq!(read[0].1, "operator:vera");
    let scope = read[0].3.as_deref().unwrap();
    assert!(scope.starts_with("views=20 rows=40 since="), "{scope}");
}

#[test]
fn an_act_without_a_credential_is_in_the_log_and_the_metrics() {
    let rig = Rig::start();
    let glass = [
        "devices",
        "add",
        "found",
        "--as-root-because",
        "alice is ill",
    ];
    let config = rig.data().join("config.toml");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .args(glass)
        .arg("--config")
        .arg(&config)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let broken = records(&rig, "break-glass");
    assert!(broken[0].1.starts_with("root:uid="), "{broken:?}");
    assert_eq!(broken[0].2.as_deref(), Some("alice is ill"));
    assert_eq!(records(&rig, "add")[1].1, broken[0].1);
    // Also after a start, for whoever was not there.
    let rig = rig.restart();
    rig.wait_until("the metrics have it", || {
        rig.client()
            .get("/metrics")
            .body
            .contains("dc_break_glass_acts 1")
    });
    let words = "somebody acted on the command line without an operator's credential";
    rig.wait_until("the log has it", || rig.log().contains(words));
}

#[test]
fn the_page_of_what_waits_has_a_button_for_another_and_none_for_whoever_asked() {
    let rig = Rig::start();
    let bob = operator(&rig, "bob", "operator");
    rig.configure("[approval]\nretire_above = 0\n");
    let id = rig.add("a")["id"].as_str().unwrap().to_owned();
    bob.act(&format!("/v1/admin/devices/{id}/retire"), &json!({}));
    let page = |cookie: &str, path: &str, form: Option<&str>| {
        let headers = [
            ("cookie", cookie),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        let method = if form.is_some() { "POST" } else { "GET" };
        rig.client()
            .request(method, path, &headers, form.unwrap_or_default().as_bytes())
    };
    let signed_in = page("", "/sign-in", Some(&format!("token={}", rig.token())));
    let cookie = signed_in
        .head
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .replace("__host-", "__Host-");
    rig.keep_secret(cookie.split_once('=').unwrap().1);
    let shown = page(&cookie, "/approvals", None).body;
    let action = shown
        .split("action=\"")
        .find(|part| part.contains("/approve\""));
    let action = action.unwrap().split('"').next().unwrap().to_owned();
    let token = shown.split("name=\"form_token\" value=\"").nth(1).unwrap();
    let token = token.split('"').next().unwrap();
    let answer = page(&cookie, &action, Some(&format!("form_token={token}")));
    assert_eq!(answer.status, 303, "{answer:?}");
    let shown = rig.admin().get(&format!("/v1/admin/devices/{id}")).ok();
    assert_eq!(shown["state"], "retired");
    assert!(
        page(&cookie, "/approvals", None)
            .body
            .contains("Nothing waits")
    );
}
