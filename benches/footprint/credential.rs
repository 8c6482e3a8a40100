//! A server with a delegated credential, which it follows through renewals.

mod server;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dc_rustls::server::{Acceptor, Identity, Store};
use rustls::crypto::ring::default_provider;

use server::{Failure, folder, serve};

fn main() -> Result<(), Failure> {
    let folder = folder()?;
    let store = Store::new(Arc::new(default_provider()));
    store.install(Identity::load(Path::new(&folder))?)?;
    let _watch = store.watch(folder, Duration::from_secs(10), |news| {
        if let Err(error) = news {
            eprintln!("{error}");
        }
    })?;
    let acceptor = Acceptor::new(store);
    serve(move |tcp| Ok(acceptor.accept(tcp)?))
}
