//! The three commands that `serve --dev` shows work when they are pasted.

use std::process::Command;

use dc_apparatus::{Part, have};

use crate::rig::Rig;

#[test]
fn the_three_commands_work_when_they_are_pasted() {
    if !have(Part::Tools) {
        return;
    }
    let rig = Rig::start();
    let commands: Vec<&str> = rig.welcome.split("\n# ").skip(1).collect();
    assert_eq!(commands.len(), 3, "{}", rig.welcome);
    for command in commands {
        let (comment, command) = command.split_once('\n').unwrap();
        let output = Command::new("sh").args(["-ec", command]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{comment}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        if comment.starts_with('3') {
            assert!(said.contains("accepted"), "{said}");
        }
    }
}
