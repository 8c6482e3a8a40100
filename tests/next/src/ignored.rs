//! The cell in which the decrypter leaves what a transcript needs of the blocks that rustls is not shown.
//!
//! Both are called in the step that processes the last record of Certificate, and have nothing else in common.

use std::cell::RefCell;

use crate::view::ignored::Originals;

thread_local! {
    static CELL: RefCell<Originals> = RefCell::default();
}

/// Leaves the blocks of the message that is hashed next.
pub(crate) fn leave(originals: Originals) {
    if !originals.is_empty() {
        CELL.set(originals);
    }
}

/// Puts the blocks back into the Certificate message that `messages` is.
pub(crate) fn put_back(messages: &mut [u8]) {
    CELL.take().restore(messages);
}

/// True if something was left.
pub(crate) fn is_any() -> bool {
    CELL.with_borrow(|originals| !originals.is_empty())
}
