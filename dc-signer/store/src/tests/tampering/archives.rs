//! Parts of the log that are said to be archived: only their files show what was in them.

use std::path::PathBuf;

use super::super::archiving::{LATER, archive, key_of_log, old_acts, part};
use super::forge::{append, entry, wrong};
use super::*;
use crate::export::{first_line, record_line};
use crate::registry::{Archive, Record};
use dc_evidence::{Checkpoint, Frontier};

on_both! {
    a_forged_archive_hides_nothing_from_whoever_has_the_files,
    a_tidy_record_needs_its_archive,
    files_are_one_log_and_reach_as_far_as_what_is_archived,
    the_files_of_archives_are_walked_with_their_checkpoints,
}

/// Writes records to a file, as they lie in an archive.
fn write(db: &Database, after: &AuditTree, records: &[Record]) -> PathBuf {
    let first = after.head().seq + 1;
    let path = db.folder.path().join(format!("audit-{first}.ndjson"));
    let lines: String = records.iter().map(record_line).collect();
    std::fs::write(&path, first_line(after) + &lines).unwrap();
    path
}

/// Archives the log up to a record, and says where its file is.
async fn to_file(db: &Database, last: u64) -> PathBuf {
    let store = &*db.store;
    let base = store.archived_tree().await.unwrap();
    let records = store.audit_from(base.head().seq + 1, 99).await.unwrap();
    let is_in = |record: &&Record| record.seq <= last;
    let records: Vec<Record> = records.iter().filter(is_in).cloned().collect();
    let path = write(db, &base, &records);
    archive(store, last).await;
    path
}

fn with(archives: Vec<PathBuf>) -> Beside {
    Beside {
        archives,
        ..Beside::default()
    }
}

/// Says that a part is archived that is not, and drops and changes its records as somebody likes.
async fn forge(db: &Database, said: &Archive, drop: &str) {
    let mut tidy = entry(Action::Tidy, "tester", LATER);
    tidy.detail_sha256 = Some(said.commitment());
    let record = append(db, tidy).await;
    let roots = said.tree.roots().iter();
    let tree: Vec<u8> = roots.flat_map(|root| *root.as_bytes()).collect();
    db.tamper(&format!(
        "INSERT INTO archives (first, last, hash, tree, removed, kept, kept_sha256, record) \
         VALUES ({}, {}, {}, {}, {}, {}, {}, {record})",
        said.first,
        said.end.seq,
        db.blob(said.end.hash.as_bytes()),
        db.blob(&tree),
        said.removed,
        said.kept,
        db.blob(said.kept_sha256.as_bytes()),
    ))
    .await;
    db.tamper_freely(drop).await;
}

async fn a_forged_archive_hides_nothing_from_whoever_has_the_files(db: &Database) {
    let store = &*db.store;
    old_acts(store).await;
    let first = to_file(db, 6).await;
    // Record 8 is the suspension, 9 takes it back: both are to be gone.
    let base = store.archived_tree().await.unwrap();
    let records = store.audit_from(7, 7).await.unwrap();
    let truth = part(store, 13).await;
    let kept = KeptHash::new();
    let (kept, kept_sha256) = kept.end();
    let said = Archive {
        removed: 7,
        kept,
        kept_sha256,
        ..truth
    };
    let is_act = |record: &&Record| KeptHash::keeps(record);
    let acts: Vec<Record> = records.iter().filter(is_act).cloned().collect();
    let numbers: Vec<u64> = acts.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, [8, 9]);
    forge(
        db,
        &said,
        "DELETE FROM audit WHERE seq >= 7 AND seq <= 13; UPDATE devices SET changed = created",
    )
    .await;
    // What is left is what it should be, so nothing is proved without the files.
    assert_eq!(wrong(store, Beside::default()).await, [""; 0]);
    let beside = with(vec![first.clone()]);
    let missing = store.find_mismatches_beside(beside, &|_| ()).await;
    let missing = missing.unwrap_err();
    assert!(
        matches!(missing, Error::ArchivesEnd { found: 6, last: 13 }),
        "{missing}"
    );
    // A file that was made before, such as an auditor's export, has them.
    let second = write(db, &base, &records);
    let found = wrong(store, with(vec![first, second])).await;
    for words in [
        "record 8 of the audit log is missing",
        "record 9 of the audit log is missing",
        "records 7 to 13 of the audit log are said to be archived",
    ] {
        assert!(found.iter().any(|one| one.contains(words)), "{found:?}");
    }
    // Nobody can say that they know of it.
    let found = store.find_mismatches_beside(with(vec![]), &|_| ());
    assert_eq!(found.await.unwrap().open(), 0);
}

async fn the_files_of_archives_are_walked_with_their_checkpoints(db: &Database) {
    let store = &*db.store;
    old_acts(store).await;
    let key = key_of_log();
    let mut trees: Vec<Frontier> = vec![Frontier::new()];
    for record in store.audit_from(1, 99).await.unwrap() {
        let mut tree = trees.last().unwrap().clone();
        tree.push(record.leaf());
        trees.push(tree);
    }
    let files = vec![to_file(db, 6).await, to_file(db, 13).await];
    let right = [3, 6, 9, 14].map(|size: usize| Checkpoint::of(&trees[size], &key));
    let beside = Beside {
        checkpoints: right.to_vec(),
        archives: files.clone(),
    };
    assert_eq!(wrong(store, beside).await, [""; 0]);
    // One within an archive that is of another log.
    let mut other = trees[2].clone();
    other.push(trees[1].root());
    let beside = Beside {
        checkpoints: vec![Checkpoint::of(&other, &key)],
        archives: files.clone(),
    };
    let found = wrong(store, beside).await;
    assert!(found[0].contains("was rewritten"), "{found:?}");
    // What was kept, and what else the part says, is the file's own.
    for (sql, back, words) in [
        (
            "UPDATE audit SET actor = 'operator:eve' WHERE seq = 8",
            "UPDATE audit SET actor = 'tester' WHERE seq = 8",
            "record 8 of the audit log is missing in the database, or not",
        ),
        (
            "UPDATE archives SET removed = 6 WHERE first = 7",
            "UPDATE archives SET removed = 5 WHERE first = 7",
            "records 7 to 13",
        ),
    ] {
        db.tamper(sql).await;
        let found = wrong(store, with(files.clone())).await;
        assert!(found.iter().any(|one| one.contains(words)), "{found:?}");
        db.tamper(back).await;
    }
    // Issuances whose weeks are over are not missed, others are.
    db.tamper("DELETE FROM audit WHERE seq = 14").await;
    let found = wrong(store, with(files)).await;
    assert!(!found.is_empty());
}

async fn files_are_one_log_and_reach_as_far_as_what_is_archived(db: &Database) {
    let store = &*db.store;
    old_acts(store).await;
    let (first, second) = (to_file(db, 6).await, to_file(db, 13).await);
    let failed = async |files: &[&PathBuf]| {
        let files = files.iter().copied().cloned().collect();
        let failed = store.find_mismatches_beside(with(files), &|_| ()).await;
        failed.unwrap_err().to_string()
    };
    let said = failed(&[&second, &first]).await;
    assert!(said.contains("audit-7.ndjson: it goes on behind"), "{said}");
    let said = failed(&[&first]).await;
    assert!(said.contains("end with record 6"), "{said}");
    let said = failed(&[&first, &db.folder.path().join("none")]).await;
    assert!(said.contains("none: No such file"), "{said}");
    let text = std::fs::read_to_string(&second).unwrap();
    std::fs::write(&second, &text[..text.len() - 9]).unwrap();
    let said = failed(&[&first, &second]).await;
    assert!(said.contains("breaks off"), "{said}");
    std::fs::write(&second, text.replace("\"tester\"", "\"eve\"")).unwrap();
    let said = failed(&[&first, &second]).await;
    assert!(said.contains("audit-7.ndjson"), "{said}");
}

async fn a_tidy_record_needs_its_archive(db: &Database) {
    let store = &*db.store;
    old_acts(store).await;
    let mut tidy = entry(Action::Tidy, "tester", LATER);
    tidy.detail_sha256 = Some(part(store, 6).await.commitment());
    append(db, tidy).await;
    let found = wrong(store, Beside::default()).await;
    assert!(
        found[0].contains("the archive 15 of record 15"),
        "{found:?}"
    );
}
