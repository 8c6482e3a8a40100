//! `dc-signer certificate order`: one order, now.

use std::path::{Path, PathBuf};

use dc_inspect::delegation_csr::{self, KeySource, NewKey};
use dc_pki::delegation::{self, CHAIN, KEY, KEY_URI};
use dc_pki::files::{self, Access, NewFile};
use dc_pki::names::ZoneName;
use dc_pki::time::Moment;
use dc_pki::{Roles, clock, pem};
use dc_signer::authority::Import;
use dc_signer::renewal::ordering::{self, ConfiguredCa, OrderingError, Wanted};
use dc_signer::renewal::returned::Returned;
use dc_store::owner;
use dc_store::registry::{self, Role, Zone};
use serde_json::json;

use super::super::error::Error;
use super::super::place::{Acting, Open, Why};
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
    /// Order with the key and the request of this folder, as 'dc-signer csr' makes them; the folder stays as it is
    #[arg(long, value_name = "DIR", conflicts_with = "new_key")]
    request: Option<PathBuf>,
    /// Begin anew, with a new key, although an earlier order has not come to its end
    #[arg(long)]
    new_key: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let (needed, why) = (Role::Admin, Some(&self.why.reason));
        self.acting
            .with_operators(false, needed, why, async |open, config, who| {
                let zone = self.zone(open).await?;
                let ca = ConfiguredCa::of(config, &self.zone).ok_or_else(|| Error::NoCa {
                    zone: self.zone.clone(),
                })?;
                let folder = ordering::folder(&config.data, &self.zone, zone.roles);
                match &self.request {
                    Some(given) => take(given, &folder)?,
                    None => prepare(&folder, &zone, self.new_key)?,
                }
                // The CA may be behind a program, and a DNS server may.
                owner::stay_owner()?;
                let returned = ordered(open, &ca, &zone, &folder).await?;
                let import = Import::read(&folder, open.authority.unlock(), clock::now()?)?;
                let by = who.act()?;
                let imported = open
                    .authority
                    .take_delegation(&self.zone, import, &by)
                    .await?;
                // The key is with the certificate now.
                forget(&folder)?;
                warn(&imported.warnings);
                open.authority.keep_zones(clock::now()?).await?;
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

/// Places the order, and leaves what comes back beside the key, good or not.
async fn ordered(
    open: &Open,
    ca: &ConfiguredCa,
    zone: &Zone,
    folder: &Path,
) -> Result<Returned, Error> {
    let path = folder.join(REQUEST);
    let csr_der = pem::request(&path, &files::read(&path)?)?;
    let replaces = open.authority.active_certificate(&zone.zone).await?;
    let wanted = Wanted {
        zone: &zone.zone,
        roles: zone.roles,
        csr_der: &csr_der,
        replaces: replaces.as_deref(),
    };
    eprintln!("ordering {} from {}", zone.zone.wildcard(), ca.name());
    let began = clock::now()?;
    match ca.order(&wanted, || clock::now().unwrap_or(began)).await {
        Ok(returned) => {
            keep(folder, CHAIN, returned.chain_pem().as_bytes())?;
            Ok(returned)
        }
        Err(error) => {
            if let OrderingError::Wrong { chain, .. } = &error {
                keep(folder, REFUSED, chain)?;
                let path = folder.join(REFUSED);
                eprintln!("note: what the CA returned is in {}", path.display());
            }
            Err(error.into())
        }
    }
}

/// Copies key and request of a folder, which is whoever's runs this, unless they are here already.
fn take(given: &Path, folder: &Path) -> Result<(), Error> {
    let (name, key, request) = {
        let _invoker = owner::as_invoker()?;
        let name = delegation::key_file(given)?;
        let read = |name| files::read(&given.join(name));
        (name, read(name)?, read(REQUEST)?)
    };
    if files::is_there(&folder.join(REQUEST))? && *files::read(&folder.join(REQUEST))? == *request {
        return Ok(());
    }
    forget(folder)?;
    files::make_folder(folder, Access::Owner)?;
    keep(folder, name, &key)?;
    keep(folder, REQUEST, &request)
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
    for name in [KEY, KEY_URI, REQUEST, CHAIN, REFUSED] {
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
/// The answer of a CA that is not what was ordered.
const REFUSED: &str = "refused.pem";
