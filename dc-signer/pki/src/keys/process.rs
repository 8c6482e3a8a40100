//! A key that a signing process holds: it is asked for credentials, and never for a signature.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dc_core::{Role, SignatureScheme};

use crate::keyd::{Keyd, Pause};
use crate::process_fault::ProcessFault;
use crate::sha256::Sha256;

/// A key that a signing process holds, known by its certificate.
#[derive(Clone, Debug)]
pub struct ProcessKey {
    keyd: Arc<Keyd>,
    spki: Vec<u8>,
    scheme: SignatureScheme,
    certificate: Sha256,
    role: Role,
    /// How long credentials are to live; not known where only one is issued.
    lifetime: Option<Duration>,
    /// The time in which the process issues nothing, as it said last.
    pause: Arc<Mutex<Option<Pause>>>,
}

impl ProcessKey {
    /// The key of this certificate, for this end of connections; none if nothing is known that such a key signs with.
    pub(super) fn new(keyd: Arc<Keyd>, certificate: (Sha256, Role), spki: &[u8]) -> Option<Self> {
        let scheme = super::scheme(spki)?;
        let (certificate, role) = certificate;
        Some(Self {
            keyd,
            spki: spki.to_vec(),
            scheme: SignatureScheme(scheme.into()),
            certificate,
            role,
            lifetime: None,
            pause: Arc::default(),
        })
    }

    /// The same key, for credentials that are to live for so long.
    pub(super) fn for_lifetime(self, lifetime: Option<Duration>) -> Self {
        Self { lifetime, ..self }
    }

    /// The same key, for this end of connections.
    pub(super) fn for_role(&self, role: Role) -> Self {
        Self {
            role,
            ..self.clone()
        }
    }

    /// Asks for a credential; see [`Keyd::issue`].
    pub(super) fn issue(
        &self,
        spki: &[u8],
        name: Option<&str>,
        lifetime: Option<Duration>,
    ) -> Result<Vec<u8>, ProcessFault> {
        let of = (self.certificate, self.role);
        self.keyd.issue(of, spki, name, lifetime)
    }

    /// Shows that the process is there, and signs with the key for as long as it is to. That nothing is issued for a while is no
    /// failure: the next certificate is imported then, too.
    pub(super) fn try_key(&self) -> Result<(), ProcessFault> {
        let of = (self.certificate, self.role);
        let pause = self.keyd.try_key(of, self.lifetime)?;
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = pause;
        Ok(())
    }

    /// The time in which the process issues nothing, as it said when it was last tried.
    pub(super) fn pause(&self) -> Option<Pause> {
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows that the process would issue a credential with this name, or one without.
    pub(super) fn try_issue(&self, name: Option<&str>) -> Result<(), ProcessFault> {
        let of = (self.certificate, self.role);
        self.keyd.try_issue(of, name, self.lifetime)
    }

    pub(super) fn spki(&self) -> &[u8] {
        &self.spki
    }

    pub(super) fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
