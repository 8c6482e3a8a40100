//! `dc-signer zones remove`: a zone that was added by mistake.

use dc_pki::names::ZoneName;
use dc_signer::config::Config;
use dc_store::registry::Role;

use crate::cmd::service::error::Error;
use crate::cmd::service::place::{Acting, Why};
use crate::cmd::service::print;

/// Remove a zone that never had a delegation certificate or a device
///
/// For one that was added by mistake: nothing was ever issued in it. A zone that has or had a certificate or a device stays, because
/// what was issued in it may be asked about. Warns if the configuration still names it, for a manufacturer or a CA.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The zone
    #[arg(value_parser = ZoneName::parse)]
    zone: ZoneName,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let Self { zone, why, acting } = self;
        let named = Config::load(&acting.place.config)?.named_zones();
        acting.with_authority(Role::Admin, Some(&why.reason), async |open, who| {
            open.authority.remove_zone(&zone, &who.act()?).await?;
            for named in named.iter().filter(|named| named.is(&zone)) {
                eprintln!("warning: {named}");
            }
            print(&format!("zone {zone} is removed"))
        })
    }
}
