//! The signing process, `dc-signer keyd`: it holds the delegation keys and the audit log's key, and judges for itself what it
//! signs, so that a service that was taken over gets no more than its configuration allows.
//!
//! It is handed no bytes to sign. It is told which key a credential is to be for, under which certificate, with which name and
//! for how long, compares that with its own ceilings, makes the credential by its own clock and writes it into its own log before
//! it gives it out. [`dc_pki::keyd`] has the protocol and the callers' side.

mod caller;
mod checkpoints;
mod counts;
mod desk;
mod error;
mod hall;
mod holder;
mod log_key;
mod look;
mod made;
mod policy;
mod rate;
mod record;
mod remote;
mod seats;
mod server;
mod socket;
mod turned_away;

pub use caller::{Caller, Callers};
pub use desk::Desk;
pub use error::Error;
pub use log_key::LogKey;
pub use look::look;
pub use record::{Walked, walk_after};
pub use server::serve;
