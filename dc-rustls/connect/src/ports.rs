//! Local ports: one for a name, or an HTTP proxy for any name.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::cut::{has_ended, reset_unless_ended};
use crate::dial::{Connection, Dialer};
use crate::error::Error;
use crate::relay::{Broken, Limits, relay};
use crate::request::{self, BadRequest, MAX_HEAD, Request};
use crate::target::Target;

/// The use of a port.
#[derive(Clone, Debug)]
pub enum Service {
    /// Each connection goes to this device.
    Device(Target),
    /// Each connection says in an HTTP CONNECT request where it goes.
    Proxy,
}

/// A port that serves programs of this machine.
#[derive(Debug)]
pub struct Port {
    tcp: TcpListener,
    address: SocketAddr,
    service: Service,
    dialer: Dialer,
    limits: Limits,
    room: Arc<Semaphore>,
}

impl Port {
    /// Opens it, for so many connections at a time; who comes when there is no room waits.
    ///
    /// Fails with [`Error::Listen`] if the address cannot be had.
    pub async fn open(
        address: SocketAddr,
        service: Service,
        dialer: Dialer,
        limits: Limits,
        max_connections: usize,
    ) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address, source };
        let tcp = TcpListener::bind(address).await.map_err(listen)?;
        Ok(Self {
            address: tcp.local_addr().map_err(listen)?,
            tcp,
            service,
            dialer,
            limits,
            room: Arc::new(Semaphore::new(
                max_connections.clamp(1, Semaphore::MAX_PERMITS),
            )),
        })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves for ever, and says on standard error which connections failed and why.
    pub async fn serve(self) {
        // It is never closed.
        while let Ok(permit) = Arc::clone(&self.room).acquire_owned().await {
            let tcp = match self.tcp.accept().await {
                Ok((tcp, _)) => tcp,
                // That one connection was lost, or too many files are open, is no reason to stop.
                Err(error) => {
                    eprintln!("dc-connect: not accepted: {error}");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let (service, dialer, limits) =
                (self.service.clone(), self.dialer.clone(), self.limits);
            let _ = tcp.set_nodelay(true);
            // The local end can tell what was cut, or never connected, from what has ended.
            reset_unless_ended(&tcp);
            tokio::spawn(async move {
                let done = match service {
                    Service::Device(target) => to_device(tcp, &dialer, &target, limits).await,
                    Service::Proxy => by_request(tcp, &dialer, limits).await,
                };
                if let Err(error) = done {
                    eprintln!("dc-connect: {error}");
                }
                drop(permit);
            });
        }
    }
}

async fn to_device(
    mut near: TcpStream,
    dialer: &Dialer,
    target: &Target,
    limits: Limits,
) -> Result<(), Error> {
    let mut far = dialer.dial(target).await?;
    join(&mut near, &mut far, target, Vec::new(), limits).await?;
    has_ended(&near);
    Ok(())
}

async fn by_request(mut near: TcpStream, dialer: &Dialer, limits: Limits) -> Result<(), Error> {
    let asked = timeout(PATIENCE, read_request(&mut near)).await;
    let (Request { target, length }, bytes) = match asked {
        Ok(Ok(Ok(asked))) => asked,
        Ok(Ok(Err(bad))) => return answer(&mut near, bad.status(), &bad.to_string()).await,
        Ok(Err(error)) => return Err(Error::Local(error)),
        Err(_) => {
            return answer(
                &mut near,
                "408 Request Timeout",
                "the request took too long",
            )
            .await;
        }
    };
    let mut far = match dialer.dial(&target).await {
        Ok(far) => far,
        Err(error) => {
            let status = match error {
                Error::TooSlow { .. } => "504 Gateway Timeout",
                _ => "502 Bad Gateway",
            };
            // The reason matters more than that the other end was told.
            let _ = answer(&mut near, status, &error.to_string()).await;
            return Err(error);
        }
    };
    near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .map_err(Error::Local)?;
    // What came behind the head is for the device.
    let early = bytes.get(length..).unwrap_or_default().to_vec();
    join(&mut near, &mut far, &target, early, limits).await?;
    has_ended(&near);
    Ok(())
}

/// A request, and all bytes that came.
async fn read_request(
    near: &mut TcpStream,
) -> std::io::Result<Result<(Request, Vec<u8>), BadRequest>> {
    let mut bytes = Vec::new();
    loop {
        match request::parse(&bytes) {
            Ok(Some(request)) => return Ok(Ok((request, bytes))),
            Ok(None) => {}
            Err(bad) => return Ok(Err(bad)),
        }
        let room = MAX_HEAD.saturating_sub(bytes.len()).max(1);
        if near.take(room as u64).read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn answer(near: &mut TcpStream, status: &str, what: &str) -> Result<(), Error> {
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{what}\n",
        what.len() + 1
    );
    let told = async {
        near.write_all(text.as_bytes()).await?;
        near.shutdown().await?;
        has_ended(near);
        // Until the other end is done too: what it still sends would make the system throw our answer away.
        let mut chunk = [0; 512];
        while near.read(&mut chunk).await? > 0 {}
        Ok(())
    };
    match timeout(LINGER, told).await {
        Ok(told) => told.map_err(Error::Local),
        Err(_) => Ok(()),
    }
}

/// Copies between the local end, of which this came already, and the device, until both are done, or the device has ended and
/// takes no more, or gets no more in the time that one direction is waited for.
///
/// Fails with [`Error::Cut`], [`Error::Idle`], [`Error::Local`] and [`Error::Unwanted`].
pub async fn join(
    near: &mut (impl AsyncRead + AsyncWrite + Unpin),
    far: &mut Connection,
    target: &Target,
    early: Vec<u8>,
    limits: Limits,
) -> Result<(), Error> {
    let target = || target.clone();
    let relayed = relay(near, far, early, limits, Connection::recheck).await;
    let Err(broken) = relayed else { return Ok(()) };
    Err(match broken {
        Broken::Far(source) => Error::Cut {
            target: target(),
            source,
        },
        Broken::Idle(after) => Error::Idle {
            target: target(),
            after,
            is_half_closed: limits.idle.is_none_or(|idle| after < idle),
        },
        // The device has said everything, and nobody here wants to say more to it.
        Broken::Left => return Ok(()),
        Broken::Near(error) => Error::Local(error),
        Broken::Unwanted(source) => Error::Unwanted {
            target: target(),
            source: Box::new(source),
        },
    })
}

const PAUSE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);
const LINGER: Duration = Duration::from_secs(1);
