//! Connections and requests make place for others: the limits hold, answers arrive, and neighbours get in.

use std::fs;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::client::{Client, Tls};
use crate::rig::Rig;
use crate::router::{Router, csr};

/// Does something again and again, on some threads, until it is dropped.
struct Again(Arc<AtomicBool>, Vec<JoinHandle<()>>);

impl Again {
    fn start(threads: usize, pause: Duration, act: impl Fn() + Send + Clone + 'static) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let threads = (0..threads).map(|_| {
            let (stop, act) = (stop.clone(), act.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    act();
                    std::thread::sleep(pause);
                }
            })
        });
        let threads = threads.collect();
        Self(stop, threads)
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        for thread in self.1.drain(..) {
            thread.join().unwrap();
        }
    }
}

/// The sockets that the service has.
fn sockets(rig: &Rig) -> usize {
    let files = fs::read_dir(format!("/proc/{}/fd", rig.pid())).unwrap();
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let sockets = links.filter(|link| link.to_string_lossy().starts_with("socket:"));
    sockets.count()
}

fn h2(client: &Client) -> Client {
    let mut client = client.clone();
    let mut config = (*client.config).clone();
    config.alpn_protocols = vec![b"h2".to_vec()];
    client.config = Arc::new(config);
    client
}

#[test]
fn no_more_connections_are_open_than_there_may_be_whatever_their_clients_leave_unanswered() {
    let rig = Rig::start_with("max_connections = 6\nidle_timeout = \"2s\"\nmax_age = \"2s\"");
    let client = h2(&rig.client().from(2));
    let before = sockets(&rig);
    let mut open: Vec<Tls> = Vec::new();
    for _ in 0..5 {
        for _ in 0..6 {
            // It answers neither settings nor pings, so that it has never ended gracefully.
            let Ok(mut tls) = client.tls() else { continue };
            let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
            let _ = tls.write_all(preface).and_then(|()| tls.flush());
            open.push(tls);
        }
        // They are asked to end meanwhile, and go on with frames that mean nothing.
        for _ in 0..6 {
            std::thread::sleep(Duration::from_millis(430));
            for tls in &mut open {
                let window = b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01";
                let _ = tls.write_all(window).and_then(|()| tls.flush());
            }
        }
        let there = sockets(&rig).saturating_sub(before);
        assert!(there <= 6, "{there} of {}", open.len());
    }
}

#[test]
fn an_answer_arrives_although_its_connection_has_to_make_room() {
    let rig = Rig::start_with("max_connections = 6");
    let answered = || {
        let metrics = rig.client().get("/metrics").body;
        let lines = metrics.lines().filter(|line| {
            line.starts_with("dc_http_requests_total{") && line.contains("/v1/renewal-info")
        });
        let count = |line: &str| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap();
        lines.map(count).sum::<u64>()
    };
    let before = answered();
    let flood = rig.client().from(2);
    let flood = Again::start(6, Duration::from_millis(2), move || drop(flood.tcp()));
    let client = h2(&rig.client().from(3));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut arrived = 0;
    for _ in 0..150 {
        arrived += u64::from(runtime.block_on(asked(&client)));
    }
    drop(flood);
    assert!(arrived > 100, "{arrived}");
    assert_eq!(answered() - before, arrived);
}

/// True if there was an answer over a connection of its own.
async fn asked(client: &Client) -> bool {
    let Ok((send, _)) = connect(client, 65_535).await else {
        return false;
    };
    let uri = "https://localhost/v1/renewal-info/cpe.example.com";
    let request = Request::get(uri).body(()).unwrap();
    let Ok(mut send) = send.ready().await else {
        return false;
    };
    let Ok((answer, _)) = send.send_request(request, true) else {
        return false;
    };
    answer.await.is_ok()
}

type Ended = tokio::task::JoinHandle<Result<(), h2::Error>>;

async fn connect(
    client: &Client,
    window: u32,
) -> Result<(SendRequest<Bytes>, Ended), Box<dyn std::error::Error>> {
    let connecting = client.clone();
    let tcp = tokio::task::spawn_blocking(move || connecting.tcp()).await??;
    tcp.set_nonblocking(true)?;
    let tcp = TcpStream::from_std(tcp)?;
    let connector = TlsConnector::from(client.config.clone());
    let tls = connector
        .connect(ServerName::try_from("localhost")?, tcp)
        .await?;
    let (send, connection) = h2::client::Builder::new()
        .initial_window_size(window)
        .handshake(tls)
        .await?;
    Ok((send, tokio::spawn(connection)))
}

#[test]
fn an_answer_that_nobody_reads_does_not_keep_its_connection() {
    let limits = "idle_timeout = \"1s\"\nshutdown_timeout = \"1s\"";
    let rig = Rig::start_with(limits);
    let client = h2(&rig.client());
    let token = rig.token();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (send, ended) = connect(&client, 0).await.unwrap();
        let request = Request::get("https://localhost/v1/admin/devices/export")
            .header("authorization", format!("Bearer {}", token.trim()))
            .body(())
            .unwrap();
        let (answer, _) = send
            .ready()
            .await
            .unwrap()
            .send_request(request, true)
            .unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        let ended = tokio::time::timeout(Duration::from_secs(15), ended).await;
        assert!(ended.is_ok(), "it is still open");
    });
}

/// A form whose body never comes, until the service has had enough of it.
fn hold(client: &Client) {
    let head = client.head("POST", "/sign-in");
    let head = format!(
        "{head}sec-fetch-site: same-origin\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 10\r\n\r\n"
    );
    if let Ok(mut tls) = client.tls()
        && tls.write_all(head.as_bytes()).is_ok()
        && tls.flush().is_ok()
    {
        let _ = tls.read(&mut [0; 4096]);
    }
}

fn renews_from(host: u8, mut router: Router) {
    router.client = router.client.from(host);
    for number in 0..6 {
        let began = Instant::now();
        router.renew(&csr(), &format!("{number}")).ok();
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
    }
}

#[test]
fn a_host_whose_bodies_never_come_keeps_nobody_out() {
    for (limits, host) in [
        ("max_connections = 40", 3),
        ("max_connections_per_address = 40", 2),
    ] {
        let rig = Rig::start_with(limits);
        let (router, _) = Router::enrolled(&rig, "one");
        let client = rig.client().from(2);
        // More than there may be, and no more handshakes than two busy cores can make: those are another flood.
        let flood = Again::start(60, Duration::from_secs(3), move || hold(&client));
        std::thread::sleep(Duration::from_secs(3));
        // From another address, and from the same as behind a translator of addresses.
        renews_from(host, router);
        drop(flood);
    }
}

#[test]
fn silent_handshakes_of_an_address_keep_nobody_of_it_out() {
    let rig = Rig::start_with("max_connections_per_address = 20\nhandshake_timeout = \"10m\"");
    let (router, _) = Router::enrolled(&rig, "one");
    let client = rig.client().from(2);
    let _silent: Vec<_> = (0..60).filter_map(|_| client.tcp().ok()).collect();
    renews_from(2, router);
}
