//! Selection of a credential for a client: the rules.

use std::sync::Arc;
use std::time::Duration;

use dc_core::{Form, Offer, Requirements, UniqueName};
use rustls::ServerConfig;
use rustls::pki_types::{ServerName, UnixTime};

use super::Served;

/// A credential that is ready to be served, decoded: nothing of its encoding is left to read for a client.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) served: Served,
    pub(super) expires: UnixTime,
    pub(super) config: Arc<ServerConfig>,
    /// The form and schemes that a client has to offer.
    pub(super) requirements: Requirements,
    /// The dNSNames of its delegation certificate; `None` where nobody looked.
    pub(super) zone: Option<Vec<String>>,
}

impl Entry {
    pub(super) fn unique_name(&self) -> Option<&UniqueName<'static>> {
        match &self.served {
            Served::Delegated { unique_name, .. } => unique_name.as_ref(),
            Served::Certificate => None,
        }
    }
}

/// The name that a client wants to reach, read once for all entries.
#[derive(Debug)]
pub(super) enum WantedName {
    /// It says none.
    Unsaid,
    /// One that is no device's.
    OfNoDevice,
    Unique(UniqueName<'static>),
}

impl From<Option<&str>> for WantedName {
    fn from(server_name: Option<&str>) -> Self {
        let Some(name) = server_name else {
            return Self::Unsaid;
        };
        let reference = ServerName::try_from(name).ok();
        match reference.and_then(|reference| UniqueName::wanted(&reference)) {
            Some(name) => Self::Unique(name),
            None => Self::OfNoDevice,
        }
    }
}

/// A client, as far as it is known when a credential has to be picked.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) offer: &'a Offer,
    pub(super) name: WantedName,
    pub(super) now: UnixTime,
    pub(super) margin: Duration,
    /// True if a client with NSS's rules is kept from what it would abort at.
    pub(super) spares_nss: bool,
    /// True if a client that sends no server_name gets named credentials all the same.
    pub(super) names_to_nameless: bool,
}

impl Wanted<'_> {
    /// True if nothing but its demands on the client can keep this entry from it.
    pub(super) fn may_have(&self, entry: &Entry) -> bool {
        self.is_fresh(entry) && self.is_in_zone(entry) && self.may_learn_name(entry)
    }

    /// True if this entry could be served but for its name, which the client has not asked for.
    pub(super) fn is_kept(&self, entry: &Entry) -> bool {
        self.is_fresh(entry) && !self.may_learn_name(entry)
    }

    /// True if a name may keep an entry from this client.
    pub(super) fn keeps_names(&self) -> bool {
        !(self.names_to_nameless && matches!(self.name, WantedName::Unsaid))
    }

    /// A client that only scans addresses learns no name, and one that wants another name would abort.
    ///
    /// A credential that was installed unchecked goes to everybody: its purpose is to be refused.
    fn may_learn_name(&self, entry: &Entry) -> bool {
        let is_checked = entry.zone.is_some();
        match (is_checked, entry.requirements.form, &self.name) {
            (true, Form::Named, WantedName::Unsaid) => self.names_to_nameless,
            (true, Form::Named, _) => self.is_for(entry),
            (_, Form::Rfc9345, _) | (false, Form::Named, _) => true,
        }
    }

    /// Less is better.
    pub(super) fn rank(&self, entry: &Entry) -> u8 {
        let is_named = entry.requirements.form == Form::Named;
        match is_named && self.is_for(entry) {
            true => 0,
            false if is_named => 1,
            false => 2,
        }
    }

    /// A client whose clock is ahead would refuse what has almost ended.
    fn is_fresh(&self, entry: &Entry) -> bool {
        let last = entry
            .expires
            .as_secs()
            .saturating_sub(self.margin.as_secs());
        self.now.as_secs() <= last
    }

    /// A client that names another zone would refuse the certificate. One that names none, because it
    /// connects to an address, may know better.
    fn is_in_zone(&self, entry: &Entry) -> bool {
        match (&self.name, &entry.zone) {
            (WantedName::Unsaid, _) | (_, None) => true,
            (WantedName::OfNoDevice, Some(_)) => false,
            (WantedName::Unique(name), Some(zone)) => {
                zone.iter().any(|dns_name| name.covered_by(dns_name))
            }
        }
    }

    fn is_for(&self, entry: &Entry) -> bool {
        match &self.name {
            WantedName::Unique(name) => entry.unique_name() == Some(name),
            WantedName::Unsaid | WantedName::OfNoDevice => false,
        }
    }

    /// True if the client takes what has these demands on it.
    pub(super) fn takes(&self, requirements: Requirements) -> bool {
        self.offer.meets(requirements).is_ok()
            && !(self.spares_nss && self.is_fatal_for_nss(requirements))
    }

    /// NSS, and so Firefox, looks the certificate's scheme up in the list of extension 34 too, as drafts
    /// had it, and aborts where RFC 9345 does not.
    fn is_fatal_for_nss(&self, credential: Requirements) -> bool {
        let list = self.offer.schemes(Form::Rfc9345);
        credential.form == Form::Rfc9345
            && list.is_some_and(|list| !list.contains(credential.algorithm))
    }
}

#[cfg(test)]
#[cfg(any(feature = "aws-lc-rs", feature = "ring"))]
mod tests;
