//! The parts of an issuance, each measured alone, with the same libraries and settings as the service's.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dc_pki::clock;
use dc_signer::authority::database;
use dc_signer::config::Config;
use dc_store::registry::{Device, Sha256};
use dc_store::{Act, Filter, Idempotency, Issuance, Page, Store};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use rustix::time::{ClockId, clock_gettime};
use rustls::{ClientConfig, ServerConfig, ServerConnection};
use tokio::runtime::Runtime;

use crate::client;
use crate::service::{processor_time, tls_config};

/// The processor time of each.
#[derive(Debug)]
pub(crate) struct Parts {
    handshake: Duration,
    pub(crate) in_memory: Duration,
    verify: Duration,
    sign: Duration,
    commit: Duration,
}

impl Parts {
    pub(crate) fn rows(&self) -> [(&'static str, Duration); 5] {
        [
            ("handshake", self.handshake),
            ("verify the request", self.verify),
            ("sign", self.sign),
            ("verify the result", self.verify),
            ("commit", self.commit),
        ]
    }

    pub(crate) fn sum(&self) -> Duration {
        self.rows().iter().map(|(_, time)| *time).sum()
    }
}

/// Measures all parts but the handshake, which is what it costs a server that does nothing else; a `quick` one shows
/// only that it runs.
pub(crate) fn measure(
    config: &Config,
    client: &Arc<ClientConfig>,
    handshake: Duration,
    clients: usize,
    quick: bool,
) -> Parts {
    let times = if quick { 10 } else { 4000 };
    let (sign, verify) = signatures(times);
    Parts {
        handshake,
        in_memory: in_memory(config, client, times),
        verify,
        sign,
        commit: commit(config, clients, if quick { 100 } else { 40_000 }),
    }
}

/// The server's half of a handshake without a socket.
fn in_memory(config: &Config, client: &Arc<ClientConfig>, times: u32) -> Duration {
    let server = tls_config(&config.listen);
    let spent: Duration = (0..times).map(|_| server_half(client, &server)).sum();
    spent / times
}

fn server_half(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> Duration {
    let mut client = client::connection(client);
    let mut spent = Duration::ZERO;
    let start = this_thread();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    spent += this_thread() - start;
    let mut wire = Vec::new();
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() {
        wire.clear();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let start = this_thread();
        let mut unread = &wire[..];
        while !unread.is_empty() {
            server.read_tls(&mut unread).unwrap();
            server.process_new_packets().unwrap();
        }
        let mut answer = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answer).unwrap();
        }
        spent += this_thread() - start;
        let mut unread = &answer[..];
        while !unread.is_empty() {
            client.read_tls(&mut unread).unwrap();
            client.process_new_packets().unwrap();
        }
    }
    spent
}

/// One signature with P-256, and one verification, over about as much as a credential and its certificate.
fn signatures(times: u32) -> (Duration, Duration) {
    let (algorithm, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
    let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap();
    let message = [7; 700];
    let start = this_thread();
    for _ in 0..times {
        black_box(key.sign(&random, black_box(&message)).unwrap());
    }
    let sign = (this_thread() - start) / times;
    let signature = key.sign(&random, &message).unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key());
    let start = this_thread();
    for _ in 0..times {
        public
            .verify(black_box(&message), signature.as_ref())
            .unwrap();
    }
    (sign, (this_thread() - start) / times)
}

/// This process's time for one durable record, of many that share their commits, in the database that was loaded.
fn commit(config: &Config, callers: usize, times: u32) -> Duration {
    Runtime::new().unwrap().block_on(async {
        let (store, _in_use) = database::open(config).await.unwrap();
        let devices = devices(&store).await;
        let before = processor_time("self");
        record(&store, devices, callers, times).await;
        let spent = processor_time("self") - before;
        store.close().await;
        spent / times
    })
}

async fn devices(store: &Arc<Store>) -> Arc<[Device]> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = Page {
            after,
            limit: Page::MAX,
            ..Page::default()
        };
        let listed = store.list_devices(&Filter::default(), &page).await.unwrap();
        all.extend(listed.devices.into_iter().filter(|one| one.key.is_some()));
        match listed.next {
            Some(next) => after = Some(next),
            None => return all.into(),
        }
    }
}

/// This thread's processor time: what else the machine does is not in it.
fn this_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

/// As many callers at once as the load has clients, so that as many share a commit.
async fn record(store: &Arc<Store>, devices: Arc<[Device]>, callers: usize, times: u32) {
    let next = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (store, next, devices) = (store.clone(), next.clone(), devices.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= times as usize {
                        break;
                    }
                    let issuance = issuance(&devices[number % devices.len()], number);
                    store.record(issuance).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

fn issuance(device: &Device, number: usize) -> Issuance {
    let hash = |what: u8| Sha256::of(&[&[what][..], &number.to_be_bytes()].concat());
    let now = clock::now().unwrap();
    Issuance {
        device: device.id,
        name: device.name.clone(),
        key: device.key.unwrap(),
        spki_sha256: hash(1),
        credentials: vec![hash(2)],
        client: None,
        delegation_sha256: hash(3),
        issued: now,
        expires: now,
        shown: None,
        idempotency: Some(Idempotency {
            key: hash(4),
            request: hash(5),
        }),
        answer: vec![b'x'; ANSWER],
        by: Act::new("device", now),
    }
}

/// One credential and a chain of one certificate, in JSON.
const ANSWER: usize = 2048;
