//! A vendor for trying things out: a root of its own, and delegation certificates under it.

mod requests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dc_core::UniqueName;
use pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
    SerialNumber, date_time_ymd,
};
use zeroize::Zeroizing;

pub use requests::Terms;

use crate::delegation::{CHAIN, KEY};
use crate::error::Error;
use crate::files::{self, Access, NewFile};
use crate::names::ZoneName;
use crate::pem;
use crate::random::random;

/// A root certificate made here, which only those trust who are told to.
pub struct TestRoot {
    params: CertificateParams,
    certificate: CertificateDer<'static>,
    key: Zeroizing<KeyPair>,
}

impl TestRoot {
    /// Makes a P-256 root that is valid for [`ROOT_LIFETIME`].
    ///
    /// Fails with [`Error::Randomness`] and [`Error::TestCertificate`].
    pub fn generate(now: UnixTime) -> Result<Self, Error> {
        let serial = random_serial()?;
        // Roots of different trials should not look alike to software that knows them by name.
        let name = format!("dc-signer test root {}", Hex(serial));
        let mut params = params(now, ROOT_LIFETIME, &name, serial);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = generate_key()?;
        let certificate = params.self_signed(&*key).map_err(not_made)?;
        Ok(Self {
            certificate: certificate.into(),
            params,
            key,
        })
    }

    /// Makes a P-256 delegation certificate for all names of a zone, as servers and as clients, valid for
    /// [`CERTIFICATE_LIFETIME`], and its key.
    ///
    /// Fails with [`Error::Randomness`] and [`Error::TestCertificate`].
    pub fn delegate(&self, zone: &ZoneName, now: UnixTime) -> Result<TestCertificate, Error> {
        self.certify(
            "dc-signer test delegation certificate",
            zone.wildcard(),
            both_purposes(),
            vec![delegation_usage()],
            now,
        )
    }

    /// Makes an ordinary P-256 certificate for one name, which may not delegate, and its key.
    ///
    /// Fails with [`Error::Randomness`] and [`Error::TestCertificate`].
    pub fn certify_server(
        &self,
        name: &UniqueName<'_>,
        now: UnixTime,
    ) -> Result<TestCertificate, Error> {
        let subject = "dc-signer test server certificate";
        let purposes = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.certify(subject, name.to_string(), purposes, Vec::new(), now)
    }

    fn certify(
        &self,
        subject: &str,
        dns_name: String,
        purposes: Vec<ExtendedKeyUsagePurpose>,
        extensions: Vec<CustomExtension>,
        now: UnixTime,
    ) -> Result<TestCertificate, Error> {
        let params = params(now, CERTIFICATE_LIFETIME, subject, random_serial()?);
        let key = generate_key()?;
        let certificate = self.sign(params, &[dns_name], purposes, extensions, &*key);
        Ok(TestCertificate {
            certificate: certificate.map_err(not_made)?,
            key,
        })
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        dns_names: &[String],
        purposes: Vec<ExtendedKeyUsagePurpose>,
        extensions: Vec<CustomExtension>,
        key: &impl PublicKeyData,
    ) -> Result<CertificateDer<'static>, rcgen::Error> {
        for name in dns_names {
            let name = name.as_str().try_into()?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = purposes;
        params.use_authority_key_identifier_extension = true;
        params.custom_extensions = extensions;
        let issuer = Issuer::from_params(&self.params, &*self.key);
        Ok(params.signed_by(key, &issuer)?.into())
    }

    /// The root certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }
}

impl fmt::Debug for TestRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            params: _,
            certificate: _,
            key: _,
        } = self;
        f.debug_struct("TestRoot").finish_non_exhaustive()
    }
}

/// A certificate that a [`TestRoot`] has signed, and its key.
pub struct TestCertificate {
    certificate: CertificateDer<'static>,
    key: Zeroizing<KeyPair>,
}

impl TestCertificate {
    /// The certificate; its chain is nothing else, as the root signed it.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The private key, for a server in this process.
    #[must_use]
    pub fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.serialize_der()).into()
    }
}

impl fmt::Debug for TestCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            certificate: _,
            key: _,
        } = self;
        f.debug_struct("TestCertificate").finish_non_exhaustive()
    }
}

/// DelegationUsage as RFC 9345 §4.2 wants it: `NULL`, and not critical, which is the default.
pub fn delegation_usage() -> CustomExtension {
    CustomExtension::from_oid_content(&DELEGATION_USAGE, DER_NULL.into())
}

/// Writes `root.pem`, `root-key.pem`, `chain.pem` and `key.pem` into a folder, the keys readable by
/// their owner only, and returns their paths in this order.
///
/// Fails with [`Error::Exists`] if one of them is there, and with [`Error::Write`].
pub fn write(
    folder: &Path,
    root: &TestRoot,
    delegation: &TestCertificate,
) -> Result<[PathBuf; 4], Error> {
    let contents = [
        certificate_pem(root.certificate()),
        key_pem(&root.key),
        certificate_pem(delegation.certificate()),
        key_pem(&delegation.key),
    ];
    let access = [
        Access::Everyone,
        Access::Owner,
        Access::Everyone,
        Access::Owner,
    ];
    let mut new = Vec::new();
    for ((name, contents), access) in FILES.into_iter().zip(&contents).zip(access) {
        new.push(NewFile {
            name,
            contents: contents.as_bytes(),
            access,
        });
    }
    match files::exists(folder) {
        false => files::create_folder(folder, Access::Owner, &new)?,
        true => fill(folder, &new)?,
    }
    Ok(FILES.map(|name| folder.join(name)))
}

/// Makes a folder with `chain.pem` and `key.pem` of a server.
///
/// Fails with [`Error::Exists`] if the folder is there, and with [`Error::Write`].
pub fn write_server(folder: &Path, server: &TestCertificate) -> Result<(), Error> {
    if files::exists(folder) {
        return Err(Error::Exists {
            path: folder.into(),
        });
    }
    let (chain, key) = (certificate_pem(server.certificate()), key_pem(&server.key));
    let new = |name, contents, access| NewFile {
        name,
        contents,
        access,
    };
    files::create_folder(
        folder,
        Access::Owner,
        &[
            new(CHAIN, chain.as_bytes(), Access::Everyone),
            new(KEY, key.as_bytes(), Access::Owner),
        ],
    )
}

/// Adds files to a folder that is there already, none of which may be.
fn fill(folder: &Path, new: &[NewFile<'_>]) -> Result<(), Error> {
    if let Some(path) = FILES
        .iter()
        .map(|name| folder.join(name))
        .find(|path| files::exists(path))
    {
        return Err(Error::Exists { path });
    }
    let staged: Vec<_> = new
        .iter()
        .map(|file| files::stage(folder, file))
        .collect::<Result<_, _>>()?;
    for file in staged {
        file.create()?;
    }
    files::sync(folder)
}

fn certificate_pem(certificate: &CertificateDer<'_>) -> Zeroizing<String> {
    Zeroizing::new(pem::encode("CERTIFICATE", certificate))
}

fn key_pem(key: &KeyPair) -> Zeroizing<String> {
    Zeroizing::new(pem::encode("PRIVATE KEY", key.serialized_der()))
}

fn params(
    now: UnixTime,
    lifetime: Duration,
    name: &str,
    serial: [u8; SERIAL_LEN],
) -> CertificateParams {
    let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(now.as_secs());
    let mut params = CertificateParams::default();
    params.not_before = now - CLOCK_SKEW;
    params.not_after = now + lifetime;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = subject(name);
    params
}

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// A credential is good for what its signature says, not for what the certificate alone says.
fn both_purposes() -> Vec<ExtendedKeyUsagePurpose> {
    vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ]
}

fn new_serial() -> Result<SerialNumber, Error> {
    Ok(SerialNumber::from_slice(&random_serial()?))
}

fn generate_key() -> Result<Zeroizing<KeyPair>, Error> {
    KeyPair::generate().map(Zeroizing::new).map_err(not_made)
}

fn random_serial() -> Result<[u8; SERIAL_LEN], Error> {
    let [first, rest @ ..]: [u8; SERIAL_LEN] = random()?;
    let mut serial = [0; SERIAL_LEN];
    // Positive, and of full length (RFC 5280 §4.1.2.2).
    serial[0] = first & 0x7f | 0x40;
    serial[1..].copy_from_slice(&rest);
    Ok(serial)
}

fn not_made(source: rcgen::Error) -> Error {
    Error::TestCertificate { source }
}

/// The first bytes of a serial number.
struct Hex([u8; SERIAL_LEN]);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .take(4)
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How long a test root is valid: ten years.
pub const ROOT_LIFETIME: Duration = Duration::from_secs(3650 * 24 * 3600);
/// How long a test delegation certificate is valid: 90 days.
pub const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// How far back certificates begin: devices come up with clocks that are behind.
const CLOCK_SKEW: Duration = Duration::from_secs(24 * 3600);

const FILES: [&str; 4] = ["root.pem", "root-key.pem", CHAIN, KEY];
const SERIAL_LEN: usize = 16;
/// DelegationUsage (RFC 9345 §4.2).
const DELEGATION_USAGE: [u64; 8] = dc_core::DELEGATION_USAGE_ARCS;
const DER_NULL: [u8; 2] = [0x05, 0x00];
