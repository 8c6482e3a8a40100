//! Unchecked installation, for tests that servers refuse what no client should present.

use super::{Identity, IdentityStore};
use crate::Error;

/// Installs an identity without checking that any server would accept it.
///
/// Lost: everything that [`IdentityStore::install`] promises. The structures still have to parse.
pub fn install_unchecked(store: &IdentityStore, identity: Identity) -> Result<(), Error> {
    store.install_unchecked(identity)
}
