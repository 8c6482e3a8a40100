//! The solutions, a file each.

#[expect(dead_code, reason = "the table that runs it follows")]
pub(crate) mod acme_delegated;
