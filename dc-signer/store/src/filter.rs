//! Which devices to list, and which part of the list.

use pki_types::UnixTime;

use crate::registry::{Device, ExternalId, Sha256, State};
use dc_pki::names::ZoneName;

/// Which devices to list; all that fit everything that is given.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// In this state.
    pub state: Option<State>,
    /// Under this zone.
    pub zone: Option<ZoneName>,
    /// Only those of which a clone is suspected, or none of those.
    pub possible_clone: Option<bool>,
    /// Whose external id begins so.
    pub external_id_prefix: Option<String>,
    /// Whose credential ends before this.
    pub expires_before: Option<UnixTime>,
    /// Whose latest credential is under the delegation certificate with this SHA-256.
    pub delegation: Option<Sha256>,
}

/// Which part of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    /// Only those after this one.
    pub after: Option<ExternalId>,
    /// At most so many, and never more than [`Page::MAX`].
    pub limit: u32,
}

impl Page {
    /// The most devices in one answer.
    pub const MAX: u32 = 1000;
}

/// Part of a list of devices.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed {
    /// In the order of their external ids.
    pub devices: Vec<Device>,
    /// Where the next part begins, if there is one.
    pub next: Option<ExternalId>,
}
