//! The help of a program and of its commands, against files.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

/// Compares the help of a program, and of everything that it lists as commands, with the files of a folder; with
/// `UPDATE_HELP` in the environment, writes them first.
///
/// # Panics
///
/// If any of it differs, if a file is missing or has no command any more, or if a command has no help.
pub fn compare_help(program: &Path, folder: &Path) {
    let said = help(program);
    if std::env::var_os("UPDATE_HELP").is_some()
        && let Err(error) = write(&said, folder)
    {
        panic!("{}: {error}", folder.display());
    }
    let written = read(folder).unwrap_or_default();
    let names = said.keys().chain(written.keys());
    for name in names {
        let (said, written) = (said.get(name), written.get(name));
        assert!(said == written, "{}", difference(name, said, written));
    }
}

fn difference(name: &str, said: Option<&String>, written: Option<&String>) -> String {
    let none = "nothing\n".to_owned();
    let (said, written) = (said.unwrap_or(&none), written.unwrap_or(&none));
    format!(
        "{name} is\n{written}but the program says\n{said}UPDATE_HELP=1 writes the help anew, if that is meant"
    )
}

/// File names and texts, from the program itself down through its commands.
fn help(program: &Path) -> BTreeMap<String, String> {
    let own = program.file_name().unwrap_or_default().to_string_lossy();
    let mut found = BTreeMap::new();
    let mut ahead = VecDeque::from([Vec::<String>::new()]);
    while let Some(command) = ahead.pop_front() {
        let text = help_of(program, &command);
        ahead.extend(commands(&text).map(|name| [&command[..], &[name]].concat()));
        let name = [&[own.to_string()], &command[..]].concat().join("-");
        found.insert(format!("{name}.txt"), text);
    }
    found
}

fn help_of(program: &Path, command: &[String]) -> String {
    let output = Command::new(program).args(command).arg("--help").output();
    match output {
        Ok(output) if output.status.success() && output.stderr.is_empty() => {
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        other => panic!("{} {command:?} --help: {other:?}", program.display()),
    }
}

/// What stands below `Commands:`, without the one that clap adds.
fn commands(help: &str) -> impl Iterator<Item = String> {
    let (_, list) = help.split_once("\nCommands:\n").unwrap_or_default();
    let entries = list.lines().take_while(|line| line.starts_with("  "));
    entries
        // Deeper lines go on with a description.
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
}

fn read(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    fs::read_dir(folder)?
        .map(|entry| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((name, fs::read_to_string(entry.path())?))
        })
        .collect()
}

fn write(said: &BTreeMap<String, String>, folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    said.iter()
        .try_for_each(|(name, text)| fs::write(folder.join(name), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_from_their_list_alone() {
        let help = "Does it\n\nUsage: a <COMMAND>\n\nCommands:\n  one    First, with a\n           \
                    second line\n  two    Second\n  help   Print\n\nOptions:\n  -h, --help\n";
        assert_eq!(commands(help).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(commands("Usage: a\n\nOptions:\n  -h\n").count(), 0);
    }

    #[test]
    fn help_that_changed_came_or_went_is_told() {
        let (a, b) = ("a\n".to_owned(), "b\n".to_owned());
        let changed = difference("x.txt", Some(&a), Some(&b));
        assert!(changed.starts_with("x.txt is\nb\nbut the program says\na\n"));
        assert!(difference("x.txt", None, Some(&b)).contains("says\nnothing\n"));
    }
}
