//! The program `dc-terminator`, between clients and servers over sockets.

#![expect(clippy::unwrap_used, reason = "as in unit tests")]

mod clients;
mod life;
mod passing;
mod scene;
mod servers;

use std::path::Path;

/// `UPDATE_HELP=1 cargo test --workspace --test terminator help` writes it anew.
#[test]
fn the_help_is_what_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    apparatus::compare_help(env!("CARGO_BIN_EXE_dc-terminator").as_ref(), &folder);
}
