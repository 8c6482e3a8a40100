//! A vendor with a CA, and the devices it makes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64ct::{Base64, Encoding};
use dc_core::pem::StoredCredential;
use dc_core::{
    DELEGATION_USAGE_ARCS, DelegationCertificate, Form, IssuingPolicy, Request, Role,
    SignatureScheme, Signer,
};
use dc_rustls::server::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyIdMethod, KeyPair,
    KeyUsagePurpose, NameConstraints, PublicKeyData, RevokedCertParams, SerialNumber,
    SigningKey as _, date_time_ymd,
};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};

use crate::backend::BACKENDS;

/// The zone that every vendor's delegation certificate covers.
pub const ZONE: &str = "cpe.example.com";

/// An address that a delegation certificate may have.
pub const ADDRESS: &str = "192.0.2.1";

/// The provider that the tests use unless they say otherwise.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    BACKENDS[0].provider()
}

/// A root and a delegation certificate for `*.cpe.example.com` under it.
#[derive(Debug)]
pub struct Vendor {
    root: CertificateDer<'static>,
    /// The delegation certificate and the intermediates behind it.
    chain: Vec<CertificateDer<'static>>,
    key: Key,
    /// Who signed the delegation certificate.
    issuer: CertifiedIssuer<'static, KeyPair>,
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
        Self::make(key, &zone(ZONE), 0, 0, None)
    }

    /// A vendor whose devices have names in another zone.
    #[must_use]
    pub fn in_zone(name: &str) -> Self {
        Self::with_names(&zone(name))
    }

    /// A vendor whose delegation certificate has these dNSNames.
    #[must_use]
    pub fn with_names(dns_names: &[String]) -> Self {
        Self::make(Key::p256(), dns_names, 0, 0, None)
    }

    /// A vendor with so many certificates between root and delegation certificate, each of which has
    /// a comment of `size` bytes.
    #[must_use]
    pub fn with_intermediates(key: Key, intermediates: usize, size: usize) -> Self {
        Self::make(key, &zone(ZONE), intermediates, size, None)
    }

    /// A vendor whose certificates are not as they should be.
    #[must_use]
    pub fn odd(oddity: Oddity) -> Self {
        Self::make(Key::p256(), &zone(ZONE), 1, 0, Some(oddity))
    }

    fn make(
        key: Key,
        dns_names: &[String],
        intermediates: usize,
        size: usize,
        oddity: Option<Oddity>,
    ) -> Self {
        // Verifiers find issuers by name, so no two vendors may share one.
        let number = VENDORS.fetch_add(1, Ordering::Relaxed);
        let name = format!("root of vendor {number}");
        let mut root = authority(&name, 0);
        root.name_constraints = (oddity == Some(Oddity::RootExcludes)).then(excludes_router);
        let root = CertifiedIssuer::self_signed(root, new_pair(P256)).unwrap();
        let root_der = root.der().clone();
        let mut chain = Vec::new();
        let mut issuer = root;
        for level in 0..intermediates {
            let mut params = authority(&format!("intermediate {level} of vendor {number}"), size);
            if oddity == Some(Oddity::UsageOnIntermediate) {
                params.custom_extensions.push(delegation_usage());
            }
            let excludes = oddity == Some(Oddity::IntermediateExcludes);
            params.name_constraints = excludes.then(excludes_router);
            if oddity == Some(Oddity::BriefIntermediate) {
                make_brief(&mut params);
            }
            issuer = CertifiedIssuer::signed_by(params, new_pair(P256), &issuer).unwrap();
            chain.insert(0, issuer.der().clone());
        }
        let mut names = dns_names.to_vec();
        if oddity == Some(Oddity::Address) {
            names.push(ADDRESS.to_owned());
        }
        let mut leaf = CertificateParams::new(names).unwrap();
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.serial_number = Some(SerialNumber::from(DELEGATION_SERIAL));
        match oddity {
            Some(Oddity::CaLeaf) => leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            Some(Oddity::UsageOnIntermediate) => {}
            _ => leaf.custom_extensions = vec![delegation_usage()],
        }
        match oddity {
            Some(Oddity::BriefLeaf) => make_brief(&mut leaf),
            Some(Oddity::ForClients) => {
                leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            Some(Oddity::ForServers) => {
                leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }
            _ => {}
        }
        let leaf = leaf.signed_by(&key.0, &issuer).unwrap();
        chain.insert(0, leaf.der().clone());
        Self {
            root: root_der,
            chain,
            key,
            issuer,
        }
    }

    /// A list of the CA's that revokes the delegation certificate, or nothing.
    #[must_use]
    pub fn revocation_list(&self, revokes: bool) -> CertificateRevocationListDer<'static> {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(DELEGATION_SERIAL),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(4000, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revokes.then_some(revoked).into_iter().collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().der().clone()
    }

    /// The root's certificate, in DER.
    #[must_use]
    pub fn root_der(&self) -> CertificateDer<'static> {
        self.root.clone()
    }

    /// The same in PEM.
    #[must_use]
    pub fn root_pem(&self) -> String {
        pem(&self.root)
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
        self.chain.clone()
    }

    /// The same in PEM.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(pem).collect()
    }

    /// The private key of the delegation certificate, for an ordinary server.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        self.key.private_key()
    }

    /// The same in PEM.
    #[must_use]
    pub fn private_key_pem(&self) -> String {
        self.key.private_key_pem()
    }

    /// A credential for this device, as the vendor's signer issues it now, for a day.
    #[must_use]
    pub fn issue(&self, device: &Device, form: Form) -> StoredCredential {
        self.issue_for(device, form, Duration::from_secs(24 * 3600))
    }

    /// A credential with this lifetime.
    #[must_use]
    pub fn issue_for(&self, device: &Device, form: Form, lifetime: Duration) -> StoredCredential {
        self.issue_at(device, form, UnixTime::now(), lifetime)
    }

    /// A credential that is issued at another time.
    #[must_use]
    pub fn issue_at(
        &self,
        device: &Device,
        form: Form,
        now: UnixTime,
        lifetime: Duration,
    ) -> StoredCredential {
        self.issue_as(Role::Server, device, form, now, lifetime)
    }

    /// A credential for this end of connections.
    #[must_use]
    pub fn issue_as(
        &self,
        role: Role,
        device: &Device,
        form: Form,
        now: UnixTime,
        lifetime: Duration,
    ) -> StoredCredential {
        let certificate = DelegationCertificate::parse(self.chain[0].clone()).unwrap();
        let policy = IssuingPolicy::new(certificate, role);
        let spki = device.key.spki();
        let request = Request::new(&spki).lifetime(lifetime);
        let request = match form {
            Form::Rfc9345 => request,
            Form::Named => request.unique_name(device.name.as_str().try_into().unwrap()),
        };
        // ring, the first where both are built in, knows no P-521.
        let provider = BACKENDS[BACKENDS.len() - 1].provider();
        let algorithms = provider.signature_verification_algorithms.all;
        let issued = policy
            .approve(&request, now)
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

/// What is wrong with a vendor's certificates.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Oddity {
    /// The delegation certificate is for [`ADDRESS`] too.
    Address,
    /// The certificate above the delegation certificate is valid from an hour before now until an hour after.
    BriefIntermediate,
    /// The delegation certificate is.
    BriefLeaf,
    /// The delegation certificate is that of a CA.
    CaLeaf,
    /// The delegation certificate is for clients alone.
    ForClients,
    /// The delegation certificate is for servers alone.
    ForServers,
    /// The intermediate's name constraints exclude `router` of [`ZONE`].
    IntermediateExcludes,
    /// The root's do.
    RootExcludes,
    /// The certificate above has the DelegationUsage that the delegation certificate lacks.
    UsageOnIntermediate,
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
        Self(new_pair(P256))
    }

    /// ECDSA with P-384.
    #[must_use]
    pub fn p384() -> Self {
        Self(new_pair(&rcgen::PKCS_ECDSA_P384_SHA384))
    }

    /// ECDSA with P-521, which ring has not.
    #[cfg(feature = "aws-lc-rs")]
    #[must_use]
    pub fn p521() -> Self {
        Self(new_pair(&rcgen::PKCS_ECDSA_P521_SHA512))
    }

    /// Ed25519.
    #[must_use]
    pub fn ed25519() -> Self {
        Self(new_pair(&rcgen::PKCS_ED25519))
    }

    /// RSA with 2048 bits, for a vendor alone; ring makes none.
    #[cfg(feature = "aws-lc-rs")]
    #[must_use]
    pub fn rsa() -> Self {
        Self(new_pair(&rcgen::PKCS_RSA_SHA256))
    }

    /// The private key, in PKCS#8.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.0.serialize_der().into())
    }

    /// The private key, in PEM.
    #[must_use]
    pub fn private_key_pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// The public key, as a SubjectPublicKeyInfo.
    #[must_use]
    pub fn spki(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }
}

impl Signer for Key {
    type Error = rcgen::Error;

    fn scheme(&self) -> SignatureScheme {
        let mut schemes = SignatureScheme::for_key(&self.spki()).unwrap();
        schemes.next().unwrap()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        match self.scheme() {
            // rcgen signs with PKCS #1 v1.5.
            SignatureScheme::RSA_PSS_RSAE_SHA256 => {
                let keys = provider().key_provider;
                let key = keys.load_private_key(self.private_key()).unwrap();
                let signer = key.choose_scheme(&[rustls::SignatureScheme::RSA_PSS_SHA256]);
                Ok(signer.unwrap().sign(message).unwrap())
            }
            _ => self.0.sign(message),
        }
    }
}

/// The dNSName of a zone.
fn pem(der: &CertificateDer<'_>) -> String {
    let body = Base64::encode_string(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

fn zone(name: &str) -> [String; 1] {
    [format!("*.{name}")]
}

fn authority(name: &str, size: usize) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, name);
    if size > 0 {
        // Of the arc for examples; not critical, so that nobody looks.
        let comment = CustomExtension::from_oid_content(&[2, 999, 1], vec![7; size]);
        params.custom_extensions = vec![comment];
    }
    params
}

fn make_brief(params: &mut CertificateParams) {
    let (now, hour) = (UnixTime::now().as_secs(), 3600);
    let at = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    (params.not_before, params.not_after) = (at(now - hour), at(now + hour));
}

fn excludes_router() -> NameConstraints {
    NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(ZONE.to_owned())],
        excluded_subtrees: vec![GeneralSubtree::DnsName(format!("router.{ZONE}"))],
    }
}

/// The DelegationUsage extension (RFC 9345 §4.2).
fn delegation_usage() -> CustomExtension {
    CustomExtension::from_oid_content(&DELEGATION_USAGE_ARCS, vec![5, 0])
}

fn new_pair(algorithm: &'static rcgen::SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

static P256: &rcgen::SignatureAlgorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
static VENDORS: AtomicU32 = AtomicU32::new(0);
const DELEGATION_SERIAL: u64 = 7;
