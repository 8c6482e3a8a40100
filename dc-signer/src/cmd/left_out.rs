//! Commands that this build has not: which feature brings them, in place of "unrecognized subcommand".

use std::fmt::{self, Write as _};

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A command, or an option of one, that somebody asked for and that this build has not.
#[derive(Debug)]
pub(crate) struct LeftOut {
    wanted: &'static str,
    feature: &'static str,
}

impl LeftOut {
    /// None if what clap refuses is a mistake in every build.
    pub(crate) fn in_error(error: &clap::Error) -> Option<Self> {
        Self::among(error, is_built)
    }

    fn among(error: &clap::Error, is_built: impl Fn(&str) -> bool) -> Option<Self> {
        let kind = match error.kind() {
            ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
            ErrorKind::UnknownArgument => ContextKind::InvalidArg,
            _ => return None,
        };
        let Some(ContextValue::String(given)) = error.get(kind) else {
            return None;
        };
        let (feature, wanted) = NEED.iter().find_map(|(feature, _, names)| {
            let name = names.iter().find(|name| *name == given)?;
            Some((*feature, *name))
        })?;
        (!is_built(feature)).then_some(Self { wanted, feature })
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, feature } = self;
        let example = match *wanted {
            "serve" | DEV => "serve --dev",
            command => command,
        };
        write!(
            f,
            "'{wanted}' is not in this build, which is without the feature '{feature}': run 'cargo run -p dc-signer --features {feature} -- {example}', or install with '--features {feature}'"
        )
    }
}

/// What the help says of it; nothing if this build has everything.
pub(crate) fn help() -> String {
    help_of(is_built)
}

fn help_of(is_built: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    let left_out = NEED.iter().filter(|(feature, _, _)| !is_built(feature));
    for (feature, _, names) in left_out.filter(|(_, _, names)| **names != [DEV]) {
        let heading = match text.is_empty() {
            true => "\n\nNot in this build:\n",
            false => "\n",
        };
        // A String takes whatever is written.
        let _ = write!(
            text,
            "{heading}  --features {feature:8} {}",
            names.join(", ")
        );
    }
    text
}

fn is_built(feature: &str) -> bool {
    let mut built = NEED.iter().filter(|(_, is_built, _)| *is_built);
    built.any(|(name, _, _)| *name == feature)
}

/// Of `serve`.
const DEV: &str = "--dev";

/// Features, whether this build has them, and the commands and options that are there with them alone.
const NEED: [(&str, bool, &[&str]); 5] = [
    ("agent", cfg!(feature = "agent"), &["agent"]),
    ("demo", cfg!(feature = "demo"), &["demo"]),
    (
        "demo,service",
        cfg!(all(feature = "demo", feature = "service")),
        &[DEV],
    ),
    (
        "service",
        cfg!(feature = "service"),
        &[
            "audit",
            "backup",
            "check",
            "codes",
            "devices",
            "migrate",
            "operators",
            "restore",
            "serve",
            "zones",
        ],
    ),
    ("tools", cfg!(feature = "tools"), &["probe"]),
];

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::super::Cli;
    use super::*;

    /// In every build.
    const ALWAYS: [&str; 5] = ["csr", "init", "inspect", "issue", "verify"];

    /// Tests have all features, so what is not known here is a command that moved or went.
    #[test]
    fn every_command_is_always_there_or_says_which_feature_brings_it() {
        let command = Cli::command();
        let there: Vec<&str> = command
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        let needing = NEED.iter().flat_map(|(_, _, names)| names.iter().copied());
        let mut known: Vec<&str> = needing.filter(|name| *name != DEV).collect();
        known.extend(ALWAYS);
        known.sort_unstable();
        let mut sorted = there.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, known);
        assert_eq!(help(), "", "all features are here");
    }

    /// A build without features, as clap sees it.
    #[derive(Debug, Parser)]
    enum Small {
        Serve {
            #[arg(long)]
            config: String,
        },
        Other,
    }

    fn said(arguments: &[&str], is_built: impl Fn(&str) -> bool) -> Option<String> {
        let arguments = ["dc-signer"].iter().chain(arguments);
        let error = Small::try_parse_from(arguments).unwrap_err();
        LeftOut::among(&error, is_built).map(|left_out| left_out.to_string())
    }

    #[test]
    fn a_command_that_is_left_out_says_in_a_line_how_to_have_it() {
        for (command, words) in [
            ("zones", "--features service -- zones'"),
            ("agent", "--features agent -- agent'"),
            ("demo", "--features demo -- demo'"),
            ("probe", "--features tools -- probe'"),
        ] {
            let said = said(&[command, "--more", "--help"], |_| false).unwrap();
            assert!(said.contains(words), "{said}");
            assert_eq!(said.lines().count(), 1);
        }
        let said_of_help = said(&["help", "zones"], |_| false).unwrap();
        assert!(
            said_of_help.contains("--features service"),
            "{said_of_help}"
        );
        let option = said(&["serve", "--dev"], |feature| feature == "service").unwrap();
        assert!(
            option.contains("--features demo,service -- serve --dev'"),
            "{option}"
        );
    }

    #[test]
    fn a_mistake_stays_a_mistake() {
        assert_eq!(said(&["zonse"], |_| false), None);
        assert_eq!(said(&["serve", "--devel"], |_| false), None);
        assert_eq!(said(&["serve"], |_| false), None);
        // What this build has is not called left out, whatever else is wrong.
        assert_eq!(said(&["zones"], |_| true), None);
    }

    #[test]
    fn help_lists_what_is_left_out_by_feature() {
        let text = help_of(|feature| feature == "demo" || feature == "tools");
        assert!(text.starts_with("\n\nNot in this build:\n"), "{text:?}");
        assert!(text.contains("--features agent    agent\n"), "{text:?}");
        assert!(
            text.contains("--features service  audit, backup"),
            "{text:?}"
        );
        assert!(!text.contains("probe"), "{text:?}");
    }
}
