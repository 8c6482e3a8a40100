//! Client programs that finish by themselves.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use dc_tests::process::{Outcome, finish};

use crate::server::PAGE;

/// What a program that ended has said.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Its exit status; none if a signal ended it.
    pub(super) exit: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Said {
    /// Whether it has got the page.
    pub(super) fn page(&self) -> bool {
        self.stdout.contains(PAGE)
    }

    /// Both streams, one behind the other.
    pub(super) fn all(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

/// Runs a program to its end with this on its standard input. Fails, with words, if it cannot be started or does not
/// end in time.
pub(super) fn run(command: &mut Command, input: &[u8]) -> Result<Said, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = { command.spawn() }.map_err(|error| format!("{program}: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // It may have ended without reading it.
        let _ = stdin.write_all(input);
    }
    let (
        ended,
        Outcome {
            exit,
            stdout,
            stderr,
        },
    ) = finish(&mut child, LONGEST);
    match ended {
        true => Ok(Said {
            exit,
            stdout,
            stderr,
        }),
        false => Err(format!("{program} did not end in {LONGEST:?}")),
    }
}

/// The first line that a program says when it is asked for its version; what is missing if it says none.
pub(crate) fn version(program: &str, argument: &str) -> Result<String, String> {
    let said = run(Command::new(program).arg(argument), b"")?;
    let line = said.stdout.lines().next().unwrap_or_default();
    match line.is_empty() {
        true => Err(format!("{program} {argument} says nothing")),
        false => Ok(line.to_owned()),
    }
}

/// A request for the page.
pub(super) fn request(name: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n")
}

const LONGEST: Duration = Duration::from_secs(20);
