//! The warning that a zone issues for clients by its roles and not by its certificate: log and check say it in these words.

use std::fmt;

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

impl fmt::Display for ServersAloneWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { zone, slot } = self;
        write!(
            f,
            "zone {zone} issues for clients, and the certificate of slot {slot} is for servers alone: devices get no credential as clients under it. Import one with clientAuth in its extKeyUsage by 'dc-signer zones rollover {zone} --import DIR --now --reason WHY --config FILE', or give the zone up for clients by 'dc-signer zones roles {zone} server --reason WHY --config FILE'"
        )
    }
}
