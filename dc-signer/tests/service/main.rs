//! The service as its clients meet it: a process of its own on loopback, with SQLite, over TLS.

#![expect(
    clippy::unwrap_used,
    reason = "clippy.toml allows it in tests, but clippy does not see that helpers in a file of their own are"
)]

mod access;
mod addresses;
mod agent;
mod audit;
mod balanced;
mod both_forms;
mod by_credential;
mod client;
mod commands;
mod configuration;
mod cut_off;
mod devices;
mod disk;
mod drills;
#[expect(
    dead_code,
    reason = "its other half is for the tests of the pages alone"
)]
#[path = "../../src/web/tests/driver.rs"]
mod driver;
mod entrances;
mod failover;
mod fairness;
mod floods;
mod following;
mod haproxy;
mod http2;
mod keyd;
mod keyd_remote;
mod lifecycle;
mod memory;
mod operators;
mod ops;
mod other_sites;
mod overload;
mod owner;
mod pages;
#[path = "../../store/src/testing/server.rs"]
mod postgres;
mod proxied;
mod ready;
mod reasons;
mod replicas;
mod rig;
mod room;
mod router;
mod secrets;
mod servers_alone;
#[path = "../../store/src/testing/small_disk.rs"]
mod small_disk;
mod soak;
mod tokens;
mod waiting;
mod who;
