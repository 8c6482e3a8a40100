//! Things that signers share are sealed in the database: joining, rotating, taking back, and what is refused.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64;
use dc_pki::delegation::KEY_URI;
use dc_pki::sealing::Which;
use dc_store::Store;
use dc_store::registry::{Action, Change, DelegationState, Purpose};
use tempfile::TempDir;

use super::bench::{Bench, zone};
use super::device::Cpe;
use crate::authority::json::NewDevice;
use crate::authority::secrets::{self, Rotation};
use crate::authority::{Authority, Secrets, SignedList, WithdrawnList, shared_delegations};
use crate::config::Config;
use crate::testing::{Database, on_both};

on_both! {
    a_place_of_a_key_that_was_put_into_the_database_is_not_used,
    a_new_certificate_is_on_every_signer_and_its_key_goes_when_it_is_over,
    a_rotation_is_taken_by_a_signer_that_runs,
    a_second_signer_joins_with_nothing_but_the_key,
    a_version_in_a_file_that_was_replaced_is_refused_with_the_current_one,
    lists_are_signed_with_both_keys_while_one_replaces_the_other,
    names_stay_when_their_key_changes,
    of_two_that_rotate_at_once_one_is_refused,
    secrets_are_sealed_from_a_folder_and_go_back_to_one,
    sealing_anew_stops_nobody_and_can_be_taken_back,
    what_is_stolen_counts_no_more,
    what_was_changed_or_swapped_in_the_database_is_refused,
    whoever_has_no_key_or_another_is_refused,
}

const DAY: u64 = 86_400;

/// The table of the configuration with this key, and this next one.
fn table(key: char, next: Option<char>) -> String {
    let source = |digit: char| {
        let digits = digit.to_string().repeat(64);
        format!("{{ command = ['printf', '%s', '{digits}'] }}")
    };
    let next = next.map_or_else(String::new, |next| format!("next_key = {}\n", source(next)));
    format!("[secrets]\nkey = {}\n{next}", source(key))
}

/// A configuration whose data folder has nothing in it.
fn config(folder: &TempDir, tables: &str) -> Config {
    let text = format!(
        "data = 'data'\nnode = 'node-2'\n{tables}\n[listen]\naddress = '[::]:1'\ncertificate = 'c'\nkey = 'k'\n"
    );
    Config::parse(&text, folder.path()).unwrap()
}

/// A signer with a zone, whose secrets are sealed.
async fn sealed(database: &Database) -> Bench {
    let bench = Bench::empty(database, &table('a', None)).await;
    bench.add_zone("cpe.example.com", dc_pki::Forms::Both).await;
    bench.import(bench.now).await;
    bench.authority.keep_zones(bench.now).await.unwrap();
    bench
}

/// Another signer on the same database, with a fresh folder.
async fn join(database: &Database, tables: &str) -> (Authority, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder, tables);
    let joined = Authority::open(&config, database.other().await).await;
    (joined.unwrap(), folder)
}

/// The reason that one does not join.
async fn refused(database: &Database, tables: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder, tables);
    let refused = Authority::open(&config, database.other().await).await;
    assert!(!Secrets::folder(&config.data).exists());
    refused.unwrap_err().to_string()
}

/// A code that a signer makes for a new device.
async fn code(signer: &Authority, bench: &Bench, external_id: &str) -> String {
    let new = NewDevice {
        external_id: external_id.to_owned(),
        code: true,
        ..NewDevice::default()
    };
    let added = signer.add_devices(&[&new], &bench.by(bench.now)).await;
    let added = added.unwrap().pop().unwrap().unwrap();
    added.code.unwrap().code
}

async fn enrols(signer: &Authority, bench: &Bench, code: &str) -> bool {
    let enrolled = Cpe::new().enrol_with(signer, code, bench.now).await;
    enrolled.is_ok()
}

async fn list(signer: &Authority, now: pki_types::UnixTime) -> (SignedList, WithdrawnList) {
    let bytes = signer.withdrawn(&zone(), now).await.unwrap();
    let signed: SignedList = serde_json::from_slice(&bytes).unwrap();
    let key = BASE64.decode(signed.key.as_bytes()).unwrap();
    let list = signed.verify(&key).unwrap();
    (signed, list)
}

async fn rotate(bench: &Bench, purpose: Purpose, rotation: Rotation) {
    let by = bench.by(bench.now);
    secrets::rotate(&bench.config, &bench.store, purpose, rotation, &by)
        .await
        .unwrap();
}

const OVERLAP: Rotation = Rotation::Overlap(Duration::from_secs(30 * DAY));

async fn a_second_signer_joins_with_nothing_but_the_key(database: &Database) {
    let bench = sealed(database).await;
    assert!(!Secrets::folder(&bench.config.data).exists());
    let (other, folder) = join(database, &table('a', None)).await;
    // It can sign, and has nothing of it on its disk.
    assert_eq!(other.keys(), bench.authority.keys());
    assert_eq!(other.keys().len(), 1);
    assert!(!folder.path().join("data").exists());
    for (maker, taker) in [(&bench.authority, &other), (&other, &bench.authority)] {
        let name = format!("customer-{:p}", maker);
        let code = code(maker, &bench, &name).await;
        assert!(enrols(taker, &bench, &code).await);
    }
    let [one, two] = [&bench.authority, &other];
    assert_eq!(
        list(one, bench.now).await.0.key,
        list(two, bench.now).await.0.key
    );
    bench.store.verify_audit().await.unwrap();
}

async fn whoever_has_no_key_or_another_is_refused(database: &Database) {
    let _bench = sealed(database).await;
    let said = refused(database, "").await;
    for words in ["sealed in it", "[secrets] key"] {
        assert!(said.contains(words), "{said}");
    }
    let said = refused(database, &table('b', None)).await;
    for words in [
        "version 1 of the secret",
        "is sealed with the key-encryption key",
        "give that key",
    ] {
        assert!(said.contains(words), "{said}");
    }
    // Another tenant's is not opened either, although the key is right.
    let said = refused(database, &format!("tenant = 'other'\n{}", table('a', None))).await;
    assert!(said.contains("changed or swapped"), "{said}");
    join(database, &table('b', Some('a'))).await;
}

async fn what_was_changed_or_swapped_in_the_database_is_refused(database: &Database) {
    let bench = sealed(database).await;
    let before = bench.store.secrets().await.unwrap();
    let of = |column: &str, purpose: &str| {
        format!("(SELECT {column} FROM shared_secrets WHERE purpose = '{purpose}')")
    };
    rotate_nothing(&bench).await;
    for (sql, words) in [
        // One in the place of another, with and without its fingerprint.
        (
            format!(
                "UPDATE shared_secrets SET sealed = {} WHERE purpose = 'codes'",
                of("sealed", "names")
            ),
            "not those of secret/codes, version 1",
        ),
        (
            format!(
                "UPDATE shared_secrets SET sealed = {}, fingerprint = {} WHERE purpose = 'names'",
                of("sealed", "codes"),
                of("fingerprint", "codes")
            ),
            "not those of secret/names, version 1",
        ),
        (
            format!(
                "UPDATE shared_secrets SET fingerprint = {} WHERE purpose = 'lists'",
                of("fingerprint", "codes")
            ),
            "not those of secret/lists",
        ),
        (
            "UPDATE shared_secrets SET version = 2 WHERE purpose = 'codes'".to_owned(),
            "not those of secret/codes, version 2",
        ),
        (
            "UPDATE shared_secrets SET sealed = substr(sealed, 1, 70) WHERE purpose = 'codes'"
                .to_owned(),
            "changed or swapped",
        ),
        (
            "UPDATE shared_secrets SET sealed = substr(sealed, 1, 20) WHERE purpose = 'codes'"
                .to_owned(),
            "no sealed bytes",
        ),
    ] {
        database.tamper(&sql).await;
        let said = refused(database, &table('a', None)).await;
        assert!(said.contains(words), "{sql}: {said}");
        put_back(&bench, &before).await;
    }
    join(database, &table('a', None)).await;
    // The key of a delegation certificate in the place of another's.
    let next = bench.import(bench.now).await;
    let sealed = "UPDATE shared_delegations SET sealed = (SELECT sealed FROM shared_delegations \
                  ORDER BY certificate_sha256 LIMIT 1)";
    database.tamper(sealed).await;
    let (other, _folder) = join(database, &table('a', None)).await;
    let missing = other.missing();
    assert_eq!(missing.len(), 1, "slot {next} or the first");
    let reason = &missing[0].reason;
    assert!(reason.contains("changed or swapped"), "{reason}");
}

/// A zero-sized change: what was compared is as it was.
/// Whoever writes to the database chooses no module, no program and no socket for a signer.
async fn a_place_of_a_key_that_was_put_into_the_database_is_not_used(database: &Database) {
    let bench = sealed(database).await;
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let program = folder.path().join("program");
    std::fs::write(&program, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&program, mode).unwrap();
    let uri = format!(
        "pkcs11:token=t;object=o?module-path=/nowhere.so&pin-source=|{}",
        program.display()
    );
    // With the first sealed bytes still there, and without any.
    for (place, sealed) in [
        (&*uri, "sealed"),
        ("/run/other/socket", "sealed"),
        (&*uri, "NULL"),
        ("/run/other/socket", "NULL"),
    ] {
        let sql = format!("UPDATE shared_delegations SET location = '{place}', sealed = {sealed}");
        database.tamper(&sql).await;
        let (other, _folder) = join(database, &table('a', None)).await;
        let missing = other.missing();
        assert_eq!(missing.len(), 1, "{sql}");
        let reason = &missing[0].reason;
        let is_said = reason.contains("changed or swapped") || reason.contains("no sealed bytes");
        assert!(is_said, "{sql}: {reason}");
    }
    assert!(!mark.exists());
    // One that a signer has put there is.
    let sealing = bench.authority.secrets.sealing().unwrap();
    let sha256 = dc_store::registry::Sha256::of(b"certificate");
    let file = (KEY_URI, uri.as_bytes());
    let shared = sealing.share(sha256, b"chain", file).unwrap();
    assert_eq!(shared.location.as_deref(), Some(&*uri));
    let folder = tempfile::tempdir().unwrap();
    let keys = secrets::sealing_keys(&config(&folder, &table('a', None)))
        .await
        .unwrap();
    let opened = shared_delegations::open(&shared, keys.as_deref(), "default").unwrap();
    assert_eq!(opened.as_slice(), uri.as_bytes());
}

async fn rotate_nothing(bench: &Bench) {
    let by = bench.by(bench.now);
    let done = secrets::reseal(&bench.config, &bench.store, Which::Current, false, &by).await;
    assert_eq!(done.unwrap(), (0, 0));
}

async fn put_back(bench: &Bench, before: &[dc_store::registry::SharedSecret]) {
    let change = dc_store::SecretChange {
        before: bench.store.secrets().await.unwrap(),
        after: before.to_vec(),
        delegations: Vec::new(),
        without: Vec::new(),
        records: Vec::new(),
    };
    bench
        .store
        .change_secrets(&change, &bench.by(bench.now))
        .await
        .unwrap();
}

async fn a_rotation_is_taken_by_a_signer_that_runs(database: &Database) {
    let bench = sealed(database).await;
    let (other, _folder) = join(database, &table('a', None)).await;
    let before = code(&bench.authority, &bench, "customer-1").await;
    rotate(&bench, Purpose::Codes, OVERLAP).await;
    let [one, two] = ["customer-2", "customer-3"];
    let after = code(&other, &bench, one).await;
    let again = code(&bench.authority, &bench, two).await;
    // Whoever made it and whoever takes it, and whichever key it was.
    assert!(enrols(&other, &bench, &before).await);
    assert!(enrols(&bench.authority, &bench, &after).await);
    assert!(enrols(&other, &bench, &again).await);
    let rows = bench.store.secrets().await.unwrap();
    let codes: Vec<_> = rows
        .iter()
        .filter(|row| row.purpose == Purpose::Codes)
        .collect();
    assert_eq!(codes.len(), 2);
    // The old one counts for as long as any code may be open.
    assert!(codes[0].until.unwrap() >= bench.after(14 * DAY) && codes[1].until.is_none());
    let records = bench.store.audit_from(1, 1000).await.unwrap();
    let record = records
        .iter()
        .find(|record| record.entry.action == Action::RotateSecret);
    let entry = &record.unwrap().entry;
    assert_eq!(entry.name.as_deref(), Some("codes"));
    assert_eq!(entry.detail_sha256, Some(codes[1].commitment()));
    bench.store.verify_audit().await.unwrap();
    // Whoever takes the new version away makes signers go back to the old one, and is found.
    let sql = "DELETE FROM shared_secrets WHERE purpose = 'codes' AND version = 2";
    database.tamper(sql).await;
    let error = bench.store.verify_audit().await.unwrap_err();
    assert!(
        error.to_string().contains("put back or replaced"),
        "{error}"
    );
    // Neither one that runs nor one that starts uses it, and a check says so.
    let error = other.keep_secrets().await.unwrap_err().to_string();
    let refused = refused(database, &table('a', None)).await;
    let looked = crate::authority::look_at_secrets(&bench.config, &bench.store).await;
    let looked = looked.unwrap_err().to_string();
    for said in [error, refused, looked] {
        assert!(said.contains("version 1 of the secret codes"), "{said}");
        assert!(said.contains("put back"), "{said}");
    }
}

async fn a_version_in_a_file_that_was_replaced_is_refused_with_the_current_one(
    database: &Database,
) {
    let bench = Bench::empty(database, "").await;
    let folder = Secrets::folder(&bench.config.data);
    let codes = std::fs::read(folder.join("codes.key")).unwrap();
    let sealing = config_of(&bench, &table('a', None));
    let by = bench.by(bench.now);
    secrets::seal(&sealing, &bench.store, true, &by)
        .await
        .unwrap();
    // What was kept is the same still.
    Authority::open(&sealing, database.other().await)
        .await
        .unwrap();
    for _ in 0..2 {
        secrets::rotate(&sealing, &bench.store, Purpose::Codes, OVERLAP, &by)
            .await
            .unwrap();
    }
    let words = [
        "codes.key is version 1 of the secret codes",
        "version 3 is the current one",
        "remove the folder",
    ];
    let is_refused = async |words: &[&str]| {
        let opened = Authority::open(&sealing, database.other().await).await;
        let looked = crate::authority::look_at_secrets(&sealing, &bench.store).await;
        for said in [opened.map(|_| ()), looked] {
            let said = said.unwrap_err().to_string();
            assert!(words.iter().all(|word| said.contains(word)), "{said}");
        }
    };
    is_refused(&words).await;
    // Another one that this database never had is no better.
    std::fs::write(folder.join("codes.key"), [7; 32]).unwrap();
    is_refused(&["another secret than this database's"]).await;
    std::fs::remove_dir_all(&folder).unwrap();
    Authority::open(&sealing, database.other().await)
        .await
        .unwrap();
    // Out of the database again, and an old file in the place of one of them.
    let out = bench.config.data.join("out");
    secrets::export(&sealing, &bench.store, &out, true, &by)
        .await
        .unwrap();
    std::fs::create_dir(&folder).unwrap();
    for file in Secrets::FILES {
        std::fs::copy(out.join("secrets").join(file), folder.join(file)).unwrap();
    }
    Authority::open(&bench.config, database.other().await)
        .await
        .unwrap();
    std::fs::write(folder.join("codes.key"), codes).unwrap();
    let opened = Authority::open(&bench.config, database.other().await).await;
    let said = opened.unwrap_err().to_string();
    // The database has the newest alone then.
    assert!(said.contains("another secret than"), "{said}");
}

/// The configuration of a bench with more tables.
fn config_of(bench: &Bench, tables: &str) -> Config {
    let folder = TempDir::new().unwrap();
    Config {
        secrets: config(&folder, tables).secrets,
        ..bench.config.clone()
    }
}

async fn what_is_stolen_counts_no_more(database: &Database) {
    let bench = sealed(database).await;
    let stolen = code(&bench.authority, &bench, "customer-1").await;
    let (old, _) = list(&bench.authority, bench.now).await;
    rotate(&bench, Purpose::Codes, Rotation::AtOnce).await;
    rotate(&bench, Purpose::Lists, Rotation::AtOnce).await;
    assert!(!enrols(&bench.authority, &bench, &stolen).await);
    let device = bench.find("customer-1").await;
    let new = bench
        .authority
        .new_code(device.id, &bench.by(bench.now))
        .await
        .unwrap();
    assert!(enrols(&bench.authority, &bench, &new.code).await);
    let (new, _) = list(&bench.authority, bench.after(11)).await;
    let old = BASE64.decode(old.key.as_bytes()).unwrap();
    assert!(new.verify(&old).is_err() && new.also.is_empty());
}

async fn lists_are_signed_with_both_keys_while_one_replaces_the_other(database: &Database) {
    let bench = sealed(database).await;
    let (other, _folder) = join(database, &table('a', None)).await;
    let (before, quiet) = list(&other, bench.now).await;
    assert_eq!(quiet.keys, Vec::<String>::new());
    rotate(&bench, Purpose::Lists, OVERLAP).await;
    let (during, told) = list(&other, bench.after(11)).await;
    let trusted = BASE64.decode(before.key.as_bytes()).unwrap();
    during.verify(&trusted).unwrap();
    // A client that trusts the old key is told the new one under its signature.
    assert_eq!(
        (during.key.as_str(), during.also.len()),
        (before.key.as_str(), 1)
    );
    assert_eq!(
        told.keys,
        [&before.key, &during.also[0].key].map(Clone::clone)
    );
    let new = BASE64.decode(told.keys[1].as_bytes()).unwrap();
    during.verify(&new).unwrap();
    let later = bench.after(31 * DAY);
    other.accept_clock(later);
    let (after, quiet) = list(&other, later).await;
    after.verify(&new).unwrap();
    assert!(after.verify(&trusted).is_err());
    assert_eq!((quiet.keys.len(), after.also.len()), (0, 0));
    // Taken back: the first key signs again, alone.
    let by = bench.by(bench.now);
    secrets::take_back(&bench.config, &bench.store, Purpose::Lists, &by)
        .await
        .unwrap();
    let later = bench.after(31 * DAY + 11);
    let (back, _) = list(&other, later).await;
    back.verify(&trusted).unwrap();
    assert!(back.verify(&new).is_err());
}

async fn names_stay_when_their_key_changes(database: &Database) {
    let bench = sealed(database).await;
    let add = async |external_id: &str| {
        let new = NewDevice {
            external_id: external_id.to_owned(),
            ..NewDevice::default()
        };
        bench.add(new).await.unwrap()
    };
    let before = add("customer-1").await;
    let (other, _folder) = join(database, &table('a', None)).await;
    rotate(&bench, Purpose::Names, OVERLAP).await;
    // The same device again is the same.
    let again = add("customer-1").await;
    assert_eq!(
        (before.name.as_str(), again.created),
        (again.name.as_str(), false)
    );
    let by = bench.by(bench.now);
    secrets::take_back(&bench.config, &bench.store, Purpose::Names, &by)
        .await
        .unwrap();
    let again = secrets::take_back(&bench.config, &bench.store, Purpose::Names, &by).await;
    let said = again.unwrap_err().to_string();
    assert!(
        said.contains("version 3 of the secret names is version 1 again"),
        "{said}"
    );
    let error = secrets::take_back(&bench.config, &bench.store, Purpose::Codes, &by).await;
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("never been another")
    );
    let versions = bench.store.secrets().await.unwrap();
    let names: Vec<_> = versions
        .iter()
        .filter(|row| row.purpose == Purpose::Names)
        .collect();
    assert_eq!(
        names.iter().map(|row| row.version).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(names[0].fingerprint, names[2].fingerprint);
    other.keep_secrets().await.unwrap();
    join(database, &table('a', None)).await;
}

async fn of_two_that_rotate_at_once_one_is_refused(database: &Database) {
    let bench = sealed(database).await;
    let store: Arc<Store> = database.other().await;
    let before = store.secrets().await.unwrap();
    rotate(&bench, Purpose::Codes, OVERLAP).await;
    let change = dc_store::SecretChange {
        after: before.clone(),
        before,
        delegations: Vec::new(),
        without: Vec::new(),
        records: Vec::new(),
    };
    let records = bench.records().await;
    let error = store
        .change_secrets(&change, &bench.by(bench.now))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("somebody else has changed"),
        "{error}"
    );
    assert_eq!(bench.records().await, records);
}

async fn sealing_anew_stops_nobody_and_can_be_taken_back(database: &Database) {
    let bench = sealed(database).await;
    let (other, _folder) = join(database, &table('a', None)).await;
    let folder = tempfile::tempdir().unwrap();
    let both = config(&folder, &table('a', Some('b')));
    let by = bench.by(bench.now);
    // Those that run are named that could not open it, and nothing is done.
    other.report(bench.now).await.unwrap();
    let next = secrets::reseal(&both, &bench.store, Which::Next, false, &by).await;
    let said = next.unwrap_err().to_string();
    for word in ["node-2 could not", "next_key", "--leave-signers-out"] {
        assert!(said.contains(word), "{said}");
    }
    let next = secrets::reseal(&both, &bench.store, Which::Next, true, &by).await;
    assert_eq!(next.unwrap(), (3, 1));
    // Those that run go on, with the old key or the new; one that would not start again is not ready, and says why.
    other.keep_secrets().await.unwrap();
    let fault = other.cached_issuing_status(bench.now).faults().remove(0);
    assert!(fault.contains("does not start again"), "{fault}");
    let code = code(&other, &bench, "customer-1").await;
    assert!(enrols(&bench.authority, &bench, &code).await);
    let said = refused(database, &table('a', None)).await;
    assert!(said.contains("give that key"), "{said}");
    let (third, _third) = join(database, &table('b', None)).await;
    assert_eq!(third.keys(), bench.authority.keys());
    // One that has the old key alone cannot open what is new, and says so; it goes on as soon as that is taken back.
    secrets::rotate(&both, &bench.store, Purpose::Codes, OVERLAP, &by)
        .await
        .unwrap();
    let error = other.keep_secrets().await.unwrap_err();
    assert!(error.to_string().contains("cannot be used here"), "{error}");
    let status = other.cached_issuing_status(bench.now);
    assert!(
        status.faults()[0].contains("secrets of this database"),
        "{:?}",
        status.faults()
    );
    secrets::reseal(&both, &bench.store, Which::Current, false, &by)
        .await
        .unwrap();
    other.keep_secrets().await.unwrap();
    assert!(other.cached_issuing_status(bench.now).faults().is_empty());
    let folder = tempfile::tempdir().unwrap();
    let twice = config(&folder, &table('a', Some('a')));
    let same = secrets::reseal(&twice, &bench.store, Which::Next, false, &by).await;
    let said = same.unwrap_err().to_string();
    assert!(said.contains("next_key is the same key as key"), "{said}");
    // With both keys it is not in the way any more, from the moment that it says so.
    other.leave(bench.now).await.unwrap();
    let (fourth, _fourth) = join(database, &table('a', Some('b'))).await;
    fourth.report(bench.now).await.unwrap();
    let next = secrets::reseal(&both, &bench.store, Which::Next, false, &by).await;
    assert_eq!(next.unwrap(), (4, 1));
    bench.store.verify_audit().await.unwrap();
}

async fn secrets_are_sealed_from_a_folder_and_go_back_to_one(database: &Database) {
    let bench = Bench::new(database).await;
    let by = bench.by(bench.now);
    let old = code(&bench.authority, &bench, "customer-1").await;
    let (before, _) = list(&bench.authority, bench.now).await;
    let with_key = Config {
        secrets: config(&tempfile::tempdir().unwrap(), &table('a', None)).secrets,
        ..bench.config.clone()
    };
    let error = secrets::rotate(&with_key, &bench.store, Purpose::Codes, OVERLAP, &by).await;
    assert!(error.unwrap_err().to_string().contains("secrets seal"));
    let error = secrets::seal(&bench.config, &bench.store, false, &by).await;
    assert!(error.unwrap_err().to_string().contains("openssl rand"));
    let sealed = secrets::seal(&with_key, &bench.store, false, &by)
        .await
        .unwrap();
    assert_eq!(
        (sealed.secrets, sealed.delegations, sealed.removed.len()),
        (3, 1, 4)
    );
    assert!(!Secrets::folder(&bench.config.data).exists());
    let again = secrets::seal(&with_key, &bench.store, false, &by)
        .await
        .unwrap();
    assert_eq!(
        (again.secrets, again.delegations, again.removed.len()),
        (0, 0, 0)
    );
    // Whoever runs goes on, and another joins.
    bench.authority.keep_secrets().await.unwrap();
    let (other, _folder) = join(database, &table('a', None)).await;
    assert_eq!(other.keys(), bench.authority.keys());
    assert!(enrols(&other, &bench, &old).await);
    assert_eq!(list(&other, bench.now).await.0.key, before.key);
    // And back.
    let out = tempfile::tempdir().unwrap();
    let out = out.path().join("out");
    let exported = secrets::export(&with_key, &bench.store, &out, true, &by)
        .await
        .unwrap();
    assert_eq!((exported.secrets, exported.delegations), (3, 1));
    let rows = bench.store.secrets().await.unwrap();
    assert!(rows.iter().all(|row| row.sealed.is_none()));
    assert_eq!(bench.store.shared_delegations().await.unwrap(), []);
    let said = refused(database, "").await;
    assert!(said.contains("copy it from another signer"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder, "");
    std::fs::rename(&out, &config.data).unwrap();
    let back = Authority::open(&config, database.other().await)
        .await
        .unwrap();
    assert_eq!(back.keys(), bench.authority.keys());
    assert_eq!(list(&back, bench.now).await.0.key, before.key);
    let records = bench.store.audit_from(1, 1000).await.unwrap();
    let exports = records
        .iter()
        .filter(|record| record.entry.action == Action::ExportSecrets);
    assert_eq!(exports.count(), 6);
    bench.store.verify_audit().await.unwrap();
}

async fn a_new_certificate_is_on_every_signer_and_its_key_goes_when_it_is_over(
    database: &Database,
) {
    let bench = sealed(database).await;
    let (other, folder) = join(database, &table('a', None)).await;
    other.report(bench.now).await.unwrap();
    let next = bench.import(bench.now).await;
    // Its folder has nothing of it, here or there.
    for data in [&bench.config.data, &folder.path().join("data")] {
        assert!(!data.join("delegations").exists());
    }
    other.keep_zones(bench.now).await.unwrap();
    assert_eq!(other.keys().len(), 2);
    assert!(other.missing().is_empty());
    other.report(bench.now).await.unwrap();
    bench
        .authority
        .rollover(&zone(), false, &bench.by(bench.now))
        .await
        .unwrap();
    assert_eq!(bench.store.shared_delegations().await.unwrap().len(), 2);
    let gone = DelegationState::Gone;
    bench
        .store
        .move_delegation(&zone(), next - 1, gone, &bench.by(bench.now))
        .await
        .unwrap();
    let left = bench.store.shared_delegations().await.unwrap();
    assert_eq!(left.len(), 1);
    // Nobody needs to import it on another machine; doing so changes nothing.
    let same = bench.store.zones().await.unwrap()[0]
        .active()
        .unwrap()
        .certificate_sha256;
    assert_eq!(left[0].certificate_sha256, same);
    let device = bench.add_with_code("customer-1").await;
    assert!(enrols(&other, &bench, &device.code.unwrap().code).await);
    let found = bench.find("customer-1").await;
    let by = bench.by(bench.now);
    bench
        .store
        .change_device(found.id, &Change::Retire, &by)
        .await
        .unwrap();
}
