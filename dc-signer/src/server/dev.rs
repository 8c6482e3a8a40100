//! `serve --dev`: a vendor, a service and a device out of nothing, in one folder, to try it out.

mod device;
mod welcome;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pki_types::UnixTime;

use crate::authority::json::NewDevice;
use crate::authority::operators::new_token;
use crate::authority::{self, Authority, claim};
use crate::config::Config;
use crate::server::{self, ServiceError as Error};
use dc_pki::Forms;
use dc_pki::clock;
use dc_pki::files::{self, Access, NewFile};
use dc_pki::names::{self, ZoneName};
use dc_pki::test_ca::{self, TestRoot};
use dc_store::registry::{self, Operator, OperatorName, Reason, Role, Sha256, State};
use dc_store::{Act, Filter, NewZone, Page, Store};
use welcome::Welcome;

/// The folder of a trial.
#[derive(Debug)]
pub struct Dev {
    folder: PathBuf,
    config: PathBuf,
}

impl Dev {
    /// Makes the folder with a root, a delegation certificate, the service's own certificate and a
    /// configuration, unless they are there from the last time.
    ///
    /// Fails with [`Error::Write`](dc_pki::Error::Write), and with [`Error::Exists`](dc_pki::Error::Exists) if the folder holds something else.
    pub fn open(folder: &Path, now: UnixTime) -> Result<Self, Error> {
        let made = Self {
            folder: folder.into(),
            config: folder.join("config.toml"),
        };
        if !files::exists(&made.config) {
            made.make(now)?;
        }
        let folder = std::fs::canonicalize(folder).map_err(|source| dc_pki::Error::Read {
            path: folder.into(),
            source,
        })?;
        Ok(Self {
            config: folder.join("config.toml"),
            folder,
        })
    }

    fn make(&self, now: UnixTime) -> Result<(), Error> {
        let root = TestRoot::generate(now)?;
        let delegation = root.delegate(&ZoneName::parse(ZONE)?, now)?;
        test_ca::write(&self.folder.join(VENDOR), &root, &delegation)?;
        let server = root.certify_server(&names::parse("localhost")?, now)?;
        test_ca::write_server(&self.folder.join("tls"), &server)?;
        // Last: with it the folder counts as made.
        let file = NewFile {
            name: "config.toml",
            contents: CONFIG.as_bytes(),
            access: Access::Everyone,
        };
        Ok(files::stage(&self.folder, &file)?.create()?)
    }

    /// The configuration that was made.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Puts a zone, an operator and a device that has not enrolled yet into the database.
    ///
    /// Fails with what the database and the authority fail with.
    pub async fn fill(&self, config: &Config) -> Result<Welcome, Error> {
        let (store, _in_use) = authority::database::open(config).await?;
        let authority = Authority::open(config, store.clone()).await?;
        let now = clock::now()?;
        let act = self.operator(config, &store, now).await?;
        if store.zones().await?.is_empty() {
            let zone = ZoneName::parse(ZONE)?;
            store
                .add_zone(
                    &NewZone {
                        zone: zone.clone(),
                        forms: Forms::Named,
                        roles: dc_pki::Roles::Server,
                    },
                    &act,
                )
                .await?;
            let vendor = self.folder.join(VENDOR);
            authority.import_delegation(&zone, &vendor, &act).await?;
            authority.rollover(&zone, false, &act).await?;
        }
        let filled = self.new_device(&authority, &act).await;
        store.close().await;
        filled
    }

    /// Whoever does all of it: the operator of the trial, who is made first, or anew if there is no file with the token or it has
    /// ended: then without a credential, as somebody at the machine would.
    async fn operator(&self, config: &Config, store: &Store, now: UnixTime) -> Result<Act, Error> {
        let reason = || "a trial".parse::<Reason>().ok();
        let name: OperatorName = NAME.parse().map_err(dc_store::Error::from)?;
        let there = store.operator(&name).await?;
        let may_act = there
            .as_ref()
            .is_some_and(|one| !one.disabled && one.expires.is_none_or(|end| end > now));
        let token = self.folder.join(TOKEN);
        if !may_act || !files::exists(&token) {
            let by = match there {
                None => claim::first(now),
                Some(_) => claim::at_the_machine(now),
            };
            let by = by.because(reason());
            if by.is_without_credential() {
                store.break_glass(&by).await?;
            }
            if files::exists(&token) {
                files::remove(&token)?;
            }
            let operator = self.new_operator(config, now)?;
            store.put_operator(&operator, &by).await?;
        }
        Ok(Act::new(format!("operator:{NAME}"), now).because(reason()))
    }

    /// An administrator, whose token is in a file that only the owner reads.
    fn new_operator(&self, config: &Config, now: UnixTime) -> Result<Operator, Error> {
        let token = new_token()?;
        let file = NewFile {
            name: TOKEN,
            contents: token.as_bytes(),
            access: Access::Owner,
        };
        files::stage(&self.folder, &file)?.create()?;
        let access = registry::Access::Token(Sha256::of(token.as_bytes()));
        let name = NAME.parse().map_err(dc_store::Error::from)?;
        let ends = authority::operators::ends(&config.operators, None, now)?;
        Ok(Operator::new(name, Role::Admin, access, Some(ends)))
    }

    /// The next device, with a code: each start shows how one enrols.
    async fn new_device(&self, authority: &Authority, act: &Act) -> Result<Welcome, Error> {
        let page = Page {
            limit: Page::MAX,
            ..Page::default()
        };
        let listed = authority.list_devices(&Filter::default(), &page).await?;
        let waiting = |device: &&registry::Device| device.state == State::Preregistered;
        let external_id = match listed.devices.iter().find(waiting) {
            Some(device) => device.external_id.to_string(),
            None => format!("router-{}", listed.devices.len() + 1),
        };
        let new = NewDevice {
            external_id,
            code: true,
            ..NewDevice::default()
        };
        let mut added = authority.add_devices(&[&new], act).await?;
        // One was given, so one comes back.
        let mut added = added.pop().ok_or(authority::Error::WhichZone)??;
        if added.code.is_none() {
            // The one of the last start cannot be shown again.
            let device = added.id.parse().map_err(dc_store::Error::from)?;
            added.code = Some(authority.new_code(device, act).await?);
        }
        Ok(Welcome::new(&self.folder, added))
    }

    /// Starts a device that serves whatever identity lies in the folder `device`.
    ///
    /// Fails with [`crate::server::Error::Listen`].
    pub fn start_device(&self) -> Result<SocketAddr, server::Error> {
        device::start(self.folder.join("device"))
    }
}

const NAME: &str = "dev";
const ZONE: &str = "cpe.example.com";
const TOKEN: &str = "operator.token";
const VENDOR: &str = "vendor";
const CONFIG: &str = "\
# Made by 'dc-signer serve --dev'; 'dc-signer serve --config' takes it as well.
data = \"data\"
node = \"dev\"

[listen]
address = \"127.0.0.1:8443\"
certificate = \"tls/chain.pem\"
key = \"tls/key.pem\"

[limits]
# Somebody who tries things out comes more often than a device.
device_period = \"1s\"
device_burst = 100

[metrics]
access = \"anyone\"
";
