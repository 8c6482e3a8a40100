//! Bytes between rustls and the network.

/// Bytes that wait for one end to take them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) bytes: Vec<u8>,
    taken: usize,
}

impl Queue {
    pub(super) fn read(&mut self, buf: &mut [u8]) -> usize {
        let length = self.unread().len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..length), self.unread().get(..length)) {
            to.copy_from_slice(from);
        }
        self.advance(length);
        length
    }

    pub(super) fn advance(&mut self, length: usize) {
        self.taken += length;
        if self.is_empty() {
            // A connection lives much longer than its hellos.
            *self = Self::default();
        }
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unread().is_empty()
    }
}
