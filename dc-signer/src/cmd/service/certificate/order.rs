//! `dc-signer certificate order`: one order, now.

use std::path::PathBuf;

use dc_core::DelegationCertificate;
use dc_pki::names::ZoneName;
use dc_pki::time::Moment;
use dc_pki::{clock, delegation, files};
use dc_signer::authority::{Import, Imported};
use dc_signer::config::Config;
use dc_signer::renewal::ordering::{self, ConfiguredCa, OrderingError, Wanted};
use dc_signer::renewal::returned::Returned;
use dc_signer::renewal::{Given, KeyOf, OrderFolder, REQUEST};
use dc_store::owner;
use dc_store::registry::{self, DelegationState, Role, Zone};
use serde_json::json;

use super::super::error::Error;
use super::super::place::{Acting, Actor, Open, Why};
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
                let newest = zone.delegations.iter().rev();
                if let Some(next) = { newest }.find(|slot| slot.state == DelegationState::Next) {
                    eprintln!(
                        "note: zone {} has its next certificate already, slot {}, until {}: this orders one more",
                        self.zone,
                        next.number,
                        Moment(next.not_after)
                    );
                }
                let active = open.authority.active_certificate(&self.zone).await?;
                let folder = self.folder(open, config, &zone, active.as_deref())?;
                // The CA may be behind a program, and a DNS server may.
                owner::stay_owner()?;
                let taken = take(open, &ca, &zone, &folder, active.as_deref(), who).await;
                let (returned, imported) = match taken {
                    // The key is with the certificate now.
                    Ok(taken) => {
                        drop(folder);
                        taken
                    }
                    Err(error) => {
                        folder.keep();
                        return Err(error);
                    }
                };
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

    /// The folder to order in, with the key and the request that it is for.
    fn folder(
        &self,
        open: &Open,
        config: &Config,
        zone: &Zone,
        active: Option<&[u8]>,
    ) -> Result<OrderFolder, Error> {
        let path = ordering::folder(&config.data, &self.zone, zone.roles);
        if let Some(given) = &self.request {
            // It is whoever's runs this.
            let (key_name, key, request) = {
                let _invoker = owner::as_invoker()?;
                let name = delegation::key_file(given)?;
                let read = |name| files::read(&given.join(name));
                (name, read(name)?, read(REQUEST)?)
            };
            let given = Given {
                key_name,
                key: &key,
                request: &request,
            };
            return Ok(OrderFolder::take(path, &given).map_err(OrderingError::from)?);
        }
        if self.new_key && files::is_there(&path.join(REQUEST))? {
            files::remove(&path.join(REQUEST))?;
        }
        let active = active.map(|der| DelegationCertificate::parse(der.to_vec().into()));
        let active = active.and_then(Result::ok);
        let taken = active.as_ref().map(DelegationCertificate::spki);
        let unlock = open.authority.unlock();
        let made = OrderFolder::make(path, &self.zone, zone.roles, KeyOf::New, unlock, taken);
        Ok(made.map_err(OrderingError::from)?)
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

/// Orders a certificate, and takes it as the zone's next one.
async fn take(
    open: &Open,
    ca: &ConfiguredCa,
    zone: &Zone,
    folder: &OrderFolder,
    active: Option<&[u8]>,
    who: &Actor,
) -> Result<(Returned, Imported), Error> {
    let returned = ordered(ca, zone, folder, active).await?;
    let unlock = open.authority.unlock();
    let import = Import::read(folder.path(), unlock, clock::now()?)?;
    let by = who.act()?;
    let taken = open.authority.take_delegation(&zone.zone, import, &by);
    Ok((returned, taken.await?))
}

/// Places the order, and leaves what comes back beside the key, good or not.
async fn ordered(
    ca: &ConfiguredCa,
    zone: &Zone,
    folder: &OrderFolder,
    active: Option<&[u8]>,
) -> Result<Returned, Error> {
    let wanted = Wanted {
        zone: &zone.zone,
        roles: zone.roles,
        csr_der: folder.csr_der(),
        replaces: active,
    };
    eprintln!("ordering {} from {}", zone.zone.wildcard(), ca.name());
    let began = clock::now()?;
    match ca.order(&wanted, || clock::now().unwrap_or(began)).await {
        Ok(returned) => {
            let added = folder.add_chain(returned.chain_pem().as_bytes());
            added.map_err(OrderingError::from)?;
            Ok(returned)
        }
        Err(error) => {
            if let OrderingError::Wrong { chain, .. } = &error {
                let path = folder.add_refused(chain).map_err(OrderingError::from)?;
                eprintln!("note: what the CA returned is in {}", path.display());
            }
            Err(error.into())
        }
    }
}
