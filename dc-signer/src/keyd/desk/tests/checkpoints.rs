//! Checkpoints of an audit log, over restarts.

use super::*;

#[test]
fn a_checkpoint_is_signed_and_none_takes_one_back() {
    let rig = Rig::new();
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    fs::write(rig.folder.path().join("audit.pem"), key.serialize_pem()).unwrap();
    let desk = rig.open("[checkpoints]\norigin = \"example.com/audit\"\nkey = \"audit.pem\"\n");
    let ask = |size, byte| Ask::Checkpoint {
        size,
        root: [byte; 32],
        old: 0,
        proof: None,
    };
    // No log comes to that.
    assert_eq!(refused(&desk.answer(ask(u64::MAX, 1), ME)), Refusal::Rate);
    let Answer::Note(note) = desk.answer(ask(8, 1), ME) else {
        panic!("no note");
    };
    let note: Note = note.parse().unwrap();
    assert_eq!(note.signatures()[0].name(), "example.com/audit");
    for (size, byte) in [(7, 1), (8, 2), (9, 2)] {
        assert_eq!(
            refused(&desk.answer(ask(size, byte), ME)),
            Refusal::Checkpoint
        );
    }
    // The same again is answered, and not written down again.
    assert!(matches!(desk.answer(ask(8, 1), ME), Answer::Note(_)));
    let acts: Vec<_> = rig.log().iter().map(|line| line["act"].clone()).collect();
    assert_eq!(acts, ["refuse", "checkpoint", "refuse", "refuse", "refuse"]);
    // Whoever asks without end is stopped.
    let asked = (0..300).find_map(|_| match desk.answer(ask(9, 2), ME) {
        Answer::Refused { reason, .. } if reason == Refusal::Rate => Some(reason),
        _ => None,
    });
    assert_eq!(asked, Some(Refusal::Rate));
    // Neither the file nor its own log is needed to know what was signed last.
    drop(desk);
    for file in ["checkpoint", "log.ndjson"] {
        fs::rename(
            rig.folder.path().join("state").join(file),
            rig.folder.path().join("kept"),
        )
        .unwrap();
        let desk = rig.open("[checkpoints]\norigin = \"example.com/audit\"\nkey = \"audit.pem\"\n");
        assert_eq!(
            refused(&desk.answer(ask(9, 2), ME)),
            Refusal::Checkpoint,
            "{file}"
        );
        assert!(matches!(desk.answer(ask(8, 1), ME), Answer::Note(_)));
    }
}

#[test]
fn the_records_of_an_hour_count_over_restarts_and_a_full_log() {
    let rig = Rig::new();
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    fs::write(rig.folder.path().join("audit.pem"), key.serialize_pem()).unwrap();
    let more = "[checkpoints]\norigin = \"example.com/audit\"\nkey = \"audit.pem\"\nmost_new = 100\ndanger_without_proof = true\n";
    let ask = |size| Ask::Checkpoint {
        size,
        root: [1; 32],
        old: 0,
        proof: None,
    };
    let signs = |desk: &Desk, size| matches!(desk.answer(ask(size), ME), Answer::Note(_));
    {
        let desk = rig.open(more);
        assert!(signs(&desk, 60) && signs(&desk, 90));
        assert_eq!(refused(&desk.answer(ask(101), ME)), Refusal::Rate);
    }
    let desk = rig.open(more);
    assert_eq!(refused(&desk.answer(ask(101), ME)), Refusal::Rate);
    desk.put_aside();
    drop(desk);
    let desk = rig.open(more);
    let answer = desk.answer(ask(101), ME);
    assert_eq!(refused(&answer), Refusal::Rate);
    // It is told from another log, and what is below the ceiling is signed.
    assert!(
        matches!(&answer, Answer::Refused { detail, .. } if detail.contains("goes on by itself")),
        "{answer:?}"
    );
    assert!(signs(&desk, 100));
}

#[test]
fn a_lost_log_is_the_reason_that_nothing_is_signed_for_in_the_hour_after_it() {
    let rig = Rig::new();
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    fs::write(rig.folder.path().join("audit.pem"), key.serialize_pem()).unwrap();
    let open = || rig.open("[checkpoints]\norigin = \"example.com/audit\"\nkey = \"audit.pem\"\n");
    drop(open());
    let log = rig.folder.path().join("state/log.ndjson");
    fs::rename(log, rig.folder.path().join("kept")).unwrap();
    // The second start finds the log that the first has begun.
    for _ in 0..2 {
        let asked = Ask::Checkpoint {
            size: 8,
            root: [1; 32],
            old: 0,
            proof: None,
        };
        let Answer::Refused { reason, detail } = open().answer(asked, ME) else {
            panic!("it was signed");
        };
        assert_eq!(reason, Refusal::Rate);
        assert!(
            detail.contains("has lost its own log") && !detail.contains("most_new"),
            "{detail}"
        );
    }
}
