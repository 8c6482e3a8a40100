//! The keys of delegation certificates, one kind of store a file.

mod pem_file;
mod timing;

pub use pem_file::PemKey;
pub use timing::Timing;
