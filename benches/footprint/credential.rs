//! A server with a delegated credential, which it follows through renewals.

mod server;

use std::sync::Arc;
use std::time::Duration;

use dc_rustls::server::{Acceptor, Store};
use rustls::crypto::ring::default_provider;

use server::{Failure, folder, serve};

fn main() -> Result<(), Failure> {
    let store = Store::new(Arc::new(default_provider()));
    let _watch = store.watch(folder()?, Duration::from_secs(10), |news| {
        if let Err(error) = news {
            eprintln!("{error}");
        }
    })?;
    let acceptor = Acceptor::new(store);
    serve(move |tcp| Ok(acceptor.accept(tcp)?))
}
