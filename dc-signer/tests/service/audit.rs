//! The audit log over the API: a page, all of it, and its checkpoint.

use dc_evidence::{Checkpoint, Note, VerifyingKey};
use dc_store::export::{ExportReader, LogCheck};
use serde_json::json;

use crate::rig::Rig;
use crate::router::Router;

const SIGNED: &str = "[checkpoints]\nname = 'log'\nkey = 'audit.pem'\nevery = '1s'\n\
    [[checkpoint_places]]\nfile = 'outside'";

#[test]
fn an_operator_reads_the_log_and_anybody_can_check_what_was_exported() {
    let rig = Rig::start_with(SIGNED);
    let (_, first) = Router::enrolled(&rig, "one");
    let device = first["device"].as_str().unwrap();
    let suspend = format!("/v1/admin/devices/{device}/suspend");
    rig.admin().act(&suspend, &json!({})).ok();
    let path = format!("/v1/admin/audit?device={device}&limit=2");
    let newest = rig.admin().get(&path).ok();
    assert_eq!(newest["records"][0]["action"], "suspend", "{newest}");
    assert_eq!(newest["records"][0]["actor"], "operator:dev");
    let before = newest["next"].as_u64().unwrap();
    let older = rig.admin().get(&format!("{path}&before={before}")).ok();
    let seq = |of: &serde_json::Value| of["records"][0]["seq"].as_u64().unwrap();
    assert!(seq(&older) < seq(&newest));
    let oldest = rig.admin().get("/v1/admin/audit?after=0&limit=1").ok();
    assert_eq!((seq(&oldest), oldest["next"].as_u64()), (1, Some(1)));
    for bad in [
        "limit=0",
        "before=9223372036854775808",
        "before=1&after=1",
        "action=nothing",
        "acton=issue",
    ] {
        let bad = rig.admin().get(&format!("/v1/admin/audit?{bad}"));
        bad.refused(400, "bad-request");
    }
    let stranger = rig.client().get("/v1/admin/audit");
    assert_eq!(stranger.status, 401);
    let last = seq(&newest);
    rig.wait_until("it is signed for", || {
        let found = rig.admin().get("/v1/admin/audit/checkpoint").ok();
        found["size"].as_u64() >= Some(last) && found["places"][0]["waiting"] == 0
    });
    let found = rig.admin().get("/v1/admin/audit/checkpoint").ok();
    assert_eq!(
        (&found["failure"], &found["refused"]),
        (&json!(null), &json!(false))
    );
    let key: VerifyingKey = found["key"].as_str().unwrap().parse().unwrap();
    // What is outside is enough to check what is exported.
    let outside = std::fs::read_to_string(rig.data().join("outside")).unwrap();
    let notes = Note::read_all(&outside).unwrap();
    let checkpoints = notes
        .iter()
        .map(|note| Checkpoint::verify(note, &key).unwrap());
    let checkpoints: Vec<Checkpoint> = checkpoints.collect();
    for from in [1, 4] {
        let exported = rig
            .admin()
            .get(&format!("/v1/admin/audit/export?from={from}"))
            .body;
        let mut reader = ExportReader::new(exported.as_bytes()).unwrap();
        let mut check = LogCheck::new(checkpoints.clone());
        check.begin(reader.after()).unwrap();
        while let Some(record) = reader.next_record().unwrap() {
            check.follow(&record).unwrap();
        }
        let checked = check.end().unwrap();
        assert_eq!(checked.first, from);
        assert!(checked.covered >= last && checked.head.seq >= last);
    }
}

#[test]
fn a_signer_without_a_key_says_so() {
    let rig = Rig::start();
    let found = rig.admin().get("/v1/admin/audit/checkpoint");
    found.refused(404, "not-found");
}
