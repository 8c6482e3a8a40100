//! The help of every command, as in `tests/help`.
//!
//! `UPDATE_HELP=1 cargo test -p dc-signer --test cli help` writes it anew, for the commit that changes it on purpose.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::PathBuf;

use crate::sandbox::Sandbox;

#[test]
fn the_help_of_every_command_is_as_written_down() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/help"));
    let said = help();
    if std::env::var_os("UPDATE_HELP").is_some() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &said {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let written: BTreeMap<String, String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .collect();
    let names = |all: &BTreeMap<String, String>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&said), names(&written), "{HOW}");
    for (name, text) in &said {
        assert!(*text == written[name], "{name}:\n{text}\n{HOW}");
    }
}

const HOW: &str = "UPDATE_HELP=1 writes the help down anew";

/// File names and texts, from the program itself down through all that it lists as commands.
fn help() -> BTreeMap<String, String> {
    let sandbox = Sandbox::empty();
    let mut found = BTreeMap::new();
    let mut ahead = VecDeque::from([Vec::<String>::new()]);
    while let Some(command) = ahead.pop_front() {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let text = sandbox.run(&[&words[..], &["--help"]].concat()).succeeded();
        ahead.extend(subcommands(&text).map(|name| [&command[..], &[name]].concat()));
        let name = [&["dc-signer"], &words[..]].concat().join("-");
        found.insert(format!("{name}.txt"), text);
    }
    found
}

fn subcommands(help: &str) -> impl Iterator<Item = String> {
    let (_, list) = help.split_once("\nCommands:\n").unwrap_or_default();
    let entries = list.lines().take_while(|line| line.starts_with("  "));
    entries
        // Deeper lines go on with a description.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
}
