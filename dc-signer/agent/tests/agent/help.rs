//! The help of every command, as in `tests/help`.
//!
//! `UPDATE_HELP=1 cargo test -p dc-agent --test agent help` writes it anew, for the commit that changes it on purpose.

use std::path::Path;

#[test]
fn the_help_of_every_command_is_as_written_down() {
    apparatus::compare_help(
        Path::new(env!("CARGO_BIN_EXE_dc-agent")),
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/help")),
    );
}
