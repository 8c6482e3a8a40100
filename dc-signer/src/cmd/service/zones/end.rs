//! `dc-signer zones end`: a certificate that is not to be issued from any more, at once.

use dc_pki::names::ZoneName;
use dc_signer::authority::approvals::Outcome;
use dc_store::registry::{Role, State, Zone};
use dc_store::{Filter, Page};

use crate::cmd::service::approvals;
use crate::cmd::service::confirm::confirm;
use crate::cmd::service::error::Error;
use crate::cmd::service::place::{Acting, Open, Why};
use crate::cmd::warn;

/// End a slot of a zone before its time, and remove its key
///
/// For one that was imported by mistake, and for one whose key was stolen, when its devices have left it: 'devices list --on-slot' has
/// those that have not. The slot that the zone issues from cannot be ended: roll over first. Credentials under an ended slot stay
/// valid to their end; only the CA can revoke their certificate. With approval.zones_end in the configuration it takes a second
/// operator, but for a slot that is next, under which nothing was issued.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The zone
    #[arg(value_parser = ZoneName::parse)]
    zone: ZoneName,
    /// The number of the slot, as 'zones list' has it
    slot: u32,
    /// Do not ask whether it is meant
    #[arg(long)]
    yes: bool,
    /// Print the zone as JSON, or what waits for a second operator
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    why: Why,
    #[command(flatten)]
    acting: Acting,
}

impl Args {
    pub(super) fn run(self) -> Result<(), Error> {
        let Self {
            zone,
            slot,
            yes,
            json,
            why,
            acting,
        } = self;
        confirm(
            &format!(
                "End slot {slot} of {zone}? Nothing is ever issued from it again, and its key is removed from the signers."
            ),
            yes,
        )?;
        acting.with_authority(Role::Admin, Some(&why.reason), async |open, who| {
            let (name, act) = (who.caller().name(), who.act()?);
            let ended = open.authority.end_or_ask(&zone, slot, name, &act).await?;
            let ended = match ended {
                Outcome::Waits(approval) => {
                    return Err(approvals::waits_for(&approval, &acting, json));
                }
                Outcome::Done(zone) => zone,
            };
            warn(&open.authority.untold());
            if let Some(devices) = still_on(open, &ended, slot).await? {
                eprintln!(
                    "warning: {devices} hold a credential under it, as 'devices list --zone {zone} --on-slot {slot}' shows: clients take it until \
                     it ends or the CA revokes the certificate"
                );
            }
            super::show_as(open, &zone, json).await
        })
    }
}

/// The number of active devices whose latest credential is under a slot, in words; none if there is none.
async fn still_on(open: &Open, zone: &Zone, slot: u32) -> Result<Option<String>, Error> {
    let mut slots = zone.delegations.iter();
    let delegation = slots.find(|one| one.number == slot);
    let filter = Filter {
        state: Some(State::Active),
        zone: Some(zone.zone.clone()),
        delegation: delegation.map(|one| one.certificate_sha256),
        ..Filter::default()
    };
    let page = Page {
        limit: Page::MAX,
        ..Page::default()
    };
    let listed = open.store.list_devices(&filter, &page).await?;
    Ok(match (listed.devices.len(), listed.next) {
        (0, _) => None,
        (1, _) => Some("1 device may".to_owned()),
        (some, None) => Some(format!("{some} devices may")),
        (some, Some(_)) => Some(format!("more than {some} devices may")),
    })
}
