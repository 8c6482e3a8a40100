//! Parameters and results of the store's operations.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use dc_core::UniqueName;
use pki_types::UnixTime;

use crate::Act;
use crate::registry::{
    CodeError, CodeId, Device, DeviceId, ExternalId, Manufactured, Record, Sha256, State,
};
use dc_pki::names::ZoneName;
use dc_pki::{Forms, Roles};

/// A device to be added.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewDevice {
    /// A fresh one.
    pub id: DeviceId,
    /// The vendor's name for it.
    pub external_id: ExternalId,
    /// The zone of its name.
    pub zone: ZoneName,
    /// Its unique name.
    pub name: UniqueName<'static>,
    /// Which of a customer's devices it is.
    pub slot: u32,
    /// The epoch that its name was derived with.
    pub epoch: u32,
    /// SHA-256 of the SubjectPublicKeyInfo of its enrolment key, if it is known: then it is active
    /// at once.
    pub key: Option<Sha256>,
    /// Which manufacturer's certificate may enrol it.
    pub manufactured: Option<Manufactured>,
}

/// The result for one [`NewDevice`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Added {
    /// It was added.
    New,
    /// A device with its external id is there, and zone, slot, serial and key do not differ: nothing of it changes.
    Same(Box<Device>),
    /// It cannot be added; the others were.
    Conflict(Conflict),
}

/// The changes that a newer copy of the audit log brought.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct BroughtUp {
    /// How many devices were suspended, resumed or retired again.
    pub changed: u64,
    /// The names of those that were added since, and are lost.
    pub lost: Vec<String>,
    /// The operators who were disabled or changed since, and are disabled now.
    pub operators: Vec<String>,
    /// The slots, each with its zone, that people have ended since, and that have ended now.
    pub slots: Vec<String>,
}

/// The part of a new device that another one has already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Conflict {
    /// One with its external id is there and differs.
    ExternalId,
    /// Another device has its enrolment key.
    Key,
    /// Another device has or had its name: derive it with the next epoch.
    Name,
    /// Another device is expected to have this serial number, or no certificate has such a one.
    Serial,
    /// There is no such zone.
    Zone,
}

/// A key that finds one device.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Find {
    /// Our name for it.
    Id(DeviceId),
    /// The vendor's name for it.
    ExternalId(ExternalId),
    /// SHA-256 of the SubjectPublicKeyInfo of one of its enrolment keys, of both during a switch.
    Key(Sha256),
    /// Its unique name, now or before.
    Name(UniqueName<'static>),
    /// The contents of its manufacturer's certificate.
    Manufactured(Manufactured),
}

/// One credential in a device's history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issue {
    /// SHA-256 of the credential.
    pub credential_sha256: Sha256,
    /// SHA-256 of the SubjectPublicKeyInfo in it.
    pub spki_sha256: Sha256,
    /// SHA-256 of the delegation certificate it is under.
    pub delegation_sha256: Sha256,
    /// The name it was issued for.
    pub name: UniqueName<'static>,
    /// When it was issued.
    pub issued: UnixTime,
    /// When it ends.
    pub expires: UnixTime,
}

/// The history of a device, newest first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct History {
    /// The credentials it got, as far back as issue rows are kept.
    pub issues: Vec<Issue>,
    /// The changes to it, from the audit log.
    pub acts: Vec<Record>,
}

/// A device's attempt to enrol with a code.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Redemption {
    /// The public part of the code.
    pub code: CodeId,
    /// [`CodeKey::mac`](crate::registry::CodeKey::mac) of what came.
    pub mac: Sha256,
    /// SHA-256 of the SubjectPublicKeyInfo of the enrolment key to pin.
    pub key: Sha256,
}

/// The result of an attempt to enrol.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Redeemed {
    /// The device is active with this key, from now on or since its first attempt.
    Enrolled(Box<Device>),
    /// The code does not enrol it. A wrong secret was counted.
    Refused(CodeError),
}

/// The part of a request by which a second attempt is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Idempotency {
    /// SHA-256 of the key that the device chose.
    pub key: Sha256,
    /// SHA-256 of the request, so that one key is not taken for two requests.
    pub request: Sha256,
}

/// The result of keeping an activation code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// It is kept, and good until then.
    Now(UnixTime),
    /// It is not, because one that was made before is still good, until then.
    Before(UnixTime),
}

/// Which codes to keep.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keep {
    /// Those of devices that have none: one that is in somebody's hands stays good.
    Missing,
    /// All: an unused one of the same device stops being good.
    New,
}

/// Credentials that were made for a device and have not left yet.
#[derive(Clone, Eq, PartialEq)]
pub struct Issuance {
    /// Whose they are.
    pub device: DeviceId,
    /// The name that was put into them, or that they were approved for.
    pub name: UniqueName<'static>,
    /// SHA-256 of the SubjectPublicKeyInfo of the enrolment key that asked.
    pub key: Sha256,
    /// SHA-256 of the SubjectPublicKeyInfo in them.
    pub spki_sha256: Sha256,
    /// SHA-256 of each; the first is the one that the device is then said to hold.
    pub credentials: Vec<Sha256>,
    /// The credentials of the device as a client, if it gets any: under the same certificate, and with the same times.
    pub client: Option<ClientIssuance>,
    /// SHA-256 of the delegation certificate they are under.
    pub delegation_sha256: Sha256,
    /// When they were issued.
    pub issued: UnixTime,
    /// When they end.
    pub expires: UnixTime,
    /// SHA-256 of the credential that the device showed when it asked; none if it showed none.
    pub shown: Option<Sha256>,
    /// By what a second attempt is known.
    pub idempotency: Option<Idempotency>,
    /// The answer, byte for byte.
    pub answer: Vec<u8>,
    /// The one who asked, for the audit log.
    pub by: Act,
}

/// The part of an issuance for the device as a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientIssuance {
    /// SHA-256 of the SubjectPublicKeyInfo in the credentials.
    pub spki_sha256: Sha256,
    /// SHA-256 of each.
    pub credentials: Vec<Sha256>,
}

impl fmt::Debug for Issuance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuance")
            .field("device", &self.device)
            .field("name", &self.name)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// The answer that may be given after [`record`](super::Store::record).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Recorded {
    /// The answer that was handed in.
    Now {
        /// The place of the last audit record about it.
        seq: u64,
        /// Set if it is this one that shows two boxes using the device's key.
        flagged: bool,
    },
    /// Another attempt of the same request was faster: its answer, and what was handed in is
    /// forgotten.
    Before(Answer),
}

/// An answer that was given before.
#[derive(Clone, Eq, PartialEq)]
pub struct Answer {
    /// SHA-256 of the request that it was given to.
    pub request: Sha256,
    /// The answer, byte for byte.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request, bytes } = self;
        write!(f, "Answer({} bytes to {request})", bytes.len())
    }
}

impl Answer {
    /// How long answers are kept.
    pub const KEPT: Duration = Duration::from_secs(3600);
}

/// A zone to be added.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewZone {
    /// The suffix of all its names.
    pub zone: ZoneName,
    /// The forms of credentials its devices get.
    pub forms: Forms,
    /// The ends of connections that they get them for.
    pub roles: Roles,
}

/// A delegation certificate to be imported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewDelegation {
    /// Under which zone.
    pub zone: ZoneName,
    /// SHA-256 of the certificate.
    pub certificate_sha256: Sha256,
    /// When it begins.
    pub not_before: UnixTime,
    /// When it ends.
    pub not_after: UnixTime,
}

/// A withdrawn name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Withdrawn {
    /// The name.
    pub name: UniqueName<'static>,
    /// Since when.
    pub since: UnixTime,
    /// When the last credential under it ends.
    pub until: UnixTime,
}

/// The withdrawn names of a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WithdrawnNames {
    /// How often names were added or taken out; never less than before.
    pub sequence: u64,
    /// By name.
    pub names: Vec<Withdrawn>,
}

/// How many devices of a zone are in which state.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ZoneCount {
    /// By state; what is missing is 0.
    pub states: BTreeMap<State, u64>,
    /// How many are suspected to be cloned.
    pub possible_clones: u64,
    /// How many active devices hold a credential that ends within [`Fleet::WITHIN`]; each counts all
    /// that the ones before count. Those whose credential has ended are in none.
    pub expiring: [u64; 4],
    /// How many active devices hold a credential that has ended.
    pub expired: u64,
}

/// The fleet at a glance.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Fleet {
    /// By the zone's name.
    pub zones: BTreeMap<String, ZoneCount>,
    /// How many requests were refused in the last 24 hours, by reason.
    pub refused: BTreeMap<String, u64>,
}

impl Fleet {
    /// 6, 12, 24 and 48 hours.
    pub const WITHIN: [Duration; 4] = [
        Duration::from_secs(6 * 3600),
        Duration::from_secs(12 * 3600),
        Duration::from_secs(24 * 3600),
        Duration::from_secs(48 * 3600),
    ];
}

/// How long what is not needed any more is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retention {
    /// Issue rows, after the credentials were issued; rounded up to whole weeks.
    pub issues: Duration,
    /// Numbers of refused requests.
    pub refused: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            issues: Duration::from_secs(30 * 86_400),
            refused: Duration::from_secs(30 * 86_400),
        }
    }
}

/// Counts of removed rows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tidied {
    /// Answers that were kept long enough.
    pub answers: u64,
    /// Codes that were too old.
    pub codes: u64,
    /// Partitions of issue rows.
    pub partitions: u64,
}
