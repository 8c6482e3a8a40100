//! The tables: what was measured, beside what the draft says.
