//! The contents of certificates, credentials, requests and keys: for people and for programs.
//!
//! Nothing is checked here, and nothing has to be in order: whatever parses is displayed. What a
//! stranger wrote is shown with [`Foreign`](dc_pki::text::Foreign).

mod certificate;
mod credential;
mod key;
mod request;
mod sheet;

pub use certificate::Certificate;
pub(crate) use certificate::merge;
pub use credential::Credential;
pub use key::PublicKey;
pub use request::Request;
pub use sheet::Sheet;
