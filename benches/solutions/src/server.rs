//! A device's server: this program, started once more, in a process of its own.

use dc_tests::process::Server;

use crate::Result;
use crate::solution::Identity;

/// Starts it.
pub(crate) fn start(identity: &Identity) -> Result<Server> {
    let _ = identity;
    Err("to be written".into())
}
