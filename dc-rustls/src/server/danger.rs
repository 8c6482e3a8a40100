//! What no server should do, for testing that clients refuse it.

use super::{Identity, Store};
use crate::Error;

/// Installs an identity without checking that any client would accept it.
///
/// Lost: everything that [`Store::install`] promises. The structures still have to parse.
pub fn install_unchecked(store: &Store, identity: Identity) -> Result<(), Error> {
    store.install_unchecked(identity)
}
