//! A vendor with a CA, and the devices it makes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use dc_core::pem::StoredCredential;
use dc_core::{DelegationCertificate, Form, IssuingPolicy, Request, Role, SignatureScheme, Signer};
use dc_rustls::server::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyPair,
    KeyUsagePurpose, PublicKeyData, SigningKey,
};
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

/// The zone that every vendor's delegation certificate covers.
pub const ZONE: &str = "cpe.example.com";

/// The provider that the tests use unless they say otherwise.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A root and a delegation certificate for `*.cpe.example.com` under it.
#[derive(Debug)]
pub struct Vendor {
    root: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    key: Key,
}

impl Default for Vendor {
    fn default() -> Self {
        Self::new(Key::p256())
    }
}

impl Vendor {
    /// A vendor whose delegation certificate has this key.
    #[must_use]
    pub fn new(key: Key) -> Self {
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        // Verifiers find issuers by name, so no two vendors may share one.
        let number = VENDORS.fetch_add(1, Ordering::Relaxed);
        root.distinguished_name
            .push(DnType::CommonName, format!("root of vendor {number}"));
        let root = CertifiedIssuer::self_signed(root, Key::p256().0).unwrap();
        let mut leaf = CertificateParams::new([format!("*.{ZONE}")]).unwrap();
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.custom_extensions = vec![CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 4, 1, 44363, 44],
            vec![5, 0],
        )];
        let certificate = leaf.signed_by(&key.0, &root).unwrap().der().clone();
        Self {
            root: root.der().clone(),
            certificate,
            key,
        }
    }

    /// The roots that a client of this vendor trusts.
    #[must_use]
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        roots
    }

    /// The chain that a device sends.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    /// The private key of the delegation certificate, for an ordinary server.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        self.key.private_key()
    }

    /// A credential for this device, as the vendor's signer issues it now, for a day.
    #[must_use]
    pub fn issue(&self, device: &Device, form: Form) -> StoredCredential {
        self.issue_for(device, form, Duration::from_secs(24 * 3600))
    }

    /// A credential with this lifetime.
    #[must_use]
    pub fn issue_for(&self, device: &Device, form: Form, lifetime: Duration) -> StoredCredential {
        let certificate = DelegationCertificate::parse(self.certificate.clone()).unwrap();
        let policy = IssuingPolicy::new(certificate, Role::Server);
        let spki = device.key.0.subject_public_key_info();
        let request = Request::new(&spki).lifetime(lifetime);
        let request = match form {
            Form::Rfc9345 => request,
            Form::Named => request.unique_name(device.name.as_str().try_into().unwrap()),
        };
        let algorithms = provider().signature_verification_algorithms.all;
        let issued = policy
            .approve(&request, UnixTime::now())
            .unwrap()
            .sign(&self.key, algorithms)
            .unwrap();
        dc_core::pem::read(dc_core::pem::write(form, issued.bytes()).as_bytes())
            .unwrap()
            .remove(0)
    }

    /// The identity of a device with credentials of these forms.
    #[must_use]
    pub fn enrol(&self, device: &Device, forms: &[Form]) -> Identity {
        let credentials = forms.iter().map(|&form| self.issue(device, form)).collect();
        Identity::new(self.chain(), credentials, device.key.private_key())
    }
}

/// A device with a name and a key of its own.
#[derive(Debug)]
pub struct Device {
    /// Its name, under [`ZONE`].
    pub name: String,
    /// Its key.
    pub key: Key,
}

impl Device {
    /// A device with a P-256 key.
    #[must_use]
    pub fn new(label: &str) -> Self {
        Self::with_key(label, Key::p256())
    }

    /// A device with this key.
    #[must_use]
    pub fn with_key(label: &str, key: Key) -> Self {
        Self {
            name: format!("{label}.{ZONE}"),
            key,
        }
    }
}

/// A key pair.
#[derive(Debug)]
pub struct Key(KeyPair);

impl Key {
    /// ECDSA with P-256.
    #[must_use]
    pub fn p256() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap())
    }

    /// ECDSA with P-384.
    #[must_use]
    pub fn p384() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap())
    }

    /// Ed25519.
    #[must_use]
    pub fn ed25519() -> Self {
        Self(KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap())
    }

    /// The private key, in PKCS#8.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.0.serialize_der().into())
    }
}

impl Signer for Key {
    type Error = rcgen::Error;

    fn scheme(&self) -> SignatureScheme {
        match self.0.algorithm() {
            a if a == &rcgen::PKCS_ECDSA_P256_SHA256 => SignatureScheme::ECDSA_SECP256R1_SHA256,
            a if a == &rcgen::PKCS_ECDSA_P384_SHA384 => SignatureScheme::ECDSA_SECP384R1_SHA384,
            _ => SignatureScheme::ED25519,
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message)
    }
}

static VENDORS: AtomicU32 = AtomicU32::new(0);
