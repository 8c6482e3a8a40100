//! What a server's certificate says, read from the PEM of its chain.

use der::Decode as _;
use x509_cert::Certificate;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::Result;

/// The first certificate of a chain.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    /// Its DNS names.
    pub(crate) names: Vec<String>,
    /// The first and the last second at which it is valid.
    pub(crate) begins: u64,
    pub(crate) ends: u64,
    /// The content of its serial number's INTEGER.
    pub(crate) serial: Vec<u8>,
    pub(crate) der: Vec<u8>,
}

impl Leaf {
    /// Fails if the PEM does not begin with a certificate.
    pub(crate) fn read(chain: &str) -> Result<Self> {
        const END: &str = "-----END CERTIFICATE-----";
        let end = chain.find(END).ok_or("there is no certificate")?;
        let (pem, _) = chain.split_at(end + END.len());
        let (_, der) = der::pem::decode_vec(pem.trim_start().as_bytes())?;
        let certificate = Certificate::from_der(&der)?;
        let tbs = certificate.tbs_certificate();
        let mut names = Vec::new();
        if let Some((_, found)) = tbs.get_extension::<SubjectAltName>()? {
            names.extend(found.0.into_iter().filter_map(|name| match name {
                GeneralName::DnsName(name) => Some(name.to_string()),
                _ => None,
            }));
        }
        let validity = tbs.validity();
        Ok(Self {
            names,
            begins: validity.not_before.to_unix_duration().as_secs(),
            ends: validity.not_after.to_unix_duration().as_secs(),
            serial: tbs.serial_number().as_bytes().to_vec(),
            der,
        })
    }

    /// When it is usually renewed: after two thirds of its life.
    pub(crate) fn due(&self) -> u64 {
        self.begins + (self.ends + 1 - self.begins) * 2 / 3
    }
}
