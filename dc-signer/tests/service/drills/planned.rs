//! Nothing is wrong, and much is to be done.

use std::time::Instant;

use serde_json::Value;

use super::command::{ZONE, run};
use crate::rig::Rig;
use crate::router::{Router, csr};

const BOXES: usize = 20;

#[test]
fn a_whole_model_is_replaced_and_keeps_its_names() {
    let rig = Rig::start();
    let ids: Vec<String> = (0..BOXES).map(|n| format!("box-{n:02}")).collect();
    let old: Vec<(Router, Value)> = ids.iter().map(|id| Router::enrolled(&rig, id)).collect();
    let began = Instant::now();
    let codes: Vec<String> = ids
        .iter()
        .enumerate()
        .map(|(at, id)| replace(&rig, id, at != 0))
        .collect();
    println!("{BOXES} devices replaced in {:?}", began.elapsed());
    let coming = || {
        let list = [
            "devices",
            "list",
            "--zone",
            ZONE,
            "--state",
            "preregistered",
            "--json",
        ];
        let list = run(&rig, &list).ok();
        let ours = list.lines().filter(|line| line.contains("\"box-"));
        ours.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(coming().len(), BOXES);
    for (at, ((old, before), code)) in old.iter().zip(&codes).enumerate() {
        let refused = old.renew(&csr(), "k");
        assert!((400..500).contains(&refused.status), "{refused:?}");
        let enrolled = Router::new(&rig).enroll(&csr(), code);
        // The first one's old box may still be switched on.
        if at == 0 {
            enrolled.refused(503, "name-held");
        } else {
            assert_eq!(enrolled.ok()["name"], before["name"]);
        }
    }
    let left = coming();
    assert!(left.len() == 1 && left[0].contains("box-00"), "{left:?}");
}

/// The code of the new box.
fn replace(rig: &Rig, id: &str, at_once: bool) -> String {
    let command = ["devices", "replace", id, "--json", "--at-once", "--yes"];
    let said = run(rig, &command[..if at_once { 6 } else { 4 }]).ok();
    let replaced: Value = serde_json::from_str(&said).unwrap();
    let code = replaced["code"]["code"].as_str().unwrap();
    rig.keep_secret(code);
    code.to_owned()
}
