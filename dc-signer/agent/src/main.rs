//! `dc-agent`: the program of a device that keeps its own credential fresh.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::{Parser, Subcommand};
use dc_agent::{Agent, Config, Error, Event, Level, Stop, SystemClock, look, once, run};

/// Keep a device's credential fresh, as a daemon or from cron
///
/// Makes the device's keys, enrols, renews in time, checks everything as a client would, and swaps the
/// identity folder that a server follows. Ends on SIGTERM.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The configuration; dc-signer/agent/src/sample.toml in the source documents all keys
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Do what is due now, if anything, and end: for cron, as often as it likes
    #[arg(long)]
    once: bool,
    /// Run the hook now, renew nothing, and end
    #[arg(long, conflicts_with = "once")]
    test_hook: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(StatusArgs),
}

/// Show how the device stands; only reads
#[derive(Debug, clap::Args)]
struct StatusArgs {
    /// The agent's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match Args::parse().run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Args {
    fn run(self) -> Result<ExitCode, Error> {
        if let Some(Command::Status(args)) = self.command {
            return args.run();
        }
        let path = self.config.unwrap_or_default();
        let config = Config::load(&path)?;
        let mut stop = Stop::on_signals().map_err(|source| Error::Signals { source })?;
        if self.test_hook {
            return test_hook(&config, &mut stop);
        }
        let mut agent = Agent::open(config, Box::new(SystemClock::new()), Box::new(log))?;
        match self.once {
            true => Ok(code(once(&mut agent, &mut stop).level)),
            // That it was told to end is no failure.
            false => {
                run(&mut agent, &mut stop);
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl StatusArgs {
    fn run(self) -> Result<ExitCode, Error> {
        let config = Config::load(&self.config)?;
        let status = look(&config, &SystemClock::new())?;
        match self.json {
            true => print(&serde_json::json!(status))?,
            false => print(&status)?,
        }
        Ok(code(status.level))
    }
}

fn test_hook(config: &Config, stop: &mut Stop) -> Result<ExitCode, Error> {
    let Some(hook) = &config.hook else {
        eprintln!("there is no hook: add [hook] to the configuration");
        return Ok(ExitCode::FAILURE);
    };
    match hook.run(&config.identity, stop) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("error: {error}");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Shows a result; unlike `println!` it does not panic when nobody reads it.
fn print(result: &impl fmt::Display) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{result}")
        .and_then(|()| out.flush())
        .map_err(|source| Error::Output { source })
}

/// One line. systemd's journal takes its level from a number in front, which everybody else would show.
fn log(event: &Event) {
    static TO_JOURNAL: LazyLock<bool> = LazyLock::new(|| stderr_is_journal().unwrap_or(false));
    match (*TO_JOURNAL, event.is_alarm()) {
        (false, _) => eprintln!("{event}"),
        (true, true) => eprintln!("<4>{event}"),
        (true, false) => eprintln!("<6>{event}"),
    }
}

/// True if standard error is the stream that systemd names in `JOURNAL_STREAM`, by device and inode.
fn stderr_is_journal() -> Option<bool> {
    let named = std::env::var("JOURNAL_STREAM").ok()?;
    let stream = std::io::stderr().as_fd().try_clone_to_owned().ok()?;
    let stream = File::from(stream).metadata().ok()?;
    Some(named == format!("{}:{}", stream.dev(), stream.ino()))
}

fn code(level: Level) -> ExitCode {
    level.exit_status().into()
}

const EXAMPLES: &str = "\
Examples:
  dc-agent --config /etc/dc-agent.toml
  dc-agent --config /etc/dc-agent.toml --test-hook
  dc-agent status --config /etc/dc-agent.toml --json

Exit status of 'status' and '--once': 0 fine; 1 failed; 2 wrong usage; 3 at risk: clients accept the device,
but will not for long if nobody does anything; 4 lost: they do not accept it.";
