//! The devices: each comes when its schedule says, from an address of its own, with a handshake of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::ClientConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use crate::fleet::Told;
use crate::{World, client};

/// When each comes next, until the end of the run.
pub(crate) async fn run(world: Arc<World>, address: SocketAddr, end: u64) {
    let config = config();
    let first = world.with(|fleet| std::mem::take(&mut fleet.first));
    let all = first.into_iter().enumerate();
    let mut due: BinaryHeap<_> = all.map(|(device, at)| Reverse((at, device))).collect();
    let (again, mut come_again) = mpsc::unbounded_channel();
    while world.now() < end {
        let next = due.peek().map_or(end, |Reverse((at, _))| *at).min(end);
        tokio::select! {
            () = world.until(next) => {}
            Some(entry) = come_again.recv() => due.push(Reverse(entry)),
        }
        let now = world.now();
        while let Some(Reverse((_, device))) = due.pop_if_due(now) {
            let (world, config, again) = (world.clone(), config.clone(), again.clone());
            tokio::spawn(async move {
                let now = world.now();
                world.with(|fleet| fleet.comes(now));
                let told = ask(&config, address, device).await.unwrap_or(Told::Reset);
                let now = world.now();
                let at = world.with(|fleet| fleet.told(device, told, now));
                let _ = again.send((at, device));
            });
        }
    }
}

trait Due {
    fn pop_if_due(&mut self, now: u64) -> Option<Reverse<(u64, usize)>>;
}

impl Due for BinaryHeap<Reverse<(u64, usize)>> {
    fn pop_if_due(&mut self, now: u64) -> Option<Reverse<(u64, usize)>> {
        let Reverse((at, _)) = self.peek()?;
        if *at <= now { self.pop() } else { None }
    }
}

/// One certificate for all: making ten thousand keys would take longer than the rest.
fn config() -> Arc<ClientConfig> {
    let made = rcgen::generate_simple_self_signed(["device".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let chain = vec![made.cert.into()];
    let certified = CertifiedKey::from_der(chain, key, client::provider()).unwrap();
    client::config(Arc::new(SingleCertAndKey::from(certified)))
}

async fn ask(config: &Arc<ClientConfig>, address: SocketAddr, device: usize) -> io::Result<Told> {
    let [.., a, b, c] = u32::try_from(device + 1).unwrap().to_be_bytes();
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::new(127, a + 1, b, c), 0).into())?;
    let tcp = socket.connect(address).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(config.clone());
    let mut tls = connector.connect(name, tcp).await?;
    let request = format!(
        "POST /renew/{device} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    tls.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // The service may end the connection without a word.
    let _ = tls.read_to_end(&mut answer).await;
    told(&String::from_utf8_lossy(&answer)).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn told(answer: &str) -> Option<Told> {
    let status = answer.strip_prefix("HTTP/1.1 ")?.get(..3)?;
    let after = answer.split("retry-after: ").nth(1);
    let after = after.and_then(|rest| rest.lines().next()?.trim().parse().ok());
    match (status, after) {
        ("200", _) => Some(Told::Issued),
        ("503", Some(after)) => Some(Told::Reserved(after)),
        _ => Some(Told::Refused(None)),
    }
}
