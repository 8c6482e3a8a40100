//! The audit log of a service that a process signs for.

use super::*;

#[test]
fn the_log_of_a_service_is_signed_for_by_the_process_which_is_shown_that_it_grows() {
    let mut process = Process::start("");
    let log = LogKey::find(process.keyd()).unwrap();
    let rig = Rig::start_with(&format!(
        "[checkpoints]\nname = 'example.com/audit'\nkeyd = {:?}\nlog_key = '{}'\nevery = '1s'\n[[checkpoint_places]]\nfile = 'outside'",
        process.path("socket"),
        log.verifying_key(),
    ));
    let status = || rig.admin().get("/v1/admin/audit/checkpoint").ok();
    let signed = || status()["size"].as_u64().unwrap();
    let grows = |from: u64| {
        rig.wait_until("it is signed for", || signed() > from);
        let last = log.last().unwrap();
        assert_eq!(last.map(|(size, _)| size), Some(signed()));
    };
    rig.add("one");
    grows(0);
    rig.add("two");
    grows(signed());
    process.kill();
    let before = signed();
    rig.add("three");
    rig.wait_until("it says that nobody signs", || {
        status()["failure"]
            .as_str()
            .is_some_and(|failure| failure.contains("does not sign"))
    });
    assert_eq!(
        (signed(), &status()["refused"]),
        (before, &Value::Bool(false))
    );
    process.begin();
    grows(before);
    assert!(status()["failure"].is_null());
    // Whoever has taken the service over gets nothing for another log of that length.
    let root = Hash::from_bytes([7; 32]);
    let text = format!("example.com/audit\n{}\n{root}\n", signed() + 1);
    log.sign(&text, None).unwrap_err();
    log.sign(&text, Some((signed(), &[root]))).unwrap_err();
    // A walk over the log compares it with what the process has signed for, if it answers.
    let config = rig.data().join("config.toml");
    let (done, said) = command(&["audit", "verify"], &config);
    assert!(
        done && said.contains("the signing process has signed for"),
        "{said}"
    );
    process.kill();
    let (done, said) = command(&["audit", "verify"], &config);
    assert!(
        done && said.contains("not compared with what the signing process has signed for"),
        "{said}"
    );
}
