//! A device on loopback, which serves the identity that lies in its folder at that moment.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use dc_rustls::server::{Acceptor, Identity, Store};
use rustls::crypto::ring;

use crate::server;

/// Listens at port 4433, or at another one if that is taken.
///
/// Fails with [`crate::server::Error::Listen`].
pub(super) fn start(identity: PathBuf) -> Result<SocketAddr, server::Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    let setting = "the device's port";
    let failed = |source| server::Error::Listen {
        address,
        setting,
        source,
    };
    let listener = TcpListener::bind(address)
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            let identity = identity.clone();
            thread::spawn(move || {
                if let Err(error) = answer(&identity, tcp) {
                    tracing::info!(%error, "the device of the trial did not serve");
                }
            });
        }
    });
    Ok(bound)
}

fn answer(identity: &Path, tcp: TcpStream) -> Result<(), dc_rustls::Error> {
    tcp.set_read_timeout(Some(TIMEOUT))?;
    tcp.set_write_timeout(Some(TIMEOUT))?;
    let store = Store::new(Arc::new(ring::default_provider()));
    store.install(Identity::load(identity)?)?;
    let mut tls = Acceptor::new(store).accept(tcp)?;
    match tls.read(&mut [0; 1024]) {
        Ok(1..) => tls.write_all(REPLY)?,
        // Whoever asks for nothing and says so is not cut off, and may be gone.
        Ok(0) => {
            tls.connection_mut().send_close_notify();
            let _ = tls.flush();
            return Ok(());
        }
        // Somebody who only shakes hands.
        Err(_) => return Ok(()),
    }
    tls.connection_mut().send_close_notify();
    tls.flush()?;
    // Closed with something unread, such as the client's own end, the connection would be reset, and the answer be lost with it.
    let _ = tls.read(&mut [0; 1024]);
    Ok(())
}

const PORT: u16 = 4433;
const TIMEOUT: Duration = Duration::from_secs(10);
const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";
