//! What tests need from the machine: programs, which are installed when they are missing, and a record of what was left out.
//!
//! A test that starts a program asks for its [`Part`] first: [`have`]. What it is not allowed to install, or cannot do on
//! this machine, it says with [`left_out`], never in silence: at once, and once more on the last lines of the run.

mod help;
mod over;
mod record;
mod softhsm;

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

pub use help::compare_help;
pub use over::Over;
pub use record::{left_out, report};
pub use softhsm::SoftHsm;

/// Copies a program that is to be run from there.
///
/// Another process does it: a test that had the copy open for writing could hand that on to a child which another test starts
/// meanwhile, and nothing runs a file that somebody may write.
///
/// # Panics
///
/// If it cannot be copied.
pub fn copy_program(from: &str, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status();
    assert!(
        matches!(status, Ok(status) if status.success()),
        "{from} cannot be copied to {}",
        to.display()
    );
}

/// What is installed together, and left out together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A CA that speaks ACME, and a DNS server where it looks.
    Acme,
    /// Chromium and its driver.
    Browser,
    /// TLS peers nobody here wrote.
    Peers,
    /// A PostgreSQL server, which tests start themselves.
    Postgres,
    /// Prometheus's own tool.
    Promtool,
    /// A load balancer.
    Proxies,
    /// The clients, servers and the CA that `dc-solutions` compares identities with.
    Solutions,
    /// A token in files, for PKCS#11.
    Tokens,
    /// Small programs, such as `openssl` and `curl`.
    Tools,
}

/// Whether the tests that need a part can run: what is missing is installed first, once in a process. No only if its
/// variable says `skip`, which is noted for the last lines of the run.
///
/// # Panics
///
/// If it cannot be had: with what to do, and the variable.
#[must_use = "a test that must not have it has to end"]
pub fn have(part: Part) -> bool {
    let Setting { word, what, .. } = part.setting();
    match installed(part) {
        Ok(true) => true,
        Ok(false) => {
            left_out(what, &format!("{}=skip", variable(word)));
            false
        }
        Err(said) => panic!("{what} cannot run:\n{said}"),
    }
}

/// The same for a program that is no test. No, without a note, if its variable leaves it out.
///
/// # Errors
///
/// What was said, if it cannot be had.
pub fn installed(part: Part) -> Result<bool, String> {
    match part.is_left_out() {
        true => Ok(false),
        false => part.install().map(|()| true),
    }
}

/// Installs every part that is missing, for a run of all tests: so that nothing is installed beside tests that measure time,
/// and what cannot be had is known before the first of them.
///
/// # Errors
///
/// What was said of each part that cannot be had, unless its variable leaves it out.
pub fn everything() -> Result<(), String> {
    let wanted = Part::ALL.into_iter().filter(|part| !part.is_left_out());
    let failed: Vec<String> = wanted.filter_map(|part| part.install().err()).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(failed.concat()),
    }
}

/// The same for the helper that all tests of a program start with: without a word about tests that need none of it, and
/// what cannot be had is left to the tests that do.
pub fn prepare(part: Part) {
    if !part.is_left_out() {
        let _ = part.install();
    }
}

/// Where a program is: in `PATH`, or where the set-up puts what is no package. Its own name if nowhere.
pub fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    folders.push(target().join("setup/bin"));
    let files = folders.into_iter().map(|folder| folder.join(name));
    { files }
        .find(|file| file.exists())
        .unwrap_or_else(|| name.into())
}

/// Cargo's target directory, which has this program in it; for a program that is elsewhere, where it would be.
pub fn target() -> PathBuf {
    let program = env::current_exe().unwrap_or_default();
    // Cargo marks it for backups.
    let own = program
        .ancestors()
        .skip(1)
        .find(|folder| folder.join("CACHEDIR.TAG").exists());
    own.map(Path::to_owned)
        .or_else(|| env::var_os("CARGO_TARGET_DIR").map(PathBuf::from))
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"))
}

/// The programs of `programs`, all parts together.
pub fn programs() -> impl Iterator<Item = &'static str> {
    rows().filter_map(|row| match row[..] {
        [part, program, _] if part != LEAVE_OUT => Some(program),
        _ => None,
    })
}

/// What is to be known of a part.
struct Setting {
    /// As `programs` and `setup.sh` have it.
    word: &'static str,
    /// Which tests need it.
    what: &'static str,
    done: &'static OnceLock<Result<(), String>>,
}

impl Part {
    const ALL: [Self; 9] = [
        Self::Tools,
        Self::Acme,
        Self::Tokens,
        Self::Postgres,
        Self::Browser,
        Self::Promtool,
        Self::Proxies,
        Self::Peers,
        Self::Solutions,
    ];

    fn is_left_out(self) -> bool {
        let value = env::var_os(variable(self.setting().word));
        value.is_some_and(|value| value == "skip")
    }

    fn setting(self) -> Setting {
        static DONE: [OnceLock<Result<(), String>>; 9] = [const { OnceLock::new() }; 9];
        let (at, word, what) = match self {
            Self::Acme => (7, "acme", "tests with an ACME server"),
            Self::Browser => (0, "browser", "tests with a browser"),
            Self::Peers => (1, "peers", "tests with TLS peers nobody here wrote"),
            Self::Postgres => (2, "postgres", "tests with PostgreSQL"),
            Self::Promtool => (3, "promtool", "tests with promtool"),
            Self::Proxies => (8, "proxies", "tests behind a load balancer"),
            Self::Solutions => (
                5,
                "solutions",
                "tests with the clients that dc-solutions compares",
            ),
            Self::Tokens => (6, "tokens", "tests with keys in tokens"),
            Self::Tools => (4, "tools", "tests with openssl, curl and other tools"),
        };
        let done = &DONE[at];
        Setting { word, what, done }
    }

    fn install(self) -> Result<(), String> {
        let Setting { word, done, .. } = self.setting();
        done.get_or_init(|| set_up(word)).clone()
    }
}

/// Runs the script. What it says goes to the terminal at once, because it may take minutes and libtest holds back what
/// tests print; and is returned if it failed.
fn set_up(part: &str) -> Result<(), String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/setup.sh");
    let mut bash = Command::new("bash");
    bash.args([script, part]).env("CARGO_TARGET_DIR", target());
    bash.stdin(Stdio::null()).stderr(Stdio::piped());
    let failed = |error: io::Error| format!("bash {script}: {error}");
    let mut process = bash.spawn().map_err(failed)?;
    let mut said = String::new();
    for line in process.stderr.take().map(BufReader::new).into_iter() {
        for line in line.lines().map_while(Result::ok) {
            say(&line);
            said.push_str(&line);
            said.push('\n');
        }
    }
    match process.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) if said.is_empty() => Err(format!("bash {script} ended with {status}")),
        Ok(_) => Err(said),
        Err(error) => Err(failed(error)),
    }
}

/// To the terminal: libtest shows what `eprintln!` writes only for tests that fail.
fn say(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

fn variable(word: &str) -> &'static str {
    let of_part = |row: Vec<&'static str>| match row[..] {
        [LEAVE_OUT, part, variable] if part == word => Some(variable),
        _ => None,
    };
    rows().find_map(of_part).expect("a row of `programs`")
}

fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    const TABLE: &str = include_str!("programs");
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| row.split_whitespace().collect())
}

const LEAVE_OUT: &str = "leave-out";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_a_variable_and_programs() {
        for part in Part::ALL {
            let word = part.setting().word;
            assert!(variable(word).starts_with("DC_"), "{word}");
            assert!(rows().any(|row| row.first() == Some(&word)), "{word}");
        }
        assert!(programs().any(|program| program == "openssl"));
    }

    #[test]
    fn this_test_is_in_cargos_target_directory() {
        assert!(target().join("CACHEDIR.TAG").exists());
    }

    #[test]
    fn a_failure_says_why_and_a_part_that_nobody_knows_is_one() {
        let said = set_up("nothing").unwrap_err();
        assert!(said.contains("there is no part 'nothing'"), "{said}");
        assert!(said.contains("postgres"), "{said}");
    }
}
