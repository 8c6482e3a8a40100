//! Early data, which the `boring` crate does not wrap.

use boring::ssl::{SslContextBuilder, SslRef};
use boring_sys as ffi;
use foreign_types_shared::ForeignTypeRef as _;

/// Takes early data from clients that send it. BoringSSL does nothing against replay.
pub fn enable(context: &mut SslContextBuilder) {
    // SAFETY: it is live, and nobody else has it.
    unsafe { ffi::SSL_CTX_set_early_data_enabled(context.as_ptr(), 1) }
}

/// True if the client has sent early data, and it was taken.
pub fn was_accepted(ssl: &SslRef) -> bool {
    // SAFETY: it is live.
    unsafe { ffi::SSL_early_data_accepted(ssl.as_ptr()) == 1 }
}
