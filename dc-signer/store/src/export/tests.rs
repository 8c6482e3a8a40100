//! Exports that are read back, cut, changed and put together.

use std::time::Duration;

use dc_evidence::{Checkpoint, Hash, SigningKey};
use pki_types::UnixTime;
use proptest::prelude::*;

use super::*;
use crate::registry::{Action, Entry, Head, Record, Sha256};
use crate::{AuditTree, Error};

fn entry(number: u64) -> Entry {
    let some = |is: bool| is.then(|| Sha256::of(&number.to_be_bytes()));
    Entry {
        time: UnixTime::since_unix_epoch(Duration::from_secs(number)),
        node: "node \"1\"\n".to_owned(),
        actor: "device".to_owned(),
        action: Action::ALL[usize::try_from(number).unwrap() % Action::ALL.len()],
        name: (!number.is_multiple_of(3)).then(|| format!("d{number}.cpe.example.com")),
        spki_sha256: some(number.is_multiple_of(2)),
        credential_sha256: some(number.is_multiple_of(5)),
        zone: (number.is_multiple_of(4)).then(|| "cpe.example.com".to_owned()),
        expires: None,
        detail_sha256: some(number.is_multiple_of(7)),
        reason: (number.is_multiple_of(11)).then(|| "ticket \"7\"".to_owned()),
        scope: (number.is_multiple_of(13)).then(|| "all rows=2".to_owned()),
    }
}

fn maybe<T: std::fmt::Debug>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(some)
}

/// Any record that there can be, with all that its encodings have.
fn any_record() -> impl Strategy<Value = Record> {
    let hash = || any::<[u8; 32]>().prop_map(Sha256::from_bytes);
    let time = || any::<u64>().prop_map(|at| UnixTime::since_unix_epoch(Duration::from_secs(at)));
    let texts = (
        "(?s).{0,20}",
        "(?s).{0,20}",
        maybe("(?s).{0,20}"),
        maybe("(?s).{0,20}"),
    );
    let said = (maybe("(?s).{0,20}"), maybe("(?s).{0,20}"));
    let hashes = (maybe(hash()), maybe(hash()), maybe(hash()), hash());
    let rest = (any::<u64>(), time(), maybe(time()), 0..Action::ALL.len());
    (texts, said, hashes, rest).prop_map(|(texts, said, hashes, rest)| Record {
        seq: rest.0,
        entry: Entry {
            time: rest.1,
            node: texts.0,
            actor: texts.1,
            action: Action::ALL[rest.3],
            name: texts.2,
            spki_sha256: hashes.0,
            credential_sha256: hashes.1,
            zone: texts.3,
            expires: rest.2,
            detail_sha256: hashes.2,
            reason: said.0,
            scope: said.1,
        },
        prev_hash: hashes.3,
    })
}

proptest! {
    #[test]
    fn every_record_is_read_as_it_was_written(record in any_record()) {
        let line = record_line(&record);
        prop_assert_eq!(line.lines().count(), 1);
        prop_assert_eq!(line::read_record(line.trim_end()), Ok(record));
    }

    #[test]
    fn whatever_is_given_is_read_or_refused(text in "(?s).{0,300}", cut in any::<prop::sample::Index>()) {
        let _ = check(&[&text], Vec::new());
        // What begins as an export and goes on as anything.
        let whole = export(&records(20), 0, 20);
        let at = cut.index(whole.len());
        if whole.is_char_boundary(at) {
            let _ = check(&[&format!("{}{text}", &whole[..at])], Vec::new());
        }
    }
}

fn records(count: u64) -> Vec<Record> {
    let mut head = Head::EMPTY;
    (0..count)
        .map(|number| head.append(entry(number)))
        .collect()
}

fn tree(records: &[Record]) -> AuditTree {
    let mut check = LogCheck::new(Vec::new());
    records
        .iter()
        .for_each(|record| check.follow(record).unwrap());
    check.tree().clone()
}

/// The records behind some as an export.
fn export(records: &[Record], from: usize, to: usize) -> String {
    let lines: String = records[from..to].iter().map(record_line).collect();
    first_line(&tree(&records[..from])) + &lines
}

fn checkpoint(records: &[Record], size: usize) -> Checkpoint {
    let mut der = vec![0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06];
    der.extend([0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20]);
    der.extend([5; 32]);
    let key = SigningKey::from_pkcs8("log", &der).unwrap();
    Checkpoint::of(tree(&records[..size]).frontier(), &key)
}

fn check(files: &[&str], checkpoints: Vec<Checkpoint>) -> Result<Checked, ExportError> {
    let mut check = LogCheck::new(checkpoints);
    for file in files {
        let mut reader = ExportReader::new(file.as_bytes())?;
        check.begin(reader.after())?;
        while let Some(record) = reader.next_record()? {
            check.follow(&record)?;
        }
    }
    check.end()
}

#[test]
fn an_export_is_checked_without_the_database() {
    let all = records(20);
    let whole = export(&all, 0, 20);
    let at = |size| checkpoint(&all, size);
    let checked = check(&[&whole], vec![at(17), at(4), at(0)]).unwrap();
    let head = tree(&all).head();
    let expected = Checked {
        first: 1,
        head,
        compared: 2,
        covered: 17,
        back: crate::StepsBack::default(),
    };
    assert_eq!(checked, expected);
    // In parts, and the last part alone with what it says of the log before it.
    let [one, two] = [export(&all, 0, 9), export(&all, 9, 20)];
    assert_eq!(check(&[&one, &two], vec![at(17), at(4)]).unwrap(), expected);
    let part = check(&[&two], vec![at(17), at(4)]).unwrap();
    assert_eq!((part.first, part.compared, part.covered), (10, 1, 17));
    // A checkpoint behind it says nothing of it, and one before it neither.
    for size in [4, 9] {
        let refused = check(&[&two], vec![at(size)]).unwrap_err();
        assert!(
            matches!(
                refused,
                ExportError::Uncovered {
                    first: 10,
                    last: 20
                }
            ),
            "{refused}"
        );
    }
    let refused = check(&[&one], vec![at(17)]).unwrap_err();
    assert!(
        matches!(refused, ExportError::Uncovered { .. }),
        "{refused}"
    );
    for files in [[&two, &one], [&one, &one]] {
        let refused = check(&files.map(String::as_str), Vec::new()).unwrap_err();
        assert!(matches!(refused, ExportError::NotNext { .. }), "{refused}");
    }
}

#[test]
fn whoever_rewrites_an_export_is_found_by_a_checkpoint() {
    let all = records(20);
    let mut others: Vec<Entry> = all.iter().map(|record| record.entry.clone()).collect();
    others[12].actor = "operator:mallory".to_owned();
    let mut head = Head::EMPTY;
    let others: Vec<Record> = others.into_iter().map(|entry| head.append(entry)).collect();
    let both = || vec![checkpoint(&all, 10), checkpoint(&all, 20)];
    for from in [0, 11] {
        let refused = check(&[&export(&others, from, 20)], both()).unwrap_err();
        assert!(
            matches!(
                refused,
                ExportError::Store(Error::Rewritten { size: 20, .. })
            ),
            "{refused}"
        );
        assert!(check(&[&export(&others, from, 20)], Vec::new()).is_ok());
    }
    // So is whoever changes what is said of the log before.
    let part = export(&all, 15, 20);
    let root = tree(&all[..15]).frontier().roots()[0].to_string();
    let changed = part.replacen(&root, &Hash::of_nothing().to_string(), 1);
    assert_ne!(part, changed);
    let refused = check(&[&changed], both()).unwrap_err();
    assert!(matches!(refused, ExportError::Store(_)), "{refused}");
}

#[test]
fn lines_that_are_none_are_named() {
    let all = records(3);
    let text = export(&all, 0, 3);
    for (from, to) in [
        ("\"seq\":2", "\"seq\":\"2\""),
        ("\"seq\":2", "\"more\":1,\"seq\":2"),
        ("\"time\":1", "\"time\":-1"),
        ("activate-slot", "activate"),
    ] {
        let bad = text.replacen(from, to, 1);
        assert_ne!(bad, text, "{from}");
        let refused = check(&[&bad], Vec::new()).unwrap_err();
        assert!(matches!(refused, ExportError::BadLine { .. }), "{refused}");
    }
    for bad in [
        "",
        "{}\n",
        "{\"log\":\"dc-audit\",\"version\":2}\n",
        text.trim_end_matches(|c| c != '}'),
    ] {
        let first = bad.lines().next().unwrap_or_default();
        let refused = check(&[first], Vec::new()).unwrap_err();
        assert!(matches!(refused, ExportError::NoExport), "{refused}");
    }
    let long = format!("{}{}", first_line(&AuditTree::EMPTY), "x".repeat(70_000));
    let refused = check(&[&long], Vec::new()).unwrap_err();
    assert!(
        matches!(refused, ExportError::BadLine { line: 2, .. }),
        "{refused}"
    );
}

#[test]
fn a_last_line_that_breaks_off_is_not_counted() {
    let all = records(5);
    let text = export(&all, 0, 5);
    let cut = &text[..text.len() - 9];
    let mut reader = ExportReader::new(cut.as_bytes()).unwrap();
    let mut count = 0;
    while reader.next_record().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 4);
    assert_eq!(reader.bytes(), export(&all, 0, 4).len() as u64);
}

proptest! {
    #[test]
    fn records_are_read_as_they_are_written(number in 0u64..2000, seq: u64) {
        let mut head = Head::EMPTY;
        let mut record = head.append(entry(number));
        record.seq = seq;
        prop_assert_eq!(line::read_record(&record_line(&record)), Ok(record));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = line::read_record(&text);
        let _ = line::read_first(&text);
    }
}
