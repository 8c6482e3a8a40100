//! A TLS server that follows what the agent writes, with clients that connect all the time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use dc_agent::folder::Folder;
use dc_pki::trust::read_roots;
use dc_rustls::client::{Config, Peer};
use dc_rustls::server::{Acceptor, Store};
use pki_types::ServerName;
use rustls::crypto::ring::default_provider;

use crate::agent::Device;
use crate::rig::Rig;

/// A client that wants one device's name.
struct Client {
    config: Config,
    name: ServerName<'static>,
    port: u16,
}

impl Client {
    /// The key of the device, which has answered with it.
    fn ask(&self) -> Vec<u8> {
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        tcp.set_nodelay(true).unwrap();
        let mut tls = self.config.connect(self.name.clone(), tcp).unwrap();
        tls.write_all(b"ping").unwrap();
        let mut line = [0; 4];
        tls.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"pong");
        match tls.peer() {
            Peer::Delegated { spki, .. } => spki.clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn serve(listener: &TcpListener, acceptor: &Acceptor) {
    for tcp in listener.incoming().map(Result::unwrap) {
        tcp.set_nodelay(true).unwrap();
        let mut tls = acceptor.accept(tcp).unwrap();
        let mut line = [0; 4];
        tls.read_exact(&mut line).unwrap();
        tls.write_all(b"pong").unwrap();
    }
}

/// The key of the unit that the agent has made the current one.
fn current(identity: &Path) -> Vec<u8> {
    let folder = Folder::new(identity);
    folder
        .load(folder.current_number().unwrap())
        .unwrap()
        .server
        .spki
}

#[test]
fn fifty_renewals_by_the_agent_fail_no_handshake() {
    let rig = Rig::start();
    let device = Device::with_code(&rig);
    let mut agent = device.boot(0);
    agent.turn();
    let name = agent.status().identity.unwrap().name;
    drop(agent);
    let store = Store::new(Arc::new(default_provider()));
    let (report, reports) = channel();
    let identity = device.path("identity");
    let tell = move |news| drop(report.send(news));
    let interval = Duration::from_millis(2);
    let _watch = store.watch(identity.join("current"), interval, tell);
    let next = || {
        reports
            .recv_timeout(Duration::from_secs(20))
            .unwrap()
            .unwrap();
    };
    next();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client {
        config: Config::builder(Arc::new(default_provider()))
            .roots(read_roots(&rig.root()).unwrap())
            .without_resumption()
            .build()
            .unwrap(),
        name: name.try_into().unwrap(),
        port: listener.local_addr().unwrap().port(),
    };
    // Until the test ends.
    thread::spawn(move || serve(&listener, &Acceptor::new(store)));
    let over = AtomicBool::new(false);
    let handshakes: usize = thread::scope(|scope| {
        let asking = [(); 2].map(|()| {
            scope.spawn(|| {
                let until_over = std::iter::repeat_with(|| client.ask());
                until_over
                    .take_while(|_| !over.load(Ordering::SeqCst))
                    .count()
            })
        });
        let end = apparatus::Over(&over);
        for _ in 0..50 {
            let before = current(&identity);
            device.boot(4).turn();
            let key = current(&identity);
            assert_ne!(key, before);
            next();
            assert_eq!(client.ask(), key);
        }
        drop(end);
        asking
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    println!("{handshakes} handshakes");
    assert!(handshakes >= 50, "{handshakes}");
}
