//! The warning that a zone issues for clients by its roles and not by its certificate: log and check say it in these words.

use std::fmt;

use super::issuing_status::in_use;
use super::view::ZoneView;
use dc_pki::Roles;
use dc_pki::names::ZoneName;

/// A delegation certificate for servers alone, in a zone that issues for clients as well.
///
/// Roles and certificates are checked when either is changed, but two operators who change both at once may each be in time.
/// Devices get their server's credentials, and none as clients.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServersAloneWarning {
    /// The zone.
    pub zone: ZoneName,
    /// The certificate's slot.
    pub slot: u32,
}

impl ServersAloneWarning {
    /// The warnings about a zone, one for each such certificate that is or will be issued from and whose key is here.
    pub(super) fn of(view: &ZoneView) -> Vec<Self> {
        if view.managed.roles != Roles::Both {
            return Vec::new();
        }
        let slots = in_use(view).filter(|slot| {
            let loaded = view.loaded(&slot.certificate_sha256);
            loaded.is_some_and(|loaded| loaded.for_clients.is_none())
        });
        let zone = &view.managed.zone;
        slots
            .map(|slot| Self {
                zone: zone.clone(),
                slot: slot.number,
            })
            .collect()
    }
}

impl fmt::Display for ServersAloneWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { zone, slot } = self;
        write!(
            f,
            "zone {zone} issues for clients, and the certificate of slot {slot} is for servers alone: devices get no credential as clients under it. Import one with clientAuth in its extKeyUsage by 'dc-signer zones rollover {zone} --import DIR --now --config FILE', or give the zone up for clients by 'dc-signer zones roles {zone} server --config FILE'"
        )
    }
}
