//! The solutions, a file each.

#[allow(dead_code, reason = "nothing measures it yet")]
pub(crate) mod delegated;
