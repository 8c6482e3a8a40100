//! Where a command works: the configuration, its database, and whoever runs it.

use super::credential::Credential;
use super::error::Error;
use crate::cmd::warn;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dc_pki::{clock, files};
use dc_signer::authority::Authority;
use dc_signer::authority::claim::Caller;
use dc_signer::authority::clock_agrees;
use dc_signer::authority::database;
use dc_signer::checkpoints::{self, AtOnce};
use dc_signer::config::Config;
use dc_store::owner::{self, Account, Invoker};
use dc_store::registry::{Device, Error as Registry, Reason, Role};
use dc_store::{Act, Find, Store};
use pki_types::UnixTime;

/// The configuration that a command takes.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The configuration of the service, which says where the database is
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
}

/// The open database and the signer over it.
pub(super) struct Open {
    pub(super) store: Arc<Store>,
    pub(super) authority: Authority,
}

impl Place {
    /// Runs a command that needs the signer's keys and decisions.
    pub(super) fn with_authority(
        &self,
        work: impl AsyncFnOnce(&Open) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.with_config_and_authority(async |_, open| work(open).await)
    }

    /// The same, with what is configured.
    pub(super) fn with_config_and_authority(
        &self,
        work: impl AsyncFnOnce(&Config, &Open) -> Result<(), Error>,
    ) -> Result<(), Error> {
        block_on(async {
            let config = self.enter()?;
            let (store, _in_use) = database::open(&config).await?;
            let authority = Authority::open(&config, store.clone()).await?;
            let open = Open { store, authority };
            let done = work(&config, &open).await;
            open.store.close().await;
            done
        })
    }

    /// Runs a command that needs the database alone.
    pub(super) fn with_store(
        &self,
        work: impl AsyncFnOnce(&Store) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.with_config_and_store(async |_, store| work(store).await)
    }

    /// The same, with what is configured.
    pub(super) fn with_config_and_store(
        &self,
        work: impl AsyncFnOnce(&Config, &Store) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.with_config(async |config| {
            let (store, _in_use) = database::open(&config).await?;
            let done = work(&config, &*store).await;
            store.close().await;
            done
        })
    }

    /// Runs a command that needs the configuration alone.
    pub(super) fn with_config(
        &self,
        work: impl AsyncFnOnce(Config) -> Result<(), Error>,
    ) -> Result<(), Error> {
        block_on(async { work(self.enter()?).await })
    }

    /// Reads the configuration, and does from now on what is done in its data folder as the folder's owner.
    fn enter(&self) -> Result<Config, Error> {
        let config = Config::load(&self.config)?;
        let data = &config.data;
        owner::work_as_owner(data)?;
        if Account::me().is_root() && !files::is_there(data)? {
            // The user of the unit, where it is installed.
            let user = Account::named("dc-signer").map_or("USER", |_| "dc-signer");
            eprintln!(
                "note: {0} will be root's, because root makes it: if the service runs as another user, do 'chown -R {user}: {0}' then",
                data.display()
            );
        }
        Ok(config)
    }
}

/// For a file that a command is given: whoever runs it reads and writes it, unless it is in a folder of the service's user, where a link
/// may lead root anywhere. Holds as long as the result lives.
pub(super) fn for_file(path: &Path) -> Result<Option<Invoker>, Error> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let owner = Account::owning(folder).ok().flatten();
    match owner.is_some_and(|owner| owner.is_same_user(&Account::me())) {
        true => Ok(None),
        false => Ok(Some(owner::as_invoker()?)),
    }
}

fn block_on(work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Runtime { source })?
        .block_on(work)
}

impl Open {
    /// The device that somebody named by its external id, its id or its unique name.
    pub(super) async fn device(&self, text: &str) -> Result<Device, Error> {
        device(&self.store, text).await
    }
}

/// The device in a database that somebody named by its external id, its id or its unique name.
pub(super) async fn device(store: &Store, text: &str) -> Result<Device, Error> {
    let external_id = text.parse().map(Find::ExternalId).ok();
    let id = text.parse().map(Find::Id).ok();
    let name = dc_pki::names::parse(text).map(Find::Name).ok();
    for find in [external_id, id, name].into_iter().flatten() {
        if let Some(device) = store.find_device(&find).await? {
            return Ok(device);
        }
    }
    let source = Registry::UnknownDevice;
    Err(dc_store::Error::Refused { source }.into())
}

/// The reason of an act that takes rights away or gives them back.
#[derive(Debug, clap::Args)]
pub(super) struct Why {
    /// The reason or a ticket, for the audit log: 3 to 200 characters
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Reason,
}

/// Where a command works, and who acts.
#[derive(Debug, clap::Args)]
pub(super) struct Acting {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) credential: Credential,
}

/// Whoever acts, with the right to it.
#[derive(Debug)]
pub(super) struct Actor(Caller);

impl Actor {
    /// An act of theirs, now.
    pub(super) fn act(&self) -> Result<Act, Error> {
        Ok(self.0.act(clock::now()?))
    }

    /// Their proof.
    pub(super) fn caller(&self) -> &Caller {
        &self.0
    }
}

/// The time, unless the database server says another: how long a token or a code is good, and the order of the log, follow from it.
async fn right_now(store: &Store) -> Result<UnixTime, Error> {
    let now = clock::now()?;
    let behind = clock_agrees(store, now).await?;
    warn(behind.as_slice());
    Ok(now)
}

impl Acting {
    /// Fails with [`Error::NobodyAgrees`] for whoever acts without a credential.
    pub(super) fn is_an_operators(&self) -> Result<(), Error> {
        // Without reading the token, which a pipe gives once.
        match self.credential.is_none() {
            true => Err(Error::NobodyAgrees),
            false => Ok(()),
        }
    }

    /// Runs a command that needs the signer's keys and decisions, for whoever has a role.
    pub(super) fn with_authority(
        &self,
        needed: Role,
        reason: Option<&Reason>,
        work: impl AsyncFnOnce(&Open, &Actor) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.with_operators(false, needed, reason, async |open, _, who| {
            work(open, who).await
        })
    }

    /// The same with the configuration; the first operator of a database is made by whoever has it, with nothing to show.
    pub(super) fn with_operators(
        &self,
        or_first: bool,
        needed: Role,
        reason: Option<&Reason>,
        work: impl AsyncFnOnce(&Open, &Config, &Actor) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let claim = self.credential.claim()?;
        self.place.with_config(async |config| {
            let (store, _in_use) = database::open(&config).await?;
            let done = async {
                let now = right_now(&store).await?;
                let caller = match or_first {
                    true => claim.check_or_first(&store, reason, now).await?,
                    false => claim.check(&store, needed, reason, now).await?,
                };
                let authority = Authority::open(&config, store.clone()).await?;
                let store = Arc::clone(&store);
                work(&Open { store, authority }, &config, &Actor(caller)).await
            };
            let done = done.await;
            self.bear_witness(&config, &store).await;
            store.close().await;
            done
        })
    }

    /// Runs a command that needs the configuration and the database alone, for whoever has a role.
    pub(super) fn with_store(
        &self,
        needed: Role,
        reason: Option<&Reason>,
        work: impl AsyncFnOnce(&Config, &Store, &Actor) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let claim = self.credential.claim()?;
        self.place.with_config(async |config| {
            let (store, _in_use) = database::open(&config).await?;
            let done = async {
                let now = right_now(&store).await?;
                let caller = claim.check(&store, needed, reason, now).await?;
                work(&config, &store, &Actor(caller)).await
            };
            let done = done.await;
            self.bear_witness(&config, &store).await;
            store.close().await;
            done
        })
    }

    /// An act without a credential has a checkpoint before the command ends, if that can be.
    async fn bear_witness(&self, config: &Config, store: &Arc<Store>) {
        if !self.credential.is_none() {
            return;
        }
        let said = match checkpoints::at_once(config, store).await {
            Ok(None) => return,
            Ok(Some(AtOnce { wanted, signed })) if signed >= wanted => {
                eprintln!("note: a checkpoint of {signed} records has it");
                return;
            }
            Ok(Some(AtOnce { signed, .. })) => format!("the last one is of {signed} records"),
            Err(error) => error.to_string(),
        };
        eprintln!(
            "warning: no checkpoint has the record of it: {said}; until one has, whoever has the database can take it out unnoticed"
        );
    }
}
