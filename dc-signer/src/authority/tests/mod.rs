//! Tests of the use cases of devices and operators, whatever database is under the authority.
//!
//! A test is a function over a [`Database`], named once in the list of its file: so it runs on SQLite and on
//! PostgreSQL, and never on one alone.

pub(crate) mod bench;
mod clients;
mod clock;
pub(crate) mod device;
mod devices;
mod encrypted;
mod enrolling;
mod four_eyes;
mod manufactured;
mod one_name;
mod possession;
mod renewing;
mod replacing;
mod replicas;
mod rolling;
mod sealed;
mod secrets;
mod slots;
mod withdrawing;
