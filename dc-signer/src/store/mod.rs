//! What the signer remembers: one trait in domain operations, for SQLite and for PostgreSQL.
//!
//! Each operation is one transaction: all of it is durable when it returns, or nothing of it is
//! there. Writes that change anything put their audit records into the same transaction. Replicas
//! and the command line may work on one database at the same time.

use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use pki_types::UnixTime;

use crate::registry::{
    self, Access, Change, CodeId, Device, DeviceId, Forms, Head, ManagedZone, Operator,
    OperatorName, PendingCode, Record, Sha256, SlotState,
};
use dc_pki::names::Zone;

mod engine;
mod error;
mod in_use;
mod location;
mod postgres;
mod replica;
mod schema;
mod seen;
mod sql;
mod sqlite;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod types;

pub use error::Error;
pub use in_use::InUse;
pub(crate) use location::check_permissions;
pub use location::{Location, look, migrate, open, open_knowing};
pub use replica::{Replica, Report, ServerClock};
pub use schema::Schema;
pub use seen::{accept_in, check_newest, seen_in};
pub use types::{
    Act, Added, Answer, BroughtUp, Conflict, Filter, Find, Fleet, History, Idempotency, Issuance,
    Issue, Keep, Kept, Listed, NewDevice, NewSlot, NewZone, Page, Recorded, Redeemed, Redemption,
    Retention, Tidied, Withdrawn, WithdrawnNames, ZoneCount,
};

/// The signer's database.
///
/// Every call fails with [`Error::Unavailable`] or [`Error::CannotWrite`] if the database cannot do
/// its work now, which a later call may find mended, and with [`Error::Database`] or
/// [`Error::Corrupt`] if it holds what this version did not write. What the domain forbids is
/// [`Error::Refused`]; then nothing was changed.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    // Devices.

    /// Adds devices, all in one transaction; says for each, in order, what became of it.
    ///
    /// Adding the same ones again changes nothing, so a bulk load that broke off can be started
    /// over. Others wait meanwhile: hand over a thousand at a time, not a million.
    async fn add_devices(&self, devices: &[NewDevice], by: &Act) -> Result<Vec<Added>, Error>;

    /// The one device that fits.
    async fn find_device(&self, by: &Find) -> Result<Option<Device>, Error>;

    /// Devices in the order of their external ids.
    async fn list_devices(&self, filter: &Filter, page: &Page) -> Result<Listed, Error>;

    /// Changes a device, its names and the list of withdrawn ones, and says how it is now.
    ///
    /// What is so already is left alone. Fails with what [`Device::apply`] fails with, and with
    /// [`UnknownDevice`](crate::registry::Error::UnknownDevice),
    /// [`NameTaken`](crate::registry::Error::NameTaken), [`KeyTaken`](crate::registry::Error::KeyTaken) and
    /// [`SerialTaken`](crate::registry::Error::SerialTaken).
    async fn change_device(
        &self,
        device: DeviceId,
        change: &Change,
        by: &Act,
    ) -> Result<Device, Error>;

    /// What was issued to a device and what was done to it, newest first, at most `limit` of each.
    async fn history(&self, device: DeviceId, limit: u32) -> Result<History, Error>;

    // Activation codes.

    /// Keeps activation codes, all in one transaction; says for each, in order, whether it is kept, and until when it is good: a
    /// device that has to wait for its name gets that time on top.
    ///
    /// Others wait meanwhile, as with [`Self::add_devices`]. One is not kept because of
    /// [`UnknownDevice`](crate::registry::Error::UnknownDevice),
    /// [`NotInState`](crate::registry::Error::NotInState) if the device is not preregistered, and
    /// [`CodeTaken`](crate::registry::Error::CodeTaken), after which another code is worth a try.
    async fn put_codes(
        &self,
        codes: &[PendingCode],
        keep: Keep,
        by: &Act,
    ) -> Result<Vec<Result<Kept, registry::Error>>, Error>;

    /// The code with this public part.
    async fn find_code(&self, code: CodeId) -> Result<Option<PendingCode>, Error>;

    /// Uses a code up and pins the device's enrolment key, or counts the try, in one transaction.
    ///
    /// The same key may redeem its code again until it expires. Fails as [`Self::change_device`]
    /// does.
    async fn redeem_code(&self, redemption: &Redemption, by: &Act) -> Result<Redeemed, Error>;

    // Issuing.

    /// Records credentials before they are released: what the device holds, the issue rows, the
    /// answer for whoever asks again, and the audit records. Many callers share one commit.
    ///
    /// Checks in the same transaction that the device may still get them, and finishes a switch of
    /// enrolment keys. Fails as [`Device::may_issue`] does, and with
    /// [`UnknownDevice`](crate::registry::Error::UnknownDevice); then they must not leave.
    async fn record(&self, issuance: Issuance) -> Result<Recorded, Error>;

    /// What was answered to a request with this idempotency key, if that was less than
    /// [`Answer::KEPT`] ago.
    async fn find_answer(
        &self,
        device: DeviceId,
        key: &Sha256,
        now: UnixTime,
    ) -> Result<Option<Answer>, Error>;

    // Zones.

    /// Adds a zone without delegation certificates.
    ///
    /// Fails with [`ZoneExists`](crate::registry::Error::ZoneExists).
    async fn add_zone(&self, zone: &NewZone, by: &Act) -> Result<(), Error>;

    /// All zones with their slots, by name.
    async fn zones(&self) -> Result<Vec<ManagedZone>, Error>;

    /// Changes which forms a zone's devices get.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone).
    async fn set_forms(&self, zone: &Zone, forms: Forms, by: &Act) -> Result<(), Error>;

    /// Asks the devices of a zone whose credential was issued before a time to renew now; `None`
    /// takes that back.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone).
    async fn pull_renewals(
        &self,
        zone: &Zone,
        issued_before: Option<UnixTime>,
        by: &Act,
    ) -> Result<(), Error>;

    /// Gives a delegation certificate the next number of its zone, in state `next`.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone) and
    /// [`SlotExists`](crate::registry::Error::SlotExists).
    async fn import_slot(&self, slot: &NewSlot, by: &Act) -> Result<u32, Error>;

    /// Moves a slot on, as [`ManagedZone::move_slot`] does, and says how the zone is now.
    ///
    /// Replicas that ask at the same time get the same answer. Fails as `move_slot` does, and with
    /// [`UnknownZone`](crate::registry::Error::UnknownZone).
    async fn move_slot(
        &self,
        zone: &Zone,
        number: u32,
        to: SlotState,
        by: &Act,
    ) -> Result<ManagedZone, Error>;

    /// The withdrawn names of a zone under which a credential may still live.
    ///
    /// Fails with [`UnknownZone`](crate::registry::Error::UnknownZone).
    async fn withdrawn(&self, zone: &Zone, now: UnixTime) -> Result<WithdrawnNames, Error>;

    // The fleet.

    /// Counts over all devices. Reads much of the database: ask once a minute, not for each request.
    async fn fleet(&self, now: UnixTime) -> Result<Fleet, Error>;

    /// Adds to the numbers of refused requests, each by its reason.
    async fn count_refused(&self, refused: &[(&str, u64)], now: UnixTime) -> Result<(), Error>;

    // Operators.

    /// Adds an operator, or changes the one with this name.
    ///
    /// Fails with [`KeyTaken`](crate::registry::Error::KeyTaken) if another one has this token or
    /// key.
    async fn put_operator(&self, operator: &Operator, by: &Act) -> Result<(), Error>;

    /// Keeps an operator out from now on.
    ///
    /// Fails with [`UnknownOperator`](crate::registry::Error::UnknownOperator).
    async fn disable_operator(&self, name: &OperatorName, by: &Act) -> Result<(), Error>;

    /// The operator with this token or key, also one who is disabled.
    async fn find_operator(&self, access: &Access) -> Result<Option<Operator>, Error>;

    /// All operators, by name.
    async fn operators(&self) -> Result<Vec<Operator>, Error>;

    // The audit log.

    /// The end of the audit log.
    async fn audit_head(&self) -> Result<Head, Error>;

    /// Records from a sequence number on, at most `limit`.
    async fn audit_from(&self, seq: u64, limit: u32) -> Result<Vec<Record>, Error>;

    /// Walks the whole audit log, and checks that suspended and retired devices are those that the
    /// log says are.
    ///
    /// Returns the end of the log. Fails with [`Error::Refused`] and
    /// [`AuditLink`](crate::registry::Error::AuditLink) or
    /// [`AuditSequence`](crate::registry::Error::AuditSequence), and with [`Error::StateNotInAudit`].
    async fn verify_audit(&self) -> Result<Head, Error>;

    /// Goes on with this database although it is an older copy than was seen before, and records that.
    ///
    /// Returns the end of the log.
    async fn accept_older(&self, by: &Act) -> Result<Head, Error>;

    /// Fails with [`Error::OlderThanSeen`] if the database is an older copy than was seen before.
    async fn is_newest(&self) -> Result<(), Error>;

    /// Puts the records that a newer copy of the log has behind this one's end, and suspends, resumes
    /// and retires accordingly: so that a restored backup lets nobody back in.
    ///
    /// A device that is not here stays lost; its name is held, and withdrawn if it was, until what was issued for it is over.
    ///
    /// Fails with [`Error::Refused`] if the records do not continue this log, and with [`Error::OlderThanSeen`] if it is older than was seen with them too; then nothing has
    /// changed.
    async fn replay(&self, newer: &[Record], by: &Act) -> Result<BroughtUp, Error>;

    // Keeping house.

    /// Removes what has had its time: answers, codes, and whole partitions of issue rows.
    async fn tidy(&self, now: UnixTime, retention: &Retention) -> Result<Tidied, Error>;

    /// Writes a consistent copy of the database to a file that does not exist yet, while others work.
    ///
    /// Fails with [`Error::BackupElsewhere`] on PostgreSQL, and with [`Error::BackupExists`].
    async fn backup(&self, to: &Path) -> Result<(), Error>;

    /// Reads every page of the database, then does what [`Self::verify_audit`] does.
    async fn check(&self) -> Result<Head, Error>;

    /// Whether the database answers and lets this process write, and credentials are recorded.
    ///
    /// With `room`, also whether there is room for so many bytes: what a write that failed has left of its
    /// space is enough for a small one.
    async fn ping(&self, room: usize) -> Result<(), Error>;

    /// What the database's own clock says; none if it has no other than this machine's.
    async fn clock(&self) -> Result<Option<ServerClock>, Error>;

    // The signers themselves.

    /// Says that a signer works on this database, and with which keys. It is not in the audit log.
    async fn report(&self, report: &Report, now: UnixTime) -> Result<(), Error>;

    /// The signers that have reported in the last week, by node.
    async fn replicas(&self, now: UnixTime) -> Result<Vec<Replica>, Error>;

    /// Waits for what is being written and closes all connections.
    async fn close(&self);
}
