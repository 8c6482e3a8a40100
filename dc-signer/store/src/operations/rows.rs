//! Rows to what they stand for.

use dc_core::UniqueName;

use crate::connection::Row;
use crate::registry::{
    Access, Approval, CodeId, Device, DeviceId, Entry, Held, Hold, Manufactured, NextKey, Operator,
    PendingCode, Previous, Record, Sha256, Shown, ZoneDelegation,
};
use crate::sql::corrupt;
use crate::{Error, Issue};
use dc_pki::names::{self, ZoneName};

// Columns are named one by one: a newer version may add some while this one runs, and PostgreSQL
// lets no statement that was prepared before return more than it did.

pub(super) const DEVICE: &str = "devices.id, devices.external_id, devices.state, devices.zone, \
    devices.name, devices.slot, devices.epoch, devices.enrolment_key, devices.next_key, \
    devices.next_key_since, devices.manufacturer, devices.serial, devices.credential_sha256, \
    devices.credential_spki, devices.issued, devices.expires, devices.possible_clone, \
    devices.created, devices.changed, devices.held_until, devices.free_from, devices.stays_withdrawn, \
    devices.shown_sha256";
pub(super) const CODE: &str = "id, device, mac, expires, tries, used_by";
pub(super) const ZONE: &str =
    "zone, forms, roles, other_forms_until, renew_issued_before, withdrawn_sequence";
pub(super) const DELEGATION: &str =
    "zone, number, state, certificate_sha256, not_before, not_after, since";
pub(super) const APPROVAL: &str = "number, what, reason, asked_by, asked, ends, state, decided_by";
pub(super) const OPERATOR: &str = "name, role, token_sha256, key_sha256, expires, \
    previous_token_sha256, previous_key_sha256, previous_expires, disabled";
pub(super) const ISSUE: &str =
    "name, credential_sha256, spki_sha256, delegation_sha256, issued, expires";
pub(super) const RECORD: &str = "audit.seq, audit.time, audit.node, audit.actor, audit.action, \
    audit.name, audit.spki_sha256, audit.credential_sha256, audit.zone, audit.expires, \
    audit.detail_sha256, audit.reason, audit.scope, audit.prev_hash";

pub(super) fn name(row: &Row, column: &'static str) -> Result<UniqueName<'static>, Error> {
    names::parse(&row.text(column)?).map_err(|_| corrupt(column))
}

pub(super) fn zone(row: &Row, column: &'static str) -> Result<ZoneName, Error> {
    ZoneName::parse(&row.text(column)?).map_err(|_| corrupt(column))
}

pub(super) fn device_id(row: &Row, column: &'static str) -> Result<DeviceId, Error> {
    row.bytes(column).map(DeviceId::from_bytes)
}

pub(super) fn device(row: &Row) -> Result<Device, Error> {
    Ok(Device {
        id: device_id(row, "id")?,
        external_id: row.parse("external_id")?,
        state: row.parse("state")?,
        zone: zone(row, "zone")?,
        name: name(row, "name")?,
        slot: row.number("slot")?,
        epoch: row.number("epoch")?,
        key: row.maybe_hash("enrolment_key")?,
        next_key: next_key(row)?,
        manufactured: manufactured(row)?,
        credential: held(row)?,
        hold: Hold {
            until: row.maybe_time("held_until")?,
            free_from: row.maybe_time("free_from")?,
            withdrawn: row.flag("stays_withdrawn")?,
        },
        shown: shown(row.maybe_hash("shown_sha256")?),
        possible_clone: row.flag("possible_clone")?,
        created: row.time("created")?,
        changed: row.time("changed")?,
    })
}

fn shown(hash: Option<Sha256>) -> Shown {
    match hash {
        None => Shown::Unknown,
        Some(Sha256::ZERO) => Shown::Nothing,
        Some(hash) => Shown::Credential(hash),
    }
}

/// As [`shown`] reads it.
pub(super) fn shown_hash(shown: Shown) -> Option<Sha256> {
    match shown {
        Shown::Unknown => None,
        Shown::Nothing => Some(Sha256::ZERO),
        Shown::Credential(hash) => Some(hash),
    }
}

fn next_key(row: &Row) -> Result<Option<NextKey>, Error> {
    let Some(spki_sha256) = row.maybe_hash("next_key")? else {
        return Ok(None);
    };
    let since = row.time("next_key_since")?;
    Ok(Some(NextKey { spki_sha256, since }))
}

fn manufactured(row: &Row) -> Result<Option<Manufactured>, Error> {
    let Some(serial) = row.maybe_text("serial")? else {
        return Ok(None);
    };
    let manufacturer = row.text("manufacturer")?;
    Ok(Some(Manufactured {
        manufacturer,
        serial,
    }))
}

fn held(row: &Row) -> Result<Option<Held>, Error> {
    let Some(sha256) = row.maybe_hash("credential_sha256")? else {
        return Ok(None);
    };
    Ok(Some(Held {
        sha256,
        spki_sha256: row.hash("credential_spki")?,
        issued: row.time("issued")?,
        expires: row.time("expires")?,
    }))
}

pub(super) fn code(row: &Row) -> Result<PendingCode, Error> {
    Ok(PendingCode {
        id: CodeId::from_bytes(row.bytes("id")?),
        device: device_id(row, "device")?,
        mac: row.hash("mac")?,
        expires: row.time("expires")?,
        tries: row.number("tries")?,
        used_by: row.maybe_hash("used_by")?,
    })
}

pub(super) fn delegation(row: &Row) -> Result<ZoneDelegation, Error> {
    Ok(ZoneDelegation {
        number: row.number("number")?,
        state: row.parse("state")?,
        certificate_sha256: row.hash("certificate_sha256")?,
        not_before: row.time("not_before")?,
        not_after: row.time("not_after")?,
        since: row.time("since")?,
    })
}

pub(super) fn approval(row: &Row) -> Result<Approval, Error> {
    let decided_by = row.maybe_text("decided_by")?.map(|name| name.parse());
    Ok(Approval {
        number: row.number("number")?,
        what: row.text("what")?,
        reason: row.parse("reason")?,
        asked_by: row.parse("asked_by")?,
        asked: row.time("asked")?,
        ends: row.time("ends")?,
        state: row.parse("state")?,
        decided_by: decided_by.transpose().map_err(|_| corrupt("decided_by"))?,
    })
}

pub(super) fn operator(row: &Row) -> Result<Operator, Error> {
    let access = access(row, "token_sha256", "key_sha256")?;
    let previous = access_of_before(row)?;
    Ok(Operator {
        name: row.parse("name")?,
        role: row.parse("role")?,
        access: access.ok_or(corrupt("operators"))?,
        expires: row.maybe_time("expires")?,
        previous,
        disabled: row.flag("disabled")?,
    })
}

fn access_of_before(row: &Row) -> Result<Option<Previous>, Error> {
    let access = access(row, "previous_token_sha256", "previous_key_sha256")?;
    access
        .map(|access| {
            let expires = row.time("previous_expires")?;
            Ok(Previous { access, expires })
        })
        .transpose()
}

fn access(row: &Row, token: &'static str, key: &'static str) -> Result<Option<Access>, Error> {
    let token = row.maybe_hash(token)?.map(Access::Token);
    let key = row.maybe_hash(key)?.map(Access::Certificate);
    Ok(token.or(key))
}

pub(super) fn issue(row: &Row) -> Result<Issue, Error> {
    Ok(Issue {
        credential_sha256: row.hash("credential_sha256")?,
        spki_sha256: row.hash("spki_sha256")?,
        delegation_sha256: row.hash("delegation_sha256")?,
        name: name(row, "name")?,
        issued: row.time("issued")?,
        expires: row.time("expires")?,
    })
}

pub(super) fn record(row: &Row) -> Result<Record, Error> {
    Ok(Record {
        seq: row.number("seq")?,
        entry: Entry {
            time: row.time("time")?,
            node: row.text("node")?,
            actor: row.text("actor")?,
            action: row.parse("action")?,
            name: row.maybe_text("name")?,
            spki_sha256: row.maybe_hash("spki_sha256")?,
            credential_sha256: row.maybe_hash("credential_sha256")?,
            zone: row.maybe_text("zone")?,
            expires: row.maybe_time("expires")?,
            detail_sha256: row.maybe_hash("detail_sha256")?,
            reason: row.maybe_text("reason")?,
            scope: row.maybe_text("scope")?,
        },
        prev_hash: row.hash("prev_hash")?,
    })
}
