//! The offer of a ClientHello, as far as credentials are concerned.

use dc_core::{Form, Offer, SchemeList};
use rustls::AlertDescription;

use crate::view::client_hello;

/// A client that takes credentials.
pub(super) struct Asked {
    /// The credentials that it takes.
    pub(super) offer: Offer,
    /// True if it sends a server_name. An IP address in it is none to rustls, but the client has named somebody.
    pub(super) has_server_name: bool,
}

/// The credentials that a client would take, or `None` if it takes none.
///
/// `hello` is one whole ClientHello that rustls has accepted. Fails with the alert that the client is
/// owed for a list that is malformed or there twice.
pub(super) fn read(hello: &[u8]) -> Result<Option<Asked>, AlertDescription> {
    let malformed = AlertDescription::DecodeError;
    let extensions = client_hello::Offer::read(hello).map_err(|_| malformed)?;
    // RFC 9345 §4.1.1: below TLS 1.3 the extension is to be ignored, whatever is in it.
    if !extensions.has_tls13() {
        return Ok(None);
    }
    let forms = [
        (Form::Named, extensions.named),
        (Form::Rfc9345, extensions.rfc9345),
    ];
    if forms.iter().all(|(_, list)| list.is_none()) {
        return Ok(None);
    }
    let decode = |list| SchemeList::decode(list).map_err(|_| malformed);
    let mut offer = Offer::new(decode(extensions.signature_algorithms.unwrap_or_default())?);
    for (form, list) in forms {
        if let Some(list) = list {
            offer = offer.with(form, decode(list)?);
        }
    }
    let fits = extensions.relabelling() != client_hello::Relabelling::Impossible;
    Ok(fits.then_some(Asked {
        offer,
        has_server_name: extensions.has_server_name,
    }))
}
