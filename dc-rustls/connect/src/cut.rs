//! Connections whose other end is told whether they have ended or were cut.

use tokio::net::TcpStream;

/// From now on the system resets the connection when it is closed, whether it is dropped or the process ends or is killed; until
/// [`has_ended`] says otherwise.
pub fn reset_unless_ended(tcp: &TcpStream) {
    // What cannot be reset is gone.
    let _ = tcp.set_zero_linger();
}

/// It has ended as both sides wanted: it is closed as others are.
pub fn has_ended(tcp: &TcpStream) {
    #[expect(
        deprecated,
        reason = "a time to linger blocks the thread, and none does not"
    )]
    let unset = tcp.set_linger(None);
    // It fails only if the socket is gone.
    let _ = unset;
}
