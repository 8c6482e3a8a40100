//! Whether a server has taken up what the agent installed.

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use dc_agent::Level;
use dc_rustls::server::{Acceptor, Identity, Settings, Store};
use pki_types::UnixTime;
use rustls::crypto::ring::default_provider;
use rustls::time_provider::TimeProvider;

use crate::device::Device;
use crate::signer::{DAY, HOUR, Signer, unix};

/// The server's clock, which is right.
struct TrueTime(Signer);

impl TimeProvider for TrueTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix(self.0.now()))
    }
}

impl std::fmt::Debug for TrueTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrueTime").finish_non_exhaustive()
    }
}

#[test]
fn a_server_that_does_not_follow_is_shouted_about_and_one_that_does_is_seen_once() {
    let signer = Signer::start();
    let device = Device::new(&signer);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    device.configure(&format!(
        "start_delay = '0s'\ncode_file = 'code'\nself_check = '{address}'\n"
    ));
    let settings = Settings::new(Arc::new(default_provider()));
    let clock = Arc::new(TrueTime(signer.clone()));
    let store = Store::with_settings(settings.time_provider(clock));
    let reload = || {
        store
            .install(Identity::load(device.current()).unwrap())
            .unwrap();
    };
    let acceptor = Acceptor::new(store.clone());
    let (ended, ends) = channel();
    // Until the test ends.
    thread::spawn(move || {
        for tcp in listener.incoming() {
            if let Ok(mut stream) = acceptor.accept(tcp.unwrap()) {
                ended.send(stream.read(&mut [0; 1])).unwrap();
            }
        }
    });
    let mut agent = device.boot();
    agent.turn();
    // The server gets a minute.
    assert_eq!(agent.status().served, None);
    signer.pass(61);
    agent.turn();
    assert!(agent.status().served.unwrap().contains("do not accept"));
    assert_eq!(agent.status().level, Level::Fine);
    reload();
    signer.pass(61);
    agent.turn();
    assert_eq!(agent.status().served, None);
    assert!(device.said("the server serves dc-1"));
    // An old credential is accepted by clients, but not the one to serve.
    signer.pass(4 * DAY);
    agent.turn();
    signer.pass(61);
    agent.turn();
    assert!(device.said("does not serve dc-2"), "{:?}", device.log);
    reload();
    signer.pass(HOUR);
    agent.turn();
    assert_eq!(agent.status().served, None);
    let said = device.log.borrow().len();
    for _ in 0..10 {
        signer.pass(600);
        agent.turn();
    }
    assert_eq!(device.log.borrow().len(), said);
    // Each time the server was told the end.
    let ends: Vec<_> = ends.try_iter().collect();
    assert!(ends.len() > 2, "{ends:?}");
    assert!(ends.iter().all(|end| matches!(end, Ok(0))), "{ends:?}");
}
