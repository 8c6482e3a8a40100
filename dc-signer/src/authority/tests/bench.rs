//! A signer with a zone, and a vendor who has its keys.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pki_types::UnixTime;
use tempfile::TempDir;

use crate::authority::json::{AddedDevice, NewDevice};
use crate::authority::{Authority, Error, claim};
use crate::config::Config;

use crate::testing::Database;
use dc_pki::Forms;
use dc_pki::names::ZoneName;
use dc_pki::test_ca::{self, TestRoot};
use dc_store::registry::{Access, Device, Operator, Role, Sha256};
use dc_store::{Act, Find, NewZone, Store};

/// A signer over a database, with a data folder of its own.
pub(crate) struct Bench {
    pub(crate) authority: Authority,
    pub(crate) store: Arc<Store>,
    pub(crate) config: Config,
    /// When the test begins.
    pub(crate) now: UnixTime,
    root: TestRoot,
    pub(crate) folder: TempDir,
}

impl Bench {
    /// With a zone and an active delegation certificate of 90 days.
    pub(crate) async fn new(database: &Database) -> Self {
        let bench = Self::empty(database, "").await;
        bench.add_zone("cpe.example.com", Forms::Both).await;
        bench.import(bench.now).await;
        bench.authority.keep_zones(bench.now).await.unwrap();
        bench
    }

    /// Without a zone; `settings` is put behind the configuration's first lines.
    pub(crate) async fn empty(database: &Database, settings: &str) -> Self {
        let now = dc_pki::clock::now().unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()));
        let folder = TempDir::new().unwrap();
        let config = config(&folder, settings);
        let authority = Authority::open(&config, database.store.clone()).await;
        // Secrets are made for an empty log.
        first_operator(&database.store, now).await;
        Self {
            authority: authority.unwrap(),
            store: database.store.clone(),
            config,
            now,
            root: TestRoot::generate(now).unwrap(),
            folder,
        }
    }

    /// Another signer over the same database, with a copy of this one's data folder.
    pub(crate) async fn other(&self, database: &Database) -> Authority {
        let data = self.folder.path().join("other");
        copy(&self.config.data, &data);
        let config = Config {
            data,
            ..self.config.clone()
        };
        Authority::open(&config, database.other().await)
            .await
            .unwrap()
    }

    pub(crate) async fn add_zone(&self, zone: &str, forms: Forms) {
        let zone = ZoneName::parse(zone).unwrap();
        let new = NewZone {
            zone,
            forms,
            roles: dc_pki::Roles::Server,
        };
        self.store.add_zone(&new, &self.by(self.now)).await.unwrap();
        self.authority.keep_zones(self.now).await.unwrap();
    }

    /// Imports a certificate that was made at a time, 90 days long, then; says its slot.
    pub(crate) async fn import(&self, made: UnixTime) -> u32 {
        let folder = self.vendor(&zone(), made);
        self.authority
            .import_delegation(&zone(), &folder, &self.by(made))
            .await
            .unwrap()
            .slot
    }

    /// A vendor's folder with a certificate that was made at a time.
    pub(crate) fn vendor(&self, zone: &ZoneName, made: UnixTime) -> PathBuf {
        let delegation = self.root.delegate(zone, made).unwrap();
        let folder = TempDir::new_in(self.folder.path()).unwrap().keep();
        test_ca::write(&folder, &self.root, &delegation).unwrap();
        folder
    }

    pub(crate) fn by(&self, at: UnixTime) -> Act {
        Act::new("operator:tester", at).because("a test".parse().ok())
    }

    /// So many seconds after the test began.
    pub(crate) fn after(&self, seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.now.as_secs() + seconds))
    }

    pub(crate) async fn add(&self, new: NewDevice) -> Result<AddedDevice, Error> {
        let added = self
            .authority
            .add_devices(&[&new], &self.by(self.now))
            .await;
        added.unwrap().pop().unwrap()
    }

    /// Adds a device that is to enrol with the code in the answer.
    pub(crate) async fn add_with_code(&self, external_id: &str) -> AddedDevice {
        let new = NewDevice {
            external_id: external_id.to_owned(),
            code: true,
            ..NewDevice::default()
        };
        self.add(new).await.unwrap()
    }

    pub(crate) async fn find(&self, external_id: &str) -> Device {
        let find = Find::ExternalId(external_id.parse().unwrap());
        self.store.find_device(&find).await.unwrap().unwrap()
    }

    /// The number of records of the audit log: none is added by what is refused.
    pub(crate) async fn records(&self) -> u64 {
        self.store.audit_head().await.unwrap().seq
    }
}

/// Makes the operator whose acts those of tests are, unless somebody is one.
pub(crate) async fn first_operator(store: &Store, now: UnixTime) {
    if store.first_operator().await.unwrap().is_some() {
        return;
    }
    let access = Access::Token(Sha256::of(b"token of tester"));
    let operator = Operator::new("tester".parse().unwrap(), Role::Admin, access, None);
    let by = claim::first(now).because("a test".parse().ok());
    store.put_operator(&operator, &by).await.unwrap();
}

pub(crate) fn zone() -> ZoneName {
    ZoneName::parse("cpe.example.com").unwrap()
}

fn config(folder: &TempDir, settings: &str) -> Config {
    let text = format!(
        "data = 'data'\nnode = 'node-1'\n{settings}\n[listen]\naddress = '[::]:1'\ncertificate = 'c'\nkey = 'k'\n"
    );
    Config::parse(&text, folder.path()).unwrap()
}

pub(crate) fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
