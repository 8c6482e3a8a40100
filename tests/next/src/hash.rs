//! `rustls::crypto::hash::Hash`: a transcript hash that sees the wire view, as the peer does.

use rustls::crypto::HashAlgorithm;
use rustls::crypto::hash::{Context, Hash, Output};
use rustls::pki_types::FipsStatus;

use crate::provider::Side;
use crate::pseudo::entries_to_wire;
use crate::view::client_hello::{has_relabelled_offer, hellos_to_wire, offer_to_wire};
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
        match self.side {
            Side::Client { offer } => {
                let hellos = hellos_to_wire(data, offer);
                self.inner.update(&certificates_to_wire(&hellos));
            }
            Side::Server if has_relabelled_offer(data) => {
                let mut messages = data.to_vec();
                offer_to_wire(&mut messages);
                self.inner.update(&messages);
            }
            Side::Server => self.inner.update(&certificates_to_wire(data)),
            Side::PseudoEntryServer => self.inner.update(&entries_to_wire(data)),
        }
    }
}
