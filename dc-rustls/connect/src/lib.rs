//! Reaches a device by its proved name, for programs that know nothing of delegated credentials.
//!
//! The program `dc-connect` is all of it in three ways: a pipe, a local port for one name, and an HTTP proxy for any name.
//! [`relay`] is for any two streams, and [`cut`] for any of TCP.

#![cfg_attr(
    not(test),
    deny(clippy::expect_used, clippy::panic, clippy::unwrap_used)
)]

pub mod advice;
pub mod args;
pub mod asked;
pub mod cut;
pub mod dial;
pub mod error;
pub mod lists;
pub mod pipe;
pub mod ports;
pub mod relay;
pub mod request;
pub mod target;
