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

/// The offer of a ClientHello.
pub(super) struct Offered {
    /// True if the client can do TLS 1.3.
    pub(super) has_tls13: bool,
    /// True if the client announces early data.
    pub(super) has_early_data: bool,
    /// True if the client offers to resume a session.
    pub(super) has_session: bool,
    /// The credentials that it asks for, if it takes any.
    pub(super) asked: Option<Asked>,
}

/// The offer in the extensions of one whole ClientHello.
///
/// Fails with the alert that the client is owed for a list that is malformed.
pub(super) fn read(extensions: &client_hello::Offer<'_>) -> Result<Offered, AlertDescription> {
    let has_tls13 = extensions.has_tls13();
    // RFC 9345 §4.1.1: below TLS 1.3 the extension is to be ignored, whatever is in it.
    let asked = match has_tls13 {
        true => ask(extensions)?,
        false => None,
    };
    Ok(Offered {
        has_tls13,
        has_early_data: extensions.has_early_data,
        has_session: extensions.has_session,
        asked,
    })
}

/// The credentials that a client with TLS 1.3 would take, or `None` if it takes none.
fn ask(extensions: &client_hello::Offer<'_>) -> Result<Option<Asked>, AlertDescription> {
    let forms = [
        (Form::Named, extensions.named),
        (Form::Rfc9345, extensions.rfc9345),
    ];
    if forms.iter().all(|(_, list)| list.is_none()) {
        return Ok(None);
    }
    let decode = |list| SchemeList::decode(list).map_err(|_| AlertDescription::DecodeError);
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
