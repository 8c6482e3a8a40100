//! Secrets that open keys, such as passphrases, and where they come from: never an argument or a variable of the environment,
//! which other processes see and children inherit.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{self, PidfdFlags, PidfdGetfdFlags};
use zeroize::Zeroizing;

/// The place of a secret of at most 1,024 bytes; one line end behind it is not part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SecretSource {
    /// The standard output of a program with its arguments, which no shell sees; it has 30 s.
    Command(Vec<String>),
    /// The credential of this name that systemd hands to the service (`LoadCredential=`).
    Credential(String),
    /// An open file descriptor with this number, a pipe for example.
    Descriptor(u32),
    /// A file that nobody but its owner and its group may read.
    File(PathBuf),
}

impl SecretSource {
    /// Reads the secret, which is wiped when it is dropped.
    ///
    /// Fails with [`SecretError`].
    pub fn read(&self) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let read = match self {
            Self::Command(argv) => of_command(argv, PATIENCE),
            Self::Credential(name) => of_credential(name),
            Self::Descriptor(number) => descriptor(*number).and_then(of_open),
            Self::File(path) => of_file(path),
        };
        read.map_err(|fault| self.failed(fault))
    }

    pub(crate) fn failed(&self, fault: SecretFault) -> SecretError {
        let from = self.clone();
        SecretError { from, fault }
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Its arguments may say more than a log should.
            Self::Command(argv) => {
                write!(f, "the command {}", argv.first().map_or("", String::as_str))
            }
            Self::Credential(name) => write!(f, "systemd's credential {name}"),
            Self::Descriptor(number) => write!(f, "file descriptor {number}"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// A secret was not read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no secret from {from}: {}", told(from, fault))]
pub struct SecretError {
    /// The place that it was to come from.
    pub from: SecretSource,
    /// The reason.
    #[source]
    pub fault: SecretFault,
}

/// A fault, with the user who may not read a file if that is why: the service's user is another one than whoever made it.
fn told(from: &SecretSource, fault: &SecretFault) -> String {
    let closed = io::ErrorKind::PermissionDenied;
    match (from, fault) {
        (SecretSource::File(path), SecretFault::Unread { kind }) if *kind == closed => {
            let (me, path) = (process::geteuid().as_raw(), path.display());
            format!(
                "user {me}, as whom it is read, may not read it: do 'chown {me} {path}', or have it where that user may"
            )
        }
        _ => fault.to_string(),
    }
}

/// The reason that a secret was not read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretFault {
    /// A credential's name is no name of a file.
    #[error("it is no name of a credential: leave out '/'")]
    BadName,
    /// The program did not end well.
    #[error("it ended with {}: run it by hand to see why", code.map_or_else(|| "a signal".to_owned(), |code| format!("status {code}")))]
    CommandFailed {
        /// Its exit status; none if a signal ended it.
        code: Option<i32>,
    },
    /// There is nothing.
    #[error("it is empty: put the secret there")]
    Empty,
    /// This process has no credentials of systemd.
    #[error(
        "CREDENTIALS_DIRECTORY is not set: have LoadCredential= or LoadCredentialEncrypted= in the unit"
    )]
    NoCredentials,
    /// Nothing is open under the number of a descriptor.
    #[error(
        "nothing is open there: open it in the shell, as in '3< FILE', or give the file itself"
    )]
    NotOpen,
    /// The system gives the process no second hold of the descriptor, and does not open it anew.
    #[error(
        "it cannot be taken over here, nor opened anew ({kind}): use descriptor 0 with the secret on the standard input, or a file that this user may read"
    )]
    NotTaken {
        /// The system's reason.
        kind: io::ErrorKind,
    },
    /// Others may read the file.
    #[error(
        "others may read it, or write it (mode {mode:03o}): make it its owner's with 'chmod 600'"
    )]
    Readable {
        /// The mode of the file.
        mode: u32,
    },
    /// The program took too long.
    #[error("it did not end within {} s", limit.as_secs())]
    TooSlow {
        /// The time that it had.
        limit: Duration,
    },
    /// It is longer than any secret.
    #[error("it is longer than {max} bytes: check that it is the right one")]
    TooLong {
        /// The most bytes that are read.
        max: usize,
    },
    /// The system did not let it be read.
    #[error("it cannot be read: {kind}")]
    Unread {
        /// The system's reason.
        kind: io::ErrorKind,
    },
}

impl From<io::Error> for SecretFault {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        Self::Unread { kind }
    }
}

/// The open file behind a descriptor: the very one, wherever it has been read to and whosever it is.
///
/// Fails with [`SecretFault::NotOpen`] and [`SecretFault::NotTaken`].
pub(crate) fn descriptor(number: u32) -> Result<File, SecretFault> {
    if number == 0 {
        return Ok(io::stdin().as_fd().try_clone_to_owned()?.into());
    }
    match inherited(number) {
        Ok(file) => Ok(file.into()),
        Err(Errno::BADF) => Err(SecretFault::NotOpen),
        // Some containers and units forbid the call. Opening it anew is another open file, read from its start, and needs the right to.
        Err(_) => File::open(format!("/dev/fd/{number}")).map_err(|error| {
            let kind = error.kind();
            SecretFault::NotTaken { kind }
        }),
    }
}

/// Safe Rust takes no number for a file, but the system gives a process the descriptors of any other that it may trace, and so
/// its own.
fn inherited(number: u32) -> rustix::io::Result<OwnedFd> {
    let number = i32::try_from(number).map_err(|_| Errno::BADF)?;
    let me = process::pidfd_open(process::getpid(), PidfdFlags::empty())?;
    process::pidfd_getfd(me, number, PidfdGetfdFlags::empty())
}

/// Reads an open file to its end.
pub(crate) fn of_open(file: impl Read) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    // Room for everything at once: a vector that grows leaves copies behind.
    let mut secret = Zeroizing::new(Vec::with_capacity(2 * MAX_LEN));
    // With a line end, and one more to see that there is more.
    let limit = u64::try_from(MAX_LEN + 3).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut secret)?;
    for end in [b'\n', b'\r'] {
        if secret.last() == Some(&end) {
            secret.pop();
        }
    }
    match secret.len() {
        0 => Err(SecretFault::Empty),
        1..=MAX_LEN => Ok(secret),
        _ => Err(SecretFault::TooLong { max: MAX_LEN }),
    }
}

fn of_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    match mode & 0o027 {
        0 => of_open(file),
        _ => Err(SecretFault::Readable { mode }),
    }
}

fn of_credential(name: &str) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or(SecretFault::NoCredentials)?;
    if name.is_empty() || name.contains('/') || name.starts_with("..") {
        return Err(SecretFault::BadName);
    }
    of_open(File::open(Path::new(&folder).join(name))?)
}

fn of_command(argv: &[String], limit: Duration) -> Result<Zeroizing<Vec<u8>>, SecretFault> {
    let (program, arguments) = argv.split_first().ok_or(SecretFault::Empty)?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let (tell, told) = mpsc::sync_channel(1);
    if let Some(output) = child.stdout.take() {
        // A thread of its own, because it may never end.
        thread::spawn(move || {
            let _ = tell.send(of_open(output));
        });
    }
    let deadline = Instant::now() + limit;
    let done = told
        .recv_timeout(limit)
        .map_err(|_| SecretFault::TooSlow { limit })
        .and_then(|read| wait(&mut child, deadline, limit).map(|()| read));
    if done.is_err() {
        // Perhaps it has ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
    done?
}

/// Waits for the end of a program that has closed its output.
fn wait(child: &mut Child, deadline: Instant, limit: Duration) -> Result<(), SecretFault> {
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => {
                let code = status.code();
                return Err(SecretFault::CommandFailed { code });
            }
            None if Instant::now() >= deadline => return Err(SecretFault::TooSlow { limit }),
            None => thread::sleep(PAUSE),
        }
    }
}

/// As long as OpenSSL's passphrases may be.
const MAX_LEN: usize = 1024;
/// The time that a program has.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::io::Write;

    use super::*;

    fn sh(script: &str) -> SecretSource {
        SecretSource::Command(["sh", "-c", script].map(str::to_owned).to_vec())
    }

    fn fault(source: &SecretSource) -> SecretFault {
        source.read().unwrap_err().fault
    }

    #[test]
    fn one_line_end_is_not_part_of_a_secret_and_anything_else_is() {
        for (given, expected) in [
            (&b"word"[..], &b"word"[..]),
            (b"word\n", b"word"),
            (b"word\r\n", b"word"),
            (b" two words \n\n", b" two words \n"),
            (b"\xff\x00", b"\xff\x00"),
        ] {
            assert_eq!(of_open(given).unwrap().as_slice(), expected);
        }
        for empty in [&b""[..], b"\n", b"\r\n"] {
            assert_eq!(of_open(empty), Err(SecretFault::Empty));
        }
        let longest = [vec![b'a'; MAX_LEN], b"\r\n".to_vec()].concat();
        assert_eq!(of_open(longest.as_slice()).unwrap().len(), MAX_LEN);
        let max = MAX_LEN;
        for longer in [vec![b'a'; MAX_LEN + 1], vec![b'a'; 1 << 20]] {
            assert_eq!(
                of_open(longer.as_slice()),
                Err(SecretFault::TooLong { max })
            );
        }
    }

    #[test]
    fn a_file_that_others_read_gives_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        fs::write(&path, "word\n").unwrap();
        let source = SecretSource::File(path.clone());
        for (mode, is_private) in [(0o600, true), (0o440, true), (0o644, false), (0o660, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            match source.read() {
                Ok(secret) => assert!(is_private && secret.as_slice() == b"word"),
                Err(error) => {
                    assert!(!is_private);
                    assert_eq!(error.fault, SecretFault::Readable { mode });
                    assert!(error.to_string().contains("chmod 600"), "{error}");
                }
            }
        }
        let kind = io::ErrorKind::NotFound;
        let nothing = SecretSource::File(folder.path().join("nothing"));
        assert_eq!(fault(&nothing), SecretFault::Unread { kind });
    }

    #[test]
    fn a_program_says_the_secret_if_it_ends_well_and_in_time() {
        assert_eq!(sh("echo word").read().unwrap().as_slice(), b"word");
        assert_eq!(
            fault(&sh("echo word; exit 3")),
            SecretFault::CommandFailed { code: Some(3) }
        );
        assert_eq!(
            fault(&sh("kill -9 $$")),
            SecretFault::CommandFailed { code: None }
        );
        assert_eq!(fault(&sh("exit 0")), SecretFault::Empty);
        let limit = Duration::from_millis(100);
        for slow in ["exec sleep 60", "echo word; exec sleep 60 >&-"] {
            let began = Instant::now();
            let argv = ["sh", "-c", slow].map(str::to_owned);
            assert_eq!(
                of_command(&argv, limit),
                Err(SecretFault::TooSlow { limit })
            );
            assert!(began.elapsed() < Duration::from_secs(30));
        }
        let nobody = SecretSource::Command(vec!["/nonexistent/program".to_owned()]);
        let kind = io::ErrorKind::NotFound;
        assert_eq!(fault(&nobody), SecretFault::Unread { kind });
        assert_eq!(fault(&SecretSource::Command(vec![])), SecretFault::Empty);
    }

    #[test]
    fn a_descriptor_is_read_through_its_number() {
        use std::os::fd::AsRawFd;
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"word\n").unwrap();
        drop(writer);
        let number = u32::try_from(reader.as_raw_fd()).unwrap();
        let source = SecretSource::Descriptor(number);
        assert_eq!(source.read().unwrap().as_slice(), b"word");
        // A pipe is empty then.
        assert_eq!(fault(&source), SecretFault::Empty);
        for closed in [999_999, u32::MAX] {
            let closed = SecretSource::Descriptor(closed);
            assert_eq!(fault(&closed), SecretFault::NotOpen);
        }
    }

    #[test]
    fn a_descriptor_is_the_open_file_itself_not_one_that_is_opened_anew() {
        use std::io::Seek;
        use std::os::fd::AsRawFd;
        let of = |fd: &dyn AsRawFd| {
            let number = u32::try_from(fd.as_raw_fd()).unwrap();
            SecretSource::Descriptor(number).read().unwrap().to_vec()
        };
        // Nobody opens a socket anew.
        let (mut writer, reader) = std::os::unix::net::UnixStream::pair().unwrap();
        writer.write_all(b"word").unwrap();
        drop(writer);
        assert_eq!(of(&reader), b"word");
        // Whoever has read a part of it wants the rest.
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"first\nsecond\n").unwrap();
        file.seek(io::SeekFrom::Start(6)).unwrap();
        assert_eq!(of(&file), b"second");
    }

    /// In a process of its own: the environment is the process's.
    #[test]
    fn a_credential_is_a_file_in_the_folder_that_systemd_names() {
        let source = |name: &str| SecretSource::Credential(name.to_owned());
        if std::env::var_os("DC_SECRET_CHILD").is_some() {
            assert_eq!(source("key").read().unwrap().as_slice(), b"word");
            for bad in ["", "..", "../key", "a/b"] {
                assert_eq!(fault(&source(bad)), SecretFault::BadName, "{bad}");
            }
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), "word\n").unwrap();
        let this = std::env::current_exe().unwrap();
        let name = "secret::tests::a_credential_is_a_file_in_the_folder_that_systemd_names";
        let status = Command::new(this)
            .args([name, "--exact", "--quiet"])
            .env("CREDENTIALS_DIRECTORY", folder.path())
            .env("DC_SECRET_CHILD", "1")
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        // No test runs under systemd with credentials.
        assert_eq!(fault(&source("key")), SecretFault::NoCredentials);
    }
}
