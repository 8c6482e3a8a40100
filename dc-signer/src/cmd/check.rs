//! `dc-signer check`: what is wrong in a configuration file, and where.

use std::path::PathBuf;

use dc_signer::check::{check, readiness};
use dc_signer::config::Config;
use dc_signer::desk::Fault;
use dc_signer::{Error, clock};
use rustls::crypto::CryptoProvider;

use super::{print, provider, warn};

/// Check a configuration file, the files that it names, and what could be issued with them
///
/// Says everything that is wrong at once, in the file with the line and the key: also a certificate that has ended, and each
/// zone in which nothing could be issued now. Starts nothing, changes nothing.
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
            Ok((config, warnings)) => {
                warn(&warnings);
                self.look(&config, &provider)
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

    /// Whether a service with this configuration would be ready.
    fn look(&self, config: &Config, provider: &CryptoProvider) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::Runtime { source })?;
        let found = runtime.block_on(readiness(config, provider, clock::now()?))?;
        for soon in &found.soon {
            eprintln!("warning: {soon}");
        }
        let mut faults = found.faults;
        let last = faults.pop();
        for fault in &faults {
            eprintln!("error: {fault}");
        }
        match last {
            None => print(&format!("nothing is wrong with {}", self.config.display())),
            // One line each: the last is what the command fails with.
            Some(why) => Err(Fault::NotReady { why }.into()),
        }
    }
}
