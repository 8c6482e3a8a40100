//! Which devices to list, and which part of the list.

use std::collections::BTreeSet;

use pki_types::UnixTime;

use crate::registry::{Crowd, Device, ExternalId, Search, Sha256, State};
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
    /// Whose credential ends at this time or later.
    pub expires_from: Option<UnixTime>,
    /// Only those that hold a credential, be it one that has ended, or none of those.
    pub has_credential: Option<bool>,
    /// Whose latest credential is under the delegation certificate with this SHA-256.
    pub delegation: Option<Sha256>,
    /// Meant by this text, in one of its ways.
    pub search: Option<Search>,
}

impl Filter {
    /// True if a device fits, as far as that can be seen of it: whether it is under a delegation certificate and what it is searched
    /// by is in other tables.
    pub(crate) fn fits(&self, device: &Device) -> bool {
        let Self {
            state,
            zone,
            possible_clone,
            external_id_prefix,
            expires_before,
            expires_from,
            has_credential,
            delegation: _,
            search: _,
        } = self;
        let expires = device.credential.map(|held| held.expires);
        let id = device.external_id.as_str();
        state.is_none_or(|state| device.state == state)
            && zone.as_ref().is_none_or(|zone| device.zone == *zone)
            && possible_clone.is_none_or(|flag| device.possible_clone == flag)
            && external_id_prefix
                .as_ref()
                .is_none_or(|prefix| id.starts_with(prefix))
            && expires_before.is_none_or(|end| expires.is_some_and(|expires| expires < end))
            && expires_from.is_none_or(|from| expires.is_some_and(|expires| expires >= from))
            && has_credential.is_none_or(|has| expires.is_some() == has)
    }
}

/// Which part of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    /// Only those after this one.
    pub after: Option<ExternalId>,
    /// The last ones before this one, if [`Page::after`] is not given; the first page, if there are fewer than fill one.
    pub before: Option<ExternalId>,
    /// At most so many, and never more than [`Page::MAX`].
    pub limit: u32,
    /// True to count all that fit too.
    pub count: bool,
}

impl Page {
    /// The most devices in one answer.
    pub const MAX: u32 = 1000;
    /// How far devices are counted.
    pub const COUNTED: u32 = 1000;
}

impl Default for Page {
    /// The first hundred, uncounted.
    fn default() -> Self {
        Self {
            after: None,
            before: None,
            limit: 100,
            count: false,
        }
    }
}

/// How many devices fit, as far as they were counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counted {
    /// So many were counted, [`Page::COUNTED`] at most.
    pub devices: u64,
    /// There are more.
    pub more: bool,
}

/// Part of a list of devices.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listed {
    /// In the order of their external ids.
    pub devices: Vec<Device>,
    /// Behind which device the next part begins, if there is one.
    pub next: Option<ExternalId>,
    /// Before which device the part before this one ends, if there may be one.
    pub previous: Option<ExternalId>,
    /// How many fit in all, if that was asked for.
    pub count: Option<Counted>,
    /// In which ways the search fits too many: devices that it fits in these are left out.
    pub crowded: BTreeSet<Crowd>,
}
