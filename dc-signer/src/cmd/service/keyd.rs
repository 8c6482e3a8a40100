//! `dc-signer keyd`: the process that holds the keys, and what it can be asked for by hand.

mod ask;
mod end;
mod status;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use dc_signer::config::KeydConfig;
use dc_signer::keyd::{self, Desk};
use dc_signer::server::telemetry::start_log;
use dc_signer::server::{Signals, exposed_of_keyd};
use sd_notify::NotifyState;

use super::check::judge_as;
use super::error::Error;
use super::print;

/// Run the process that holds the delegation keys, and signs for a service on another user's account what its own
/// configuration allows
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = HELP)]
pub(crate) struct Args {
    /// Its configuration, which the service's user cannot write
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check a configuration and all that it names, without serving
    Check(Config),
    /// Let it make a key for a zone's next delegation certificate, and write the request for the certificate
    Csr(ask::Csr),
    End(end::End),
    Forget(end::Forget),
    /// Hand it the certificate that came back, and write the folder that a service imports
    Install(ask::Install),
    /// Check that files of its log are as they were written
    Log(Log),
    /// Show what it holds, has issued and has refused
    Status(status::Args),
}

#[derive(Debug, clap::Args)]
struct Config {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Judge as this user, by name or number: what the process's user may not read is a fault. For root, who may read everything, it
    /// is the owner of 'state' unless another is named
    #[arg(long, value_name = "USER")]
    user: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Log {
    /// The files, the oldest first
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        match self.what {
            None => {
                let runtime = tokio::runtime::Builder::new_multi_thread()
                    .enable_all()
                    .build()
                    .map_err(|source| Error::Runtime { source })?;
                // clap wants it if there is no subcommand.
                runtime.block_on(serve(&self.config.unwrap_or_default()))
            }
            Some(What::Check(args)) => args.check(),
            Some(What::Csr(args)) => args.run(),
            Some(What::End(args)) => args.run(),
            Some(What::Forget(args)) => args.run(),
            Some(What::Install(args)) => args.run(),
            Some(What::Log(args)) => args.run(),
            Some(What::Status(args)) => args.run(),
        }
    }
}

async fn serve(path: &Path) -> Result<(), Error> {
    let config = KeydConfig::load(path)?;
    start_log(&config.log)?;
    not_exposed(&config, path)?;
    let text = dc_pki::files::read(path)?;
    let mut signals = Signals::listen()?;
    let base = path.parent().unwrap_or_else(|| Path::new(""));
    let desk = Arc::new(Desk::open(&config, base)?);
    let ready = async {
        tracing::info!(socket = %config.socket.display(), "ready");
        tell(NotifyState::Ready).await;
    };
    let reloading = desk.clone();
    let stop = async {
        while signals.reload_or_stop().await {
            if dc_pki::files::read(path).is_ok_and(|now| now != text) {
                tracing::warn!(path = %path.display(), "the configuration has changed, which is read at the start alone: start the process anew; now the delegations are read again");
            }
            let desk = reloading.clone();
            let reloaded = tokio::task::spawn_blocking(move || desk.reload()).await;
            if let Ok(Err(error)) = reloaded {
                tracing::error!(%error, "the delegations are not read again");
            }
        }
        tracing::info!("stopping");
        tell(NotifyState::Stopping).await;
    };
    Ok(keyd::serve(desk, &config, ready, stop).await?)
}

async fn tell(news: NotifyState<'static>) {
    let told = tokio::task::spawn_blocking(move || sd_notify::notify(&[news])).await;
    if let Ok(Err(error)) = told {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

impl Config {
    fn check(self) -> Result<(), Error> {
        let path = self.config;
        let config = KeydConfig::load(&path)?;
        let judge = judge_as(self.user.as_deref(), &config.state)?;
        not_exposed(&config, &path)?;
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        if let Err(error) = keyd::look(&config, base) {
            if let Some(judge) = judge {
                eprintln!("note: this is what {judge} finds; --user names another user");
            }
            return Err(error.into());
        }
        let by = judge.map(|judge| format!(" by {judge}"));
        print(&format!(
            "{} can be used{}",
            path.display(),
            by.unwrap_or_default()
        ))
    }
}

/// Its ceilings are all that a service that was taken over can get: so nobody else may write it, or put another in its place.
fn not_exposed(config: &KeydConfig, path: &Path) -> Result<(), Error> {
    match exposed_of_keyd(config, path) {
        none if none.is_empty() => Ok(()),
        exposed => Err(Error::Exposed { exposed }),
    }
}

impl Log {
    fn run(self) -> Result<(), Error> {
        let mut before: Option<keyd::Walked> = None;
        for path in self.files {
            let walked = keyd::walk_after(&path, before.as_ref())?;
            let keyd::Walked { seq, last, .. } = &walked;
            print(&format!("{}: OK up to line {seq}, {last}", path.display()))?;
            before = Some(walked);
        }
        Ok(())
    }
}

const HELP: &str = "\
Signals: SIGTERM and SIGINT stop it once what was begun is done; SIGHUP makes it read the delegations again.

Examples:
  dc-signer keyd --config /etc/dc-keyd/keyd.toml
  dc-signer keyd status --socket /run/dc-keyd/socket
  dc-signer keyd csr --socket /run/dc-keyd/socket --zone cpe.example.com --out request.csr
  dc-signer keyd install --socket /run/dc-keyd/socket --chain chain.pem --out vendor";
