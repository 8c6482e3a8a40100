//! The CA of a zone, and one order at it: placed, waited for, and looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use dc_pki::names::ZoneName;
use dc_pki::{CsrError, Roles, trust};
use pki_types::UnixTime;
use rustls::RootCertStore;
use thiserror::Error;

use super::acme::AcmeSource;
use super::command::CommandSource;
use super::returned::{self, Expected, Returned, ReturnedError};
use super::source::{CertificateSource, OrderError};
use crate::config::Config;

/// The CA that a zone's certificates are ordered from.
#[derive(Clone, Debug)]
pub struct ConfiguredCa {
    source: Arc<dyn CertificateSource>,
    /// The same, if it speaks ACME.
    acme: Option<Arc<AcmeSource>>,
    anchors: PathBuf,
    name: String,
}

impl ConfiguredCa {
    /// The CA that a configuration has for a zone: one that names it, or else one that names none. None if there is none, and
    /// certificates are brought by a person.
    #[must_use]
    pub fn of(config: &Config, zone: &ZoneName) -> Option<Self> {
        let named = |zones: &[ZoneName]| zones.contains(zone);
        Self::first(config, named).or_else(|| Self::first(config, <[ZoneName]>::is_empty))
    }

    /// The first whose zones are as is wanted.
    fn first(config: &Config, is_wanted: impl Fn(&[ZoneName]) -> bool) -> Option<Self> {
        let acme = config.acme.iter().find(|acme| is_wanted(&acme.zones));
        let acme = acme.map(|settings| {
            let acme = Arc::new(AcmeSource::new(settings.clone(), &config.data));
            Self {
                source: acme.clone(),
                acme: Some(acme),
                anchors: settings.anchors.clone(),
                name: settings.directory.clone(),
            }
        });
        acme.or_else(|| {
            let mut commands = config.order_command.iter();
            let settings = commands.find(|command| is_wanted(&command.zones))?;
            Some(Self {
                source: Arc::new(CommandSource::new(settings.clone())),
                acme: None,
                anchors: settings.anchors.clone(),
                name: settings.command.first().cloned().unwrap_or_default(),
            })
        })
    }

    /// The way to it.
    #[must_use]
    pub fn source(&self) -> &Arc<dyn CertificateSource> {
        &self.source
    }

    /// The URL of its directory, or the program that speaks to it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL of the account at it, if it speaks ACME and there is one already.
    ///
    /// Fails with [`OrderError::Setup`].
    pub fn account_url(&self) -> Result<Option<String>, OrderError> {
        match &self.acme {
            Some(acme) => acme.account_url(),
            None => Ok(None),
        }
    }

    /// The roots that its certificates lead to.
    ///
    /// Fails with what reading them fails with.
    pub fn anchors(&self) -> Result<RootCertStore, dc_pki::Error> {
        trust::read_roots(&self.anchors)
    }

    /// Orders a certificate, and returns it if it is what was ordered.
    ///
    /// Fails with [`OrderingError`].
    pub async fn order(
        &self,
        wanted: &Wanted<'_>,
        now: impl Fn() -> UnixTime,
    ) -> Result<Returned, OrderingError> {
        // Before the CA is asked: it counts orders.
        returned::requested_key(wanted.csr_der)?;
        self.anchors()?;
        let names = [wanted.zone.wildcard()];
        let ordered = self.source.order(wanted.csr_der, &names, wanted.replaces);
        let chain = ordered.await?;
        self.check(&chain, wanted, now())
    }

    /// Takes a chain in PEM that it returned, if it is what was ordered.
    ///
    /// Fails with [`OrderingError`].
    pub fn check(
        &self,
        chain: &[u8],
        wanted: &Wanted<'_>,
        now: UnixTime,
    ) -> Result<Returned, OrderingError> {
        let expected = Expected {
            zone: wanted.zone,
            roles: wanted.roles,
            spki: &returned::requested_key(wanted.csr_der)?,
            anchors: &self.anchors()?,
        };
        let checked = returned::check(chain, &expected, now);
        checked.map_err(|error| OrderingError::Wrong {
            error,
            chain: chain.to_vec(),
        })
    }
}

/// The certificate that is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The zone.
    pub zone: &'a ZoneName,
    /// The ends of connections that it is to be for.
    pub roles: Roles,
    /// The request, in DER.
    pub csr_der: &'a [u8],
    /// The DER certificate whose place it takes, if there is one.
    pub replaces: Option<&'a [u8]>,
}

/// The reason that an order brought nothing.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OrderingError {
    /// The roots cannot be read.
    #[error(transparent)]
    Anchors(#[from] dc_pki::Error),
    /// The CA gave none.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The request is none.
    #[error("the request cannot be used: {0}")]
    Request(#[from] CsrError),
    /// The CA gave another one.
    #[error("{error}")]
    Wrong {
        /// The first thing that is wrong with it.
        error: ReturnedError,
        /// The bytes that it gave.
        chain: Vec<u8>,
    },
}

/// The folder, in a data folder, of an order that an operator has placed, beside those of the service.
#[must_use]
pub fn folder(data: &Path, zone: &ZoneName, roles: Roles) -> PathBuf {
    let name = format!("{zone}-{}", roles.as_str());
    data.join("orders").join(name)
}
