//! The warning that a zone has credentials of both forms: log, check, commands, JSON and pages say it in these words.

use std::fmt;

use pki_types::UnixTime;

use dc_pki::names::ZoneName;
use dc_pki::time::Moment;
use dc_store::registry::{BothForms, Zone};

/// A zone in which unnamed credentials undo what the named ones are for.
///
/// All certificates of a zone have one wildcard, so an unnamed credential of one device answers for every other: to clients that
/// accept only that form, and to those that accept both. It stops nothing, because fleets that have clients such as Firefox need
/// both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BothFormsWarning {
    /// The zone.
    pub zone: ZoneName,
    /// Both are issued still, or one of them is ending.
    pub forms: BothForms,
}

impl BothFormsWarning {
    /// The warning about a zone, if both forms may be valid in it.
    #[must_use]
    pub fn of(zone: &Zone, now: UnixTime) -> Option<Self> {
        let forms = zone.both_forms(now)?;
        let zone = zone.zone.clone();
        Some(Self { zone, forms })
    }
}

impl fmt::Display for BothFormsWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = &self.zone;
        match self.forms {
            BothForms::Issued => write!(
                f,
                "zone {zone} issues both forms under one wildcard: whoever has the rfc9345 credential of one device can answer for every other, except to clients that require the named form. Give devices that need rfc9345 a zone of their own, and this one 'dc-signer zones forms {zone} named --reason WHY --config FILE'"
            ),
            BothForms::Ending { until } => write!(
                f,
                "zone {zone} has changed its forms, and until {} credentials of both may be valid: whoever has the rfc9345 one of one device can answer for every other, except to clients that require the named form. That ends by itself",
                Moment(until)
            ),
        }
    }
}
