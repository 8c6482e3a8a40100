//! The seam of dc-rustls against rustls 0.24, so that the port is known to work before 0.24 is released.
//!
//! The mapping between the views and the editing of hellos are dc-rustls's own files. New is what touches rustls: its
//! provider interface, its verifier and its connections. `README.md` lists what is relied on in rustls.

pub mod client;
mod hash;
mod hello;
mod ignored;
mod provider;
mod pseudo;
mod record;
pub mod server;
mod sessions;
mod stream;
mod verifier;
// Not all of it is used here: there is no compression, and no test of its own.
#[allow(dead_code)]
#[path = "../../../dc-rustls/src/view/mod.rs"]
mod view;

pub use stream::{Failure, Stream};
