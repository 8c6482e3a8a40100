//! The protocol of the signing process `dc-signer keyd`, and its callers' side.
//!
//! A caller connects to its Unix socket, or from another machine by TLS 1.3 with a certificate on both sides, and sends requests, one after the other; each is answered before the next is read.
//! Every message is a frame: its length in 4 octets, then so many octets, the first of which is the protocol's version and
//! the second the kind of message. Numbers are big-endian, and what has no fixed length has its length before it.

mod client;
mod connection;
mod frame;
mod malformed;
mod message;
mod pause;
mod reader;
mod tls;
mod writer;

pub use client::{Keyd, TLS};
pub use frame::{HEAD, MAX_FRAME, length, read, write};
pub use malformed::{Malformed, VERSION};
pub use message::{Answer, Ask, MAX_CHAIN, MAX_PROOF};
pub use pause::{Pause, PauseCause};
pub use tls::{Remote, TlsError, pinned, server_config};
