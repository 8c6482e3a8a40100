//! Many connections at once over one configuration, while the credentials are renewed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use ::tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use dc_core::Form;
use dc_rustls::client::{Config, NamePolicy, Peer};
use dc_rustls::server::{Acceptor, Store};
use dc_tests::pair::connect;
use dc_tests::vendor::{Device, Vendor, provider};
use rustls::pki_types::ServerName;

use crate::setup::{ALL, client, stock_server};

const THREADS: usize = 64;
const CONNECTIONS: usize = 200;
const RENEWALS: usize = 100;

/// Two devices that are enrolled again and again.
struct Fleet {
    vendor: Vendor,
    devices: [Device; 2],
    stores: [Arc<Store>; 2],
}

impl Fleet {
    fn new() -> Self {
        let fleet = Self {
            vendor: Vendor::default(),
            devices: ["router", "gateway"].map(Device::new),
            stores: [(); 2].map(|()| Store::new(provider())),
        };
        fleet.renew();
        fleet
    }

    fn renew(&self) {
        for (device, store) in self.devices.iter().zip(&self.stores) {
            let forms = [Form::Named, Form::Rfc9345];
            store.install(self.vendor.enrol(device, &forms)).unwrap();
        }
    }

    fn acceptors(&self) -> [Acceptor; 2] {
        self.stores
            .each_ref()
            .map(|store| Acceptor::new(Arc::clone(store)).fallback(stock_server(&self.vendor)))
    }

    #[track_caller]
    fn assert_is(&self, index: usize, peer: &Peer, policy: NamePolicy) {
        let Peer::Delegated { unique_name, .. } = peer else {
            panic!("{peer:?}");
        };
        let name = unique_name.as_ref().map(|name| name.as_str());
        let expected = (policy == NamePolicy::Required).then_some(&*self.devices[index].name);
        assert_eq!(name, expected);
    }
}

#[test]
fn threads_while_credentials_are_renewed() {
    let fleet = Fleet::new();
    let acceptors = fleet.acceptors();
    let policies = [NamePolicy::Required, NamePolicy::Ignored];
    let clients = policies.map(|policy| client(&fleet.vendor, policy));
    let renewed = AtomicBool::new(false);
    let made = AtomicUsize::new(0);
    thread::scope(|scope| {
        let _renewed = apparatus::Over(&renewed);
        for number in 0..THREADS {
            let (fleet, acceptors, clients) = (&fleet, &acceptors, &clients);
            let (renewed, made) = (&renewed, &made);
            scope.spawn(move || {
                let (who, policy) = (number % 2, number / 2 % 2);
                let mut rounds = 0;
                while rounds < 3 || !renewed.load(Ordering::Relaxed) {
                    let name = &fleet.devices[who].name;
                    let outcome = connect(&clients[policy], name, &acceptors[who], ALL);
                    fleet.assert_is(who, outcome.peer(), policies[policy]);
                    outcome.server.unwrap();
                    // The wrong one, in between, on the same threads.
                    if policies[policy] == NamePolicy::Required {
                        let outcome = connect(&clients[policy], name, &acceptors[1 - who], ALL);
                        assert!(outcome.client.is_err());
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                    rounds += 1;
                }
            });
        }
        for _ in 0..RENEWALS {
            fleet.renew();
        }
    });
    assert!(made.into_inner() >= 3 * THREADS);
}

#[::tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_while_credentials_are_renewed() {
    let fleet = Arc::new(Fleet::new());
    let acceptors = fleet.acceptors();
    let client = client(&fleet.vendor, NamePolicy::Required);
    let failures = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..CONNECTIONS {
        let (fleet, client, failures) = (fleet.clone(), client.clone(), failures.clone());
        let acceptor = acceptors[number % 2].clone();
        tasks.push(::tokio::spawn(async move {
            let name = fleet.devices[number % 2].name.clone();
            match exchange(&client, name, acceptor).await {
                Ok(peer) => fleet.assert_is(number % 2, &peer, NamePolicy::Required),
                Err(error) => failures.lock().unwrap().push(error),
            }
        }));
    }
    let renewals = {
        let fleet = fleet.clone();
        ::tokio::task::spawn_blocking(move || (0..RENEWALS).for_each(|_| fleet.renew()))
    };
    for task in tasks {
        task.await.unwrap();
    }
    renewals.await.unwrap();
    assert!(failures.lock().unwrap().is_empty(), "{failures:?}");
}

async fn exchange(
    client: &Config,
    name: String,
    acceptor: Acceptor,
) -> Result<Peer, dc_rustls::Error> {
    // Small enough for every step to be polled many times, on whatever thread is free.
    let (near, far) = duplex(100);
    let server = ::tokio::spawn(async move {
        let mut tls = acceptor.accept_async(far).await?;
        let mut line = [0; 4];
        tls.read_exact(&mut line).await?;
        tls.write_all(&line).await?;
        tls.shutdown().await?;
        Ok::<_, dc_rustls::Error>(())
    });
    let mut tls = client
        .connect_async(ServerName::try_from(name).unwrap(), near)
        .await?;
    tls.write_all(b"ping").await?;
    tls.flush().await?;
    let mut line = [0; 4];
    tls.read_exact(&mut line).await?;
    assert_eq!(&line, b"ping");
    let peer = tls.peer().clone();
    let mut rest = Vec::new();
    tls.read_to_end(&mut rest).await?;
    server.await.unwrap()?;
    Ok(peer)
}
