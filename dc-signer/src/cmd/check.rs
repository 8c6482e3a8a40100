//! `dc-signer check`: what is wrong in a configuration file, and where.

use std::path::PathBuf;

use dc_signer::Error;
use dc_signer::check::check;

use super::{print, provider, warn};

/// Check a configuration file, and the files that it names
///
/// Says everything that is wrong at once, with the line and the key. Starts nothing, changes nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration of 'dc-signer serve'
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let provider = provider();
        match check(&self.config, &provider) {
            Ok((_, warnings)) => {
                warn(&warnings);
                print(&format!("nothing is wrong with {}", self.config.display()))
            }
            Err(Error::BadConfig { path, mut problems }) => {
                // One line each: the last is what the command fails with.
                let last = problems.split_off(problems.len().saturating_sub(1));
                for problem in &problems {
                    eprintln!("error: {}, {problem}", path.display());
                }
                Err(Error::BadConfig {
                    path,
                    problems: last,
                })
            }
            Err(error) => Err(error),
        }
    }
}
