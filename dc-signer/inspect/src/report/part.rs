//! One thing of a file, displayed and checked.

use std::fmt;
use std::path::PathBuf;

use dc_core::Role;
use pki_types::UnixTime;
use serde_json::{Value, json};

use super::Place;
use super::piece::Key;
use crate::check::Verdict;
use crate::display::{self, Sheet};
use dc_pki::Warning;
use dc_pki::delegation::SOON;
use dc_pki::extensions::DelegationUsage;

/// One thing in a file.
#[derive(Debug)]
pub struct Part {
    place: Place,
    thing: Thing,
    /// The reasons for which a peer, or the signer, would refuse it, the first one first.
    faults: Vec<String>,
    /// Remarks besides.
    notes: Vec<String>,
}

#[derive(Debug)]
enum Thing {
    Certificate {
        certificate: display::Certificate,
        /// The ends of connections that may present it, where it is what one presents that has its file.
        presented_by: Vec<Role>,
    },
    Credential {
        credential: display::Credential,
        /// The file with the certificate that it was checked under.
        under: Option<PathBuf>,
    },
    Request(display::Request),
    PublicKey(display::PublicKey),
    PrivateKey {
        /// Its public half, if it can be used here.
        key: Option<display::PublicKey>,
        owner: Option<String>,
    },
    Unreadable(&'static str),
}

impl Part {
    pub(super) fn certificate(
        place: Place,
        certificate: display::Certificate,
        verdict: &Verdict,
        now: UnixTime,
    ) -> Self {
        let not_after = certificate.not_after;
        let left = not_after.as_secs().saturating_sub(now.as_secs());
        let delegates = certificate.extensions.delegation_usage != DelegationUsage::Absent;
        let ends_soon = (delegates && left > 0 && left < SOON.as_secs()).then(|| {
            let path = place.file.clone();
            let warning = Warning::CertificateEndsSoon {
                path,
                now,
                not_after,
            };
            warning.to_string()
        });
        let thing = Thing::Certificate {
            certificate,
            presented_by: Vec::new(),
        };
        let mut part = Self::new(place, thing);
        part.notes.extend(ends_soon);
        part.notes.extend(verdict.oddity().map(str::to_owned));
        part.with_faults(verdict.faults())
    }

    /// The same of a certificate that these ends may present, and all that is accepted comes under; `excluded` is what its
    /// chain excludes of its names.
    pub(super) fn presented(mut self, by: Vec<Role>, excluded: Option<Warning>) -> Self {
        self.notes
            .extend(excluded.map(|warning| warning.to_string()));
        if let Thing::Certificate { presented_by, .. } = &mut self.thing {
            *presented_by = by;
        }
        self
    }

    pub(super) fn credential(
        place: Place,
        credential: display::Credential,
        under: Option<PathBuf>,
        verdict: Option<&Verdict>,
    ) -> Self {
        let faults = verdict.into_iter().flat_map(Verdict::faults);
        let not_for_nss = Warning::not_for_nss(credential.form, credential.algorithm);
        let mut part = Self::new(place, Thing::Credential { credential, under });
        part.notes
            .extend(not_for_nss.map(|warning| warning.to_string()));
        part.with_faults(faults)
    }

    /// `error` is what is wrong with its signature.
    pub(super) fn request(
        place: Place,
        request: display::Request,
        error: Option<dc_pki::Error>,
    ) -> Self {
        Self::new(place, Thing::Request(request)).with_faults(error)
    }

    pub(super) fn public_key(place: Place, spki: &[u8]) -> Self {
        let key = display::PublicKey::of(spki);
        Self::new(place, Thing::PublicKey(key))
    }

    /// `owner` is what it belongs to.
    pub(super) fn private_key(place: Place, key: &Key, owner: Option<String>) -> Self {
        let public = key.spki.as_deref().map(display::PublicKey::of);
        let thing = Thing::PrivateKey { key: public, owner };
        let notes = key.warning.iter().map(Warning::to_string).collect();
        Self {
            notes,
            ..Self::new(place, thing)
        }
    }

    /// A key that does not belong to what lies with it.
    pub(super) fn wrong_key(place: Place, key: &Key, owner: &str) -> Self {
        let fault = format!(
            "it is not the key of the {owner} here: put the two that belong together side by side"
        );
        Self::private_key(place, key, None).with_faults([fault])
    }

    /// A key that cannot be used here; not to be able to read it may be as it should be.
    pub(super) fn opaque_key(place: Place, key: &Key) -> Self {
        let mut part = Self::private_key(place, key, None);
        // An encrypted one is the signer's to open.
        match key.stops_servers && !key.encrypted {
            true => part.with_faults(&key.error),
            false => {
                part.notes.extend(key.error.clone());
                part
            }
        }
    }

    pub(super) fn unreadable(place: Place, what: &'static str, error: &impl fmt::Display) -> Self {
        Self::new(place, Thing::Unreadable(what)).with_faults([error])
    }

    fn new(place: Place, thing: Thing) -> Self {
        Self {
            place,
            thing,
            faults: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(super) fn with_faults(
        mut self,
        faults: impl IntoIterator<Item = impl fmt::Display>,
    ) -> Self {
        let faults = faults.into_iter().map(|fault| fault.to_string());
        self.faults.extend(faults);
        self
    }

    /// True if a peer would refuse it, or what is issued with it.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        !self.faults.is_empty()
    }

    /// For people, at this time.
    #[must_use]
    pub fn sheet(&self, now: UnixTime) -> Sheet {
        let title = |name| self.place.title(name);
        let mut sheet = match &self.thing {
            Thing::Certificate { certificate, .. } => certificate.sheet(title("certificate"), now),
            Thing::Credential { credential, under } => {
                let under = under.as_ref().map(|path| path.display());
                let sheet = credential.sheet(title("credential"), now);
                sheet.row_if("judged with", under)
            }
            Thing::Request(request) => request.sheet(title("request")),
            Thing::PublicKey(key) => Sheet::new(title("public key"))
                .row("key", key)
                .row("key sha256", key.fingerprint()),
            Thing::PrivateKey { key, owner } => Sheet::new(title("private key"))
                .row_if("key", key.as_ref())
                .row_if(
                    "key sha256",
                    key.as_ref().map(display::PublicKey::fingerprint),
                )
                .row_if("belongs to", owner.as_ref()),
            Thing::Unreadable(what) => Sheet::new(title(what)),
        };
        for note in &self.notes {
            sheet = sheet.row("note", note);
        }
        match (&self.faults[..], self.accepted()) {
            ([], Some(words)) => sheet.row("verdict", words),
            ([], None) => sheet,
            (faults, _) => sheet.row("REFUSED", faults.join("\n")),
        }
    }

    /// The use that it is good for, where nothing is wrong with it.
    fn accepted(&self) -> Option<&'static str> {
        match &self.thing {
            Thing::Certificate {
                certificate,
                presented_by,
            } => match (certificate.extensions.delegation_usage, &presented_by[..]) {
                (DelegationUsage::Present, [Role::Server, Role::Client]) => {
                    Some("clients and servers that trust it accept credentials under it")
                }
                (DelegationUsage::Present, [Role::Server]) => {
                    Some("clients that trust it accept credentials under it")
                }
                (DelegationUsage::Present, [Role::Client]) => {
                    Some("servers that trust it accept credentials under it")
                }
                _ => None,
            },
            Thing::Credential {
                under: Some(_),
                credential,
            } => Some(match credential.role {
                Some(Role::Client) => "servers that trust its certificate accept it",
                _ => "clients that trust its certificate accept it",
            }),
            Thing::Credential { under: None, .. } => {
                Some("unknown: name the file of its certificate too")
            }
            Thing::Request(_) => Some("signed by the key in it"),
            Thing::PublicKey(_) | Thing::PrivateKey { .. } | Thing::Unreadable(_) => None,
        }
    }

    /// For programs: what the thing says, and `{file, refused, reasons, notes}`.
    pub(super) fn to_json(&self, now: UnixTime) -> Value {
        let mut object = match &self.thing {
            Thing::Certificate { certificate, .. } => certificate.to_json(now),
            Thing::Credential { credential, under } => {
                let mut object = credential.to_json(now);
                let under = under.as_ref().map(|path| path.display().to_string());
                display::merge(&mut object, json!({"judged_with": under}));
                object
            }
            Thing::Request(request) => request.to_json(),
            Thing::PublicKey(key) => json!({"type": "public-key", "key": key.to_json()}),
            Thing::PrivateKey { key, owner } => json!({
                "type": "private-key",
                "key": key.as_ref().map(display::PublicKey::to_json),
                "belongs_to": owner,
            }),
            Thing::Unreadable(_) => json!({"type": "unreadable"}),
        };
        let more = json!({
            "file": self.place.file.display().to_string(),
            "refused": self.is_refused(),
            "reasons": self.faults,
            "notes": self.notes,
        });
        display::merge(&mut object, more);
        object
    }
}
