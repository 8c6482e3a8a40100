//! `SSL_CREDENTIAL` with a delegated credential, which the `boring` crate does not wrap.

use std::{ptr, sync::Arc};

use boring::{
    error::ErrorStack,
    pkey::{PKey, Private},
    ssl::SslContextBuilder,
};
use boring_sys::{
    self as ffi, CRYPTO_BUFFER, CRYPTO_BUFFER_free, CRYPTO_BUFFER_new, SSL_CREDENTIAL,
    SSL_CREDENTIAL_free,
};
use foreign_types_shared::{ForeignType as _, ForeignTypeRef as _};

/// Which credential a handshake was made with can be asked during the handshake only.
#[derive(Default)]
pub struct Selected(Option<Arc<Credential>>);

impl Selected {
    /// Says `selected: delegated` or `selected: certificate` in each full handshake.
    pub fn announce(self, context: &mut SslContextBuilder) {
        // The one callback that always runs after the choice.
        context.set_keylog_callback(move |ssl, line| {
            if !line.starts_with("SERVER_TRAFFIC_SECRET_0") {
                return;
            }
            // SAFETY: `ssl` is a live connection in the middle of its handshake.
            let selected = unsafe { ffi::SSL_get0_selected_credential(ssl.as_ptr()) };
            match &self.0 {
                Some(delegated) if ptr::eq(selected, delegated.0) => {
                    println!("selected: delegated")
                }
                _ if selected.is_null() => {}
                _ => println!("selected: certificate"),
            }
        });
    }
}

/// Serves this credential, unchecked, to clients that offer its scheme.
pub fn add_delegated(
    context: &mut SslContextBuilder,
    chain: &[Vec<u8>],
    credential: &[u8],
    key: &PKey<Private>,
) -> Result<Selected, ErrorStack> {
    // SAFETY: makes a new object, which `Credential` owns.
    let delegated = Credential::new(unsafe { ffi::SSL_CREDENTIAL_new_delegated() }, chain)?;
    let buffer = Buffer::new(credential)?;
    // SAFETY: both are live; BoringSSL counts its own reference to the buffer.
    check(unsafe { ffi::SSL_CREDENTIAL_set1_delegated_credential(delegated.0, buffer.0) })?;
    delegated.add(context, key)?;
    Ok(Selected(Some(Arc::new(delegated))))
}

/// Serves this certificate to all others.
pub fn add_certificate(
    context: &mut SslContextBuilder,
    chain: &[Vec<u8>],
    key: &PKey<Private>,
) -> Result<(), ErrorStack> {
    // SAFETY: makes a new object, which `Credential` owns.
    let certificate = Credential::new(unsafe { ffi::SSL_CREDENTIAL_new_x509() }, chain)?;
    certificate.add(context, key)
}

struct Credential(*mut SSL_CREDENTIAL);

// SAFETY: it is not changed any more, and BoringSSL counts references with atomics.
unsafe impl Send for Credential {}
// SAFETY: see above; only its address is used.
unsafe impl Sync for Credential {}

impl Credential {
    fn new(made: *mut SSL_CREDENTIAL, chain: &[Vec<u8>]) -> Result<Self, ErrorStack> {
        let made = Self(made);
        let buffers = chain
            .iter()
            .map(|der| Buffer::new(der))
            .collect::<Result<Vec<_>, _>>()?;
        let pointers: Vec<*mut CRYPTO_BUFFER> = buffers.iter().map(|buffer| buffer.0).collect();
        // SAFETY: all are live; BoringSSL counts its own references.
        check(unsafe {
            ffi::SSL_CREDENTIAL_set1_cert_chain(made.0, pointers.as_ptr(), pointers.len())
        })?;
        Ok(made)
    }

    fn add(&self, context: &mut SslContextBuilder, key: &PKey<Private>) -> Result<(), ErrorStack> {
        // SAFETY: all are live; BoringSSL counts its own references.
        check(unsafe { ffi::SSL_CREDENTIAL_set1_private_key(self.0, key.as_ptr()) })?;
        // SAFETY: as above.
        check(unsafe { ffi::SSL_CTX_add1_credential(context.as_ptr(), self.0) })
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        // SAFETY: this is the reference that the constructor returned.
        unsafe { SSL_CREDENTIAL_free(self.0) }
    }
}

struct Buffer(*mut CRYPTO_BUFFER);

impl Buffer {
    fn new(bytes: &[u8]) -> Result<Self, ErrorStack> {
        // SAFETY: copies `bytes`; no pool is used.
        let made = unsafe { CRYPTO_BUFFER_new(bytes.as_ptr(), bytes.len(), ptr::null_mut()) };
        if made.is_null() {
            Err(ErrorStack::get())
        } else {
            Ok(Self(made))
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: this is the reference that the constructor returned.
        unsafe { CRYPTO_BUFFER_free(self.0) }
    }
}

fn check(result: i32) -> Result<(), ErrorStack> {
    if result == 1 {
        Ok(())
    } else {
        Err(ErrorStack::get())
    }
}
