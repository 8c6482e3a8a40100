//! The way from the devices to their vendor, which counts who goes there.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread;

use crate::Result;
use crate::ledger::{Act, Ledger, Party};

/// A port of loopback whose connections lead to the signer. The agent makes a connection for each request, so those that
/// arrive are the requests.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The signer's port; 0 while it cannot be reached.
    to: AtomicU16,
    ended: AtomicBool,
    ledger: Arc<Ledger>,
}

impl Line {
    /// Leads nowhere yet.
    pub(super) fn new(ledger: &Arc<Ledger>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            to: AtomicU16::new(0),
            ended: AtomicBool::new(false),
            ledger: ledger.clone(),
        });
        let serving = shared.clone();
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if serving.ended.load(Ordering::SeqCst) {
                    break;
                }
                // One that cannot be connected is closed, as by a network that has lost the vendor.
                if let Ok(far) = serving.connect() {
                    thread::spawn(move || join(near, far));
                }
            }
        });
        Ok(Self { port, shared })
    }

    /// Where it leads from now on; nowhere if none.
    pub(super) fn lead_to(&self, port: Option<u16>) {
        self.shared.to.store(port.unwrap_or(0), Ordering::SeqCst);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for the next one.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Shared {
    fn connect(&self) -> io::Result<TcpStream> {
        let port = self.to.load(Ordering::SeqCst);
        if port == 0 {
            return Err(io::ErrorKind::NetworkUnreachable.into());
        }
        let far = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        self.ledger.count(Party::Vendor, Act::Request);
        Ok(far)
    }
}

/// Carries both directions until both have ended.
fn join(near: TcpStream, far: TcpStream) {
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ends = (near.try_clone(), far.try_clone());
    let (Ok(back_to), Ok(back_from)) = ends else {
        return;
    };
    let back = thread::spawn(move || carry(&back_from, &back_to));
    carry(&near, &far);
    let _ = back.join();
}

/// An end of any kind ends this direction for the other side too.
fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
