//! The keys of delegation certificates, one kind of store a file.

mod pem_file;

pub use pem_file::PemKey;
