//! `dc-signer check`: what is wrong in a configuration file, and where.

use std::path::{Path, PathBuf};

use dc_pki::clock;
use dc_signer::authority::SetupError;
use dc_signer::config::{self, Config};
use dc_signer::server::check::{check_with_data, readiness};
use dc_store::owner::{self, Account};
use rustls::crypto::CryptoProvider;

use super::error::Error;
use super::print;
use crate::cmd::{provider, warn};

/// Check a configuration file, the files that it names, and what could be issued with them
///
/// Says everything that is wrong at once, in the file with the line and the key: also a certificate that has ended, and each
/// zone in which nothing could be issued now. Starts nothing, changes nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration of 'dc-signer serve'
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Judge as this user, by name or number: what the service's user may not read is a fault. For root, who may read
    /// everything, it is the owner of the data folder unless another is named
    #[arg(long, value_name = "USER")]
    user: Option<String>,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let provider = provider();
        let judge = self.become_the_service()?;
        let by = judge.as_ref().map(|by| format!(" by {by}"));
        match check_with_data(&self.config, &provider) {
            Ok((config, warnings)) => {
                warn(&warnings);
                self.look(&config, &provider, &by.unwrap_or_default())
            }
            Err(error) => {
                if let Some(judge) = judge {
                    eprintln!("note: this is what {judge} finds; --user names another user");
                }
                Err(one_by_one(error))
            }
        }
    }

    /// Checks that a service with this configuration would be ready.
    fn look(&self, config: &Config, provider: &CryptoProvider, by: &str) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::Runtime { source })?;
        let found = runtime.block_on(readiness(config, provider, clock::now()?))?;
        for soon in &found.soon {
            eprintln!("warning: {soon}");
        }
        for note in &found.notes {
            eprintln!("note: {note}");
        }
        let mut faults = found.faults;
        let last = faults.pop();
        for fault in &faults {
            eprintln!("error: {fault}");
        }
        match last {
            None => {
                let but = match found.soon.is_empty() {
                    true => "",
                    false => "but for the warnings, ",
                };
                print(&format!(
                    "{but}nothing is wrong with {}{by}",
                    self.config.display()
                ))
            }
            // One line each: the last is what the command fails with.
            Some(why) => Err(SetupError::NotReady { why }.into()),
        }
    }

    /// Gives up what the service may not; says whom for.
    fn become_the_service(&self) -> Result<Option<Account>, Error> {
        // What is wrong with it is said later.
        match Config::load(&self.config) {
            Ok(config) => judge_as(self.user.as_deref(), &config.data),
            Err(_) => match &self.user {
                Some(user) => judge_as(Some(user), Path::new("")),
                None => Ok(None),
            },
        }
    }
}

/// Becomes a user for good, or for root, if none is named, the owner of a folder that is there; says who, unless it was him before.
pub(super) fn judge_as(user: Option<&str>, folder: &Path) -> Result<Option<Account>, Error> {
    let me = Account::me();
    let service = match user {
        Some(user) => Some(Account::named(user)?),
        None if me.is_root() => Account::owning(folder)?,
        None => None,
    };
    let Some(service) = service.filter(|service| !service.is_same_user(&me)) else {
        return Ok(None);
    };
    owner::become_for_good(&service)?;
    Ok(Some(service))
}

/// Prints all errors but the last, one line each; the command fails with the last.
pub(super) fn one_by_one(error: config::Error) -> Error {
    let config::Error::Invalid { path, mut errors } = error else {
        return error.into();
    };
    let last = errors.split_off(errors.len().saturating_sub(1));
    for error in &errors {
        eprintln!("error: {}, {error}", path.display());
    }
    config::Error::Invalid { path, errors: last }.into()
}
