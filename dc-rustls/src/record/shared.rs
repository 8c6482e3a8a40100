//! A server's decrypter that can be tried without rustls: see `io/early.rs`.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::cipher::{InboundOpaqueMessage, InboundPlainMessage, MessageDecrypter};
use rustls::{ContentType, Error, ProtocolVersion};

use crate::handover::{self, SharedDecrypter};

struct Shared(SharedDecrypter);

impl MessageDecrypter for Shared {
    fn decrypt<'a>(
        &mut self,
        message: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.decrypt(message, seq)
    }
}

/// The decrypter, of which whoever has asked for it gets a second handle.
pub(super) fn share(inner: Box<dyn MessageDecrypter>) -> Box<dyn MessageDecrypter> {
    if !handover::shares_decrypters() {
        return inner;
    }
    let shared = Arc::new(Mutex::new(inner));
    handover::leave_decrypter(Arc::clone(&shared));
    Box::new(Shared(shared))
}

/// True if this payload is that of the first record for the decrypter, of whose place in the stream decrypters keep nothing.
pub(crate) fn opens(decrypter: &SharedDecrypter, payload: &[u8]) -> bool {
    let mut copy = payload.to_vec();
    let record = InboundOpaqueMessage::new(
        ContentType::ApplicationData,
        ProtocolVersion::TLSv1_2,
        &mut copy,
    );
    let mut inner = decrypter.lock().unwrap_or_else(PoisonError::into_inner);
    inner.decrypt(record, 0).is_ok()
}
