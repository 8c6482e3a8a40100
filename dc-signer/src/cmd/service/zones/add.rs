//! `dc-signer zones add`: a zone, with its first certificate or for one that comes later.

use std::path::PathBuf;

use dc_pki::names::ZoneName;
use dc_pki::time::Moment;
use dc_pki::{Forms, Roles};
use dc_signer::authority::Import;
use dc_store::NewZone;
use dc_store::registry::{Reason, Role};

use crate::cmd::service::error::Error;
use crate::cmd::service::place::{Acting, Actor, Open};
use crate::cmd::warn;

/// Add a zone, with its first delegation certificate
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The zone, such as cpe.example.com
    #[arg(value_parser = ZoneName::parse)]
    zone: ZoneName,
    /// What its devices get: named, both or rfc9345. With the last two every device can pose as every other
    /// to clients that do not require the unique name
    #[arg(long, default_value = "named")]
    forms: Forms,
    /// A folder with the delegation certificate's chain.pem and key.pem; a copy is kept in the data folder
    #[arg(long, value_name = "DIR")]
    import: Option<PathBuf>,
    /// The reason or a ticket, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,
    #[command(flatten)]
    acting: Acting,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        // Its first certificate takes no other's place.
        let first: Option<Reason> = FIRST.parse().ok();
        let why = self.reason.as_ref().or(first.as_ref());
        self.acting
            .with_authority(Role::Admin, why, async |open, who| {
                let new = NewZone {
                    zone: self.zone.clone(),
                    forms: self.forms,
                    roles: Roles::Server,
                };
                match &self.import {
                    None => open.store.add_zone(&new, &who.act()?).await?,
                    Some(folder) => with_first(open, who, &new, super::read(open, folder)?).await?,
                }
                super::show(open, &self.zone).await
            })
    }
}

/// Adds a zone with its first certificate, and issues from that at once if it has begun.
async fn with_first(open: &Open, who: &Actor, new: &NewZone, first: Import) -> Result<(), Error> {
    let act = who.act()?;
    let begins = first.not_before();
    let added = open.authority.add_zone_with(new, first, &act).await?;
    warn(&added.warnings);
    match begins <= act.at {
        true => drop(
            open.authority
                .rollover(&new.zone, false, &who.act()?)
                .await?,
        ),
        false => eprintln!(
            "note: its certificate begins on {}, and is issued from by itself from then on",
            Moment(begins)
        ),
    }
    Ok(())
}

/// The reason for a zone's first certificate, if nobody says another.
const FIRST: &str = "the zone's first certificate";
