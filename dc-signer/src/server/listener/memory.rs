//! The most memory that strangers can make the service take, and the limits that this follows from.

use crate::config::Listen;

/// The most bytes of memory that the service takes with these limits, whatever strangers do.
///
/// It is a sum of what was measured under attack; `tests/service/memory.rs` measures it again. What is sent to operators,
/// and to devices that are known here, is not in it.
#[must_use]
pub fn most_memory(listen: &Listen) -> usize {
    let others = [
        listen.for_operators(),
        listen.for_health(),
        listen.for_proxies(),
    ];
    let others = others.iter().flatten().map(of_one);
    others.fold(BASE.saturating_add(of_one(listen)), usize::saturating_add)
}

fn of_one(listen: &Listen) -> usize {
    let parts = [
        (listen.max_connections, CONNECTION),
        (listen.most_requests(), REQUEST),
        (listen.most_handshakes(), HANDSHAKE),
    ];
    let sum =
        |sum: usize, (count, each): (usize, usize)| sum.saturating_add(count.saturating_mul(each));
    parts.into_iter().fold(0, sum)
}

/// The service itself, with its database and its tables of limits.
const BASE: usize = 192 * 1024 * 1024;
/// A connection: TLS and HTTP, a window of unread bodies, and answers that nobody reads.
const CONNECTION: usize = 216 * 1024;
/// A request in progress, with its body.
const REQUEST: usize = 96 * 1024;
/// A handshake in progress: the longest message that TLS allows here, whole and in its records.
const HANDSHAKE: usize = 128 * 1024;

/// Bytes of an HTTP/1.1 head; beyond, hyper answers 431.
pub(super) const MAX_HEAD: usize = 16 * 1024;
/// Bytes of an HTTP/2 head, unpacked.
pub(super) const MAX_HEADER_LIST: u32 = 16 * 1024;
/// Requests at once on an HTTP/2 connection.
pub(super) const MAX_STREAMS: u32 = 8;
/// Bytes of bodies that a connection may send before somebody reads them: as few as HTTP/2 allows.
pub(super) const WINDOW: u32 = 65_535;
/// Bytes of answers that a connection keeps for a client that does not read.
pub(super) const SEND_BUFFER: usize = 16 * 1024;
