//! A program of the operator's: given its input and a time to end in, it says something and how it went.

use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{AccessFlags, Pid, eaccess};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use dc_pki::text::Foreign;

/// A program with its arguments, which no shell sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program<'a> {
    /// The program, then its arguments.
    pub(super) argv: &'a [String],
    /// Its environment, besides this process's.
    pub(super) environment: &'a [(&'a str, &'a str)],
    /// Its standard input.
    pub(super) input: &'a [u8],
    /// The time that it has, with all that it has started.
    pub(super) limit: Duration,
}

impl Program<'_> {
    /// Runs it to its end, and returns what it wrote.
    ///
    /// It is the leader of a process group, all of which is killed when its time is over or nobody waits for it any more.
    ///
    /// Fails with [`ProgramError`].
    pub(super) async fn run(&self) -> Result<Vec<u8>, ProgramError> {
        let (program, arguments) = self.argv.split_first().ok_or_else(|| self.not_started())?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(self.environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let child = command.spawn().map_err(|source| ProgramError::NotStarted {
            program: program.clone(),
            kind: source.kind(),
        })?;
        let mut group = Group::of(&child);
        let ended = timeout(self.limit, attend(child, self.input)).await;
        let (status, output, said) = ended
            .map_err(|_| self.too_slow())?
            .map_err(|source| self.lost(&source))?;
        group.has_ended();
        if output.len() > MAX_OUTPUT {
            let (program, max) = (self.name(), MAX_OUTPUT);
            return Err(ProgramError::TooMuch { program, max });
        }
        match status.success() {
            true => Ok(output),
            false => Err(ProgramError::Failed {
                program: self.name(),
                code: status.code(),
                output,
                said: last_words(&said),
            }),
        }
    }

    fn name(&self) -> String {
        self.argv.first().cloned().unwrap_or_default()
    }

    fn not_started(&self) -> ProgramError {
        let (program, kind) = (self.name(), io::ErrorKind::NotFound);
        ProgramError::NotStarted { program, kind }
    }

    fn too_slow(&self) -> ProgramError {
        let (program, limit) = (self.name(), self.limit);
        ProgramError::TooSlow { program, limit }
    }

    fn lost(&self, source: &io::Error) -> ProgramError {
        let (program, kind) = (self.name(), source.kind());
        ProgramError::NotStarted { program, kind }
    }
}

/// Writes and reads at once, because either may be waited for.
async fn attend(mut child: Child, input: &[u8]) -> io::Result<(ExitStatus, Vec<u8>, Vec<u8>)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async {
        if let Some(mut stdin) = stdin {
            // It need not read what it has no use for.
            let _ = stdin.write_all(input).await;
        }
    };
    let ((), output, said) = tokio::join!(write, first(stdout), last(stderr));
    let status = child.wait().await?;
    Ok((status, output?, said?))
}

/// As much as is taken, and a byte more to see that there is more; the rest is read and dropped.
async fn first(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut stream) = stream {
        let limit = u64::try_from(MAX_OUTPUT + 1).unwrap_or(u64::MAX);
        (&mut stream).take(limit).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

/// The end, where a program says why it failed.
async fn last(stream: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let (mut kept, mut chunk) = (Vec::new(), [0; MAX_SAID]);
    if let Some(mut stream) = stream {
        loop {
            let read = stream.read(&mut chunk).await?;
            if read == 0 {
                break;
            }
            kept.extend(chunk.iter().take(read));
            kept.drain(..kept.len().saturating_sub(MAX_SAID));
        }
    }
    Ok(kept)
}

/// The last lines in one.
fn last_words(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<&str> = lines.collect();
    let last = lines.iter().skip(lines.len().saturating_sub(MAX_LINES));
    let words = last.copied().collect::<Vec<_>>().join("; ");
    Foreign(&words).to_string()
}

/// The process group of a program, which is killed unless it has ended.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let leader = child.id().and_then(|id| i32::try_from(id).ok());
        Self(leader.map(Pid::from_raw))
    }

    fn has_ended(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Perhaps it has just ended.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// Looks whether this process could start a program; does not start it.
///
/// Fails with [`ProgramError::NotStarted`].
pub(super) fn look_for(argv: &[String]) -> Result<(), ProgramError> {
    let Some(program) = argv.first() else {
        return Ok(());
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = match program.contains('/') {
        true => vec![program.into()],
        false => std::env::split_paths(&path)
            .map(|folder| folder.join(program))
            .collect(),
    };
    let is_there = |place: &&PathBuf| place.is_file();
    let kind = match places.iter().find(is_there) {
        Some(place) if eaccess(place, AccessFlags::X_OK).is_ok() => return Ok(()),
        Some(_) => io::ErrorKind::PermissionDenied,
        None => io::ErrorKind::NotFound,
    };
    let program = program.clone();
    Err(ProgramError::NotStarted { program, kind })
}

/// The reason that a program gave no answer.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
#[non_exhaustive]
pub(super) enum ProgramError {
    /// It did not end well.
    #[error("{program} {}{}", ended(*.code), because(.said))]
    Failed {
        /// The program.
        program: String,
        /// Its exit status; none if a signal ended it.
        code: Option<i32>,
        /// Its standard output.
        output: Vec<u8>,
        /// The last lines of its standard error.
        said: String,
    },
    /// There is no such program, or this process may not run it.
    #[error("{program} does not run: {kind}. Check that it is there and may be executed")]
    NotStarted {
        /// The program.
        program: String,
        /// The system's reason.
        kind: io::ErrorKind,
    },
    /// It wrote more than any answer has.
    #[error("{program} wrote more than {max} bytes: check that it is the right one")]
    TooMuch {
        /// The program.
        program: String,
        /// The most.
        max: usize,
    },
    /// It took too long.
    #[error("{program} did not end within {} and was killed", humantime::format_duration(*.limit))]
    TooSlow {
        /// The program.
        program: String,
        /// The time that it had.
        limit: Duration,
    },
}

fn ended(code: Option<i32>) -> String {
    match code {
        Some(code) => format!("ended with status {code}"),
        None => "was ended by a signal".to_owned(),
    }
}

fn because(said: &str) -> String {
    match said {
        "" => ", and said nothing on its standard error".to_owned(),
        said => format!(": {said}"),
    }
}

/// As long as a chain may be.
const MAX_OUTPUT: usize = dc_pki::files::MAX_LEN;
const MAX_SAID: usize = 1024;
const MAX_LINES: usize = 3;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    async fn sh(script: &str, input: &[u8]) -> Result<Vec<u8>, ProgramError> {
        let argv = ["sh", "-c", script].map(str::to_owned);
        let program = Program {
            argv: &argv,
            environment: &[("DC_NAME", "_acme-challenge.example.org")],
            input,
            limit: Duration::from_secs(20),
        };
        program.run().await
    }

    #[tokio::test]
    async fn it_reads_its_input_and_environment_and_says_what_it_writes() {
        let long = vec![b'a'; 1 << 16];
        let output = sh("wc -c; echo $DC_NAME", &long).await.unwrap();
        let output = String::from_utf8(output).unwrap();
        assert!(output.contains("65536"), "{output}");
        assert!(output.contains("_acme-challenge.example.org"), "{output}");
        // It need not read.
        assert_eq!(sh("echo done", &long).await.unwrap(), b"done\n");
    }

    #[tokio::test]
    async fn a_failure_has_the_last_lines_of_what_it_said() {
        let script = "seq 5000 >&2; printf 'no \\033[31mkey\\n\\n' >&2; echo 60; exit 75";
        let error = sh(script, b"").await.unwrap_err();
        let said = error.to_string();
        assert!(
            said.ends_with("ended with status 75: 4999; 5000; no \\u{1b}[31mkey"),
            "{said}"
        );
        assert!(matches!(error, ProgramError::Failed { output, .. } if output == b"60\n"));
        let silent = sh("kill -9 $$", b"").await.unwrap_err().to_string();
        assert!(silent.contains("signal, and said nothing"), "{silent}");
    }

    #[tokio::test]
    async fn it_is_killed_with_all_that_it_has_started_when_its_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        let script = format!("(sleep 2; touch '{}') & wait", mark.display());
        let argv = ["sh".to_owned(), "-c".to_owned(), script];
        let program = Program {
            argv: &argv,
            environment: &[],
            input: b"",
            limit: Duration::from_millis(200),
        };
        let began = Instant::now();
        let error = program.run().await.unwrap_err();
        assert!(error.to_string().contains("within 200ms"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(2));
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(!mark.exists());
    }

    #[tokio::test]
    async fn what_is_no_program_or_says_too_much_is_an_error() {
        let argv = ["/nonexistent/program".to_owned()];
        let program = Program {
            argv: &argv,
            environment: &[],
            input: b"",
            limit: Duration::from_secs(5),
        };
        let error = program.run().await.unwrap_err();
        assert!(
            error
                .to_string()
                .contains("/nonexistent/program does not run"),
            "{error}"
        );
        let error = sh("yes | head -c 100000", b"").await.unwrap_err();
        assert!(matches!(error, ProgramError::TooMuch { .. }), "{error}");
    }

    #[test]
    fn a_program_is_looked_for_before_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("order");
        let argv = [path.to_str().unwrap().to_owned()];
        let said = || look_for(&argv).unwrap_err().to_string();
        assert!(said().contains("entity not found"), "{}", said());
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        assert!(said().contains("permission denied"), "{}", said());
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
        look_for(&argv).unwrap();
        look_for(&["sh".to_owned()]).unwrap();
        assert!(look_for(&["no-such-program".to_owned()]).is_err());
        look_for(&[]).unwrap();
    }
}
