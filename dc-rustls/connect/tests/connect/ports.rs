//! Local ports, and the HTTP proxy.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use apparatus::{Part, have};
use dc_core::Form;
use dc_tests::lister::Lister;
use dc_tests::process::{finish, run, run_ok};
use dc_tests::vendor::{Device, ZONE};
use rustls::pki_types::UnixTime;

use crate::device::{PATIENCE, Scene, Tls, answers, careless, counts, cuts, serve};

fn ask(at: SocketAddr, bytes: &[u8]) -> String {
    let mut tcp = TcpStream::connect(at).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.write_all(bytes).unwrap();
    tcp.shutdown(Shutdown::Write).unwrap();
    let mut said = String::new();
    tcp.read_to_string(&mut said).unwrap();
    said
}

#[test]
fn all_connections_of_a_port_go_to_the_device() {
    let scene = Scene::new();
    let port = scene.serve(counts);
    let to = port.address.to_string();
    let (_program, at) = scene.port(&["--listen", "127.0.0.1:0", "--to", &to, &scene.device.name]);
    thread::scope(|scope| {
        let asking = (0..20).map(|i| scope.spawn(move || (i, ask(at, &vec![0; i * 10_000]))));
        for asked in asking.collect::<Vec<_>>() {
            let (i, said) = asked.join().unwrap();
            assert_eq!(said, format!("{} bytes", i * 10_000));
        }
    });
}

#[test]
fn a_device_that_cuts_the_connection_is_none_that_has_ended_it() {
    let scene = Scene::new();
    let port = scene.serve(cuts);
    let to = port.address.to_string();
    let (_program, at) = scene.port(&["--listen", "127.0.0.1:0", "--to", &to, &scene.device.name]);
    let (_proxy, proxy) = scene.port(&["--proxy", "127.0.0.1:0", "--to", &to]);
    let request = b"CONNECT k3v.cpe.example.com:443 HTTP/1.1\r\n\r\n";
    for (at, asked) in [(at, &b""[..]), (proxy, request)] {
        let mut tcp = TcpStream::connect(at).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.write_all(asked).unwrap();
        let mut said = Vec::new();
        let read = tcp.read_to_end(&mut said);
        assert!(said.ends_with(b"half of it"), "{said:?}");
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_connection_that_is_open_when_the_program_ends_is_cut_too() {
    fn says_half(tls: &mut Tls) -> std::io::Result<()> {
        tls.write_all(b"half of it")?;
        tls.flush()?;
        tls.read_to_end(&mut Vec::new()).map(drop)
    }
    if !have(Part::Tools) {
        return;
    }
    let scene = Scene::new();
    let port = scene.serve(says_half);
    let to = port.address.to_string();
    let request = b"CONNECT k3v.cpe.example.com:443 HTTP/1.1\r\n\r\n";
    for signal in ["-TERM", "-INT", "-KILL"] {
        let listen = ["--listen", "127.0.0.1:0", "--to", &to, &scene.device.name];
        let (program, at) = scene.port(&listen);
        let (proxy, by_proxy) = scene.port(&["--proxy", "127.0.0.1:0", "--to", &to]);
        for (program, at, asked) in [(program, at, &b""[..]), (proxy, by_proxy, request)] {
            let mut tcp = TcpStream::connect(at).unwrap();
            tcp.set_read_timeout(Some(PATIENCE)).unwrap();
            tcp.write_all(asked).unwrap();
            let (mut said, mut chunk) = (Vec::new(), [0; 100]);
            while !said.ends_with(b"half of it") {
                let read = tcp.read(&mut chunk).unwrap();
                assert!(read > 0, "{said:?}");
                said.extend(&chunk[..read]);
            }
            run_ok(Command::new("kill").args([signal, &program.pid().to_string()]));
            assert_eq!(
                tcp.read(&mut chunk).unwrap_err().kind(),
                ErrorKind::ConnectionReset
            );
            // The goodbye of TLS did not come.
            assert!(port.next().is_err());
        }
    }
}

#[test]
fn who_comes_when_there_is_no_room_waits() {
    let scene = Scene::new();
    let port = scene.serve(counts);
    let to = port.address.to_string();
    let options = [
        "--listen",
        "127.0.0.1:0",
        "--to",
        &to,
        "--max-connections",
        "2",
        &scene.device.name,
    ];
    let (program, at) = scene.port(&options);
    let before = program.open_files();
    let open: Vec<TcpStream> = (0..2).map(|_| TcpStream::connect(at).unwrap()).collect();
    let waiting: Vec<_> = (0..30)
        .map(|_| thread::spawn(move || ask(at, b"abc")))
        .collect();
    // Of the thirty, none has a descriptor there; each of the two has two.
    let most = (0..100).map(|_| {
        thread::yield_now();
        program.open_files()
    });
    assert!(most.max().unwrap() <= before + 4 + 1);
    drop(open);
    for waited in waiting {
        assert_eq!(waited.join().unwrap(), "3 bytes");
    }
}

#[test]
fn curl_reaches_a_device_by_its_name_through_the_proxy() {
    if !have(Part::Tools) {
        return;
    }
    let scene = Scene::new();
    let port = scene.serve(answers);
    let to = port.address.to_string();
    let (_program, at) = scene.port(&["--proxy", "127.0.0.1:0", "--to", &to]);
    let proxy = format!("http://{at}");
    let url = format!("http://{}:443/", scene.device.name);
    let outcome = run(Command::new("curl").args(["-sS", "--proxytunnel", "--proxy", &proxy, &url]));
    assert_eq!(outcome.exit, Some(0), "{outcome:?}");
    assert!(
        outcome.stdout.contains("k3v.cpe.example.com"),
        "{outcome:?}"
    );
    let other = run(Command::new("curl").args([
        "-sS",
        "--proxytunnel",
        "--proxy",
        &proxy,
        "http://twin.cpe.example.com:443/",
    ]));
    assert_eq!(other.exit, Some(56), "{other:?}");
    assert!(other.stderr.contains("502"), "{other:?}");
}

#[test]
fn the_evil_twin_gets_nothing_of_a_request_through_the_proxy() {
    fn listens(tls: &mut Tls) -> std::io::Result<()> {
        let mut heard = Vec::new();
        tls.read_to_end(&mut heard)?;
        panic!("heard {heard:?}");
    }
    let scene = Scene::new();
    let twin = serve(
        careless(scene.vendor.enrol(&Device::new("twin"), &[Form::Named])),
        listens,
    );
    let to = twin.address.to_string();
    let (program, at) = scene.port(&["--proxy", "127.0.0.1:0", "--to", &to]);
    let request = "CONNECT k3v.cpe.example.com:443 HTTP/1.1\r\n\r\nGET /secret HTTP/1.1\r\n\r\n";
    let said = ask(at, request.as_bytes());
    assert!(
        said.starts_with("HTTP/1.1 502 ") && said.contains("twin.cpe.example.com"),
        "{said}"
    );
    assert!(
        program.says("another device answers", 0),
        "{}",
        program.text()
    );
    assert!(twin.next().unwrap_err().contains("IllegalParameter"));
}

#[test]
fn the_proxy_says_for_which_names_there_is_no_list() {
    let scene = Scene::new();
    let (lister, list) = (Lister::new(), scene.file("list"));
    fs::write(&list, lister.list(ZONE, 1, &[], UnixTime::now().as_secs())).unwrap();
    let port = scene.serve(counts);
    let (path, key) = (list.to_str().unwrap(), lister.key().to_string());
    let to = port.address.to_string();
    let (program, at) = scene.port(&[
        "--proxy",
        "127.0.0.1:0",
        "--to",
        &to,
        "--withdrawn",
        path,
        "--list-key",
        &key,
        "--list-zone",
        ZONE,
    ]);
    ask(at, b"CONNECT k3v.cpe.example.com:443 HTTP/1.1\r\n\r\n");
    ask(at, b"CONNECT k3v.other.example:443 HTTP/1.1\r\n\r\n");
    let unlisted = "not that of the zone of k3v.other.example:";
    assert!(program.says(unlisted, 0), "{}", program.text());
    assert_eq!(program.text().matches("not that of the zone").count(), 1);
}

#[test]
fn what_comes_with_the_request_is_for_the_device() {
    let scene = Scene::new();
    let port = scene.serve(counts);
    let to = port.address.to_string();
    let (_program, at) = scene.port(&["--proxy", "127.0.0.1:0", "--to", &to]);
    let head = b"CONNECT k3v.cpe.example.com:443 HTTP/1.1\r\n\r\n".to_vec();
    let said = ask(at, &[head, vec![9; 100_000]].concat());
    assert_eq!(
        said,
        "HTTP/1.1 200 Connection established\r\n\r\n100000 bytes"
    );
}

#[test]
fn what_is_no_request_for_a_connection_gets_its_status() {
    let scene = Scene::new();
    let (_program, at) = scene.port(&["--proxy", "127.0.0.1:0"]);
    for (asked, status) in [
        (
            &b"GET http://k3v.cpe.example.com/ HTTP/1.1\r\n\r\n"[..],
            "405",
        ),
        (b"CONNECT k3v HTTP/1.1\r\n\r\n", "400"),
        (b"\x16\x03\x01\x00\x05hello", "400"),
        (&[b'A'; 20_000], "431"),
        (b"CONNECT k3v.cpe.invalid:1 HTTP/1.1\r\n\r\n", "502"),
    ] {
        let said = ask(at, asked);
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
    }
}

#[test]
fn an_open_connection_ends_when_its_name_is_withdrawn() {
    fn says_one(tls: &mut Tls) -> std::io::Result<()> {
        tls.write_all(b"1")?;
        tls.flush()?;
        tls.read_to_end(&mut Vec::new()).map(drop)
    }
    let scene = Scene::new();
    let port = scene.serve(says_one);
    let (lister, list) = (Lister::new(), scene.file("list"));
    let now = UnixTime::now().as_secs();
    fs::write(&list, lister.list(ZONE, 1, &[], now)).unwrap();
    let (to, key) = (port.address.to_string(), lister.key().to_string());
    let options = [
        "--to",
        &to,
        &scene.device.name,
        "--recheck",
        "20ms",
        "--withdrawn",
        list.to_str().unwrap(),
        "--list-key",
        &key,
    ];
    let (program, at) = scene.port(&[&["--listen", "127.0.0.1:0"], &options[..]].concat());
    let mut tcp = TcpStream::connect(at).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.read_exact(&mut [0]).unwrap();
    let mut pipe = scene
        .command()
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let input = pipe.stdin.take();
    let said = pipe.stdout.as_mut().unwrap();
    said.read_exact(&mut [0]).unwrap();
    let next = scene.file("next");
    fs::write(&next, lister.list(ZONE, 2, &[&scene.device.name], now)).unwrap();
    fs::rename(next, &list).unwrap();
    assert_eq!(
        tcp.read(&mut [0]).unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert!(program.says("may not stay", 0), "{}", program.text());
    let (_, outcome) = finish(&mut pipe, PATIENCE);
    assert_eq!(outcome.exit, Some(4), "{outcome:?}");
    assert!(outcome.stderr.contains("may not stay"), "{outcome:?}");
    drop(input);
    for _ in 0..2 {
        assert!(port.next().is_err());
    }
}
