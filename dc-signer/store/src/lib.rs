#![doc = include_str!("../README.md")]

mod act;
mod connection;
mod error;
pub mod export;
mod filter;
mod hosts;
mod in_use;
mod kept;
mod location;
mod migrations;
mod operations;
pub mod owner;
mod postgres;
pub mod registry;
mod renewal;
mod replica;
mod schema;
mod seen;
mod servers;
mod shape;
mod sql;
mod sqlite;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod timeline;
mod types;

pub use act::Act;
pub use error::Error;
use export::{ExportError, ExportFiles};
pub use filter::{Counted, Filter, Listed, Page};
pub use hosts::{UrlFault, check_url};
pub use in_use::InUse;
pub use location::{Location, Urls, check_permissions, look, migrate, open, open_knowing};
pub use operations::{
    Acknowledged, Ahead, AuditFilter, AuditPage, AuditTree, Beside, EndedBy, Finding, Findings,
    KeptHash, Observer, Progress, SecretChange, StepsBack, Store, Walked,
};
pub use renewal::{Holder, Noted, Renewal};
pub use replica::{LimitsUsed, Promised, Replica, Report, ServerClock, Turn};
pub use schema::Schema;
pub use seen::{accept_in, check_newest, seen_in};
pub use servers::Servers;
pub use shape::ShapeFault;
pub use types::{
    Added, Answer, BroughtUp, ClientIssuance, Conflict, Find, Fleet, History, Idempotency,
    Issuance, Issue, Keep, Kept, NewDelegation, NewDevice, NewZone, Recorded, Redeemed, Redemption,
    Retention, Tidied, Withdrawn, WithdrawnNames, ZoneCount,
};
