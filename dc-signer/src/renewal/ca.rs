//! The CA of a zone: where certificates come from, and how what comes back is looked at.

use std::fmt;
use std::sync::Arc;

use pki_types::UnixTime;

use super::ordering::{ConfiguredCa, Wanted};
use super::source::CertificateSource;
use crate::config::Config;
use dc_pki::Roles;
use dc_pki::names::ZoneName;

/// The certificate that was asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// The zone.
    pub zone: ZoneName,
    /// The ends of connections that it is for.
    pub roles: Roles,
    /// The request, in DER.
    pub csr_der: Vec<u8>,
}

/// A look at what a CA returned: the chain as it is kept, in PEM, or what is wrong.
pub type Check = Arc<dyn Fn(&[u8], &Asked, UnixTime) -> Result<Vec<u8>, String> + Send + Sync>;

/// The CA of a zone.
#[derive(Clone)]
pub struct Ca {
    /// Where certificates come from.
    pub source: Arc<dyn CertificateSource>,
    /// The look at what comes back, before it is a candidate.
    pub check: Check,
}

/// The CA of each zone; none if a person brings its certificates. A reload may change it.
pub type Cas = Arc<dyn Fn(&ZoneName) -> Option<Ca> + Send + Sync>;

impl Ca {
    /// The CA that a configuration has for a zone, if it has one.
    #[must_use]
    pub fn of(config: &Config, zone: &ZoneName) -> Option<Self> {
        let ca = ConfiguredCa::of(config, zone).filter(|_| config.certificate_renewal.automatic)?;
        let source = ca.source().clone();
        let check: Check = Arc::new(move |returned, asked, now| {
            let wanted = Wanted {
                zone: &asked.zone,
                roles: asked.roles,
                csr_der: &asked.csr_der,
                replaces: None,
            };
            let checked = ca.check(returned, &wanted, now);
            let chain = checked.map_err(|error| error.to_string())?;
            Ok(chain.chain_pem().into_bytes())
        });
        Some(Self { source, check })
    }
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, check: _ } = self;
        f.debug_struct("Ca")
            .field("source", source)
            .finish_non_exhaustive()
    }
}
