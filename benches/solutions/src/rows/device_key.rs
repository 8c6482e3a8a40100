//! What the devices of a home have without anybody's help: a key, a folder for it, and certificates they sign themselves.

use std::fs;
#[cfg(test)]
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use dc_pki::{Sha256, random};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, date_time_ymd,
};

use crate::Result;
use crate::ca::{common_name, serial};
use crate::world::World;

/// Where the devices of a solution are made.
#[derive(Debug)]
pub(crate) struct Factory {
    pub(crate) world: World,
    solution: &'static str,
    made: usize,
}

impl Factory {
    /// One whose devices have their folders in that of the solution.
    pub(crate) fn new(world: &World, solution: &'static str) -> Self {
        Self {
            world: world.clone(),
            solution,
            made: 0,
        }
    }

    /// A device that is switched on for the first time.
    pub(crate) fn make(&mut self) -> Result<DeviceKey> {
        self.made += 1;
        let folder = format!("{}/{}", self.solution, self.made);
        DeviceKey::make(self.world.folder(&folder)?)
    }
}

/// A P-256 key of a device's own, in a file.
#[derive(Debug)]
pub(crate) struct DeviceKey {
    pub(crate) pair: KeyPair,
    folder: PathBuf,
}

impl DeviceKey {
    /// Makes one, as `key.pem` and `public.pem` in the folder.
    pub(crate) fn make(folder: PathBuf) -> Result<Self> {
        let pair = KeyPair::generate()?;
        fs::write(folder.join(KEY), pair.serialize_pem())?;
        fs::write(folder.join("public.pem"), pair.public_key_pem())?;
        Ok(Self { pair, folder })
    }

    /// The file with the private key, in PEM.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join(KEY)
    }

    /// The SHA-256 of its SubjectPublicKeyInfo: what a label shows, and clients remember.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        fingerprint(&self.pair.subject_public_key_info())
    }

    /// Writes certificates in PEM, the leaf first, beside the key. Earlier chains stay: a thief may have one.
    pub(crate) fn write_chain(&self, certificates: &[&str]) -> Result<PathBuf> {
        let path = self.folder.join(format!("chain-{}.pem", label()?));
        fs::write(&path, certificates.concat())?;
        Ok(path)
    }
}

/// The SHA-256 of a SubjectPublicKeyInfo.
pub(crate) fn fingerprint(spki: &[u8]) -> [u8; 32] {
    *Sha256::of(spki).as_bytes()
}

/// Why there is nothing to be said of a device.
pub(crate) fn unknown(device: usize) -> String {
    format!("device {device} has no identity yet: enrol it first")
}

/// The fingerprint of the private key in this file, in PEM.
#[cfg(test)]
pub(crate) fn fingerprint_of(key: &Path) -> [u8; 32] {
    let pair = KeyPair::from_pem(&fs::read_to_string(key).unwrap()).unwrap();
    fingerprint(&pair.subject_public_key_info())
}

/// A certificate from `begins` to `ends`, in Unix seconds, with this common name and a serial number of its own.
pub(crate) fn params(common_name: &str, begins: u64, ends: u64) -> Result<CertificateParams> {
    let epoch = date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.not_before = epoch + Duration::from_secs(begins);
    params.not_after = epoch + Duration::from_secs(ends);
    params.serial_number = Some(serial()?);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    Ok(params)
}

/// A server's certificate for one DNS name, which signs no others.
pub(crate) fn server_params(name: &str, begins: u64, ends: u64) -> Result<CertificateParams> {
    let mut params = params(common_name(name), begins, ends)?;
    params.subject_alt_names = vec![rcgen::SanType::DnsName(name.try_into()?)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

/// A random label for a name: 10 of a-z and 2-7.
pub(crate) fn label() -> Result<String> {
    let mut label = base32(&random::<7>()?);
    label.truncate(10);
    Ok(label)
}

/// Bytes in base32 (RFC 4648 §6), in lower case and without padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

pub(crate) const DAY: u64 = 24 * 3600;
/// For how long devices certify themselves, and homes their root.
pub(crate) const TEN_YEARS: u64 = 3652 * DAY;
/// How far back certificates begin: devices come up with clocks that are behind.
pub(crate) const CLOCK_SKEW: u64 = DAY;

const KEY: &str = "key.pem";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_the_rfc() {
        // RFC 4648 §10.
        assert_eq!(base32(b"f"), "my");
        assert_eq!(base32(b"foob"), "mzxw6yq");
        assert_eq!(base32(b"foobar"), "mzxw6ytboi");
        assert_eq!(base32(&[0xff; 32]).len(), 52);
    }

    #[test]
    fn labels_differ() {
        let (one, other) = (label().unwrap(), label().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), 10);
    }
}
