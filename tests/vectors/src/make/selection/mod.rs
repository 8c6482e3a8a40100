//! stub
use crate::format::selection::Selections;
pub(super) fn all() -> Selections { Selections { description: String::new(), held: Default::default(), selections: Default::default(), offers: Default::default() } }
