//! The vendor's server: TLS connections in, HTTP requests out, the life of the service around them, and its telemetry.

mod error;
pub mod listener;
mod service;
pub mod telemetry;

pub use error::Error;
pub use service::{Reloader, Service, Signals, serve, start};
