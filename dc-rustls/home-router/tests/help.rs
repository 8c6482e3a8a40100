//! The help of the program. A package with a test of its program has it built before all tests run: the guides start it.

use std::path::Path;

#[test]
fn the_help_is_what_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/help");
    apparatus::compare_help(env!("CARGO_BIN_EXE_home-router").as_ref(), &folder);
}
