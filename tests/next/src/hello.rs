//! ClientHellos on their way through plaintext records, as dc-rustls edits them.

#[path = "../../../dc-rustls/src/io/hello.rs"]
#[allow(dead_code)]
mod edit;
#[allow(dead_code)]
#[path = "../../../dc-rustls/src/io/records.rs"]
mod records;

use records::{Messages, Piece, Records};

/// The edit of one end's ClientHellos.
#[derive(Debug)]
pub(crate) struct Editor(edit::HelloEditor);

impl Editor {
    /// A client's: puts `offer` in front of its extensions.
    pub(crate) fn inserting(offer: &'static [u8]) -> Self {
        Self(edit::HelloEditor::new(edit::Edit::Insert(offer)))
    }

    /// A server's with a credential: makes the offer a status request.
    pub(crate) fn relabelling() -> Self {
        let offers = edit::Offers::for_credential();
        Self(edit::HelloEditor::new(edit::Edit::Relabel(offers)))
    }

    /// A server's without: changes nothing.
    pub(crate) fn watching() -> Self {
        let offers = edit::Offers::for_stock();
        Self(edit::HelloEditor::new(edit::Edit::Watch(offers)))
    }

    /// Takes any part of the stream, and gives what can be passed on already.
    pub(crate) fn edit(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        self.0.push(bytes, &mut out);
        out
    }

    /// True if the client's second ClientHello offers something else than its first.
    pub(crate) fn is_offer_changed(&self) -> bool {
        self.0.is_offer_changed()
    }
}

/// The first handshake message that a peer sends, once it is there whole.
#[derive(Debug, Default)]
pub(crate) struct FirstMessage {
    records: Records,
    messages: Messages,
}

impl FirstMessage {
    /// Takes any part of the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.records.push(bytes);
        while let Some(piece) = self.records.next_piece() {
            if let Piece::Handshake(record) = piece {
                self.messages.push(record.payload());
            }
        }
        self.messages.next_message().map(<[u8]>::to_vec)
    }
}
