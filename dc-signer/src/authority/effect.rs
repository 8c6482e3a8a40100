//! The change that an act of two operators would make, for whoever is to agree to it.

use super::approvals::{Asked, NAMED};
use super::{Authority, Error};
use dc_pki::names::ZoneName;
use dc_pki::time::Moment;
use dc_store::Find;
use dc_store::registry::{DelegationState, Device, Operator, ZoneDelegation};

impl Authority {
    /// The devices of an act, for whoever is to agree to it: a few of them.
    ///
    /// Fails with [`Error::Store`].
    pub async fn some_devices(&self, asked: &Asked) -> Result<Vec<Device>, Error> {
        let devices = match asked {
            Asked::Retire { devices } => devices.as_slice(),
            Asked::NewName { device } => std::slice::from_ref(device),
            _ => return Ok(Vec::new()),
        };
        let mut found = Vec::new();
        for id in devices.iter().take(NAMED) {
            let device = self.store.find_device(&Find::Id(id.parse()?)).await?;
            found.extend(device);
        }
        Ok(found)
    }

    /// The change that an act would make to how things are now: a few lines for whoever is to agree to it.
    ///
    /// Fails with [`Error::Store`].
    pub async fn effect(&self, asked: &Asked) -> Result<Vec<String>, Error> {
        Ok(match asked {
            Asked::AddOperator(new) | Asked::EnableOperator(new) | Asked::RenewOperator(new) => {
                let before = self.store.operator(&new.operator.parse()?).await?;
                vec![match before {
                    None => format!("{} is no operator yet", new.operator),
                    Some(Operator { role, disabled, .. }) => format!(
                        "{} has role {role} now{}",
                        new.operator,
                        if disabled { ", and is kept out" } else { "" }
                    ),
                }]
            }
            Asked::DisableOperator { operator } => {
                vec![format!("fewer than two admins are left without {operator}")]
            }
            Asked::LowerApproval { .. } => {
                vec![format!("now it is {}", self.four_eyes().await?)]
            }
            Asked::NewName { .. } => {
                let found = self.some_devices(asked).await?;
                found.iter().map(renamed_text).collect()
            }
            Asked::EndSlot { zone, .. } | Asked::Rollover { zone, .. } => {
                let managed = self.managed(&ZoneName::parse(zone)?).await?;
                let slots = managed.delegations.iter();
                let slots = slots.filter(|slot| slot.state != DelegationState::Gone);
                slots.map(|slot| slot_text(zone, slot)).collect()
            }
            Asked::Retire { devices } => {
                let found = self.some_devices(asked).await?;
                let mut lines: Vec<_> = found.iter().map(device_text).collect();
                if let more @ 1.. = devices.len().saturating_sub(lines.len()) {
                    lines.push(format!("and {more} more, all for good"));
                }
                lines
            }
        })
    }
}

fn slot_text(zone: &str, slot: &ZoneDelegation) -> String {
    format!(
        "slot {} of {zone} is {} now, ends on {}, and has certificate {}",
        slot.number,
        slot.state,
        Moment(slot.not_after),
        slot.certificate_sha256
    )
}

fn renamed_text(device: &Device) -> String {
    let (external_id, name) = (&device.external_id, &device.name);
    format!("{external_id} is {name} now, a name that nobody would ever get again")
}

fn device_text(device: &Device) -> String {
    let Device {
        external_id,
        name,
        state,
        ..
    } = device;
    format!("{external_id} ({name}) is {state} now, and would be retired for good")
}
