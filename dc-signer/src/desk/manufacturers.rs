//! Manufacturers whose certificates (IEEE 802.1AR) let their devices enrol.

use std::fmt;
use std::sync::Arc;

use pki_types::{CertificateDer, UnixTime};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::{Fault, Refusal, hardware};
use crate::config::{Manufacturer, Serials};
use crate::error::Error;
use crate::names::Zone;
use crate::registry::Manufactured;
use crate::{files, pem};

/// All manufacturers of the configuration.
#[derive(Debug)]
pub(super) struct Manufacturers(Vec<Known>);

struct Known {
    name: String,
    serials: Serials,
    zone: Option<Zone>,
    verifier: Arc<dyn ClientCertVerifier>,
}

/// What a manufacturer's certificate says about the device that it came from.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) manufactured: Manufactured,
    /// Whether a device that nobody has registered may enrol.
    pub(super) unregistered: bool,
    /// The zone of such a device, if the configuration names one.
    pub(super) zone: Option<Zone>,
}

impl Manufacturers {
    /// Reads the anchors of each.
    ///
    /// Fails with [`Fault::BadAnchors`] if one is no certificate, with what reading the file fails with, and
    /// with what [`Zone::parse`] fails with.
    pub(super) fn load(all: &[Manufacturer]) -> Result<Self, Error> {
        all.iter()
            .map(Known::load)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether there is a manufacturer of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known.name == name)
    }

    /// The device that a chain of certificates, its own first, was made for, if it leads to the anchors of
    /// a manufacturer.
    ///
    /// That whoever sent the chain has the private key is for the handshake to show. Fails with
    /// [`Refusal::Stranger`] and [`Refusal::WithoutSerial`].
    pub(super) fn made(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Made, Refusal> {
        let (first, others) = chain.split_first().ok_or(Refusal::Stranger)?;
        let known = self.0.iter().find(|known| {
            let verified = known.verifier.verify_client_cert(first, others, now);
            verified.is_ok()
        });
        let known = known.ok_or(Refusal::Stranger)?;
        let manufactured = Manufactured {
            manufacturer: known.name.clone(),
            serial: hardware::serial(first).ok_or(Refusal::WithoutSerial)?,
        };
        match manufactured.can_be_stored() {
            true => Ok(Made {
                manufactured,
                unregistered: known.serials == Serials::Any,
                zone: known.zone.clone(),
            }),
            false => Err(Refusal::WithoutSerial),
        }
    }
}

impl Known {
    fn load(manufacturer: &Manufacturer) -> Result<Self, Error> {
        let path = &manufacturer.anchors;
        let bad = || Fault::BadAnchors { path: path.clone() };
        let mut roots = RootCertStore::empty();
        for anchor in pem::certificates(path, &files::read(path)?)? {
            roots.add(anchor).map_err(|_| bad())?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
            .build()
            .map_err(|_| bad())?;
        Ok(Self {
            name: manufacturer.name.clone(),
            serials: manufacturer.serials,
            zone: manufacturer.zone.as_deref().map(Zone::parse).transpose()?,
            verifier,
        })
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
