//! `dc-signer certificate order`: one order, now.

use std::path::{Path, PathBuf};

use dc_inspect::delegation_csr::{self, KeySource, NewKey};
use dc_pki::delegation::{CHAIN, KEY};
use dc_pki::files::{self, Access, NewFile};
use dc_pki::names::ZoneName;
use dc_pki::time::Moment;
use dc_pki::{Roles, clock, pem};
use dc_signer::authority::Import;
use dc_signer::renewal::ordering::{self, ConfiguredCa, OrderingError, Wanted};
use dc_signer::renewal::returned::Returned;
use dc_store::owner;
use dc_store::registry::{self, Zone};
use serde_json::json;

use super::super::error::Error;
use super::super::place::{Open, Place, act};
use super::super::print;
use crate::cmd::warn;

/// Order a certificate now, and take it as the zone's next one
///
/// Makes a key and a request, orders at the zone's CA, looks at what comes back, and imports it as 'zones rollover --import' does.
/// An order that the CA is still busy with goes on, with the same key, when this is run again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The zone
    #[arg(long, value_name = "ZONE", value_parser = ZoneName::parse)]
    zone: ZoneName,
    /// Order with request.csr of this folder, as 'dc-signer csr' makes it, whose key is beside it; chain.pem comes there
    #[arg(long, value_name = "DIR", conflicts_with = "new_key")]
    request: Option<PathBuf>,
    /// Begin anew, with a new key, although an earlier order has not come to its end
    #[arg(long)]
    new_key: bool,
    #[command(flatten)]
    place: Place,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        self.place.with_config_and_authority(async |config, open| {
            let zone = self.zone(open).await?;
            let ca = ConfiguredCa::of(config, &self.zone).ok_or_else(|| Error::NoCa {
                zone: self.zone.clone(),
            })?;
            let own = ordering::folder(&config.data, &self.zone, zone.roles);
            let returned = self.returned(open, &ca, &zone, &own).await?;
            let folder = self.request.as_deref().unwrap_or(&own);
            let import =
                self.as_needed(|| Ok(Import::read(folder, open.authority.unlock(), act()?.at)?))?;
            let imported = open
                .authority
                .take_delegation(&self.zone, import, &act()?)
                .await?;
            if self.request.is_none() {
                // The key is with the certificate now.
                forget(&own)?;
            }
            warn(&imported.warnings);
            open.authority.keep_zones(act()?.at).await?;
            for waiting in open.authority.waiting() {
                eprintln!("note: {waiting}");
            }
            self.tell(&ca, imported.slot, &returned)
        })
    }

    async fn zone(&self, open: &Open) -> Result<Zone, Error> {
        let zones = open.store.zones().await?;
        let zone = zones.into_iter().find(|zone| zone.zone == self.zone);
        let source = registry::Error::UnknownZone;
        Ok(zone.ok_or(dc_store::Error::Refused { source })?)
    }

    /// Places the order, and leaves what comes back beside the key, good or not.
    async fn returned(
        &self,
        open: &Open,
        ca: &ConfiguredCa,
        zone: &Zone,
        own: &Path,
    ) -> Result<Returned, Error> {
        let folder = self.request.as_deref().unwrap_or(own);
        let csr_der = self.as_needed(|| {
            if self.request.is_none() {
                prepare(own, zone, self.new_key)?;
            }
            let path = folder.join(REQUEST);
            Ok(pem::request(&path, &files::read(&path)?)?)
        })?;
        let replaces = open.authority.active_certificate(&self.zone).await?;
        let wanted = Wanted {
            zone: &self.zone,
            roles: zone.roles,
            csr_der: &csr_der,
            replaces: replaces.as_deref(),
        };
        eprintln!("ordering {} from {}", self.zone.wildcard(), ca.name());
        let began = act()?.at;
        let ordered = ca.order(&wanted, || clock::now().unwrap_or(began)).await;
        self.as_needed(|| match ordered {
            Ok(returned) => {
                keep(folder, CHAIN, returned.chain_pem().as_bytes())?;
                Ok(returned)
            }
            Err(source) => {
                if let OrderingError::Wrong { chain, .. } = &source {
                    keep(folder, REFUSED, chain)?;
                    let path = folder.join(REFUSED);
                    eprintln!("note: what the CA returned is in {}", path.display());
                }
                Err(Error::Ordering(source))
            }
        })
    }

    /// Does something in the folder of the order, as whose it is: the service's, or whoever gave one.
    fn as_needed<T>(&self, work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let _invoker = self
            .request
            .as_ref()
            .map(|_| owner::as_invoker())
            .transpose()?;
        work()
    }

    fn tell(&self, ca: &ConfiguredCa, slot: u32, returned: &Returned) -> Result<(), Error> {
        let (from, to) = (returned.not_before(), returned.not_after());
        match self.json {
            true => print(&json!({
                "zone": self.zone.to_string(),
                "ca": ca.name(),
                "slot": slot,
                "not_before": from.as_secs(),
                "not_after": to.as_secs(),
            })),
            false => print(&format!(
                "slot {slot} of zone {} has a certificate from {} to {}: see 'dc-signer zones list'",
                self.zone,
                Moment(from),
                Moment(to)
            )),
        }
    }
}

/// Makes key and request, unless they are there from an order before.
fn prepare(folder: &Path, zone: &Zone, new_key: bool) -> Result<(), Error> {
    if new_key {
        forget(folder)?;
    }
    if files::is_there(&folder.join(REQUEST))? && files::is_there(&folder.join(KEY))? {
        return Ok(());
    }
    let roles: &[dc_core::Role] = match zone.roles {
        Roles::Both => &[dc_core::Role::Server, dc_core::Role::Client],
        Roles::Server => &[dc_core::Role::Server],
    };
    // A request without its key is nobody's, and a key without its request was never sent.
    forget(folder)?;
    let source = KeySource::New(NewKey::P256);
    delegation_csr::write(folder, &zone.zone, roles, source).map_err(crate::cmd::Error::from)?;
    Ok(())
}

/// Removes what an order has left.
fn forget(folder: &Path) -> Result<(), Error> {
    for name in [KEY, REQUEST, CHAIN, REFUSED] {
        files::remove(&folder.join(name))?;
    }
    Ok(())
}

fn keep(folder: &Path, name: &str, contents: &[u8]) -> Result<(), Error> {
    let access = Access::Owner;
    let file = NewFile {
        name,
        contents,
        access,
    };
    files::stage(folder, &file)?.replace()?;
    Ok(files::sync(folder)?)
}

/// The request, as `dc-signer csr` calls it.
const REQUEST: &str = "request.csr";
/// What a CA returned that is not what was ordered.
const REFUSED: &str = "refused.pem";
