//! The two views of a handshake message and the mapping between them.
//!
//! rustls carries one opaque blob next to the end-entity certificate, the stapled OCSP response. The
//! *wire* view of a message is what the peer sees, with the credential in its own extension. The
//! *rustls* view is what stock rustls parses and emits, with the credential inside a `status_request`
//! of the same length:
//!
//! ```text
//! wire    00 22 | u16 N   | valid_time alg u24 S | SPKI(S) | alg u16 G | signature(G)
//! rustls  00 05 | u16 L-4 | 01 | u24 L-8 | 22 | valid_time alg | SPKI(S) | alg | signature(G)
//!
//! wire    00 22 | u16 N   | valid_time alg u24 S | SPKI(S) | alg u16 G | signature(G) | 00 05 u16 M | status
//! rustls  00 05 | u16 L-4 | 01 | u24 L-8 | 24 | valid_time alg | SPKI(S) | alg u16 G | signature(G) | u16 M | status
//!
//! wire    00 05 | u16 O+4 | 01 | u24 O   | OCSP response(O) | any extensions
//! rustls  00 05 | u16 L-4 | 01 | u24 L-8 | OCSP response(O) | any extensions
//! ```
//!
//! `L` is the length of the entry's extension block. The named form has type `ff 22`, markers `23` and
//! `25`, and `u8 name` behind the SPKI. An OCSP response is DER and begins with `30`, so no marker can
//! be taken for one. The lengths that are left out are known from the SPKI's DER header and from `L`.
//!
//! A client's credential has no such place: [`presented`] and [`request`] have the layouts of client authentication.
//!
//! Everything here takes bytes and returns bytes, and no input makes it panic.

mod block;
mod bytes;
pub(crate) mod certificate;
pub(crate) mod client_hello;
mod der;
pub(crate) mod ech;
mod entries;
pub(crate) mod from_client;
pub(crate) mod handshake;
pub(crate) mod ignored;
pub(crate) mod presented;
pub(crate) mod request;
pub(crate) mod stream;
#[cfg(test)]
pub(crate) mod testing;
mod to_rustls;
pub(crate) mod to_server;
mod to_wire;

use dc_core::Form;

/// The form whose extension has code point `kind`, if any.
fn form_of_extension(kind: u16) -> Option<Form> {
    Form::ALL
        .into_iter()
        .find(|form| form.extension_type() == kind)
}

/// The form that `marker` stands for, if any.
fn form_of_marker(marker: u8) -> Option<Form> {
    Form::ALL
        .into_iter()
        .find(|&form| marker_of(form) == marker)
}

/// The byte that marks this form in the rustls view.
const fn marker_of(form: Form) -> u8 {
    match form {
        Form::Rfc9345 => 0x22,
        Form::Named => 0x23,
    }
}

/// RFC 8446 §4.4.2.1: the extension that rustls knows.
const STATUS_REQUEST: u16 = 5;
