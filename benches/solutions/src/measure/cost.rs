//! What a handshake costs both ends, beside stock TLS with a certificate.

use serde::Serialize;

/// A full handshake with a request and an answer, over loopback, between two processes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Cost {
    pub(crate) handshakes: usize,
    /// What the client sends until it has the answer, in bytes.
    pub(crate) client_bytes: u64,
    pub(crate) server_bytes: u64,
    /// Processor time, in microseconds.
    pub(crate) client_processor: f64,
    pub(crate) server_processor: f64,
}
