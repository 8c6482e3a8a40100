//! The three commands that `serve --dev` shows work when they are pasted.

use std::process::Command;

use apparatus::{Part, have};

use crate::rig::Rig;

#[test]
fn the_three_commands_work_when_they_are_pasted() {
    if !have(Part::Tools) {
        return;
    }
    let rig = Rig::start();
    let commands: Vec<&str> = rig.welcome.split("\n# ").skip(1).collect();
    assert_eq!(commands.len(), 3, "{}", rig.welcome);
    // Somebody pastes the first one again.
    for command in [commands[0]].into_iter().chain(commands) {
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
    let listed = rig.admin().get("/v1/admin/devices").ok();
    assert_eq!(listed["devices"][0]["possible_clone"], false, "{listed}");
    // The device has nothing to complain about, and has time to say so.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let log = rig.log();
    assert!(!log.contains("did not serve"), "{log}");
}

#[test]
fn each_start_has_commands_for_a_device_with_keys_of_its_own_and_shows_what_is_wrong() {
    let rig = Rig::start();
    let paste = |rig: &Rig, number: usize| {
        let command = rig.welcome.split("\n# ").nth(number).unwrap();
        let (_, command) = command.split_once('\n').unwrap();
        let output = Command::new("sh").args(["-ec", command]).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    // One that was never used has a new code after a restart.
    let first = rig.welcome.clone();
    let rig = rig.restart();
    assert_ne!(rig.welcome, first);
    assert!(paste(&rig, 1).0);
    let rig = rig.restart();
    let (done, said) = paste(&rig, 2);
    assert!(!done, "{said}");
    assert!(paste(&rig, 1).0 && paste(&rig, 2).0);
    let id = rig.admin().get("/v1/admin/devices?prefix=router-2").ok();
    let id = id["devices"][0]["id"].as_str().unwrap().to_owned();
    let suspend = format!("/v1/admin/devices/{id}/suspend");
    rig.admin().act(&suspend, &serde_json::json!({})).ok();
    let (done, said) = paste(&rig, 2);
    assert!(!done && said.contains("device-suspended"), "{said}");
}
