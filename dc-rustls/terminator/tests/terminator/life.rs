//! Start, renewal, new settings and end.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use apparatus::{Part, have, left_out};
use dc_core::Form;
use dc_rustls::client::Peer;
use dc_tests::process::{Server, run};

use crate::scene::{NOBODY, PATIENCE, Scene, counts, is_root, say};

fn send(signal: &str, to: &Server) {
    // From what the system says of its port: the process is the one that holds it.
    let status = Command::new("kill")
        .args([signal, &to.pid().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn no_request_is_lost_while_the_credential_is_renewed() {
    let scene = Scene::new(&[Form::Named]);
    let server = scene.start(&counts("heard").to_string(), &["--reload", "10ms"]);
    let expiry = || match scene.connect(&server).unwrap().peer() {
        Peer::Delegated { expires, .. } => expires.as_secs(),
        other => panic!("{other:?}"),
    };
    let (before, done, asked) = (expiry(), AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _done = apparatus::Over(&done);
        let clients = || {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(scene.ask(&server, b"abc").unwrap(), "heard 3");
                asked.fetch_add(1, Ordering::Relaxed);
            }
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(clients)).collect();
        for renewal in 1..=20u64 {
            let mark = server.text().len();
            let at = asked.load(Ordering::Relaxed);
            scene.issue(&[Form::Named], Duration::from_secs(3600 * (1 + renewal)));
            assert!(
                server.says("serves the credential of the folder", mark),
                "{}",
                server.text()
            );
            while asked.load(Ordering::Relaxed) < at + 4
                && !clients.iter().any(thread::ScopedJoinHandle::is_finished)
            {
                thread::yield_now();
            }
        }
    });
    assert!(asked.into_inner() >= 80);
    assert!(expiry() >= before + 19 * 3600);
}

#[test]
fn nothing_is_served_as_root_and_the_user_has_no_other_groups() {
    if !is_root() {
        left_out("becoming another user", "this is not root");
        return;
    }
    let scene = Scene::new(&[Form::Named]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_dc-terminator"));
    command.arg("--identity").arg(scene.file("identity"));
    let outcome = run(command.args(["--listen", "127.0.0.1:0", "--backend", "80"]));
    assert_eq!(outcome.exit, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("--user"), "{outcome:?}");
    let server = scene.start(&counts("heard").to_string(), &[]);
    assert_eq!(scene.ask(&server, b"x").unwrap(), "heard 1");
    let (uid, gid) = NOBODY.split_once(':').unwrap();
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let mut count = 0;
    for task in tasks {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap()
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(field("Uid:"), [uid; 4]);
        assert_eq!(field("Gid:"), [gid; 4]);
        assert_eq!(field("Groups:"), [""; 0]);
        assert_eq!(field("CapEff:"), ["0000000000000000"]);
        count += 1;
    }
    // Also the one that follows the identity.
    assert!(count >= 2);
    let key = scene.file("identity/key.pem");
    fs::set_permissions(key, Permissions::from_mode(0o600)).unwrap();
    let mut command = scene.command();
    command.arg("--identity").arg(scene.file("identity"));
    let outcome = run(command.args(["--listen", "127.0.0.1:0", "--backend", "80"]));
    assert!(outcome.stderr.contains("key_group"), "{outcome:?}");
}

#[test]
fn what_cannot_be_served_is_said_at_the_start() {
    let scene = Scene::new(&[Form::Named]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let identity = scene.file("identity");
    let identity = identity.to_str().unwrap();
    let holder = TcpListener::bind(&taken);
    for (options, said) in [
        (
            ["--listen", "127.0.0.1:0", "--identity", "/there/is/none"],
            "/there/is/none",
        ),
        (
            ["--listen", &taken, "--identity", identity],
            "cannot listen",
        ),
    ] {
        let outcome = run(scene.command().args(options).args(["--backend", "80"]));
        assert_eq!(outcome.exit, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}");
        // What is advised helps.
        assert!(!outcome.stderr.contains("as root"), "{outcome:?}");
    }
    drop(holder);
    fs::remove_file(scene.file("identity/credential.pem")).unwrap();
    let outcome = run(scene.command().args([
        "--listen",
        "127.0.0.1:0",
        "--identity",
        identity,
        "--backend",
        "80",
    ]));
    assert_eq!(outcome.exit, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("credential.pem"), "{outcome:?}");
}

#[test]
fn an_open_connection_is_served_to_its_end_after_sigterm_and_no_new_one() {
    if !have(Part::Tools) {
        return;
    }
    let scene = Scene::new(&[Form::Named]);
    let mut server = scene.start(&counts("heard").to_string(), &[]);
    let mut tls = scene.connect(&server).unwrap();
    tls.write_all(b"before").unwrap();
    // It is passed on by now, as whoever comes later is answered.
    assert_eq!(scene.ask(&server, b"x").unwrap(), "heard 1");
    send("-TERM", &server);
    while scene.connect(&server).is_ok() {
        thread::yield_now();
    }
    say(&mut tls, b" and after").unwrap();
    let mut answer = String::new();
    tls.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "heard 16");
    assert_eq!(server.wait_for_end(), Some(0));
}

#[test]
fn a_client_that_is_cut_by_the_programs_end_is_none_that_has_ended_to_the_server() {
    if !have(Part::Tools) {
        return;
    }
    let scene = Scene::new(&[Form::Named]);
    for (signal, exit) in [("-TERM", Some(0)), ("-KILL", None)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let backend = listener.local_addr().unwrap().to_string();
        let mut server = scene.start(&backend, &["--drain-timeout", "10ms"]);
        let mut tls = scene.connect(&server).unwrap();
        tls.write_all(b"half").unwrap();
        let (mut tcp, _) = listener.accept().unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.read_exact(&mut [0; 4]).unwrap();
        send(signal, &server);
        let read = tcp.read(&mut [0]);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
        let read = tls.read(&mut [0]);
        assert_eq!(read.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(server.wait_for_end(), exit);
    }
}

#[test]
fn new_settings_are_read_on_sighup_and_wrong_ones_are_not_taken() {
    if !have(Part::Tools) {
        return;
    }
    let scene = Scene::new(&[Form::Named]);
    let config = |backend: &str, more: &str| {
        let identity = scene.file("identity");
        let text = format!(
            "identity = '{}'\nlisten = '127.0.0.1:0'\nbackend = '{backend}'\n{more}\n",
            identity.display()
        );
        scene.write("config.toml", &text);
    };
    let (first, second) = (counts("first").to_string(), counts("second").to_string());
    config(&first, "");
    fs::set_permissions(scene.file("config.toml"), PermissionsExt::from_mode(0o644)).unwrap();
    let server = Server::start(
        "dc-terminator",
        scene
            .command()
            .arg("--config")
            .arg(scene.file("config.toml")),
    );
    let mut open = scene.connect(&server).unwrap();
    open.write_all(b"abc").unwrap();
    assert_eq!(scene.ask(&server, b"x").unwrap(), "first 1");
    config(&second, "");
    send("-HUP", &server);
    assert!(
        server.says("has read its settings again", 0),
        "{}",
        server.text()
    );
    assert_eq!(scene.ask(&server, b"x").unwrap(), "second 1");
    for (more, said) in [
        ("max_connections = 7", "restart"),
        ("colour = 'red'", "colour"),
    ] {
        config(&first, more);
        let mark = server.text().len();
        send("-HUP", &server);
        assert!(
            server.says("keeps its settings", mark) && server.says(said, mark),
            "{}",
            server.text()
        );
        assert_eq!(scene.ask(&server, b"x").unwrap(), "second 1");
    }
    // It was there before, and is where it was.
    say(&mut open, b"def").unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "first 6");
}
