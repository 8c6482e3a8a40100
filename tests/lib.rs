//! What the tests with two endpoints share: vendors, devices, and ways to connect them.

pub mod pair;
pub mod pipe;
pub mod vendor;
