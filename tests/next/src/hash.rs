//! `rustls::crypto::hash::Hash`: a transcript hash that sees the wire view, as the peer does.

use rustls::crypto::HashAlgorithm;
use rustls::crypto::hash::{Context, Hash, Output};
use rustls::pki_types::FipsStatus;

use crate::ignored;
use crate::provider::Side;
use crate::pseudo::entries_to_wire;
use crate::view::client_hello::{has_relabelled_offer, hellos_to_wire, offer_to_wire};
use crate::view::handshake::is_certificate;
use crate::view::stream::certificates_to_wire;

/// A hash whose contexts hash handshake messages as they are on the wire.
///
/// rustls streams a client's configuration through such a context too, for the key of its session store. What is mapped
/// there is mapped alike each time, so equal configurations stay equal.
pub(crate) struct TranscriptHash {
    pub(crate) inner: &'static dyn Hash,
    pub(crate) side: Side,
}

impl Hash for TranscriptHash {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Transcript {
            inner: self.inner.start(),
            side: self.side,
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

    fn fips(&self) -> FipsStatus {
        self.inner.fips()
    }
}

struct Transcript {
    inner: Box<dyn Context>,
    side: Side,
}

impl Context for Transcript {
    fn fork_finish(&self) -> Output {
        self.inner.fork_finish()
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self {
            inner: self.inner.fork(),
            side: self.side,
        })
    }

    fn finish(self: Box<Self>) -> Output {
        self.inner.finish()
    }

    /// Whole handshake messages, the last of which may be a ClientHello that was cut before its binders.
    fn update(&mut self, data: &[u8]) {
        let hellos = match self.side {
            Side::Client { offer } => hellos_to_wire(data, offer),
            Side::Server if has_relabelled_offer(data) => {
                let mut messages = data.to_vec();
                offer_to_wire(&mut messages);
                messages.into()
            }
            Side::Server | Side::PseudoEntryServer => data.into(),
        };
        let mut messages = match self.side {
            Side::Client { .. } | Side::Server => certificates_to_wire(&hellos),
            Side::PseudoEntryServer => entries_to_wire(&hellos),
        };
        if is_certificate(&messages) && ignored::is_any() {
            ignored::put_back(messages.to_mut());
        }
        self.inner.update(&messages);
    }
}
