//! The solutions, one module each.

pub(crate) mod device_key;
pub(crate) mod home_ca;
pub(crate) mod key_hash;
pub(crate) mod local_ca;
pub(crate) mod matter;
pub(crate) mod raw_keys;
pub(crate) mod referee;
pub(crate) mod self_signed;
