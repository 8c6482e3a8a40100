//! ACME (RFC 8555): a client, and a small CA with STAR (RFC 8739) and delegation (RFC 9115).
//!
//! No ACME client or CA that we know of has RFC 8739, so both ends of it are here. The client also orders from CAs
//! that nobody here wrote.

#![expect(dead_code, unused_imports, reason = "solutions that use it follow")]

pub(crate) mod client;
pub(crate) mod jws;
pub(crate) mod objects;
pub(crate) mod problem;
pub(crate) mod tally;

pub(crate) use client::Client;
pub(crate) use jws::AccountKey;
pub(crate) use tally::Tally;
