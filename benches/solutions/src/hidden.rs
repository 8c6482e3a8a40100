//! What this program runs in processes of their own, by starting itself once more.

use std::ffi::OsStr;
use std::os::unix::process::parent_id;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use clap::Subcommand;

use crate::Result;
use crate::rows::delegated;
use crate::server;

/// A part that is not for people to call.
#[derive(Debug, Subcommand)]
pub(crate) enum Hidden {
    /// A device's server.
    #[command(hide = true)]
    Serve(server::Serve),
    /// The vendor's signer, which ends with its standard input.
    #[command(hide = true)]
    Signer {
        /// Its configuration.
        config: PathBuf,
    },
}

impl Hidden {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::Serve(serve) => {
                thread::spawn(end_with_parent);
                server::run(&serve)
            }
            Self::Signer { config } => delegated::serve_signer(&config),
        }
    }
}

/// Ends this process soon after the one that started it, however that ended.
fn end_with_parent() {
    let parent = parent_id();
    while parent_id() == parent {
        thread::sleep(Duration::from_secs(1));
    }
    std::process::exit(0);
}

/// This program once more, as the hidden command of this name with these arguments, started by `command`.
///
/// In a test, this program is the test, whose command line is not ours: there `tests::child` takes the arguments.
pub(crate) fn again(
    command: impl FnOnce(PathBuf) -> Command,
    name: &str,
    arguments: &[impl AsRef<OsStr>],
) -> Result<Command> {
    // The very program that runs, even if another one has been built in its place.
    let mut command = command(PathBuf::from("/proc/self/exe"));
    if cfg!(test) {
        command.args([
            "hidden::tests::child",
            "--exact",
            "--ignored",
            "--nocapture",
        ]);
        let all = std::iter::once(OsStr::new(name)).chain(arguments.iter().map(AsRef::as_ref));
        for (place, argument) in all.enumerate() {
            command.env(format!("{ARGUMENT}{place}"), argument);
        }
    } else {
        command.arg(name).args(arguments);
    }
    Ok(command)
}

/// What the environment variables with a child's arguments begin with.
const ARGUMENT: &str = "DC_SOLUTIONS_ARGUMENT_";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        hidden: Hidden,
    }

    #[test]
    #[ignore = "it is the child process of other tests"]
    fn child() {
        let arguments: Vec<_> = (0..)
            .map_while(|place| std::env::var_os(format!("{ARGUMENT}{place}")))
            .collect();
        if !arguments.is_empty() {
            let program = std::ffi::OsString::from(env!("CARGO_PKG_NAME"));
            let line = Line::parse_from(std::iter::once(program).chain(arguments));
            line.hidden.run().unwrap();
        }
    }
}
