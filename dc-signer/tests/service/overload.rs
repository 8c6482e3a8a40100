//! More than can be answered: who waits, who is told when to come again, and who gets in all the same.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pki_types::ServerName;
use rcgen::PublicKeyData;
use rustls::{ClientConnection, StreamOwned};

use crate::client::{Answer, Client};
use crate::rig::{Rig, now};
use crate::router::{Router, csr};

const HEARD: &str = "times are kept for devices that came to any signer";
const ONE_A_SECOND: &str = "[overload]\nrate = 1\nwaiting = 1\nwait = \"5s\"";

fn retry_after(answer: &Answer) -> u64 {
    let after = answer.head.split("retry-after: ").nth(1);
    after
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn devices_beyond_the_rate_are_each_given_a_time_of_their_own_and_operators_get_in() {
    let rig = Rig::start_with(ONE_A_SECOND);
    let routers: Vec<Router> = (0..8)
        .map(|number| Router::enrolled(&rig, &format!("{number}")).0)
        .collect();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let renewing = routers
            .iter()
            .map(|router| scope.spawn(|| router.renew(&csr(), "once")));
        let renewing: Vec<_> = renewing.collect();
        rig.admin().get("/v1/admin/devices").ok();
        assert_eq!(rig.client().get("/readyz").status, 200);
        let answers = renewing.into_iter().map(|thread| thread.join().unwrap());
        answers.collect()
    });
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((1..=5).contains(&served), "{answers:?}");
    let refused: Vec<&Answer> = answers
        .iter()
        .filter(|answer| answer.status != 200)
        .collect();
    let mut times = BTreeSet::new();
    for answer in &refused {
        assert_eq!(answer.status, 503, "{answer:?}");
        let problem = answer.json();
        assert_eq!(problem["type"], "urn:dc-signer:problem:busy");
        let (from, after) = (
            problem["available_from"].as_u64().unwrap(),
            retry_after(answer),
        );
        assert!((60..600).contains(&after), "{answer:?}");
        assert!(from.abs_diff(now().as_secs() + after) < 10, "{answer:?}");
        times.insert(from);
    }
    assert_eq!(times.len(), refused.len(), "{refused:?}");
    let metrics = rig.admin().get("/metrics").body;
    let shed = format!("dc_shed_total{{reason=\"renewal\"}} {}", refused.len());
    assert!(metrics.contains(&shed), "{metrics}");
    assert!(metrics.contains("dc_admission_reservations{asks=\"renewals\"} "));
    // The same is told again to whoever comes too early.
    let again = routers
        .iter()
        .zip(&answers)
        .find(|(_, answer)| answer.status == 503);
    let (router, before) = again.unwrap();
    let others: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = [router, &routers[0], &routers[1], &routers[2]]
            .map(|router| scope.spawn(|| router.renew(&csr(), "again")))
            .into_iter()
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    if others[0].status == 503 {
        let from = |answer: &Answer| answer.json()["available_from"].as_u64().unwrap();
        assert!(from(&others[0]).abs_diff(from(before)) <= 2, "{others:?}");
    }
}

/// The one number that a query gives, of what the database is at this moment.
fn number(rig: &Rig, sql: &str) -> i64 {
    use sqlx::{ConnectOptions, Row};
    let path = rig.data().join("data/dc-signer.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut connection = options.connect().await.unwrap();
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let row = sqlx::query(sql).fetch_one(&mut connection).await;
        row.unwrap().get(0)
    })
}

#[test]
fn a_time_that_is_kept_for_a_device_is_told_to_other_signers_and_outlives_a_restart() {
    let rig = Rig::start_with(ONE_A_SECOND);
    let routers: Vec<Router> = (0..8)
        .map(|number| Router::enrolled(&rig, &format!("{number}")).0)
        .collect();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let renewing = routers
            .iter()
            .map(|router| scope.spawn(|| router.renew(&csr(), "once")));
        let renewing: Vec<_> = renewing.collect();
        let answers = renewing.into_iter().map(|thread| thread.join().unwrap());
        answers.collect()
    });
    let from = |answer: &Answer| answer.json()["available_from"].as_u64().unwrap();
    let refused = answers.iter().filter(|answer| answer.status == 503).count();
    let refused = i64::try_from(refused).unwrap();
    rig.wait_until("all are told", || {
        number(&rig, "SELECT count(*) FROM promises") == refused
    });
    let kept = number(&rig, "SELECT max(at) FROM promises");
    let last = answers
        .iter()
        .filter(|answer| answer.status == 503)
        .map(from);
    let last = i64::try_from(last.max().unwrap()).unwrap();
    assert!(kept.abs_diff(last) <= 2, "{kept} {last}");
    // After a restart it hears of them, as another signer does.
    let heard = |rig: &Rig| rig.log().matches(HEARD).count();
    let before = heard(&rig);
    let rig = rig.restart();
    rig.wait_until("it hears of them", || heard(&rig) > before);
}

#[test]
fn a_device_is_let_in_at_its_time_although_all_places_are_taken() {
    let rig = Rig::start_with("max_requests = 2\n[overload]\nwait = \"20s\"");
    let [one, other, told] = ["one", "other", "told"].map(|id| Router::enrolled(&rig, id).0);
    // Another signer has told it to come soon.
    let key = dc_pki::Sha256::of(&told.enrolment_key.subject_public_key_info());
    let at = now().as_secs() + 10;
    let promise = format!("INSERT INTO promises VALUES (X'{key}', {at}, 1) RETURNING 1");
    number(&rig, &promise);
    let exchanged = "UPDATE promises_exchanges SET number = 1 RETURNING 1";
    number(&rig, exchanged);
    rig.wait_until("it is heard", || rig.log().contains(HEARD));
    rig.wait_until("its time has come", || now().as_secs() >= at);
    let (locked, enough) = (rig.lock_database(), AtomicBool::new(false));
    let is_full = |answer: &Answer| {
        answer.status == 503 && answer.body.contains("too many requests are in progress")
    };
    std::thread::scope(|scope| {
        let over = apparatus::Over(&enough);
        // They wait for the database, and there is no place for anybody else.
        for router in [&one, &one, &other, &other] {
            let enough = &enough;
            scope.spawn(move || {
                for number in 0_u32.. {
                    if enough.load(Ordering::Relaxed) {
                        return;
                    }
                    router.renew(&csr(), &number.to_string());
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
        }
        rig.wait_until("all places are taken", || {
            is_full(&one.renew(&csr(), "more"))
        });
        let expected = scope.spawn(|| told.renew(&csr(), "in time"));
        // It is on its way while they are.
        std::thread::sleep(Duration::from_millis(500));
        drop(over);
        drop(locked);
        expected.join().unwrap().ok();
    });
}

#[test]
fn a_stranger_is_refused_without_a_turn() {
    let rig = Rig::start_with(ONE_A_SECOND);
    for number in 0..3 {
        let stranger = Router::new(&rig);
        let answer = stranger.renew(&csr(), &number.to_string());
        answer.refused(403, "unknown-device");
    }
}

#[test]
fn an_enrolment_has_one_place_and_those_with_invented_and_used_codes_have_none() {
    let rig = Rig::start_with(ONE_A_SECOND);
    let devices: Vec<(Router, String)> = (0..8)
        .map(|number| {
            let code = rig.add(&format!("{number}"))["code"]["code"]
                .as_str()
                .unwrap()
                .to_owned();
            (Router::new(&rig), code)
        })
        .collect();
    let used = rig.add("used")["code"]["code"].as_str().unwrap().to_owned();
    Router::new(&rig).enroll(&csr(), &used).ok();
    let invented = |letter: &str| letter.repeat(9) + "a" + &letter.repeat(25) + "a";
    let enough = AtomicBool::new(false);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let _over = apparatus::Over(&enough);
        for invented in [invented("a"), invented("c"), used] {
            let (rig, enough) = (&rig, &enough);
            scope.spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    let answer = Router::new(rig).enroll(&csr(), &invented);
                    answer.refused(403, "code-refused");
                }
            });
        }
        let enrolling = devices
            .iter()
            .map(|(router, code)| scope.spawn(|| router.enroll(&csr(), code)));
        let enrolling: Vec<_> = enrolling.collect();
        enrolling
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let refused: Vec<_> = std::iter::zip(&devices, &answers)
        .filter(|(_, answer)| answer.status != 200)
        .collect();
    assert!((3..8).contains(&refused.len()), "{answers:?}");
    let reserved = |count: usize| {
        let metric = format!("dc_admission_reservations{{asks=\"enrolments\"}} {count}\n");
        let metrics = rig.client().get("/metrics").body;
        assert!(metrics.contains(&metric), "{metrics}");
    };
    reserved(refused.len());
    // Whoever asks again is served, or told the same; with another key too, because the place is the code's.
    let from = |answer: &Answer| answer.json()["available_from"].as_u64().unwrap();
    for ((_, code), before) in &refused {
        assert!((60..240).contains(&retry_after(before)), "{before:?}");
        let again = Router::new(&rig).enroll(&csr(), code);
        if again.status == 503 {
            assert!(
                from(&again).abs_diff(from(before)) <= 2,
                "{again:?} {before:?}"
            );
        }
    }
    let kept = "SELECT count(*) FROM promises";
    rig.wait_until("other signers are told", || number(&rig, kept) > 0);
}

/// Shakes hands as over a line with a round trip of 200 ms.
fn slow_handshake(client: &Client) -> std::io::Result<()> {
    let tcp = client.tcp()?;
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(client.config.clone(), name).unwrap();
    let mut tls = StreamOwned::new(connection, tcp);
    tls.conn.write_tls(&mut tls.sock)?;
    std::thread::sleep(Duration::from_millis(200));
    while tls.conn.is_handshaking() {
        tls.conn.complete_io(&mut tls.sock)?;
    }
    Ok(())
}

#[test]
fn handshakes_beyond_the_limit_wait_for_their_turn_instead_of_ending_each_other() {
    let rig = Rig::start_with("max_handshakes = 4");
    let results: Vec<std::io::Result<()>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=60)
            .map(|host| {
                let client = rig.client().from(host);
                scope.spawn(move || slow_handshake(&client))
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let failed: Vec<_> = results.iter().filter(|result| result.is_err()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    let metrics = rig.client().get("/metrics").body;
    assert!(metrics.contains("dc_admission_wait_seconds_count{asks=\"handshakes\"}"));
}

#[test]
fn the_configuration_has_limits_that_are_named() {
    let rig = Rig::start();
    let config = std::fs::read_to_string(rig.data().join("config.toml")).unwrap();
    let bad = rig.data().join("bad.toml");
    std::fs::write(
        &bad,
        format!("{config}\n[overload]\nrate = 0\nwait = \"1h\"\n"),
    )
    .unwrap();
    let said = std::process::Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .args(["check", "--config"])
        .arg(&bad)
        .output()
        .unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    for words in [
        "overload.rate is 0: use 1 to 100000",
        "overload.wait is 1h: use 100ms to 20s",
    ] {
        assert!(said.contains(words), "{said}");
    }
}
