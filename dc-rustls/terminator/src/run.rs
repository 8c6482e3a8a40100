//! The life of the program: ports, another user, service, new settings, the end.

use std::ffi::OsString;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::error::Error;
use crate::files::make_room;
use crate::identity::follow;
use crate::options::{Command, Options};
use crate::serve::{MAX_HANDSHAKES, Service};
use crate::user::is_root;

/// Serves until SIGTERM or SIGINT, and reads the arguments again on SIGHUP.
///
/// Fails with [`Error`] if something cannot be served, before any client was.
pub fn run(options: Options, arguments: Vec<OsString>) -> Result<(), Error> {
    if is_root() && options.user.is_none() {
        return Err(Error::Root);
    }
    make_room(
        options.max_connections,
        MAX_HANDSHAKES * options.listen.len(),
    )?;
    let ports = open(&options)?;
    if let Some(user) = options.user {
        user.become_it()?;
    }
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::System)?;
    runtime.block_on(serve(options, arguments, ports))
}

fn open(options: &Options) -> Result<Vec<TcpListener>, Error> {
    let open = options.listen.iter().map(|&address| {
        let opened = TcpListener::bind(address).and_then(|tcp| {
            tcp.set_nonblocking(true)?;
            Ok(tcp)
        });
        opened.map_err(|source| Error::Listen { address, source })
    });
    open.collect()
}

async fn serve(
    mut options: Options,
    arguments: Vec<OsString>,
    ports: Vec<TcpListener>,
) -> Result<(), Error> {
    let mut end = signals(&[SignalKind::terminate(), SignalKind::interrupt()])?;
    let mut reload = signals(&[SignalKind::hangup()])?;
    // Each port keeps room for one, so that none is shut out by the others.
    let all = options.max_connections.max(ports.len());
    let room = Arc::new(Semaphore::new(all));
    let mut generation = Generation::start(&options, &ports, &room)?;
    for port in &ports {
        println!("listening on {}", port.local_addr().map_err(Error::System)?);
    }
    loop {
        let ends = {
            let any = std::future::poll_fn(|cx| {
                let told = |signals: &mut Vec<Signal>, cx: &mut _| {
                    signals.iter_mut().any(|it| it.poll_recv(cx).is_ready())
                };
                match (told(&mut end, cx), told(&mut reload, cx)) {
                    (true, _) => std::task::Poll::Ready(true),
                    (false, true) => std::task::Poll::Ready(false),
                    (false, false) => std::task::Poll::Pending,
                }
            });
            any.await
        };
        if ends {
            break;
        }
        let renewed = again(&options, &arguments).and_then(|new| {
            let started = Generation::start(&new, &ports, &room)?;
            Ok((new, started))
        });
        match renewed {
            Ok((new, started)) => {
                options = new;
                // The old one serves those who are shaking hands with it.
                std::mem::replace(&mut generation, started).stop();
                eprintln!("dc-terminator: has read its settings again");
            }
            Err(error) => eprintln!("dc-terminator: keeps its settings: {error}"),
        }
    }
    generation.stop();
    // Nobody is to wait at a port that will not be served.
    drop(ports);
    drain(&room, all, options.times.drain).await;
    Ok(())
}

fn signals(kinds: &[SignalKind]) -> Result<Vec<Signal>, Error> {
    kinds
        .iter()
        .map(|kind| signal(*kind))
        .collect::<io::Result<_>>()
        .map_err(Error::System)
}

/// The settings as they are now.
fn again(old: &Options, arguments: &[OsString]) -> Result<Options, Error> {
    let Command::Serve(new) = Command::parse(arguments.iter().cloned())? else {
        return Err(Error::Usage("the settings are gone"));
    };
    for (option, is_same) in [
        ("listen", new.listen == old.listen),
        (
            "max-connections",
            new.max_connections == old.max_connections,
        ),
        ("user", new.user == old.user),
    ] {
        if !is_same {
            return Err(Error::Fixed { option });
        }
    }
    Ok(*new)
}

/// Ports that are served under the same settings.
struct Generation {
    stop: watch::Sender<bool>,
}

impl Generation {
    /// Fails if the identity or the fallback cannot be served.
    fn start(
        options: &Options,
        ports: &[TcpListener],
        room: &Arc<Semaphore>,
    ) -> Result<Self, Error> {
        let fallback = options
            .fallback
            .as_ref()
            .map(|(chain, key)| (chain.as_path(), key.as_path()));
        let identity = follow(
            &options.identity,
            options.times.reload,
            &options.alpn_protocols,
            fallback,
        )?;
        let service = Arc::new(Service::new(options, identity));
        let (stop, told) = watch::channel(false);
        for port in ports {
            let tcp = port
                .try_clone()
                .and_then(tokio::net::TcpListener::from_std)
                .map_err(Error::System)?;
            let serving = Arc::clone(&service).serve(tcp, Arc::clone(room), told.clone());
            tokio::spawn(async move {
                if let Err(error) = serving.await {
                    eprintln!("dc-terminator: a port is not served: {error}");
                }
            });
        }
        Ok(Self { stop })
    }

    fn stop(self) {
        let _ = self.stop.send(true);
    }
}

/// Waits for all connections, but not for ever.
async fn drain(room: &Semaphore, all: usize, longest: Duration) {
    let all = u32::try_from(all).unwrap_or(u32::MAX);
    if timeout(longest, room.acquire_many(all)).await.is_err() {
        eprintln!("dc-terminator: the drain timeout is over, and connections are cut");
    }
}
