//! The vendor's server: TLS connections in, HTTP requests out, the life of the service around them, and its telemetry.

pub mod check;
pub mod credential_listener;
pub mod dev;
mod error;
mod exposed;
mod health_listener;
pub mod listener;
mod service;
pub mod telemetry;
mod warning;

pub use error::Error;
pub use exposed::{Exposed, look_at_keyd as exposed_of_keyd};
pub use service::{Error as ServiceError, Reloader, Service, Signals, serve, start};
pub use warning::Warning;
