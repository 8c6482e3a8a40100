//! The solutions, one module each.

