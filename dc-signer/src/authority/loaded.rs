//! A delegation certificate with its key, loaded from its folder: it has signed a credential that verifies.

use std::fs::File;
use std::io::ErrorKind;
use std::iter;
use std::path::Path;

use dc_core::Role;
use pki_types::UnixTime;

use super::algorithms::algorithms;
use super::blocking::Blocking;
use super::error::PkiError;
use super::{Error, SetupError};
use dc_pki::delegation::{CHAIN, Delegation, Files, KEY_FILES};
use dc_pki::keys::{ProcessFault, Refusal, Timing, Unlock};
use dc_pki::names::ZoneName;
use dc_pki::{self, Unissued, Wanted, files, pem};
use dc_store::registry::Sha256;

/// A delegation certificate with its key, ready to sign.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) certificate_sha256: Sha256,
    pub(super) delegation: Delegation,
    /// The same, to issue for clients; none if the certificate is for servers alone.
    pub(super) for_clients: Option<Delegation>,
    /// The chain as it is answered.
    pub(super) chain_pem: String,
    /// Looks whether the key is there, one at a time.
    pub(super) looking: Blocking,
}

impl Loaded {
    /// Loads the key of a zone's certificate, and signs and verifies one credential with it; tells `timing` how long its
    /// signatures take.
    pub(super) fn open(
        folder: &Path,
        zone: &ZoneName,
        certificate_sha256: Sha256,
        timing: &Timing,
        unlock: &Unlock,
    ) -> Result<Self, Error> {
        Self::tried(load(folder, unlock)?, zone, certificate_sha256, timing)
    }

    /// The same of one whose files are in no folder.
    pub(super) fn of_files(
        files: &Files<'_>,
        zone: &ZoneName,
        certificate_sha256: Sha256,
        timing: &Timing,
        unlock: &Unlock,
    ) -> Result<Self, Error> {
        let delegation = Delegation::of_files(files, Role::Server, unlock)?;
        Self::tried(delegation, zone, certificate_sha256, timing)
    }

    fn tried(
        delegation: Delegation,
        zone: &ZoneName,
        certificate_sha256: Sha256,
        timing: &Timing,
    ) -> Result<Self, Error> {
        if Sha256::of(delegation.certificate().der()) != certificate_sha256 {
            let path = delegation.chain_path().into();
            return Err(SetupError::OtherCertificate { path }.into());
        }
        let delegation = delegation.timed(timing);
        let for_clients = for_clients(&delegation)?;
        let chain = delegation.chain().iter();
        let loaded = Self {
            certificate_sha256,
            chain_pem: chain.map(|c| pem::encode("CERTIFICATE", c)).collect(),
            delegation,
            for_clients,
            looking: Blocking::one(),
        };
        // When the certificate begins: whether it has, or is over, says nothing about the key.
        let begin = loaded.delegation.certificate().not_before();
        try_key(zone, &loaded, begin)?;
        Ok(loaded)
    }
}

/// Loads a key; a file that cannot be read is not called missing.
fn load(folder: &Path, unlock: &Unlock) -> Result<Delegation, PkiError> {
    for name in [CHAIN].into_iter().chain(KEY_FILES) {
        let path = folder.join(name);
        match File::open(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(files::read_failed(&path, source));
            }
            _ => {}
        }
    }
    Delegation::load_with(folder, Role::Server, unlock)
}

/// The same key, to issue for clients; none if the certificate is not for them.
pub(super) fn for_clients(delegation: &Delegation) -> Result<Option<Delegation>, PkiError> {
    match delegation.for_role(Role::Client) {
        Err(PkiError::UnfitCertificate { .. }) => Ok(None),
        // The certificate may, and the process that has its key does not want to.
        Err(PkiError::Process { fault, .. }) if is_of_role(&fault) => Ok(None),
        loaded => loaded.map(Some),
    }
}

fn is_of_role(fault: &ProcessFault) -> bool {
    let of_role = Refusal::Role;
    matches!(fault, ProcessFault::Refused { reason, .. } if *reason == of_role)
}

/// Issues a credential for a key that is forgotten at once, for each end that the certificate is for.
pub(super) fn try_key(zone: &ZoneName, loaded: &Loaded, now: UnixTime) -> Result<(), Error> {
    let wanted = Wanted::Both(zone.fresh_name()?);
    let spki = throwaway_key()?;
    let mut delegations = iter::once(&loaded.delegation).chain(&loaded.for_clients);
    let try_one = |delegation| dc_pki::try_key(delegation, &spki, &wanted, algorithms(), now);
    delegations.try_for_each(try_one).map_err(|unissued| {
        SetupError::SelfTest {
            zone: zone.clone(),
            certificate: loaded.certificate_sha256,
            source: match unissued {
                Unissued::DelegationKey => dc_core::Error::UnusableKey.into(),
                Unissued::Refused(source) => source.into(),
                Unissued::Signer(source) => source.into(),
            },
        }
        .into()
    })
}

fn throwaway_key() -> Result<Vec<u8>, PkiError> {
    let key = rcgen::KeyPair::generate().map_err(|source| PkiError::TestCertificate { source })?;
    Ok(rcgen::PublicKeyData::subject_public_key_info(&key))
}
