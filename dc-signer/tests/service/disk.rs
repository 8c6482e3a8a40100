//! A full disk, and a database server that dies: nothing leaves that is not stored, and all goes on by itself.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use apparatus::{Part, have};
use dc_store::Location;
use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::client::Answer;
use crate::postgres::Own;
use crate::rig::Rig;
use crate::router::{Router, csr};
use crate::small_disk::SmallDisk;

/// A refusal that says when to come again, and of which kind it is.
fn unavailable(answer: &Answer) {
    answer.refused(503, "storage-unavailable");
    let after = answer.head.split("retry-after: ").nth(1).unwrap();
    let after: u64 = after.split('\r').next().unwrap().parse().unwrap();
    assert!((1..=3600).contains(&after), "{answer:?}");
}

/// How many credentials the audit log has.
fn recorded(url: &str) -> usize {
    const COUNT: &str = "SELECT count(*) FROM audit WHERE action = 'issue'";
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let count: i64 = runtime.block_on(async {
        let count = sqlx::query_scalar(COUNT);
        if url.starts_with("postgres:") {
            let mut connection = PgConnection::connect(url).await.unwrap();
            return count.fetch_one(&mut connection).await.unwrap();
        }
        let count = sqlx::query_scalar(COUNT);
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        count.fetch_one(&mut connection).await.unwrap()
    });
    usize::try_from(count).unwrap()
}

#[test]
fn a_full_disk_refuses_everybody_stores_nothing_and_recovers_by_itself() {
    let Some(disk) = SmallDisk::mount("6m") else {
        return;
    };
    let database = disk.path().join("signer.db");
    let rig = Rig::start_with(&format!("[database]\nsqlite = {database:?}\n"));
    refuses_and_recovers(&rig, &database, || disk.fill(), || disk.make_room());
}

#[test]
fn a_full_disk_is_not_ready_also_while_nobody_wants_anything() {
    let Some(disk) = SmallDisk::mount("6m") else {
        return;
    };
    let database = disk.path().join("signer.db");
    let rig = Rig::start_with(&format!("[database]\nsqlite = {database:?}\n"));
    for _ in 0..2 {
        disk.fill();
        rig.wait_until("it is not ready", || {
            rig.client().get("/readyz").status == 503
        });
        is_not_ready(&rig);
        let why = rig.client().get("/readyz").body;
        assert!(why.contains("disk of the database is full"), "{why}");
        let (good, said) = check(&rig);
        assert!(!good && said.contains("is full"), "{said}");
        disk.make_room();
        becomes_ready(&rig);
        let (good, said) = check(&rig);
        assert!(good, "{said}");
    }
}

/// A disk that has room and takes nothing: no look at its room shows that.
#[test]
fn files_that_may_not_grow_are_not_ready_also_while_nobody_wants_anything() {
    if !have(Part::Tools) {
        return;
    }
    let rig = Rig::start();
    let limit = |bytes: &str| limit_files(&rig, bytes);
    limit("8192");
    rig.wait_until("it is not ready", || {
        rig.client().get("/readyz").status == 503
    });
    is_not_ready(&rig);
    limit("unlimited");
    becomes_ready(&rig);
}

/// Lets no file of the service grow beyond so many bytes, by the soft limit, which may be raised again.
fn limit_files(rig: &Rig, bytes: &str) {
    let limit = format!("--fsize={bytes}:");
    let mut prlimit = Command::new("prlimit");
    let status = prlimit.args(["--pid", &rig.pid().to_string(), &limit]);
    assert!(status.status().unwrap().success());
}

/// What `check` says of it, and whether that is good.
fn check(rig: &Rig) -> (bool, String) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_dc-signer"));
    let config = rig.data().join("config.toml");
    let output = check.args(["check", "--config"]).arg(config);
    let output = output.output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.success(), said)
}

#[test]
fn a_service_that_starts_on_a_full_disk_says_so_and_waits_for_room() {
    let Some(disk) = SmallDisk::mount("6m") else {
        return;
    };
    let database = disk.path().join("signer.db");
    let mut rig = Rig::start_with(&format!("[database]\nsqlite = {database:?}\n"));
    rig.signal("TERM");
    assert!(rig.ended());
    disk.fill();
    let config = rig.data().join("config.toml");
    let (good, said) = check(&rig);
    assert!(
        !good && said.contains("is full") && said.contains("make room"),
        "{said}"
    );
    let log = disk.path().with_extension("log");
    let mut service = Command::new(env!("CARGO_BIN_EXE_dc-signer"))
        .args(["serve", "--config"])
        .arg(&config)
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let read = || std::fs::read_to_string(&log).unwrap();
    rig.wait_until("it waits", || read().contains("the disk is full"));
    assert!(service.try_wait().unwrap().is_none(), "{}", read());
    disk.make_room();
    rig.wait_until("it is up", || read().contains("ready"));
    let (good, said) = check(&rig);
    assert!(good, "{said}");
    service.kill().unwrap();
    service.wait().unwrap();
    std::fs::remove_file(&log).unwrap();
}

/// A stand-in for a full disk, for tests that root does not run.
#[test]
fn files_that_may_not_grow_are_a_full_disk() {
    if !have(Part::Tools) {
        return;
    }
    let rig = Rig::start();
    let limit = |bytes: &str| limit_files(&rig, bytes);
    let database = rig.data().join("data/dc-signer.db");
    // The log is shorter.
    let fill = || limit("1500000");
    refuses_and_recovers(&rig, &database, fill, || limit("unlimited"));
}

fn refuses_and_recovers(rig: &Rig, database: &Path, fill: impl Fn(), make_room: impl Fn()) {
    let url = format!("sqlite:{}", database.display());
    let (router, _) = Router::enrolled(rig, "one");
    let newcomer = Router::new(rig);
    let code = rig.add("two")["code"]["code"].as_str().unwrap().to_owned();
    for round in 0..2 {
        fill();
        renew_until_it_is_full(&router, round);
        let before = recorded(&url);
        for n in 0..10 {
            unavailable(&router.renew(&csr(), &format!("{round}-full-{n}")));
        }
        unavailable(&newcomer.enroll(&csr(), &code));
        assert_eq!(recorded(&url), before);
        is_not_ready(rig);
        make_room();
        becomes_ready(rig);
        router.renew(&csr(), &format!("{round}-full-0")).ok();
        assert_eq!(recorded(&url), before + 1);
    }
    newcomer.enroll(&csr(), &code).ok();
}

#[test]
fn a_database_server_with_a_full_disk_is_waited_for() {
    let Some(disk) = SmallDisk::mount("160m") else {
        return;
    };
    let Some((server, rig)) = with_postgres(|| Own::start_in(disk.path())) else {
        return;
    };
    let (router, _) = Router::enrolled(&rig, "one");
    for round in 0..2 {
        disk.fill();
        renew_until_it_is_full(&router, round);
        is_not_ready(&rig);
        disk.make_room();
        becomes_ready(&rig);
        let before = recorded(&server.url);
        router.renew(&csr(), &format!("{round}-full-0")).ok();
        assert_eq!(recorded(&server.url), before + 1);
    }
}

fn renew_until_it_is_full(router: &Router, round: usize) {
    let last = (0..5000)
        .map(|n| router.renew(&csr(), &format!("{round}-{n}")))
        .find(|answer| answer.status != 200);
    unavailable(&last.expect("the disk is full, and all is recorded"));
}

fn is_not_ready(rig: &Rig) {
    let readiness = rig.client().get("/readyz");
    readiness.refused(503, "storage-unavailable");
    rig.client().get("/healthz").ok();
    let metrics = rig.client().get("/metrics").body;
    assert!(metrics.contains("dc_ready 0"), "{metrics}");
    let mut able = metrics
        .lines()
        .filter(|line| line.starts_with("dc_zone_can_issue{"));
    assert!(able.all(|line| line.ends_with(" 0")), "{metrics}");
}

fn becomes_ready(rig: &Rig) {
    rig.wait_until("it is ready again", || {
        rig.client().get("/readyz").status == 200
    });
    let metrics = rig.client().get("/metrics").body;
    let mut able = metrics
        .lines()
        .filter(|line| line.starts_with("dc_zone_can_issue{"));
    assert!(able.any(|line| line.ends_with(" 1")), "{metrics}");
}

/// A server of this test alone, unless tests with PostgreSQL are skipped, and a service that uses it.
pub(crate) fn with_postgres(start: impl FnOnce() -> Own) -> Option<(Own, Rig)> {
    with_postgres_and(start, "")
}

/// The same with lines for the table `[listen]`.
pub(crate) fn with_postgres_and(start: impl FnOnce() -> Own, listen: &str) -> Option<(Own, Rig)> {
    if !have(Part::Postgres) {
        return None;
    }
    let server = start();
    let location: Location = server.url.parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let migrated = runtime.block_on(dc_store::migrate(&location));
    migrated.unwrap();
    let rig = Rig::start_with(&format!(
        "{listen}\n[database]\npostgres = {:?}\n",
        server.url
    ));
    Some((server, rig))
}

#[test]
fn a_database_server_that_is_killed_under_load_is_waited_for() {
    let Some((server, rig)) = with_postgres(Own::start) else {
        return;
    };
    let routers: Vec<_> = (0..4)
        .map(|n| Router::enrolled(&rig, &format!("r{n}")).0)
        .collect();
    rig.wait_until("the clocks are compared", || {
        let metrics = rig.client().get("/metrics").body;
        let against =
            |what| metrics.contains(&format!("dc_clock_skew_seconds{{against=\"{what}\"}}"));
        ["database", "records", "start"].into_iter().all(against)
    });
    let enough = AtomicBool::new(false);
    let [renewed, refused] = [AtomicUsize::new(0), AtomicUsize::new(0)];
    std::thread::scope(|scope| {
        let _over = apparatus::Over(&enough);
        for router in &routers {
            scope.spawn(|| {
                for number in 0.. {
                    if enough.load(Ordering::Relaxed) {
                        break;
                    }
                    // Whoever gets no answer asks the same again.
                    let request = (csr(), number.to_string());
                    while !enough.load(Ordering::Relaxed) {
                        let answer = router.renew(&request.0, &request.1);
                        if answer.status == 200 {
                            renewed.fetch_add(1, Ordering::Relaxed);
                            break;
                        }
                        unavailable(&answer);
                        refused.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(Duration::from_millis(50));
                    }
                }
            });
        }
        let more_than = |count: &AtomicUsize, least: usize| {
            let least = count.load(Ordering::Relaxed) + least;
            rig.wait_until("requests go on", || count.load(Ordering::Relaxed) > least);
        };
        for _ in 0..2 {
            more_than(&renewed, 20);
            server.kill();
            more_than(&refused, 2);
            is_not_ready(&rig);
            server.start_again();
            more_than(&renewed, 20);
        }
    });
    becomes_ready(&rig);
    // Those of enrolments too; what was recorded and not answered is no harm.
    assert!(recorded(&server.url) >= renewed.load(Ordering::Relaxed) + routers.len());
    rig.admin().get("/v1/admin/devices").ok();
}
