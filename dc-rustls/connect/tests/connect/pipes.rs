//! Standard input and output.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::process::{Command, Stdio};

use crate::device::{PATIENCE, Scene, Tls, counts, cuts, goodbye, with_input};
use dc_tests::process::{finish, run};

#[test]
fn the_end_of_the_input_is_told_and_the_answer_still_comes() {
    let scene = Scene::new();
    let port = scene.serve(counts);
    let outcome = with_input(&mut scene.pipe(port.address), &vec![7; 3_000_000]);
    assert_eq!(
        (outcome.exit, outcome.stdout.as_str()),
        (Some(0), "3000000 bytes"),
        "{outcome:?}"
    );
    assert_eq!(outcome.stderr, "");
    assert_eq!(port.next(), Ok(()));
}

#[test]
fn what_is_said_after_the_device_has_ended_still_reaches_it() {
    fn ends_first(tls: &mut Tls) -> std::io::Result<()> {
        tls.write_all(b"bye")?;
        goodbye(tls)?;
        tls.get_ref().shutdown(Shutdown::Write)?;
        let mut heard = String::new();
        tls.read_to_string(&mut heard)?;
        Err(std::io::Error::other(heard))
    }
    let scene = Scene::new();
    let port = scene.serve(ends_first);
    let mut child = scene
        .pipe(port.address)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    // To the end, which is there while the program still runs.
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"last words")
        .unwrap();
    assert_eq!(
        (said.as_str(), port.next()),
        ("bye", Err("last words".to_owned()))
    );
    let (_, outcome) = finish(&mut child, PATIENCE);
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
}

#[test]
fn a_connection_that_is_cut_is_no_success() {
    let scene = Scene::new();
    let port = scene.serve(cuts);
    let outcome = with_input(&mut scene.pipe(port.address), b"");
    assert_eq!(
        (outcome.exit, outcome.stdout.as_str()),
        (Some(6), "half of it"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("was cut"), "{outcome:?}");
}

#[test]
fn a_device_that_has_said_everything_need_not_hear_the_rest() {
    fn refuses(tls: &mut Tls) -> std::io::Result<()> {
        // What waits to be sent when it is closed is lost with what it has not heard.
        tls.get_ref().set_nodelay(true)?;
        tls.get_ref().peek(&mut [0])?;
        tls.write_all(b"too much")?;
        goodbye(tls)
        // Closed with bytes unread, which the system answers with a reset.
    }
    fn resets(tls: &mut Tls) -> std::io::Result<()> {
        tls.get_ref().set_nodelay(true)?;
        tls.get_ref().peek(&mut [0])?;
        tls.write_all(b"too mu")?;
        tls.flush()
    }
    let scene = Scene::new();
    for (port, exit, said) in [
        (scene.serve(refuses), 0, "too much"),
        (scene.serve(resets), 6, "too mu"),
    ] {
        let outcome = with_input(&mut scene.pipe(port.address), &vec![7; 30_000_000]);
        assert_eq!(
            (outcome.exit, outcome.stdout.as_str()),
            (Some(exit), said),
            "{outcome:?}"
        );
        assert_eq!(outcome.stderr.contains("was cut"), exit == 6, "{outcome:?}");
    }
}

#[test]
fn a_device_that_has_ended_is_not_waited_with_for_an_input_that_says_nothing() {
    fn ends(tls: &mut Tls) -> std::io::Result<()> {
        tls.write_all(b"bye")?;
        goodbye(tls)?;
        // What was said here did not end, as far as the device knows.
        match tls.read_to_end(&mut Vec::new()) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(()),
            read => Err(std::io::Error::other(format!("{read:?}"))),
        }
    }
    fn is_silent(tls: &mut Tls) -> std::io::Result<()> {
        tls.read_to_end(&mut Vec::new())?;
        loop {
            std::thread::park();
        }
    }
    let scene = Scene::new();
    // An answer may be missing only if it was waited for.
    for (port, input_ends, exit, said) in [
        (scene.serve(ends), false, 0, "bye"),
        (scene.serve(is_silent), true, 6, ""),
    ] {
        let mut child = scene
            .pipe(port.address)
            .args(["--idle-timeout", "300ms"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let open = child.stdin.take().filter(|_| !input_ends);
        let (_, outcome) = finish(&mut child, PATIENCE);
        assert_eq!(
            (outcome.exit, outcome.stdout.as_str()),
            (Some(exit), said),
            "{outcome:?}"
        );
        assert_eq!(outcome.stderr.is_empty(), exit == 0, "{outcome:?}");
        if !input_ends {
            assert_eq!(port.next(), Ok(()));
        }
        drop(open);
    }
}

#[test]
fn nobody_there_and_nobody_who_answers_are_not_reached() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The system takes the connection, and nobody says anything.
    let silent = with_input(
        scene.pipe(address).args(["--connect-timeout", "300ms"]),
        b"",
    );
    drop(listener);
    let nobody = with_input(&mut scene.pipe(address), b"");
    let nowhere = with_input(scene.command().arg("k3v.cpe.invalid"), b"");
    let to = format!("at {address}, which --to says");
    let dns = "--to says where it is";
    for (outcome, said) in [(silent, "300ms"), (nobody, to.as_str()), (nowhere, dns)] {
        assert_eq!(outcome.exit, Some(3), "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}");
    }
}

#[test]
fn what_is_no_tls_server_is_said_to_be_none() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        tcp.write_all(b"220 mail.example ESMTP\r\n").unwrap();
        let _ = tcp.read_to_end(&mut Vec::new());
    });
    let outcome = with_input(&mut scene.pipe(address), b"");
    assert_eq!(outcome.exit, Some(5), "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("is there a TLS server on this port?"),
        "{outcome:?}"
    );
    serving.join().unwrap();
}

#[test]
fn files_that_are_of_no_use_are_named() {
    let scene = Scene::new();
    fs::write(scene.file("empty.pem"), "").unwrap();
    for (file, exit) in [("empty.pem", 1), ("absent.pem", 1)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-connect"));
        let outcome = run(command
            .arg("--roots")
            .arg(scene.file(file))
            .arg("k3v.cpe.example.com"));
        assert_eq!(outcome.exit, Some(exit), "{outcome:?}");
        assert!(outcome.stderr.contains(file), "{outcome:?}");
    }
}

#[test]
fn ssh_takes_it_as_its_way_to_the_device() {
    fn is_ssh(tls: &mut Tls) -> std::io::Result<()> {
        let mut hello = [0; 8];
        tls.read_exact(&mut hello)?;
        tls.write_all(b"SSH-2.0-device_k3v\r\n")?;
        goodbye(tls)?;
        assert_eq!(&hello, b"SSH-2.0-");
        Ok(())
    }
    if !apparatus::have(apparatus::Part::Tools) {
        return;
    }
    let scene = Scene::new();
    let port = scene.serve(is_ssh);
    let way = format!(
        "ProxyCommand={} --roots {} --to {} %h:443",
        env!("CARGO_BIN_EXE_dc-connect"),
        scene.file("roots.pem").display(),
        port.address
    );
    let options = [
        "-F",
        "none",
        "-v",
        "-o",
        &way,
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=no",
    ];
    let outcome = run(Command::new("ssh")
        .args(options)
        .args([&scene.device.name, "true"]));
    assert!(
        outcome
            .stderr
            .contains("remote software version device_k3v"),
        "{outcome:?}"
    );
    assert_eq!(port.next(), Ok(()));
}
