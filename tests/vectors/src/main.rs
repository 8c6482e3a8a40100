//! Counts the vectors, and shows that they notice each broken rule.

use std::error::Error;
use std::io::{self, Write as _, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use dc_vectors::mutants::{self, Report};
use dc_vectors::published::Published;
use dc_vectors::reference::{Rule, Signatures};

/// The published test vectors: counts them, compares them with a second verifier, and breaks one of its rules at a time.
///
/// The exit status is 1 if that verifier disagrees with a vector, or no vector notices a broken rule.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder of the vectors; else docs/vectors
    #[arg(long, default_value = PUBLISHED, hide_default_value = true)]
    folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the vectors that notice this rule, and what comes out of them when it is broken
    #[arg(long, value_parser = rule)]
    rule: Option<Rule>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the vectors again, and write their files
    Write {
        /// Where to; else docs/vectors
        #[arg(default_value = PUBLISHED, hide_default_value = true)]
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Some(Command::Write { folder }) => write(folder),
        None => show(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        // Whoever reads, `head` for one, has seen enough.
        Err(error) if is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dc-vectors: {error}");
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints what the arguments ask for; true if all is as it should be.
fn show(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let files = Published::read(&arguments.folder)?;
    if let Some(rule) = arguments.rule {
        return show_rule(rule, &files);
    }
    let report = Report::new(&files);
    match arguments.json {
        true => writeln!(stdout(), "{:#}", report.json())?,
        false => write!(stdout(), "{report}")?,
    }
    Ok(report.is_good())
}

/// Writes the files.
fn write(folder: &Path) -> Result<bool, Box<dyn Error>> {
    let written = dc_vectors::make::write(folder);
    written.map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(true)
}

/// Prints what notices a broken rule; true if anything does.
fn show_rule(rule: Rule, files: &Published) -> Result<bool, Box<dyn Error>> {
    let (section, sentence) = (rule.section(), rule.sentence());
    writeln!(stdout(), "{rule} ({section}): {sentence}")?;
    let mutants = mutants::of(&[rule], files, &Signatures::default());
    let killers = mutants.iter().flat_map(|mutant| &mutant.killers);
    let mut killed = false;
    for killer in killers {
        writeln!(stdout(), "  {killer}")?;
        killed = true;
    }
    Ok(killed)
}

fn rule(name: &str) -> Result<Rule, String> {
    let found = Rule::ALL.iter().find(|rule| rule.name() == name);
    found
        .copied()
        .ok_or_else(|| format!("no rule is called {name:?}; without --rule, all are listed"))
}

const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/vectors");
