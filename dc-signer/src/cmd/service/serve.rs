//! `dc-signer serve`: the service itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dc_signer::config::Config;
use dc_signer::owner;
use dc_signer::server::check::check;
use dc_signer::server::dev::Dev;
use dc_signer::server::telemetry::start_log;
use dc_signer::server::{self, Signals};

use super::error::Error;
use super::print;
use crate::cmd::{provider, warn};

/// Run the service that devices enrol with and renew at
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    from: From,
    /// With --dev: the folder to work in; it is made if it is not there
    #[arg(
        long,
        value_name = "DIR",
        default_value = "dc-signer-dev",
        conflicts_with = "config"
    )]
    data: PathBuf,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct From {
    /// The configuration; 'dc-signer check' says what is wrong in one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Start from nothing, to try it out: a test root, a zone, SQLite and HTTPS on loopback
    #[arg(long)]
    dev: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::Runtime { source })?;
        if self.from.dev {
            owner::must_be_owner(&self.data)?;
            let dev = Dev::open(&self.data, dc_pki::clock::now()?)?;
            let served = runtime.block_on(serve_dev(&dev));
            runtime.shutdown_timeout(LEFT_OVER);
            return served;
        }
        // clap's group wants one of the two.
        let config = self.from.config.unwrap_or_default();
        let served = runtime.block_on(serve(&config));
        runtime.shutdown_timeout(LEFT_OVER);
        served
    }
}

async fn serve(path: &Path) -> Result<(), Error> {
    let provider = provider();
    // First of all: what somebody else may not read is not a fault of the configuration.
    if let Ok(config) = Config::load(path) {
        owner::must_be_owner(&config.data)?;
    }
    let (config, warnings) = check(path, &provider)?;
    warn(&warnings);
    let log = start_log(&config.log)?;
    let mut signals = Signals::listen()?;
    match server::start(config, provider, &mut signals).await? {
        Some(service) => Ok(server::serve(service, path, Some(log), signals).await?),
        None => Ok(()),
    }
}

async fn serve_dev(dev: &Dev) -> Result<(), Error> {
    let provider = provider();
    let (config, warnings) = check(dev.config(), &provider)?;
    warn(&warnings);
    let log = start_log(&config.log)?;
    let welcome = dev.fill(&config).await?;
    let device = dev.start_device()?;
    let mut signals = Signals::listen()?;
    let Some(service) = server::start(config, provider, &mut signals).await? else {
        return Ok(());
    };
    service.trust_clock()?;
    print(&welcome.commands(service.address()?, device))?;
    Ok(server::serve(service, dev.config(), Some(log), signals).await?)
}

/// How long a thread that hangs may keep the process from ending.
const LEFT_OVER: Duration = Duration::from_secs(2);
const HELP: &str = "\
Signals: SIGTERM and SIGINT stop it once the requests in progress are answered; SIGHUP makes it read the
configuration, its certificate and the delegation certificates again, without dropping connections.

Examples:
  dc-signer serve --dev
  dc-signer serve --config /etc/dc-signer/config.toml";
