//! Networks that are in the way, and many clients at once: no failure that has no cause, no leak, no hang.

mod proxy;

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use dc_rustls::client::NamePolicy;

use crate::{
    boring, firefox,
    lab::{Lab, NAME},
    matrix::{Backend, OurClient, Verdict},
    nss, ours,
    process::{Server, run},
    setup, tlslite,
    vendor::identity_of,
};
use proxy::{Mischief, Proxy};

const AT_ONCE: usize = 200;
const MISCHIEFS: [Mischief; 4] = [
    Mischief::Cut,
    Mischief::Stall,
    Mischief::Reset,
    Mischief::Repeat,
];

#[test]
fn our_server_survives_what_is_in_the_way() {
    let Some(lab) = setup::lab() else { return };
    let server = our_server(lab);
    let open = server.open_files();
    let database = lab.nss_database();
    for mischief in MISCHIEFS {
        for seed in 0..25 {
            let proxy = Proxy::start(server.port(), mischief, seed);
            let done = client_in(mischief, lab).connect(proxy.port).verdict == Verdict::Credential;
            judge("our client", &proxy, mischief, seed, done, &server);
        }
        for seed in 25..30 {
            let proxy = Proxy::start(server.port(), mischief, seed);
            let outcome = nss::client(&database, NAME, &["-B"]).run(proxy.port);
            let done = outcome.exit == Some(0) && nss::says_used(&outcome);
            judge("NSS tstclnt", &proxy, mischief, seed, done, &server);
        }
        for seed in 30..32 {
            let proxy = Proxy::start(server.port(), mischief, seed);
            let outcome = tlslite::client(NAME, &[]).run(proxy.port);
            judge(
                "tlslite-ng",
                &proxy,
                mischief,
                seed,
                outcome.exit == Some(0),
                &server,
            );
        }
    }
    assert_eq!(
        client(lab).connect(server.port()).verdict,
        Verdict::Credential
    );
    check_files(&server, open);
}

/// No byte is lost here, so a user sees nothing of it.
#[test]
fn firefox_survives_what_is_in_the_way() {
    let Some(lab) = setup::lab() else { return };
    let server = our_server(lab);
    let open = server.open_files();
    let proxies: Vec<(Mischief, Proxy)> = (200..206)
        .flat_map(|seed| [(Mischief::Cut, seed), (Mischief::Stall, seed)])
        .map(|(mischief, seed)| (mischief, Proxy::start(server.port(), mischief, seed)))
        .collect();
    let url = |(_, proxy): &(_, Proxy)| format!("https://{NAME}:{}/", proxy.port);
    let urls: Vec<String> = proxies.iter().map(url).collect();
    let pages = firefox::pages(&[&lab.root()], &[], &urls);
    for ((mischief, proxy), page) in proxies.iter().zip(pages) {
        assert_eq!(page.delegated(), Some(true), "{mischief:?}: {page:?}");
        assert_eq!(page.body(), Some("served with an RFC 9345 credential"));
        assert!(!proxy.sent().is_empty());
    }
    check_files(&server, open);
}

#[test]
fn our_client_survives_what_is_in_the_way() {
    let Some(lab) = setup::lab() else { return };
    for server in servers(lab) {
        for mischief in MISCHIEFS {
            for seed in 100..110 {
                let proxy = Proxy::start(server.port(), mischief, seed);
                let done =
                    client_in(mischief, lab).connect(proxy.port).verdict == Verdict::Credential;
                judge("our client", &proxy, mischief, seed, done, &server);
                check_connections(proxy.port, &format!("{mischief:?}, seed {seed}"));
            }
        }
    }
}

/// Whoever records a client's flights and sends them again has no connection.
#[test]
fn replayed_flights_make_no_connection() {
    let Some(lab) = setup::lab() else { return };
    let server = our_server(lab);
    let open = server.open_files();
    let proxy = Proxy::start(server.port(), Mischief::Cut, 7);
    assert_eq!(client(lab).connect(proxy.port).verdict, Verdict::Credential);
    assert!(server.says("served with an RFC 9345 credential", 0));

    let mark = server.text().len();
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.write_all(&proxy.sent()).unwrap();
    // Up to a reset, which is as good as an end.
    let _ = tcp.read_to_end(&mut Vec::new());
    assert!(server.says("not served: ", mark), "{}", server.text());
    assert!(
        !server.text()[mark..].contains("\nserved"),
        "{}",
        server.text()
    );
    check_files(&server, open);
}

#[test]
fn our_server_serves_200_clients_at_once() {
    let Some(lab) = setup::lab() else { return };
    let server = our_server(lab);
    let open = server.open_files();
    let client = client(lab);
    let verdicts = at_once(|| client.connect(server.port()).verdict);
    assert!(
        verdicts.iter().all(|v| *v == Verdict::Credential),
        "ours: {verdicts:?}"
    );

    let database = lab.nss_database();
    let used =
        at_once(|| nss::says_used(&nss::client(&database, NAME, &["-B"]).run(server.port())));
    assert_eq!(used.iter().filter(|used| !**used).count(), 0, "NSS tstclnt");

    let outcome = run(tlslite::python("tlslite_client.py")
        .args([NAME, &server.port().to_string()])
        .args(["--at-once", &AT_ONCE.to_string()]));
    assert_eq!(
        outcome.exit,
        Some(0),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    check_files(&server, open);
}

#[test]
fn other_servers_serve_200_of_our_clients_at_once() {
    let Some(lab) = setup::lab() else { return };
    for server in servers(lab) {
        let client = client(lab);
        let said = at_once(|| client.connect(server.port()));
        let failed: Vec<_> = said
            .iter()
            .filter(|said| said.verdict != Verdict::Credential)
            .collect();
        assert!(
            failed.is_empty(),
            "{}: {} failed: {failed:?}",
            server.name,
            failed.len()
        );
        check_connections(server.port(), server.name);
    }
}

fn our_server(lab: &Lab) -> Server {
    ours::server(&identity_of(&lab.minted("P-256")), None)
}

fn servers(lab: &Lab) -> [Server; 3] {
    let served = lab.minted("P-256");
    [
        nss::server(&served),
        tlslite::misuse_server(&served, "none"),
        boring::server(&served, &[]),
    ]
}

fn client(lab: &Lab) -> OurClient {
    OurClient::new(&lab.root(), Backend::Ring, NamePolicy::Preferred)
}

/// Where bytes get lost, waiting for them is no use.
fn client_in(mischief: Mischief, lab: &Lab) -> OurClient {
    match mischief {
        Mischief::Cut | Mischief::Stall => client(lab),
        Mischief::Repeat | Mischief::Reset => client(lab).patience(SHORT),
    }
}

/// A handshake fails only if the proxy has seen to that.
fn judge(client: &str, proxy: &Proxy, mischief: Mischief, seed: u64, done: bool, server: &Server) {
    assert!(
        done || proxy.has_damaged(),
        "{client} -> {}, {mischief:?}, seed {seed}: failed for no reason; the server said\n{}",
        server.name,
        server.text(),
    );
}

fn at_once<T: Send>(connect: impl Fn() -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let running: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(&connect)).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// Sockets that some process still holds; the kernel's own, which wait for late packets, have no inode.
fn open_connections_to(port: u16) -> usize {
    let remote = format!(":{port:04X}");
    let sockets = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    let is_open = |line: &&str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns[2].ends_with(&remote) && columns[9] != "0"
    };
    sockets.lines().skip(1).filter(is_open).count()
}

/// No connection to the port stays open. One that was closed may still be counted for a moment: a process that another
/// test starts holds a copy of every file until its own program runs.
fn check_connections(port: u16, of: &str) {
    let closed = wait_until(|| open_connections_to(port) == 0);
    assert!(closed, "{of}: {} stay open", open_connections_to(port));
}

/// The server has as many files and sockets open as before, once the last connection has timed out.
fn check_files(server: &Server, before: usize) {
    wait_until(|| server.open_files() <= before);
    assert_eq!(server.open_files(), before, "{}", server.text());
}

fn wait_until(holds: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}

const SHORT: Duration = Duration::from_secs(2);
/// Longer than the example server waits for a client.
const PATIENCE: Duration = Duration::from_secs(20);
