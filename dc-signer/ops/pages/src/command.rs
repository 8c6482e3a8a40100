//! A program with all of its commands, from the files that hold their help, as clap knows commands.

use std::fs;
use std::path::Path;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command, ValueHint};

use crate::error::Error;
use crate::help::{Entry, Help};

/// A program, or a command of one.
#[derive(Debug)]
pub(crate) struct Node {
    /// The name of its page: `dc-signer-devices-add`.
    pub(crate) page: &'static str,
    /// What is typed for it behind the command that it belongs to.
    pub(crate) name: &'static str,
    /// Its help as it is printed.
    pub(crate) text: &'static str,
    /// Its help.
    pub(crate) help: Help,
    /// The commands below it.
    pub(crate) commands: Vec<Self>,
}

impl Node {
    /// Reads `NAME.txt` of a folder, and the files of the commands that it names.
    ///
    /// Fails with [`Error::Read`] and [`Error::NoHelp`].
    pub(crate) fn read(folder: &Path, name: &'static str) -> Result<Self, Error> {
        Self::read_below(folder, name, name)
    }

    fn read_below(folder: &Path, page: &'static str, name: &'static str) -> Result<Self, Error> {
        let path = folder.join(format!("{page}.txt"));
        let text = fs::read_to_string(&path).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        // This process writes pages, and ends.
        let text: &'static str = text.leak();
        let help = Help::parse(text).ok_or(Error::NoHelp { path })?;
        let commands = help
            .commands
            .iter()
            .map(|&name| Self::read_below(folder, format!("{page}-{name}").leak(), name))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            page,
            name,
            text,
            help,
            commands,
        })
    }

    /// Itself, and all that are below it.
    pub(crate) fn all(&self) -> Vec<&Self> {
        let below = self.commands.iter().flat_map(Self::all);
        [self].into_iter().chain(below).collect()
    }

    /// As clap would have it if the program were made with it.
    pub(crate) fn command(&self) -> Command {
        let help = &self.help;
        let mut command = Command::new(self.name)
            .override_usage(help.usage.join("\n       "))
            .subcommands(self.commands.iter().map(Self::command));
        if let Some(about) = help.about.first() {
            command = command.about(*about);
        }
        if help.about.len() > 1 {
            command = command.long_about(help.about.join("\n\n"));
        }
        if !help.after.is_empty() {
            command = command.after_help(help.after);
        }
        for entry in &help.entries {
            command = match entry.option() {
                // Clap has its own.
                Some((_, "help", None)) => command,
                Some((_, "version", None)) => command.version(env!("CARGO_PKG_VERSION")),
                _ => command.args(argument(entry)),
            };
        }
        command
    }
}

fn argument(entry: &Entry) -> Option<Arg> {
    let mut argument = match entry.option() {
        Some((short, name, value)) => {
            let is_many = entry.spec.ends_with("...");
            let mut option = Arg::new(name).long(name);
            if let Some(short) = short {
                option = option.short(short);
            }
            match value {
                Some(value) if is_many => option.value_name(value).num_args(1..),
                Some(value) => option.value_name(value),
                None => option.action(ArgAction::SetTrue),
            }
        }
        None => {
            let (name, is_required, is_many) = entry.positional()?;
            let argument = Arg::new(name).value_name(name).required(is_required);
            match is_many {
                true => argument.num_args(1..),
                false => argument,
            }
        }
    };
    argument = match entry.is_long {
        true => argument.long_help(entry.text.clone()),
        false => argument.help(entry.text.clone()),
    };
    if let Some(heading) = entry.heading {
        argument = argument.help_heading(heading);
    }
    if !entry.values.is_empty() {
        let values = entry.values.iter();
        argument = argument.value_parser(
            values
                .map(|(name, help)| PossibleValue::new(name).help(*help))
                .collect::<Vec<_>>(),
        );
    } else if let Some(hint) = hint(entry) {
        argument = argument.value_hint(hint);
    }
    Some(match entry.default {
        Some(default) => argument.default_value(default),
        None => argument,
    })
}

/// What a shell is to complete a value with.
fn hint(entry: &Entry) -> Option<ValueHint> {
    let value = match entry.option() {
        Some((_, _, value)) => value?,
        None => entry.positional()?.0,
    };
    Some(match value {
        "DIR" => ValueHint::DirPath,
        "FILE" | "PATH" | "CSR" => ValueHint::FilePath,
        "PROGRAM" => ValueHint::CommandName,
        "USER" => ValueHint::Username,
        _ => ValueHint::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So nothing was lost and nothing was taken for something else.
    #[test]
    fn clap_prints_the_help_that_was_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let mut count = 0;
        for (name, folder) in [
            ("dc-signer", "dc-signer/tests/help"),
            ("dc-agent", "dc-signer/agent/tests/help"),
        ] {
            let folder = root.join(folder);
            let program = Node::read(&folder, name).unwrap();
            for node in program.all() {
                let text = fs::read_to_string(folder.join(format!("{}.txt", node.page))).unwrap();
                let mut command = node.command();
                // As a program does for '--help': the long one if there is more to say.
                let said = match node.help.entries.iter().any(|entry| entry.is_long) {
                    true => command.render_long_help(),
                    false => command.render_help(),
                };
                let said = said.to_string();
                assert_eq!(said, text, "{}", node.page);
                count += 1;
            }
        }
        assert!(count > 60, "{count}");
    }
}
