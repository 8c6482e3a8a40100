//! The solutions, a file each.

pub(crate) mod name_constraints;
pub(crate) mod normal;

mod fleet;

#[cfg(test)]
mod tests;
