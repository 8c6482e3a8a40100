//! The log for operators, as `tracing` events: refusals and reloads. Without the feature `tracing`,
//! nothing.
//!
//! Names, reasons and numbers; no keys and no bytes of messages. A peer can cause events at will, so those of
//! a server that is open to the world are at the level debug.

#![cfg_attr(not(feature = "tracing"), allow(unused_variables))]

use std::fmt::Display;
use std::path::Path;

use rustls::AlertDescription;
use rustls::pki_types::{ServerName, UnixTime};

use crate::Error;

/// A client did not connect, because of what the server presented.
pub(crate) fn not_connected(wanted: &ServerName<'_>, error: &Error) {
    if let Error::Refused(refusal) = error {
        refused(wanted, refusal.alert(), refusal);
    }
}

/// A client refused a server, for whatever the reason is written as.
pub(crate) fn refused(wanted: &ServerName<'_>, alert: AlertDescription, reason: &dyn Display) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        server = %wanted.to_str(),
        alert = alert.as_str(),
        %reason,
        "refused a server"
    );
}

/// A server did not serve a client.
pub(crate) fn not_served(error: &Error) {
    not_served_for(error);
}

/// The same, for whatever the reason is written as.
pub(crate) fn not_served_for(reason: &dyn Display) {
    #[cfg(feature = "tracing")]
    tracing::debug!(%reason, "did not serve a client");
}

/// A server answers a client with its certificate, because no credential goes to it.
pub(crate) fn served_certificate(reason: &Error) {
    #[cfg(feature = "tracing")]
    if let Error::NothingForName { .. } = reason {
        tracing::debug!(%reason, "served a client with the certificate");
    }
}

/// A store serves with these credentials from now on.
pub(crate) fn installed(credentials: usize, expires: Option<UnixTime>) {
    #[cfg(feature = "tracing")]
    tracing::info!(
        credentials,
        expires = expires.map(|time| time.as_secs()),
        "installed an identity"
    );
}

/// An identity folder changed, and what is in it cannot be served; what was there before still is.
pub(crate) fn not_installed(folder: &Path, error: &Error) {
    #[cfg(feature = "tracing")]
    tracing::warn!(folder = %folder.display(), reason = %error, "did not install an identity");
}

/// Others than its owner and group can read the key of an identity.
pub(crate) fn key_readable(path: &Path, mode: u32) {
    #[cfg(feature = "tracing")]
    tracing::warn!(
        path = %path.display(),
        mode = format_args!("{mode:04o}"),
        "others can read a private key: do 'chmod g-w,o='"
    );
}
