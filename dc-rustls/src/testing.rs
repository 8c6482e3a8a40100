//! A crypto provider for the unit tests, whichever is built in.

#[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
pub(crate) use rustls::crypto::aws_lc_rs as backend;
#[cfg(feature = "ring")]
pub(crate) use rustls::crypto::ring as backend;
