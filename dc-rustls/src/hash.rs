//! `rustls::crypto::hash::Hash`: a transcript hash that sees the wire view, as the peer does.

use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};

use crate::side::Side;
use crate::view::client_hello::{has_relabelled_offer, hellos_to_wire, offer_to_wire};
use crate::view::stream::certificates_to_wire;

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
            Side::Client { offer } => hellos_to_wire(data, offer),
            Side::Server if has_relabelled_offer(data) => {
                let mut messages = data.to_vec();
                offer_to_wire(&mut messages);
                messages.into()
            }
            Side::Server => data.into(),
        };
        match self.certificates {
            true => hash.update(&certificates_to_wire(&hellos)),
            false => hash.update(&hellos),
        }
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
