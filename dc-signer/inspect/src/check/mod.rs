//! The checks that a peer makes of a chain and a credential, in the order of RFC 9345 §4.1.3.
//!
//! The checks are [`dc_core`]'s and rustls's own. A peer stops at the first that fails; here the others
//! are looked at too, as far as they can be, because whoever reads this wants to mend it.

mod chain;
mod credential;
mod order;
mod verdict;

use std::sync::Arc;

use dc_core::Role;
use pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;

pub use credential::verify_key;
pub use verdict::{Check, CheckError, Outcome, Rule, Verdict};

/// A peer: its role, roots and time, and the name that it wants.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The cryptography it has.
    pub provider: Arc<CryptoProvider>,
    /// Which end of the connection it wants to authenticate.
    pub role: Role,
    /// The name it wants to reach.
    pub wanted: Option<ServerName<'static>>,
    /// The roots it trusts, if they are known.
    pub roots: Option<Arc<RootCertStore>>,
    /// The time it has.
    pub now: UnixTime,
}

impl Peer {
    /// Checks a chain alone, the end-entity certificate first: trusted, valid, for the name.
    #[must_use]
    pub fn check_chain(&self, chain: &[CertificateDer<'_>]) -> Verdict {
        Verdict::new(chain::checks(self, chain))
    }

    /// Checks a CA's certificate, wherever in a chain that is to be.
    #[must_use]
    pub fn check_ca(&self, certificate: &CertificateDer<'_>) -> Verdict {
        Verdict::new(chain::checks_of_ca(self, certificate))
    }

    /// Checks a chain under which credentials are to come.
    #[must_use]
    pub fn check_delegation(&self, chain: &[CertificateDer<'_>]) -> Verdict {
        let mut checks = chain::checks(self, chain);
        checks.extend(credential::may_delegate(chain));
        Verdict::new(checks)
    }

    /// Checks a credential under a chain.
    #[must_use]
    pub fn check(
        &self,
        chain: &[CertificateDer<'_>],
        credential: &dc_core::pem::StoredCredential,
    ) -> Verdict {
        let mut checks = chain::checks(self, chain);
        checks.extend(credential::checks(self, chain, credential));
        Verdict::new(checks)
    }
}
