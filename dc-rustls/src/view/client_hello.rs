//! The offer in a ClientHello: inserted for a client, read and relabelled for a server.

use std::borrow::Cow;

use super::bytes::{Cursor, put_length};
use super::handshake::{CLIENT_HELLO, HEADER_LEN, is_sequence, messages, messages_mut};
use dc_core::Form;

use super::{STATUS_REQUEST, form_of_extension, form_of_marker, marker_of};

/// Client: one ClientHello with `extensions` in front of its own.
///
/// `extensions` have their types and lengths. `message` begins with the handshake header and may be cut
/// anywhere behind the length of its extensions, as it is for a PSK binder (RFC 8446 §4.2.11.2).
///
/// `None` if `message` is no ClientHello with extensions, or if a length would not fit.
pub(crate) fn insert_extensions(message: &[u8], extensions: &[u8]) -> Option<Vec<u8>> {
    rewrite(message, extensions.len(), |hello, wire| {
        wire.extend_from_slice(extensions);
        wire.extend_from_slice(hello.extensions);
        Some(())
    })
}

/// One ClientHello whose extensions are what `write` appends, and so many bytes longer.
///
/// `None` if `message` is no ClientHello with extensions, if a length would not fit, or if `write` says so.
pub(super) fn rewrite(
    message: &[u8],
    growth: usize,
    write: impl FnOnce(&Hello<'_>, &mut Vec<u8>) -> Option<()>,
) -> Option<Vec<u8>> {
    let hello = Hello::read(message)?;
    let mut wire = Vec::with_capacity(message.len() + growth);
    wire.push(CLIENT_HELLO);
    put_length(&mut wire, 3, hello.body_len + growth)?;
    wire.extend_from_slice(message.get(HEADER_LEN..hello.extensions_at.checked_sub(2)?)?);
    put_length(&mut wire, 2, hello.extensions_len + growth)?;
    write(&hello, &mut wire)?;
    Some(wire)
}

/// Client, transcript: as [`insert_extensions`] in every ClientHello of `data`.
///
/// Anything that is not a sequence of handshake messages is given back as it is.
pub(crate) fn hellos_to_wire<'a>(data: &'a [u8], extensions: &[u8]) -> Cow<'a, [u8]> {
    let has_hello = messages(data).any(|message| message.first() == Some(&CLIENT_HELLO));
    if !has_hello || !is_sequence(data) {
        return Cow::Borrowed(data);
    }
    let mut wire = Vec::with_capacity(data.len() + extensions.len());
    for message in messages(data) {
        match insert_extensions(message, extensions) {
            Some(hello) => wire.extend_from_slice(&hello),
            None => wire.extend_from_slice(message),
        }
    }
    Cow::Owned(wire)
}

/// Server: what one ClientHello offers, as the bodies of its extensions.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Offer<'a> {
    /// `delegated_credential` (RFC 9345 §4.1.1).
    pub(crate) rfc9345: Option<&'a [u8]>,
    /// `named_delegated_credential`.
    pub(crate) named: Option<&'a [u8]>,
    /// `signature_algorithms` (RFC 8446 §4.2.3).
    pub(crate) signature_algorithms: Option<&'a [u8]>,
    /// `status_request` (RFC 6066 §8): its status type and what follows it.
    pub(crate) status_request: Option<&'a [u8]>,
    /// `supported_versions` (RFC 8446 §4.2.1): the length of the list and the list.
    pub(crate) supported_versions: Option<&'a [u8]>,
    /// True if there is a `server_name` (RFC 6066 §3), whatever is in it.
    pub(crate) has_server_name: bool,
    /// True if there is an `early_data` (RFC 8446 §4.2.10).
    pub(crate) has_early_data: bool,
    /// True if there is a `pre_shared_key` (RFC 8446 §4.2.11).
    pub(crate) has_session: bool,
}

impl<'a> Offer<'a> {
    /// Reads one whole ClientHello, handshake header included.
    ///
    /// Fails if its framing is broken or if it offers a form of credential twice. Other extensions that
    /// occur twice are left to rustls.
    pub(crate) fn read(message: &'a [u8]) -> Result<Self, BrokenHello> {
        let hello = Hello::read(message).ok_or(BrokenHello)?;
        if !hello.is_whole() {
            return Err(BrokenHello);
        }
        let mut offer = Self::default();
        for Extension { kind, body, .. } in hello.extensions() {
            offer.add(kind, body)?;
        }
        Ok(offer)
    }

    /// True if the client can do TLS 1.3, without which there are no credentials (RFC 9345 §4.1.1).
    pub(crate) fn has_tls13(&self) -> bool {
        self.supported_versions
            .and_then(|body| body.split_first())
            .is_some_and(|(_, versions)| versions.chunks_exact(2).any(|v| v == TLS13))
    }

    /// The result of [`offer_to_rustls`].
    pub(crate) fn relabelling(&self) -> Relabelling {
        if let Some(request) = self.status_request {
            return match marked_form(request) {
                Some(_) => Relabelling::Impossible,
                None => Relabelling::Unneeded,
            };
        }
        let offered = |form| self.credential(form).map(|list| (form, list));
        match Form::ALL.into_iter().find_map(offered) {
            Some((form, [0, ..])) => Relabelling::Done(form),
            Some(_) => Relabelling::Impossible,
            None => Relabelling::Unneeded,
        }
    }

    fn add(&mut self, kind: u16, body: &'a [u8]) -> Result<(), BrokenHello> {
        let credential = match form_of_extension(kind) {
            Some(Form::Rfc9345) => &mut self.rfc9345,
            Some(Form::Named) => &mut self.named,
            None => {
                self.add_other(kind, body);
                return Ok(());
            }
        };
        match credential.replace(body) {
            Some(_) => Err(BrokenHello),
            None => Ok(()),
        }
    }

    fn add_other(&mut self, kind: u16, body: &'a [u8]) {
        match kind {
            SIGNATURE_ALGORITHMS => _ = self.signature_algorithms.get_or_insert(body),
            STATUS_REQUEST => _ = self.status_request.get_or_insert(body),
            SUPPORTED_VERSIONS => _ = self.supported_versions.get_or_insert(body),
            SERVER_NAME => self.has_server_name = true,
            EARLY_DATA => self.has_early_data = true,
            PRE_SHARED_KEY => self.has_session = true,
            _ => {}
        }
    }

    fn credential(&self, form: Form) -> Option<&'a [u8]> {
        match form {
            Form::Rfc9345 => self.rfc9345,
            Form::Named => self.named,
        }
    }
}

/// The ClientHello is malformed, or offers a form of credential twice.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BrokenHello;

/// Server, inbound: makes one whole ClientHello ask rustls for a certificate status, in place.
///
/// rustls throws the status away unless asked. If the client does not ask, the extension that offers a
/// credential, the named form first, gets the type of `status_request`, and its first byte, the high
/// byte of the list's length, becomes a marker: rustls sees a request for a status of unknown type.
pub(crate) fn offer_to_rustls(message: &mut [u8]) -> Relabelling {
    let offer = Offer::read(message);
    let relabelling = offer.map_or(Relabelling::Impossible, |offer| offer.relabelling());
    if let Relabelling::Done(form) = relabelling {
        relabel(message, form);
    }
    relabelling
}

/// Server, inbound: the edit of [`offer_to_rustls`] where [`Offer::relabelling`] has said that it can be done.
pub(crate) fn relabel(message: &mut [u8], form: Form) {
    let kind = form.extension_type();
    replace_extension(message, kind, STATUS_REQUEST, marker_of(form));
}

/// Server, transcript: undoes [`offer_to_rustls`] in every ClientHello of `data`, in place.
///
/// A ClientHello may be cut behind the relabelled extension. Anything that is not a sequence of handshake
/// messages stays as it is.
pub(crate) fn offer_to_wire(data: &mut [u8]) {
    if !is_sequence(data) {
        return;
    }
    for message in messages_mut(data) {
        if let Some(form) = relabelled_form(message) {
            replace_extension(message, STATUS_REQUEST, form.extension_type(), 0);
        }
    }
}

/// True if [`offer_to_wire`] has anything to undo in `data`.
pub(crate) fn has_relabelled_offer(data: &[u8]) -> bool {
    messages(data).any(|message| relabelled_form(message).is_some())
}

/// The changes that [`offer_to_rustls`] made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Relabelling {
    /// The offer of this form was relabelled.
    Done(Form),
    /// Nothing: broken framing, a list of 128 schemes or more, or a `status_request` that looks
    /// relabelled. Only a stock configuration may answer this ClientHello.
    Impossible,
    /// Nothing: the client asks for a status itself, or offers no credential.
    Unneeded,
}

/// The form whose offer stands in the place of `status_request`, if one does.
fn relabelled_form(message: &[u8]) -> Option<Form> {
    let hello = Hello::read(message)?;
    marked_form(hello.extension(STATUS_REQUEST)?.body)
}

/// The form whose marker is the status type of `request`.
fn marked_form(request: &[u8]) -> Option<Form> {
    form_of_marker(*request.first()?)
}

/// Gives the first extension of type `from` the type `to` and the first body byte `first`.
fn replace_extension(message: &mut [u8], from: u16, to: u16, first: u8) {
    let at = Hello::read(message).and_then(|hello| Some(hello.extension(from)?.at));
    let extension = at.and_then(|at| message.get_mut(at..));
    if let Some([type_high, type_low, _, _, body, ..]) = extension {
        [*type_high, *type_low] = to.to_be_bytes();
        *body = first;
    }
}

/// A ClientHello (RFC 8446 §4.1.2) that is whole up to the length of its extensions.
#[derive(Debug)]
pub(super) struct Hello<'a> {
    /// The length in the handshake header.
    body_len: usize,
    /// The offset in the message of the first extension.
    extensions_at: usize,
    /// The length of the extensions, as it says.
    extensions_len: usize,
    /// The extensions, as far as they are there.
    extensions: &'a [u8],
}

impl<'a> Hello<'a> {
    /// Reads a message with its header, or `None` if it is no ClientHello or its lengths disagree.
    pub(super) fn read(message: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor::new(message);
        if cursor.u8()? != CLIENT_HELLO {
            return None;
        }
        let body_len = cursor.length(3)?;
        cursor.take(VERSION_LEN + RANDOM_LEN)?;
        let _session_id = cursor.vector(1)?;
        let _cipher_suites = cursor.vector(2)?;
        let _compression_methods = cursor.vector(1)?;
        let extensions_len = cursor.length(2)?;
        let extensions = cursor.rest();
        let extensions_at = message.len().checked_sub(extensions.len())?;
        let agree = HEADER_LEN + body_len == extensions_at + extensions_len
            && extensions.len() <= extensions_len;
        agree.then_some(Self {
            body_len,
            extensions_at,
            extensions_len,
            extensions,
        })
    }

    /// The extensions up to the first that is cut.
    pub(super) fn extensions(&self) -> impl Iterator<Item = Extension<'a>> {
        let end = self.extensions_at + self.extensions.len();
        let mut cursor = Cursor::new(self.extensions);
        std::iter::from_fn(move || {
            let at = end.checked_sub(cursor.rest().len())?;
            let kind = cursor.u16()?;
            let body = cursor.vector(2)?;
            Some(Extension { at, kind, body })
        })
    }

    /// The first extension of type `kind`.
    pub(super) fn extension(&self, kind: u16) -> Option<Extension<'a>> {
        self.extensions().find(|extension| extension.kind == kind)
    }

    /// True if nothing is cut.
    pub(super) fn is_whole(&self) -> bool {
        let found: usize = self
            .extensions()
            .map(|extension| 4 + extension.body.len())
            .sum();
        found == self.extensions_len
    }
}

#[derive(Debug)]
pub(super) struct Extension<'a> {
    /// The offset of its type in the message.
    at: usize,
    pub(super) kind: u16,
    pub(super) body: &'a [u8],
}

pub(super) const VERSION_LEN: usize = 2;
pub(super) const RANDOM_LEN: usize = 32;
const SIGNATURE_ALGORITHMS: u16 = 13;
const EARLY_DATA: u16 = 42;
const PRE_SHARED_KEY: u16 = 41;
pub(super) const SERVER_NAME: u16 = 0;
const SUPPORTED_VERSIONS: u16 = 43;
const TLS13: [u8; 2] = [3, 4];

#[cfg(test)]
mod tests;
