//! Credentials that are held.

use std::collections::BTreeMap;

use crate::format::credentials::KeyType;
use crate::format::selection::Held;
use crate::format::{Form, Hex, Role};
use crate::make::draft::Draft;
use crate::make::keys::device;

pub(super) const NAMED: &str = "named";
pub(super) const NAMED_P256: &str = "named-p256";
pub(super) const NAMED_BY_RSA: &str = "named-by-rsa";
pub(super) const NAMED_EXPIRED: &str = "named-expired";
pub(super) const OTHER_NAME: &str = "other-name";
pub(super) const SAME_ZONE: &str = "same-zone";
pub(super) const NOT_COVERED: &str = "name-not-covered";
pub(super) const UNNAMED: &str = "unnamed";
pub(super) const UNNAMED_P256: &str = "unnamed-p256";
pub(super) const UNNAMED_EXPIRED: &str = "unnamed-expired";
pub(super) const UNNAMED_EXACT: &str = "unnamed-of-one-name";
pub(super) const CLIENT_NAMED: &str = "client-named";
pub(super) const CLIENT_UNNAMED: &str = "client-unnamed";

/// Names of the second device, and of one under another zone.
pub(super) const NEIGHBOUR: &str = "neighbour.cpe.example.com";
pub(super) const SENSOR: &str = "k3v.sensors.example.net";

/// The credential of this name, as it was made.
pub(super) fn draft(id: &str) -> Draft {
    let (role, form) = match id {
        CLIENT_NAMED => (Role::Client, Form::Named),
        CLIENT_UNNAMED => (Role::Client, Form::Rfc9345),
        id if id.starts_with("unnamed") => (Role::Server, Form::Rfc9345),
        _ => (Role::Server, Form::Named),
    };
    Draft::new(role, form).but("offer", "", |draft| match id {
        NAMED_P256 | UNNAMED_P256 => draft.for_key(device(KeyType::P256)),
        NAMED_BY_RSA => draft.under("rsa"),
        // A second before: a device may still hold what it held together with the other, good one.
        NAMED_EXPIRED | UNNAMED_EXPIRED => draft.valid_time -= 86_401,
        OTHER_NAME => {
            draft.under("many");
            draft.name(SENSOR.as_bytes());
        }
        SAME_ZONE => draft.name(NEIGHBOUR.as_bytes()),
        NOT_COVERED => draft.name(b"k3v.example.com"),
        UNNAMED_EXACT => draft.under("exact"),
        _ => (),
    })
}

pub(super) fn held() -> BTreeMap<String, Held> {
    let ids = [
        NAMED,
        NAMED_P256,
        NAMED_BY_RSA,
        NAMED_EXPIRED,
        OTHER_NAME,
        SAME_ZONE,
        NOT_COVERED,
        UNNAMED,
        UNNAMED_P256,
        UNNAMED_EXPIRED,
        UNNAMED_EXACT,
        CLIENT_NAMED,
        CLIENT_UNNAMED,
    ];
    let hold = |id: &str| {
        let draft = draft(id);
        let held = Held {
            form: draft.form,
            certificate: draft.certificate.to_owned(),
            credential: Hex(draft.signed()),
            private_key: Hex(draft.device.pkcs8()),
        };
        (id.to_owned(), held)
    };
    ids.into_iter().map(hold).collect()
}
