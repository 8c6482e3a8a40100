//! What both programs do with a connection, whoever has made it TLS.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// What can go wrong, in words.
pub(crate) type Failure = Box<dyn Error>;

/// The folder that the program is told to serve with.
pub(crate) fn folder() -> Result<String, Failure> {
    Ok(std::env::args().nth(1).ok_or("give the identity folder")?)
}

/// Prints where it listens, and gives every byte of every connection back. Ends with its process.
pub(crate) fn serve<S: Read + Write>(
    accept: impl Fn(TcpStream) -> Result<S, Failure> + Send + Sync + 'static,
) -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let accept = Arc::new(accept);
    for tcp in listener.incoming() {
        let (accept, tcp) = (accept.clone(), tcp?);
        thread::spawn(move || {
            if let Err(error) = accept(tcp).and_then(echo) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

fn echo(mut tls: impl Read + Write) -> Result<(), Failure> {
    let mut byte = [0];
    while tls.read(&mut byte)? > 0 {
        tls.write_all(&byte)?;
        tls.flush()?;
    }
    Ok(())
}
