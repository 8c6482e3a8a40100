//! The solutions, a file each.
