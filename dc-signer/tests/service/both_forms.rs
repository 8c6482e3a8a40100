//! A zone with credentials of both forms: one judgement, in the log, the metrics, the API and the commands, and no reason to be
//! taken out of service.

use serde_json::{Value, json};

use crate::ready;
use crate::rig::Rig;
use crate::router::{Router, csr};

/// What a command says, and whether it succeeded.
fn command(rig: &Rig, arguments: &[&str]) -> (bool, String) {
    ready::command(arguments, &rig.data().join("config.toml"))
}

fn set_forms(rig: &Rig, forms: &str) -> Value {
    let path = "/v1/admin/zones/cpe.example.com/forms";
    rig.admin().act(path, &json!({"forms": forms})).ok()
}

/// Waits until log and metrics have it, and checks that everything else says the same.
fn agrees(rig: &Rig, words: Option<&str>) {
    let number = usize::from(words.is_some());
    let metric = format!("dc_zone_has_both_forms{{zone=\"cpe.example.com\"}} {number}");
    rig.wait_until(&metric, || {
        let metrics = rig.client().get("/metrics").body;
        metrics.lines().any(|line| line == metric)
    });
    rig.client().get("/readyz").ok();
    let zone = rig.admin().get("/v1/admin/zones").ok()[0].clone();
    let (listed, list) = command(rig, &["zones", "list"]);
    let (checked, check) = command(rig, &["check"]);
    assert!(listed && checked, "{list}\n{check}");
    let Some(words) = words else {
        assert_eq!(zone.get("warning"), None, "{zone}");
        assert!(!list.contains("both forms") && !check.contains("both forms"));
        return;
    };
    let warning = zone["warning"].as_str().unwrap();
    assert!(warning.contains(words), "{warning}");
    let line = format!("warning: {warning}\n");
    assert!(
        list.contains(&line) && check.contains(&line),
        "{list}\n{check}"
    );
    rig.wait_until(words, || rig.log().contains(warning));
}

fn forms(answer: &Value) -> Vec<&str> {
    let credentials = answer["credentials"].as_array().unwrap().iter();
    credentials
        .map(|one| one["form"].as_str().unwrap())
        .collect()
}

#[test]
fn everything_says_the_same_of_a_zone_with_both_forms_and_once() {
    let rig = Rig::start();
    let (router, first) = Router::enrolled(&rig, "one");
    assert_eq!(forms(&first), ["named"]);
    agrees(&rig, None);
    let changed = set_forms(&rig, "both");
    let issues = "zone cpe.example.com issues both forms";
    assert!(changed["warning"].as_str().unwrap().starts_with(issues));
    agrees(&rig, Some(issues));
    // The device asks for no form: it gets what its zone issues.
    let both = router.renew(&csr(), "k1").ok();
    assert_eq!(forms(&both), ["named", "rfc9345"]);

    // What it has now stays valid for days, whatever is issued from now on.
    let (done, said) = command(
        &rig,
        &[
            "zones",
            "forms",
            "cpe.example.com",
            "named",
            "--reason",
            "a test",
        ],
    );
    let ends = "zone cpe.example.com has changed its forms";
    assert!(done && said.contains(ends), "{said}");
    agrees(&rig, Some(ends));
    rig.wait_until("the next renewal is of one form", || {
        forms(
            &router
                .renew(&csr(), &format!("{:?}", std::time::Instant::now()))
                .ok(),
        ) == ["named"]
    });

    let database = rig.data().join("data/dc-signer.db");
    ready::execute(&database, "UPDATE zones SET other_forms_until = 1");
    agrees(&rig, None);
    let over = "all valid credentials of zone cpe.example.com are of one form again";
    rig.wait_until(over, || rig.log().contains(over));
    let log = rig.log();
    for words in [issues, ends, over] {
        assert_eq!(log.matches(words).count(), 1, "{words} in {log}");
    }
}
