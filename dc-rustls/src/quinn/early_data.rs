//! 0-RTT, if the application wants it.

/// The decision about early data: what a client sends, or a server takes, before the handshake is over.
///
/// Anybody who records early data can send it again, to this server or to another that shares its sessions
/// (RFC 8446 §8), so an application may let only such requests be early as do no harm when they are made twice:
/// GET in HTTP (RFC 8470), a query in DNS over QUIC (RFC 9250 §4.5).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum EarlyData {
    /// None is sent or taken.
    #[default]
    Never,
    /// A client may send it with [`Connecting::into_0rtt`](::quinn::Connecting::into_0rtt), under a session whose
    /// server is known, whose credential is still valid and that the application still wants. A server takes it
    /// under a session that it has in its memory, once, and that was made under a credential still valid.
    Allowed,
}

impl EarlyData {
    /// The most that a server takes: QUIC knows all or nothing (RFC 9001 §4.6.1).
    pub(super) fn max_size(self) -> u32 {
        match self {
            Self::Never => 0,
            Self::Allowed => u32::MAX,
        }
    }
}
