//! Services in a home: a CA, a referee. A thread of this process each, on a port of loopback.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::Result;
use crate::http::{self, Answer, Request};

/// A service that answers until dropped.
#[derive(Debug)]
pub(crate) struct Service {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    has_ended: AtomicBool,
    is_away: AtomicBool,
}

impl Service {
    /// Starts one that is asked over HTTP.
    pub(crate) fn http(answer: impl Fn(&Request) -> Answer + Send + 'static) -> Result<Self> {
        Self::start(move |stream| exchange(stream, &answer))
    }

    /// Starts one that is asked over HTTPS.
    pub(crate) fn https(
        config: Arc<ServerConfig>,
        answer: impl Fn(&Request) -> Answer + Send + 'static,
    ) -> Result<Self> {
        Self::start(move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config));
            let connection = connection.map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(connection, stream);
            exchange(&mut stream, &answer)?;
            stream.conn.send_close_notify();
            stream.conn.write_tls(&mut stream.sock).map(drop)
        })
    }

    /// The port on which it listens.
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Whether it answers from now on; when it is away, connections end without a word.
    pub(crate) fn reach(&self, reachable: bool) {
        self.shared.is_away.store(!reachable, Ordering::Relaxed);
    }

    fn start(serve: impl Fn(TcpStream) -> io::Result<()> + Send + 'static) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming().map_while(io::Result::ok) {
                if of_thread.has_ended.load(Ordering::Relaxed) {
                    break;
                }
                if !of_thread.is_away.load(Ordering::Relaxed) {
                    // Whoever asked sees that it got no answer.
                    let _ = limit(&stream).and_then(|()| serve(stream));
                }
            }
        });
        Ok(Self {
            address,
            shared,
            thread: Some(thread),
        })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::Relaxed);
        // Wakes the thread, which waits for connections. If that fails, it has ended already.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn exchange(
    mut stream: impl io::Read + io::Write,
    answer: &impl Fn(&Request) -> Answer,
) -> io::Result<()> {
    let request = http::read_request(&mut stream)?;
    http::write_answer(stream, &answer(&request))
}

/// Nobody may keep a service, or a client, waiting.
pub(crate) fn limit(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LONGEST_WAIT))?;
    stream.set_write_timeout(Some(LONGEST_WAIT))
}

const LONGEST_WAIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(service: &Service) -> io::Result<Answer> {
        let stream = TcpStream::connect(service.address)?;
        http::ask(stream, "home", "GET", "/key", b"")
    }

    #[test]
    fn it_answers_unless_it_is_away() {
        let service = Service::http(|request| Answer::new(200, request.path.clone())).unwrap();
        assert_eq!(ask(&service).unwrap(), Answer::new(200, "/key"));
        service.reach(false);
        ask(&service).unwrap_err();
        service.reach(true);
        ask(&service).unwrap();
    }

    #[test]
    fn it_ends_when_dropped() {
        let service = Service::http(|_| Answer::new(200, "")).unwrap();
        let address = service.address;
        drop(service);
        assert!(TcpStream::connect(address).is_err());
    }
}
