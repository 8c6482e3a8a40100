//! A listener on a real port, and strangers at it.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use dc_core::Form;
use dc_rustls::client::{AsyncStream, Config, NamePolicy, Peer};
use dc_rustls::server::{Accepted, Acceptor, Counters, Listener, Served};
use dc_rustls::{Error, Refusal};
use dc_tests::process::run;
use dc_tests::vendor::{Device, Vendor};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::setup::{acceptor, careless_acceptor, client, stock_server};

const NAME: &str = "router.cpe.example.com";
const SOON: Duration = Duration::from_secs(20);
const NEVER: Duration = Duration::from_secs(3600);

/// A vendor, and a device of it that serves both forms or the vendor's certificate.
fn device() -> (Vendor, Acceptor) {
    let vendor = Vendor::default();
    let acceptor = acceptor(
        &vendor,
        &Device::new("router"),
        &[Form::Named, Form::Rfc9345],
    );
    let acceptor = acceptor.fallback(stock_server(&vendor));
    (vendor, acceptor)
}

async fn listen(acceptor: Acceptor) -> Listener {
    Listener::bind("127.0.0.1:0", acceptor).await.unwrap()
}

/// Says `pong` to everybody.
fn serve(mut listener: Listener) -> (SocketAddr, Counters, JoinHandle<()>) {
    let (address, counters) = (listener.local_addr(), listener.counters());
    let serving = tokio::spawn(async move {
        while let Some((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.write_all(b"pong").await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    (address, counters, serving)
}

async fn connect(client: &Config, tcp: TcpStream) -> Result<AsyncStream<TcpStream>, Error> {
    let name = ServerName::try_from(NAME).unwrap();
    timeout(SOON, client.connect_async(name, tcp))
        .await
        .expect("the handshake hangs")
}

/// A whole connection, from a port of its own.
async fn is_served(client: &Config, address: SocketAddr) -> Peer {
    let tcp = TcpStream::connect(address).await.unwrap();
    is_served_over(client, tcp).await
}

async fn is_served_over(client: &Config, tcp: TcpStream) -> Peer {
    let mut stream = connect(client, tcp).await.unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await.unwrap();
    assert_eq!(reply, "pong");
    stream.peer().clone()
}

/// Strangers from this address who say nothing.
async fn strangers(from: &str, count: usize, to: SocketAddr) -> Vec<TcpStream> {
    let mut strangers = Vec::new();
    for _ in 0..count {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        strangers.push(socket.connect(to).await.unwrap());
    }
    strangers
}

async fn until(reached: impl Fn() -> bool) {
    let wait = async {
        while !reached() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, wait).await.expect("it never comes to that");
}

#[tokio::test]
async fn the_application_learns_who_came_and_what_was_served() {
    let (vendor, acceptor) = device();
    let mut listener = listen(acceptor).await;
    let to = listener.local_addr();
    let mut seen = Vec::new();
    for policy in [NamePolicy::Required, NamePolicy::Ignored] {
        let client = client(&vendor, policy);
        let coming = tokio::spawn(async move {
            let tcp = TcpStream::connect(to).await.unwrap();
            let from = tcp.local_addr().unwrap();
            (connect(&client, tcp).await.unwrap(), from)
        });
        let (stream, address) = listener.accept().await.unwrap();
        let (_client, from) = coming.await.unwrap();
        assert!(stream.get_ref().nodelay().unwrap());
        let accepted = Accepted::new(&stream, address);
        assert_eq!(accepted.address, from);
        assert_eq!(accepted.server_name.as_deref(), Some(NAME));
        seen.push(accepted.served);
    }
    let forms = seen.iter().map(|served| match served {
        Served::Delegated {
            form, unique_name, ..
        } => (*form, unique_name.as_ref().map(ToString::to_string)),
        other => panic!("{other:?}"),
    });
    let named = (Form::Named, Some(NAME.to_owned()));
    assert_eq!(forms.collect::<Vec<_>>(), [named, (Form::Rfc9345, None)]);
    assert_eq!(listener.counters().handshakes(), 2);
}

#[tokio::test]
async fn a_stranger_who_says_nothing_keeps_nobody_waiting() {
    let (vendor, acceptor) = device();
    let listener = listen(acceptor).await.handshake_timeout(NEVER);
    let (address, counters, _serving) = serve(listener);
    let _stranger = strangers("127.0.0.1", 1, address).await;
    is_served(&client(&vendor, NamePolicy::Required), address).await;
    assert_eq!((counters.handshakes(), counters.displacements()), (1, 0));
}

#[tokio::test]
async fn a_crowd_of_silent_strangers_keeps_nobody_out() {
    let (vendor, acceptor) = device();
    let listener = listen(acceptor).await.max_handshakes(8);
    let (address, counters, _serving) = serve(listener.handshake_timeout(NEVER));
    let client = client(&vendor, NamePolicy::Required);
    let mut crowd = Vec::new();
    for round in 1..=10 {
        crowd.extend(strangers("127.0.0.1", 20, address).await);
        is_served(&client, address).await;
        assert_eq!(counters.handshakes(), round);
    }
    until(|| counters.displacements() >= 200 - 8).await;
    // All but those who are in it have been told to go.
    let mut gone = 0;
    for stranger in &mut crowd {
        let read = timeout(Duration::from_millis(1), stranger.read(&mut [0])).await;
        gone += usize::from(read.is_ok());
    }
    assert!(gone >= 200 - 8, "{gone}");
}

#[tokio::test]
async fn a_crowd_from_one_address_costs_a_slow_client_elsewhere_nothing() {
    let (vendor, acceptor) = device();
    let listener = listen(acceptor).await.max_handshakes(8);
    let (address, counters, _serving) = serve(listener.handshake_timeout(NEVER));
    let slow = TcpStream::connect(address).await.unwrap();
    let _crowd = strangers("127.0.0.2", 100, address).await;
    until(|| counters.displacements() >= 100 - 7).await;
    is_served_over(&client(&vendor, NamePolicy::Required), slow).await;
}

#[tokio::test]
async fn whoever_takes_too_long_has_to_go() {
    let (vendor, acceptor) = device();
    let longest = Duration::from_millis(300);
    let (address, counters, _serving) = serve(listen(acceptor).await.handshake_timeout(longest));
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut slow = TcpStream::connect(address).await.unwrap();
    // The beginning of a ClientHello, and no more.
    slow.write_all(&[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3])
        .await
        .unwrap();
    for stranger in [&mut silent, &mut slow] {
        let read = timeout(SOON, stranger.read(&mut [0])).await;
        assert_eq!(read.unwrap().unwrap(), 0);
    }
    assert_eq!((counters.timeouts(), counters.failures()), (2, 0));
    is_served(&client(&vendor, NamePolicy::Required), address).await;
}

#[tokio::test]
async fn handshakes_that_fail_are_counted_and_no_reason_to_stop() {
    let (vendor, acceptor) = device();
    let (address, counters, _serving) = serve(listen(acceptor).await);
    let mut stranger = TcpStream::connect(address).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut alert = Vec::new();
    stranger.read_to_end(&mut alert).await.unwrap();
    assert_eq!(alert.first(), Some(&21));
    drop(TcpStream::connect(address).await.unwrap());
    until(|| counters.failures() == 2).await;
    is_served(&client(&vendor, NamePolicy::Required), address).await;
    assert_eq!((counters.handshakes(), counters.timeouts()), (1, 0));
}

#[tokio::test]
async fn the_evil_twin_is_refused_and_counted_by_the_twin() {
    let vendor = Vendor::default();
    let twin = careless_acceptor(vendor.enrol(&Device::new("twin"), &[Form::Named]));
    let (address, counters, _serving) = serve(listen(twin).await);
    let tcp = TcpStream::connect(address).await.unwrap();
    let error = connect(&client(&vendor, NamePolicy::Required), tcp).await;
    let error = error.map(drop).unwrap_err();
    assert!(matches!(
        error,
        Error::Refused(Refusal::Credential(dc_core::Error::NameMismatch { .. }))
    ));
    until(|| counters.failures() == 1).await;
}

/// One to which a balancer says in four bytes whose connection it is; 0.0.0.0 is nobody.
fn behind_a_balancer(listener: Listener) -> Listener {
    listener.announced_by(|mut tcp, balancer| async move {
        let mut client = [0; 4];
        tcp.read_exact(&mut client).await.ok()?;
        (client != [0; 4]).then(|| (tcp, (client, balancer.port()).into()))
    })
}

async fn announced(to: SocketAddr, client: [u8; 4]) -> TcpStream {
    let mut tcp = TcpStream::connect(to).await.unwrap();
    tcp.write_all(&client).await.unwrap();
    tcp
}

#[tokio::test]
async fn what_is_in_front_of_a_handshake_says_whose_it_is() {
    let (vendor, acceptor) = device();
    let mut listener = behind_a_balancer(listen(acceptor).await);
    let tcp = announced(listener.local_addr(), [192, 0, 2, 7]).await;
    let client = client(&vendor, NamePolicy::Required);
    let (accepted, connected) = tokio::join!(listener.accept(), connect(&client, tcp));
    assert_eq!(accepted.unwrap().1.ip().to_string(), "192.0.2.7");
    connected.unwrap();
}

#[tokio::test]
async fn whoever_is_refused_or_silent_in_front_of_a_handshake_has_to_go() {
    let (vendor, acceptor) = device();
    let listener = behind_a_balancer(listen(acceptor).await);
    let listener = listener.handshake_timeout(Duration::from_millis(300));
    let (address, counters, _serving) = serve(listener);
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut refused = announced(address, [0; 4]).await;
    for stranger in [&mut silent, &mut refused] {
        let read = timeout(SOON, stranger.read(&mut [0])).await;
        assert_eq!(read.unwrap().unwrap(), 0);
    }
    assert_eq!((counters.timeouts(), counters.failures()), (1, 1));
    let tcp = announced(address, [192, 0, 2, 7]).await;
    is_served_over(&client(&vendor, NamePolicy::Required), tcp).await;
}

#[tokio::test]
async fn a_crowd_of_one_client_behind_a_balancer_costs_a_slow_one_behind_it_nothing() {
    let (vendor, acceptor) = device();
    let listener = behind_a_balancer(listen(acceptor).await.max_handshakes(8));
    let (address, counters, _serving) = serve(listener.handshake_timeout(NEVER));
    let slow = announced(address, [192, 0, 2, 7]).await;
    let mut crowd = Vec::new();
    for others in 1..=100 {
        crowd.push(announced(address, [192, 0, 2, 8]).await);
        until(|| counters.displacements() + 7 >= others).await;
    }
    is_served_over(&client(&vendor, NamePolicy::Required), slow).await;
}

#[tokio::test]
async fn nothing_is_lost_when_accepting_is_cancelled() {
    let (vendor, acceptor) = device();
    let mut listener = listen(acceptor).await;
    let (address, client) = (listener.local_addr(), client(&vendor, NamePolicy::Required));
    let coming = tokio::spawn(async move {
        let tcp = TcpStream::connect(address).await.unwrap();
        connect(&client, tcp).await.unwrap()
    });
    let mut cancelled = 0;
    let stream = loop {
        match timeout(Duration::from_micros(50), listener.accept()).await {
            Ok(accepted) => break accepted.unwrap().0,
            Err(_) => cancelled += 1,
        }
    };
    assert!(cancelled > 0);
    drop(stream);
    coming.await.unwrap();
}

#[tokio::test]
async fn after_shutdown_nobody_gets_in_and_those_inside_are_handed_over() {
    let (vendor, acceptor) = device();
    let mut listener = listen(acceptor).await;
    let address = listener.local_addr();
    let inside = TcpStream::connect(address).await.unwrap();
    // It is accepted, and says nothing yet.
    let waited = timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(waited.is_err());
    listener.shutdown();
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let client = client(&vendor, NamePolicy::Required);
    let (accepted, connected) = tokio::join!(listener.accept(), connect(&client, inside));
    assert!(accepted.is_some() && connected.is_ok());
    assert!(listener.accept().await.is_none());
}

#[tokio::test]
async fn dropping_it_ends_the_handshakes() {
    let (_, acceptor) = device();
    let mut listener = listen(acceptor).await.handshake_timeout(NEVER);
    let mut stranger = TcpStream::connect(listener.local_addr()).await.unwrap();
    let waited = timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(waited.is_err());
    drop(listener);
    let read = timeout(SOON, stranger.read(&mut [0])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}

#[test]
fn too_many_open_files_are_waited_for() {
    let test = "listener::too_many_open_files_are_waited_for";
    with_few_files(test, with_too_many_open_files());
}

#[test]
fn strangers_who_have_all_open_files_keep_nobody_out() {
    let test = "listener::strangers_who_have_all_open_files_keep_nobody_out";
    with_few_files(test, with_the_files_of_strangers());
}

/// Runs the rest of a test in a process of its own, which may open few files.
fn with_few_files(test: &str, rest: impl Future<Output = ()>) {
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(rest);
        return;
    }
    let this = std::env::current_exe().unwrap();
    let outcome = run(Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(this)
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, "1"));
    let said = outcome.stdout + &outcome.stderr;
    assert!(
        outcome.exit == Some(0) && said.contains("1 passed"),
        "{said}"
    );
}

async fn with_too_many_open_files() {
    let (vendor, acceptor) = device();
    let mut listener = listen(acceptor).await;
    let (counters, client) = (listener.counters(), client(&vendor, NamePolicy::Required));
    let tcp = TcpStream::connect(listener.local_addr()).await.unwrap();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    assert!(files.len() < 64);
    let waited = timeout(Duration::from_millis(350), listener.accept()).await;
    assert!(waited.is_err());
    // It tries again, and not all the time.
    let errors = counters.accept_errors();
    assert!((2..=4).contains(&errors), "{errors}");
    drop(files);
    let (accepted, connected) = tokio::join!(listener.accept(), connect(&client, tcp));
    assert!(accepted.is_some() && connected.is_ok());
}

async fn with_the_files_of_strangers() {
    let (vendor, acceptor) = device();
    let listener = listen(acceptor).await.handshake_timeout(NEVER);
    let (address, counters, _serving) = serve(listener);
    let client = client(&vendor, NamePolicy::Required);
    let _strangers = strangers("127.0.0.2", 16, address).await;
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    // One is for the client's own end, which is not the server's to make room for.
    files.pop().unwrap();
    let honest = TcpStream::connect(address).await.unwrap();
    let served = timeout(SOON, is_served_over(&client, honest)).await;
    assert!(served.is_ok() && counters.displacements() > 0);
}

const CHILD: &str = "DC_TEST_TOO_MANY_FILES";
