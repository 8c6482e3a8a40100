//! The service as its clients meet it: a process of its own on loopback, with SQLite, over TLS.

#![cfg(all(feature = "demo", feature = "service"))]
#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but clippy does not see that helpers in a file of their own are"
)]

mod access;
#[cfg(feature = "agent")]
mod agent;
mod client;
mod commands;
mod configuration;
mod cut_off;
mod devices;
mod disk;
mod floods;
#[cfg(feature = "agent")]
mod following;
mod http2;
mod lifecycle;
mod operators;
mod ops;
mod owner;
mod pages;
#[path = "../../src/store/testing/server.rs"]
mod postgres;
mod rig;
mod router;
mod secrets;
#[path = "../../src/store/testing/small_disk.rs"]
mod small_disk;
mod waiting;
