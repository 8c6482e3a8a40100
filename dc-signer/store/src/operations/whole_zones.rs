//! Zones that come with their first delegation certificate, and those that never had one and go again.

use crate::registry::{self, Action, SharedDelegation};
use crate::{Act, Error, NewDelegation, NewZone, Store};
use dc_pki::names::ZoneName;

use super::work::Work;
use super::{shared_delegations, slots, zones};

impl Store {
    /// Adds a zone, and its first delegation certificate in state `next`; with its key for the other signers, if it is shared. All
    /// of it is there or nothing.
    ///
    /// Fails with [`ZoneExists`](crate::registry::Error::ZoneExists).
    pub async fn add_zone_with(
        &self,
        zone: &NewZone,
        first: &NewDelegation,
        shared: Option<&SharedDelegation>,
        by: &Act,
    ) -> Result<u32, Error> {
        self.write("add_zone", async |work| {
            zones::add(work, zone, by).await?;
            let number = slots::import_delegation(work, first, by).await?;
            if let Some(shared) = shared {
                shared_delegations::put(&mut work.session, shared).await?;
            }
            Ok(number)
        })
        .await
    }

    /// Removes a zone that never had a delegation certificate, nor a device: nothing was ever issued in it.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone) and [`ZoneWasUsed`](crate::registry::Error::ZoneWasUsed).
    pub async fn remove_zone(&self, zone: &ZoneName, by: &Act) -> Result<(), Error> {
        self.write("remove_zone", async |work| remove(work, zone, by).await)
            .await
    }
}

async fn remove(work: &mut Work, zone: &ZoneName, by: &Act) -> Result<(), Error> {
    let name = zone.to_string();
    let of_zone = || vec![name.as_str().into()];
    // Names of devices and slots that are gone stay in their tables, so these say what has ever been.
    let sql = "SELECT zone FROM slots WHERE zone = $1 UNION ALL SELECT zone FROM devices WHERE zone = $1 \
               UNION ALL SELECT zone FROM names WHERE zone = $1 \
               UNION ALL SELECT zone FROM lost_names WHERE zone = $1 LIMIT 1";
    if work.session.fetch_one(sql, of_zone()).await?.is_some() {
        return Err(registry::Error::ZoneWasUsed.into());
    }
    let sql = "DELETE FROM renewals WHERE zone = $1";
    work.session.execute(sql, of_zone()).await?;
    let sql = "DELETE FROM zones WHERE zone = $1";
    if work.session.execute(sql, of_zone()).await? == 0 {
        return Err(registry::Error::UnknownZone.into());
    }
    let mut entry = work.entry(Action::RemoveZone, by);
    entry.zone = Some(name.clone());
    work.log(entry);
    Ok(())
}
