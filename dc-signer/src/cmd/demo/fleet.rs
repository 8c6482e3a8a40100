//! A vendor with a root that clients trust, and the devices that it enrols.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dc_core::{Issued, Role, UniqueName, pem};
use dc_rustls::server::Identity;
use pki_types::{PrivateKeyDer, SignatureVerificationAlgorithm, UnixTime};
use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use tempfile::TempDir;

use super::cannot;
use crate::cmd::Error;
use dc_pki::files::{self, Access, NewFile};
use dc_pki::names::ZoneName;
use dc_pki::test_ca::{self, TestRoot};
use dc_pki::{Delegation, DeviceKey, IdentityFolder, Wanted, issue};

/// The vendor, and where it keeps its files.
pub(super) struct Fleet {
    folder: TempDir,
    pub(super) now: UnixTime,
    pub(super) provider: Arc<CryptoProvider>,
    pub(super) root: TestRoot,
    zone: ZoneName,
    pub(super) delegation: Delegation,
    /// The same certificate, to issue for clients.
    for_clients: Delegation,
}

impl Fleet {
    pub(super) fn found(now: UnixTime) -> Result<Self, Error> {
        let folder = tempfile::tempdir().map_err(cannot("make a temporary folder"))?;
        let zone = ZoneName::parse("cpe.example.com")?;
        let root = TestRoot::generate(now)?;
        let vendor = folder.path().join("vendor");
        test_ca::write(&vendor, &root, &root.delegate(&zone, now)?)?;
        Ok(Self {
            delegation: Delegation::load(&vendor)?,
            for_clients: Delegation::load_for(&vendor, Role::Client)?,
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            folder,
            now,
            root,
            zone,
        })
    }

    /// A certificate like the one that the vendor issues under, but another one.
    pub(super) fn another_delegation(&self) -> Result<Delegation, Error> {
        let vendor = self.folder.path().join("other-vendor");
        let other = self.root.delegate(&self.zone, self.now)?;
        test_ca::write(&vendor, &self.root, &other)?;
        Ok(Delegation::load(&vendor)?)
    }

    /// Makes a device with a key of its own, and gives it a server's credentials of both forms for a CSR.
    pub(super) fn enrol(
        &self,
        label: &str,
        algorithm: &'static SignatureAlgorithm,
    ) -> Result<Device, Error> {
        let name = self.zone.fresh_name()?;
        self.make(Role::Server, label, name, algorithm)
    }

    /// Gives a device another key, and a client's credentials for it.
    pub(super) fn enrol_client(&self, label: &str, device: &Device) -> Result<Device, Error> {
        let algorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
        self.make(Role::Client, label, device.name.clone(), algorithm)
    }

    fn make(
        &self,
        role: Role,
        label: &str,
        name: UniqueName<'static>,
        algorithm: &'static SignatureAlgorithm,
    ) -> Result<Device, Error> {
        let csr = self.folder.path().join(format!("{label}.csr"));
        let (request, key) = make_key(algorithm).map_err(cannot("make a device's key"))?;
        fs::write(&csr, request).map_err(cannot("write a certificate signing request"))?;
        let device = Device {
            name,
            role,
            key: DeviceKey::from_csr(&csr, self.algorithms())?,
            identity: self.folder.path().join(label),
        };
        let folder = IdentityFolder::open(&device.identity, &device.key)?;
        let wanted = Wanted::Both(device.name.clone());
        let issued = self.issue(&device, &wanted, None, self.now)?;
        folder.write(self.delegation.chain(), &issued)?;
        let key = NewFile {
            name: "key.pem",
            contents: key.as_bytes(),
            access: Access::Owner,
        };
        files::stage(&device.identity, &key)?.create()?;
        Ok(device)
    }

    /// The credentials that the vendor would have issued at another time.
    pub(super) fn issue(
        &self,
        device: &Device,
        wanted: &Wanted,
        lifetime: Option<Duration>,
        then: UnixTime,
    ) -> Result<Vec<Issued>, Error> {
        let delegation = match device.role {
            Role::Server => &self.delegation,
            Role::Client => &self.for_clients,
        };
        let (key, algorithms) = (&device.key, self.algorithms());
        Ok(issue(delegation, key, wanted, lifetime, algorithms, then)?)
    }

    pub(super) fn algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        self.provider.signature_verification_algorithms.all
    }

    /// The roots that clients trust.
    pub(super) fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.root.certificate().clone())
            .map_err(cannot("trust its own root"))?;
        Ok(roots)
    }
}

/// The CSR for a device's new key, and the key, which stays there, both in PEM.
fn make_key(algorithm: &'static SignatureAlgorithm) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate_for(algorithm)?;
    let csr = CertificateParams::default().serialize_request(&key)?;
    Ok((csr.pem()?, key.serialize_pem()))
}

/// A device that is enrolled, at one end of connections.
pub(super) struct Device {
    pub(super) name: UniqueName<'static>,
    role: Role,
    key: DeviceKey,
    identity: PathBuf,
}

impl Device {
    /// The identity that a server or a client on the device loads.
    pub(super) fn identity(&self) -> Result<Identity, Error> {
        Identity::load(&self.identity).map_err(cannot("load an identity"))
    }

    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        let file = read(&self.identity.join("key.pem"))?;
        pem::private_key(&file).map_err(cannot("read a device's key"))
    }

    pub(super) fn credential_file(&self) -> Result<Vec<u8>, Error> {
        read(&self.identity.join("credential.pem"))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(cannot("read a device's file"))
}
