//! The help of every command, as in `tests/help`.
//!
//! `UPDATE_HELP=1 cargo test -p dc-signer --test cli help` writes it anew, for the commit that changes it on purpose.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_help_of_every_command_is_as_written_down() {
    apparatus::compare_help(
        Path::new(env!("CARGO_BIN_EXE_dc-signer")),
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/help")),
    );
}

/// Commands of the service do nothing without its configuration.
#[test]
fn commands_in_the_guides_name_the_configuration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let guides = fs::read_dir(root.join("docs")).unwrap();
    let guides = guides.map(|entry| entry.unwrap().path());
    let guides = guides.chain([root.join("README.md"), root.join("dc-signer/README.md")]);
    let is_guide = |path: &PathBuf| path.extension().is_some_and(|end| end == "md");
    let mut found = 0;
    for guide in guides.filter(is_guide) {
        let text = fs::read_to_string(&guide).unwrap();
        // Where a command only is named, without what it is to do, it needs none.
        let whole = |command: &&str| command.split_whitespace().count() > 3;
        let is_service_s = |command: &&str| {
            let what = command.split_whitespace().nth(1);
            matches!(what, Some("codes" | "devices" | "operators" | "zones"))
        };
        let commands = text.split(['`', '\n']).map(str::trim);
        let commands = commands.filter(|span| span.starts_with("dc-signer "));
        for command in commands.filter(whole).filter(is_service_s) {
            found += 1;
            let place = guide.display();
            assert!(command.contains(" --config "), "{place}: {command}");
        }
    }
    assert!(found > 0);
}
