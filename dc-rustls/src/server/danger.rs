//! Unchecked installation, for tests that clients refuse what no server should serve.

use super::{Identity, Store};
use crate::Error;

/// Installs an identity without checking that any client would accept it.
///
/// Lost: everything that [`Store::install`] promises. The structures still have to parse.
pub fn install_unchecked(store: &Store, identity: Identity) -> Result<(), Error> {
    install_all_unchecked(store, [identity])
}

/// Installs several identities as [`install_unchecked`] does.
///
/// A client is served as by [`Store::install_all`], but whatever name or zone it wants.
pub fn install_all_unchecked(
    store: &Store,
    identities: impl IntoIterator<Item = Identity>,
) -> Result<(), Error> {
    store.install_all_unchecked(identities)
}
