//! Processes that are killed while they issue: what one of them said was recorded is there.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::*;

/// Tells a process that it is the one to be killed, where its database is, and with which number to
/// begin.
const DATABASE: &str = "DC_SIGNER_TEST_CRASH_DATABASE";
const FIRST: &str = "DC_SIGNER_TEST_CRASH_FIRST";

const CALLERS: u32 = 64;

#[test]
fn what_sqlite_recorded_before_a_hundred_kills_is_there() {
    if child() {
        return;
    }
    runtime().block_on(async {
        let database = Database::sqlite().await;
        kill_again_and_again(&database, "sqlite", 100).await;
        database.end().await;
    });
}

#[test]
fn what_postgres_recorded_before_its_clients_were_killed_is_there() {
    if child() {
        return;
    }
    runtime().block_on(async {
        if let Some(database) = Database::postgres().await {
            kill_again_and_again(&database, "postgres", 20).await;
            database.end().await;
        }
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

async fn kill_again_and_again(db: &Database, kind: &str, times: u64) {
    let test = match kind {
        "sqlite" => "what_sqlite_recorded_before_a_hundred_kills_is_there",
        _ => "what_postgres_recorded_before_its_clients_were_killed_is_there",
    };
    add_zone(&db.store).await;
    let new: Vec<NewDevice> = (0..CALLERS).map(with_key).collect();
    db.store.add_devices(&new, &by(NOW)).await.unwrap();
    let mut said = HashSet::new();
    for kill in 0..times {
        let numbers = run_and_kill(db, test, kill * 1_000_000);
        assert!(!numbers.is_empty(), "killed before anything was recorded");
        // The last ones are the likeliest to be lost.
        for (caller, number) in numbers.iter().rev().take(5) {
            let issuance = crash_issuance(*caller, *number);
            let key = issuance.idempotency.unwrap().key;
            let answer = db.store.find_answer(issuance.device, &key, at(NOW));
            assert_eq!(answer.await.unwrap().unwrap().bytes, issuance.answer);
        }
        said.extend(numbers);
    }
    db.store.check().await.unwrap();
    let mut recorded = HashSet::new();
    let mut from = 1;
    loop {
        let records = db.store.audit_from(from, 10_000).await.unwrap();
        let Some(last) = records.last() else {
            break;
        };
        from = last.seq + 1;
        recorded.extend(
            records
                .iter()
                .filter_map(|record| record.entry.credential_sha256),
        );
    }
    eprintln!(
        "{times} kills: {} said to be recorded, {} recorded",
        said.len(),
        recorded.len()
    );
    for (caller, number) in said {
        assert!(recorded.contains(&crash_issuance(caller, number).credentials[0]));
    }
}

/// Runs a process that issues, kills it some time after it began, and says what it said was recorded.
fn run_and_kill(db: &Database, test: &str, first: u64) -> Vec<(u32, u64)> {
    let location = match &db.location {
        Location::File(path) => path.display().to_string(),
        Location::Postgres(url) => url.to_string(),
    };
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("{module}::{test}")])
        .env(DATABASE, location)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut numbers = Vec::new();
    while numbers.is_empty() {
        let mut line = String::new();
        assert_ne!(
            output.read_line(&mut line).unwrap(),
            0,
            "it ended by itself"
        );
        numbers.extend(said(&line));
    }
    kill_later(child);
    numbers.extend(
        output
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| said(&line)),
    );
    numbers
}

fn kill_later(mut child: Child) {
    let wait = Duration::from_micros(RandomState::new().hash_one(()) % 120_000);
    std::thread::spawn(move || {
        std::thread::sleep(wait);
        child.kill().unwrap();
        child.wait().unwrap();
    });
}

/// Reads a line that is all there: the last one may be cut off.
fn said(line: &str) -> Option<(u32, u64)> {
    let (caller, number) = line
        .trim()
        .strip_prefix("recorded ")?
        .strip_suffix(" .")?
        .split_once(' ')?;
    Some((caller.parse().ok()?, number.parse().ok()?))
}

/// True if this process is the one to be killed; then it issues until that happens.
fn child() -> bool {
    let (Ok(location), Ok(first)) = (std::env::var(DATABASE), std::env::var(FIRST)) else {
        return false;
    };
    let (location, first): (Location, u64) = (location.parse().unwrap(), first.parse().unwrap());
    runtime().block_on(async {
        let store = open(&location, "crashing").await.unwrap();
        let callers = (0..CALLERS)
            .map(|caller| tokio::spawn(issue_for_ever(Arc::clone(&store), caller, first)));
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap();
        }
    });
    true
}

async fn issue_for_ever(store: Arc<Store>, caller: u32, first: u64) {
    for number in first.. {
        store.record(crash_issuance(caller, number)).await.unwrap();
        println!("recorded {caller} {number} .");
    }
}

fn crash_issuance(caller: u32, number: u64) -> Issuance {
    let device = with_key(caller);
    let name = |what: &str| key(&format!("{what} {number} of {caller}"));
    Issuance {
        device: device.id,
        name: device.name,
        key: device.key.unwrap(),
        spki_sha256: name("key"),
        credentials: vec![name("credential")],
        client: None,
        delegation_sha256: key("delegation"),
        issued: at(NOW),
        expires: at(NOW + 164 * 3600),
        shown: None,
        idempotency: Some(Idempotency {
            key: name("idempotency"),
            request: name("request"),
        }),
        answer: format!("answer {number} to {caller}").into_bytes(),
        by: Act::new("device", at(NOW)),
    }
}
