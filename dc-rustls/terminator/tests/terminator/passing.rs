//! What clients say, and what the server behind hears.

use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::thread;

use dc_core::Form;
use dc_rustls::Error;

use crate::scene::{PATIENCE, Scene, answer, counts, say, serve};

#[test]
fn what_is_said_arrives_and_is_answered_after_its_end() {
    let scene = Scene::new(&[Form::Named]);
    let server = scene.start(&counts("heard").to_string(), &[]);
    for length in [0, 1, 16_384, 2_000_000] {
        assert_eq!(
            scene.ask(&server, &vec![7; length]).unwrap(),
            format!("heard {length}")
        );
    }
}

#[test]
fn a_server_on_a_unix_socket_is_reached() {
    let scene = Scene::new(&[Form::Named]);
    let path = scene.file("socket");
    let listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o777)).unwrap();
    thread::spawn(move || {
        for unix in listener.incoming() {
            answer(unix.unwrap(), "unix");
        }
    });
    let server = scene.start(path.to_str().unwrap(), &["--proxy-protocol"]);
    // With the header, which is 28 bytes for IPv4.
    assert_eq!(scene.ask(&server, b"abc").unwrap(), "unix 31");
}

#[test]
fn the_server_is_told_who_the_client_is() {
    let scene = Scene::new(&[Form::Named]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = scene.start(
        &listener.local_addr().unwrap().to_string(),
        &["--proxy-protocol"],
    );
    let mut tls = scene.connect(&server).unwrap();
    say(&mut tls, b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let (mut tcp, _) = listener.accept().unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    tcp.read_to_end(&mut heard).unwrap();
    let (SocketAddr::V4(client), to) = (tls.get_ref().local_addr().unwrap(), server.port()) else {
        panic!("the client is no IPv4 one");
    };
    let mut expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    expected.extend(client.ip().octets());
    expected.extend([127, 0, 0, 1]);
    expected.extend(client.port().to_be_bytes());
    expected.extend(to.to_be_bytes());
    expected.extend(b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(heard, expected);
}

#[test]
fn clients_of_a_server_that_is_away_are_cut_until_it_answers() {
    let scene = Scene::new(&[Form::Named]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let server = scene.start(&address.to_string(), &[]);
    for _ in 0..3 {
        // An end would be an empty answer.
        let asked = scene.ask(&server, b"");
        assert!(matches!(asked, Err(Error::Io(_))), "{asked:?}");
    }
    assert!(server.says("does not answer", 0), "{}", server.text());
    assert_eq!(server.text().matches("does not answer").count(), 1);
    let listener = TcpListener::bind(address).unwrap();
    thread::spawn(move || serve(&listener, "back"));
    assert_eq!(scene.ask(&server, b"x").unwrap(), "back 1");
    assert!(server.says("answers again", 0), "{}", server.text());
}

#[test]
fn a_server_that_ends_first_still_hears_the_client() {
    let scene = Scene::new(&[Form::Named]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = scene.start(&listener.local_addr().unwrap().to_string(), &[]);
    let mut tls = scene.connect(&server).unwrap();
    let (mut tcp, _) = listener.accept().unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.write_all(b"bye").unwrap();
    tcp.shutdown(std::net::Shutdown::Write).unwrap();
    let (mut said, mut heard) = (String::new(), String::new());
    tls.read_to_string(&mut said).unwrap();
    say(&mut tls, b"last words").unwrap();
    tcp.read_to_string(&mut heard).unwrap();
    assert_eq!((said.as_str(), heard.as_str()), ("bye", "last words"));
}

#[test]
fn a_server_that_does_not_hear_the_client_out_is_still_heard_and_a_cut_stays_one() {
    let scene = Scene::new(&[Form::Named]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = scene.start(&listener.local_addr().unwrap().to_string(), &[]);
    for ends in [true, false] {
        let mut tls = scene.connect(&server).unwrap();
        let (tcp, _) = listener.accept().unwrap();
        let refusing = thread::spawn(move || {
            let mut tcp = tcp;
            tcp.peek(&mut [0]).unwrap();
            tcp.write_all(b"too much").unwrap();
            if ends {
                tcp.shutdown(std::net::Shutdown::Write).unwrap();
            }
            // Closed with bytes unread, which the system answers with a reset.
        });
        // It is not taken as a whole.
        let _ = say(&mut tls, &[7; 30_000_000]);
        refusing.join().unwrap();
        // The stream would not read before it has written.
        let mut tcp = tls.get_ref().try_clone().unwrap();
        let connection = tls.connection_mut();
        while matches!(connection.read_tls(&mut tcp), Ok(1..)) {
            connection.process_new_packets().unwrap();
        }
        let mut said = String::new();
        let read = connection.reader().read_to_string(&mut said);
        assert_eq!(
            (said.as_str(), read.is_ok()),
            ("too much", ends),
            "{read:?}"
        );
    }
}

#[test]
fn a_client_that_is_cut_off_is_no_client_that_has_ended() {
    let scene = Scene::new(&[Form::Named]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = scene.start(&listener.local_addr().unwrap().to_string(), &[]);
    for ends in [true, false] {
        let mut tls = scene.connect(&server).unwrap();
        let (mut tcp, _) = listener.accept().unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        match ends {
            true => say(&mut tls, b"transfer 100").unwrap(),
            false => {
                tls.write_all(b"transfer 100").unwrap();
                tls.flush().unwrap();
                tls.get_ref().shutdown(std::net::Shutdown::Both).unwrap();
            }
        }
        let mut heard = String::new();
        let read = tcp.read_to_string(&mut heard);
        assert_eq!(
            (heard.as_str(), read.is_ok()),
            ("transfer 100", ends),
            "{read:?}"
        );
    }
}

#[test]
fn a_client_that_says_nothing_after_the_servers_end_is_none_that_has_ended() {
    let scene = Scene::new(&[Form::Named]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = listener.local_addr().unwrap().to_string();
    let server = scene.start(&backend, &["--idle-timeout", "300ms"]);
    let mut tls = scene.connect(&server).unwrap();
    let (mut tcp, _) = listener.accept().unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.write_all(b"bye").unwrap();
    tcp.shutdown(std::net::Shutdown::Write).unwrap();
    let mut said = String::new();
    tls.read_to_string(&mut said).unwrap();
    let read = tcp.read(&mut [0]);
    assert_eq!(
        (said.as_str(), read.unwrap_err().kind()),
        ("bye", ErrorKind::ConnectionReset)
    );
}

#[test]
fn no_more_connections_are_open_than_allowed_and_the_others_wait() {
    let scene = Scene::new(&[Form::Named]);
    let server = scene.start(&counts("heard").to_string(), &["--max-connections", "3"]);
    let before = server.open_files();
    let mut open: Vec<_> = (0..3).map(|_| scene.connect(&server).unwrap()).collect();
    for tls in &mut open {
        tls.write_all(b"x").unwrap();
    }
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..30)
            .map(|_| scope.spawn(|| scene.ask(&server, b"abc")))
            .collect();
        // Three have two each, and the identity may be looked at; the others wait outside.
        let most = (0..200).map(|_| {
            thread::yield_now();
            server.open_files()
        });
        assert!(most.max().unwrap() <= before + 2 * 3 + 1);
        drop(open);
        for waited in waiting {
            assert_eq!(waited.join().unwrap().unwrap(), "heard 3");
        }
    });
}
