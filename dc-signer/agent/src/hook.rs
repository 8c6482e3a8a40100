//! The command that tells a server about a new identity. It gets its arguments as they are: no shell.

use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::stop::Stop;

/// A command and its arguments.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hook {
    program: String,
    arguments: Vec<String>,
    timeout: Duration,
}

impl Hook {
    /// A command that gets this long.
    #[must_use]
    pub fn new(program: String, arguments: Vec<String>, timeout: Duration) -> Self {
        Self {
            program,
            arguments,
            timeout,
        }
    }

    /// Runs it, with the identity folder in `DC_IDENTITY`, until `stop` says that the process is to end.
    ///
    /// Fails with [`HookError::Start`], [`HookError::Failed`], [`HookError::Stopped`] or
    /// [`HookError::TooLong`]. What the program has started itself is left alone: a server, as a rule.
    pub fn run(&self, identity: &Path, stop: &mut Stop) -> Result<(), HookError> {
        let failed = |source| HookError::Start {
            program: self.program.clone(),
            source,
        };
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env("DC_IDENTITY", identity)
            .stdin(Stdio::null())
            .spawn()
            .map_err(failed)?;
        match wait(&mut child, self.timeout, stop).map_err(failed)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(HookError::Failed { status }),
            None if stop.is_told() => Err(HookError::Stopped),
            None => Err(HookError::TooLong {
                timeout: self.timeout,
            }),
        }
    }
}

/// Its status; none if it had to be ended.
pub(super) fn wait(
    child: &mut Child,
    timeout: Duration,
    stop: &mut Stop,
) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    while started.elapsed() < timeout {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if stop.wait(POLL) {
            break;
        }
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// When to run a hook again that has failed so often.
#[must_use]
pub fn again_at(now: u64, failures: u32) -> u64 {
    now + (60_u64 << failures.saturating_sub(1).min(6)).min(3600)
}

/// The reason that a hook did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HookError {
    /// It says so.
    #[error("the hook failed with {status}")]
    Failed {
        /// How it ended.
        status: ExitStatus,
    },
    /// It cannot be started.
    #[error(
        "the hook {program:?} cannot be run ({source}): the first entry of 'hook.command' is a program, without a shell"
    )]
    Start {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// It was ended because the agent was told to end.
    #[error("the hook was ended because the agent was told to end: it runs when the agent is back")]
    Stopped,
    /// It was ended because it did not end by itself.
    #[error("the hook ran for more than {} s and was ended: let it start the work and return, or raise 'hook.timeout'", .timeout.as_secs())]
    TooLong {
        /// How long it had.
        timeout: Duration,
    },
}

/// Hooks are rare and short, so nobody notices the wait.
const POLL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    fn hook(program: &str, arguments: &[&str], timeout: Duration) -> Result<(), HookError> {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Hook::new(program.to_owned(), arguments, timeout)
            .run(Path::new("/identity"), &mut Stop::never())
    }

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn arguments_reach_the_program_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b; $(c)");
        hook("touch", &[path.to_str().unwrap()], LONG).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn the_hook_knows_where_the_identity_is() {
        hook("sh", &["-c", "test \"$DC_IDENTITY\" = /identity"], LONG).unwrap();
    }

    #[test]
    fn what_a_hook_does_wrong_is_told() {
        let error = hook("false", &[], LONG).unwrap_err();
        assert!(matches!(error, HookError::Failed { .. }), "{error}");
        let error = hook("/nowhere/at all", &[], LONG).unwrap_err();
        assert!(matches!(error, HookError::Start { .. }), "{error}");
        let error = hook("sleep", &["600"], Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, HookError::TooLong { .. }), "{error}");
    }

    #[test]
    fn a_hook_ends_with_its_agent() {
        let (told, tell) = UnixStream::pair().unwrap();
        let started = Instant::now();
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            drop(tell);
        });
        let hook = Hook::new("sleep".to_owned(), vec!["600".to_owned()], 2 * LONG);
        let error = hook.run(Path::new("/"), &mut Stop::on(told)).unwrap_err();
        assert!(matches!(error, HookError::Stopped), "{error}");
        assert!(started.elapsed() < LONG);
    }

    #[test]
    fn a_hook_is_tried_again_within_an_hour_for_ever() {
        let waits: Vec<u64> = [1, 2, 3, 6, 7, u32::MAX].map(|n| again_at(0, n)).into();
        assert_eq!(waits, [60, 120, 240, 1920, 3600, 3600]);
    }
}
