//! Commands that this build has not: which feature brings them, in place of "unrecognized subcommand".

use std::fmt;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// A command that somebody asked for and that this build has not.
#[derive(Debug)]
pub(crate) enum LeftOut {
    /// It needs the feature `service`.
    Service(&'static str),
    /// It is the device's, which has a program of its own.
    Agent,
}

impl LeftOut {
    /// None if what clap refuses is a mistake in every build.
    pub(crate) fn in_error(error: &clap::Error) -> Option<Self> {
        Self::among(error, HAS_SERVICE)
    }

    fn among(error: &clap::Error, has_service: bool) -> Option<Self> {
        let kind = match error.kind() {
            ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
            ErrorKind::UnknownArgument => ContextKind::InvalidArg,
            _ => return None,
        };
        let Some(ContextValue::String(given)) = error.get(kind) else {
            return None;
        };
        if given == AGENT {
            return Some(Self::Agent);
        }
        let wanted = SERVICE.iter().find(|name| *name == given)?;
        (!has_service).then_some(Self::Service(wanted))
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(wanted) => {
                let example = if *wanted == "serve" { "serve --dev" } else { wanted };
                write!(
                    f,
                    "'{wanted}' is not in this build, which is without the feature 'service': run 'cargo run -p dc-signer --features service -- {example}', or install with '--features service'"
                )
            }
            Self::Agent => f.write_str(
                "the device's agent is a program of its own: run 'cargo run -p dc-agent -- --config FILE', or install dc-agent",
            ),
        }
    }
}

/// The lines of the help about it; nothing if this build has everything.
pub(crate) fn help() -> String {
    help_of(HAS_SERVICE)
}

fn help_of(has_service: bool) -> String {
    match has_service {
        true => String::new(),
        false => format!(
            "\n\nNot in this build:\n  --features service  {}",
            SERVICE.join(", ")
        ),
    }
}

const HAS_SERVICE: bool = cfg!(feature = "service");
/// A command of older versions.
const AGENT: &str = "agent";
/// The commands that the feature `service` brings.
const SERVICE: &[&str] = &[
    "approvals",
    "audit",
    "backup",
    "certificate",
    "check",
    "codes",
    "devices",
    "keyd",
    "migrate",
    "operators",
    "plan",
    "restore",
    "secrets",
    "serve",
    "zones",
];

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::super::Cli;
    use super::*;

    /// In every build.
    const ALWAYS: [&str; 8] = [
        "csr", "demo", "init", "inspect", "issue", "keys", "probe", "verify",
    ];

    /// Tests have all features, so what is not known here is a command that moved or went.
    #[test]
    fn every_command_is_always_there_or_says_which_feature_brings_it() {
        let command = Cli::command();
        let mut there: Vec<&str> = command
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        there.sort_unstable();
        let mut known = [SERVICE, &ALWAYS].concat();
        known.sort_unstable();
        assert_eq!(there, known);
        assert_eq!(help(), "", "all features are here");
    }

    /// A build without features, as clap sees it.
    #[derive(Debug, Parser)]
    enum Small {
        Other,
    }

    fn said(arguments: &[&str], has_service: bool) -> Option<String> {
        let arguments = ["dc-signer"].iter().chain(arguments);
        let error = Small::try_parse_from(arguments).unwrap_err();
        LeftOut::among(&error, has_service).map(|left_out| left_out.to_string())
    }

    #[test]
    fn a_command_that_is_left_out_says_in_a_line_how_to_have_it() {
        for (arguments, words) in [
            (
                &["zones", "--more", "--help"][..],
                "--features service -- zones'",
            ),
            (&["serve", "--dev"], "--features service -- serve --dev'"),
            (&["help", "zones"], "--features service"),
        ] {
            let said = said(arguments, false).unwrap();
            assert!(said.contains(words), "{said}");
            assert_eq!(said.lines().count(), 1);
        }
    }

    #[test]
    fn the_agent_is_found_where_it_has_gone() {
        for has_service in [true, false] {
            let said = said(&["agent", "status"], has_service).unwrap();
            assert!(said.contains("cargo run -p dc-agent"), "{said}");
        }
    }

    #[test]
    fn a_mistake_stays_a_mistake() {
        assert_eq!(said(&["zonse"], false), None);
        assert_eq!(said(&["other", "--dev"], false), None);
        // What this build has is not called left out, whatever else is wrong.
        assert_eq!(said(&["zones"], true), None);
    }

    #[test]
    fn help_lists_what_is_left_out() {
        let text = help_of(false);
        assert!(text.starts_with("\n\nNot in this build:\n"), "{text:?}");
        assert!(
            text.contains("--features service  approvals, audit, backup"),
            "{text:?}"
        );
        assert!(!text.contains("probe"), "{text:?}");
    }
}
