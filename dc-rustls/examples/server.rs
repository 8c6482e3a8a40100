//! An HTTPS server on a device, with threads alone: answers any request with one line.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::{error::Error, sync::Arc, thread, time::Duration};

use clap::Parser;
use dc_rustls::server::Acceptor;
use rustls::crypto::ring;

/// Serves HTTPS with a delegated credential.
#[derive(Parser)]
struct Args {
    /// Folder with chain.pem, credential.pem and key.pem, which is followed as it is renewed.
    #[arg(long, value_name = "DIR")]
    identity: PathBuf,
    /// Where to listen, for example 127.0.0.1:4433; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    listen: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    let acceptor = Acceptor::follow(args.identity, Arc::new(ring::default_provider()))?;
    let listener = TcpListener::bind(args.listen)?;
    println!("listening on {}", listener.local_addr()?);
    // Each worker has one connection at a time, so strangers cannot make it any number of threads.
    thread::scope(|scope| {
        for _ in 0..64 {
            scope.spawn(|| {
                while let Err(error) = work(&listener, &acceptor) {
                    eprintln!("not served: {error}");
                    thread::sleep(Duration::from_millis(10));
                }
            });
        }
    });
    Ok(())
}

/// Answers one client after the other, until one is not served.
fn work(listener: &TcpListener, acceptor: &Acceptor) -> Result<(), Box<dyn Error>> {
    loop {
        let (tcp, _) = listener.accept()?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut tls = acceptor.accept(tcp)?;
        let mut lines = BufReader::new(Read::by_ref(&mut tls).take(1 << 14)).lines();
        while lines.next().transpose()?.is_some_and(|it| !it.is_empty()) {}
        let text = format!("served with {}\n", tls.served());
        // One buffer is one record, and an answer without a length ends with the connection.
        tls.write_all(format!("HTTP/1.0 200 OK\r\n\r\n{text}").as_bytes())?;
        tls.connection_mut().send_close_notify();
        tls.flush()?;
        // Closed with something unread, such as the client's own end, it would be reset, and the answer be lost with it.
        let _ = tls.read(&mut [0; 1024]);
    }
}
