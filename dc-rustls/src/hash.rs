//! `rustls::crypto::hash::Hash`: a transcript hash that sees the wire view, as the peer does.

use std::borrow::Cow;

use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};

use crate::handover;
use crate::side::Side;
use crate::view::client_hello::{has_relabelled_offer, hellos_to_wire, offer_to_wire};
use crate::view::handshake::is_certificate;
use crate::view::request::requests_to_wire;
use crate::view::stream::certificates_to_wire;
use crate::view::to_server::{certificates_to_server, is_client_authentication};

/// A hash whose contexts hash handshake messages as they are on the wire.
///
/// One-shot hashing is left alone: rustls uses it for what the application exports, never for a
/// transcript.
pub(crate) struct TranscriptHash {
    pub(crate) inner: &'static dyn Hash,
    pub(crate) mapping: Mapping,
}

/// The messages that differ between the views.
#[derive(Clone, Copy)]
pub(crate) struct Mapping {
    pub(crate) side: Side,
    /// Below TLS 1.3, Certificate has another layout and no credentials.
    pub(crate) certificates: bool,
}

impl Mapping {
    /// Updates `hash` with whole handshake messages, the last of which may be a ClientHello that was
    /// cut before its binders.
    fn update(self, hash: &mut dyn Context, data: &[u8]) {
        let hellos = match self.side {
            Side::Client { offer } | Side::Presenting { offer } => hellos_to_wire(data, offer),
            Side::Asking {
                has_credential: false,
                ..
            } => data.into(),
            Side::Server | Side::Asking { .. } if has_relabelled_offer(data) => {
                let mut messages = data.to_vec();
                offer_to_wire(&mut messages);
                messages.into()
            }
            Side::Server | Side::Asking { .. } => data.into(),
        };
        let certificates = match self.certificates {
            true => certificates_to_wire(&hellos),
            false => Cow::Borrowed(&*hellos),
        };
        let mut messages = self.client_authentication(certificates);
        if self.certificates && is_certificate(&messages) {
            let originals = handover::take_originals();
            if !originals.is_empty() {
                originals.restore(messages.to_mut());
            }
        }
        hash.update(&messages);
    }

    /// The same messages with what is about a client's credential as on the wire.
    fn client_authentication(self, messages: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
        let offer = match self.side {
            Side::Client { .. } | Side::Server => return messages,
            Side::Presenting { .. } => None,
            Side::Asking { offer, .. } => Some(offer),
        };
        if !self.certificates || !is_client_authentication(&messages) {
            return messages;
        }
        let mut messages = messages.into_owned();
        if let Some(offer) = offer {
            requests_to_wire(&mut messages, offer);
        }
        certificates_to_server(&mut messages);
        messages.into()
    }
}

impl Hash for TranscriptHash {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Transcript {
            inner: self.inner.start(),
            mapping: self.mapping,
        })
    }

    fn hash(&self, data: &[u8]) -> Output {
        self.inner.hash(data)
    }

    fn output_len(&self) -> usize {
        self.inner.output_len()
    }

    fn algorithm(&self) -> HashAlgorithm {
        self.inner.algorithm()
    }

    fn fips(&self) -> bool {
        self.inner.fips()
    }
}

struct Transcript {
    inner: Box<dyn Context>,
    mapping: Mapping,
}

impl Context for Transcript {
    fn fork_finish(&self) -> Output {
        self.inner.fork_finish()
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self {
            inner: self.inner.fork(),
            mapping: self.mapping,
        })
    }

    fn finish(self: Box<Self>) -> Output {
        self.inner.finish()
    }

    fn update(&mut self, data: &[u8]) {
        self.mapping.update(self.inner.as_mut(), data);
    }
}
