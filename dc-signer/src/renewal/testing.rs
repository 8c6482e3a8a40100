//! A CA for tests, which signs what it is asked for, or something else.

use std::time::Duration;

use dc_pki::names::ZoneName;
use dc_pki::pem;
use dc_pki::test_ca::delegation_usage;
use der::Decode;
use pki_types::{CertificateDer, UnixTime};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
    SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use rustls::RootCertStore;

use super::source::{Answer, CertificateSource, OrderError, RenewalWindow};

/// The thing that a CA does wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    BadDelegationUsage,
    CriticalDelegationUsage,
    Decades,
    Disorder,
    Empty,
    Ended,
    Garbage,
    Huge,
    IsCa,
    Manyfold,
    MoreNames,
    NoDelegationUsage,
    NoDigitalSignature,
    NoIntermediate,
    NoPurpose,
    NotYet,
    OtherIntermediate,
    OtherKey,
    OtherName,
    OtherRoot,
    PrivateKey,
    Truncated,
    WrongPurpose,
}

impl Fault {
    pub(crate) const ALL: [Self; 23] = [
        Self::BadDelegationUsage,
        Self::CriticalDelegationUsage,
        Self::Decades,
        Self::Disorder,
        Self::Empty,
        Self::Ended,
        Self::Garbage,
        Self::Huge,
        Self::IsCa,
        Self::Manyfold,
        Self::MoreNames,
        Self::NoDelegationUsage,
        Self::NoDigitalSignature,
        Self::NoIntermediate,
        Self::NoPurpose,
        Self::NotYet,
        Self::OtherIntermediate,
        Self::OtherKey,
        Self::OtherName,
        Self::OtherRoot,
        Self::PrivateKey,
        Self::Truncated,
        Self::WrongPurpose,
    ];
}

/// A root with an intermediate below it.
pub(crate) struct Ca {
    root: CertificateDer<'static>,
    intermediate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    other: CertificateDer<'static>,
    now: UnixTime,
    pub(crate) fault: Option<Fault>,
    pub(crate) with_root: bool,
}

impl Ca {
    pub(crate) fn new(now: UnixTime) -> Self {
        let (root, root_issuer) = authority("Test Root", None, now);
        let (intermediate, issuer) = authority("Test Issuing", Some(&root_issuer), now);
        let (other, _) = authority("Another", Some(&root_issuer), now);
        Self {
            root,
            intermediate,
            issuer,
            other,
            now,
            fault: None,
            with_root: false,
        }
    }

    pub(crate) fn with(now: UnixTime, fault: Fault) -> Self {
        let fault = Some(fault);
        Self {
            fault,
            ..Self::new(now)
        }
    }

    pub(crate) fn anchors(&self) -> RootCertStore {
        let mut anchors = RootCertStore::empty();
        let root = match self.fault {
            Some(Fault::OtherRoot) => authority("Other Root", None, self.now).0,
            _ => self.root.clone(),
        };
        anchors.add(root).unwrap();
        anchors
    }

    /// The chain for a request in DER.
    pub(crate) fn sign(&self, csr_der: &[u8], names: &[String]) -> Vec<u8> {
        let day = Duration::from_secs(86_400);
        let fault = |wanted| self.fault == Some(wanted);
        let mut params = params("", self.now, 47 * day);
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = sans(names);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.custom_extensions = vec![delegation_usage()];
        params.use_authority_key_identifier_extension = true;
        let now = params.not_before + day;
        match self.fault {
            Some(Fault::BadDelegationUsage) => params.custom_extensions = vec![usage(&[4, 0])],
            Some(Fault::CriticalDelegationUsage) => {
                params.custom_extensions[0].set_criticality(true);
            }
            Some(Fault::Decades) => params.not_after = now + 3650 * day,
            Some(Fault::Ended) => {
                params.not_before = now - 47 * day;
                params.not_after = now - day;
            }
            Some(Fault::IsCa) => params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)),
            Some(Fault::MoreNames) => params
                .subject_alt_names
                .extend(sans(&["www.example.org".to_owned()])),
            Some(Fault::NoDelegationUsage) => params.custom_extensions.clear(),
            Some(Fault::NoDigitalSignature) => {
                params.key_usages = vec![KeyUsagePurpose::KeyEncipherment];
            }
            Some(Fault::NoPurpose) => params.extended_key_usages.clear(),
            Some(Fault::NotYet) => params.not_before = now + 2 * day,
            Some(Fault::OtherName) => {
                params.subject_alt_names = sans(&["*.other.example.org".to_owned()]);
            }
            Some(Fault::WrongPurpose) => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            _ => {}
        }
        let key = match fault(Fault::OtherKey) {
            true => Requested::of_key(&KeyPair::generate().unwrap()),
            false => Requested::of(csr_der),
        };
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        self.chain(leaf.der())
    }

    fn chain(&self, leaf: &CertificateDer<'_>) -> Vec<u8> {
        let [leaf, intermediate, root, other] = [leaf, &self.intermediate, &self.root, &self.other]
            .map(|der| pem::encode("CERTIFICATE", der));
        let text = match self.fault {
            Some(Fault::Disorder) => intermediate + &leaf,
            Some(Fault::Empty) => " \n".to_owned(),
            Some(Fault::Garbage) => "<html>Bad Gateway</html>".to_owned(),
            Some(Fault::Huge) => leaf.clone() + &"\n".repeat(1 << 20),
            Some(Fault::Manyfold) => leaf + &intermediate.repeat(11),
            Some(Fault::NoIntermediate) => leaf,
            Some(Fault::OtherIntermediate) => leaf + &other,
            Some(Fault::PrivateKey) => {
                leaf + &pem::encode("PRIVATE KEY", &KeyPair::generate().unwrap().serialize_der())
            }
            Some(Fault::Truncated) => leaf[..leaf.len() / 2].to_owned(),
            _ if self.with_root => leaf + &intermediate + &root,
            _ => leaf + &intermediate,
        };
        text.into_bytes()
    }
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca").finish_non_exhaustive()
    }
}

impl CertificateSource for Ca {
    fn order<'a>(
        &'a self,
        csr_der: &'a [u8],
        names: &'a [String],
        _: Option<&'a [u8]>,
    ) -> Answer<'a, Vec<u8>> {
        Box::pin(async move { Ok::<_, OrderError>(self.sign(csr_der, names)) })
    }

    fn renewal_window<'a>(&'a self, _: &'a [u8]) -> Answer<'a, Option<RenewalWindow>> {
        Box::pin(async { Ok(None) })
    }
}

/// A request as `dc-signer csr` makes it, in DER.
pub(crate) fn request(zone: &ZoneName) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = sans(&[zone.wildcard()]);
    params.custom_extensions = vec![delegation_usage()];
    let key = KeyPair::generate().unwrap();
    params.serialize_request(&key).unwrap().der().to_vec()
}

fn authority(
    name: &str,
    above: Option<&Issuer<'_, KeyPair>>,
    now: UnixTime,
) -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let mut params = params(name, now, Duration::from_secs(3650 * 86_400));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let certificate = match above {
        Some(above) => params.signed_by(&key, above).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    (certificate.into(), Issuer::new(params, key))
}

/// From a day before.
fn params(name: &str, now: UnixTime, lifetime: Duration) -> CertificateParams {
    let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(now.as_secs());
    let mut params = CertificateParams::default();
    params.not_before = now - Duration::from_secs(86_400);
    params.not_after = params.not_before + lifetime;
    // Its first bit is set, for which DER has a byte more.
    params.serial_number = Some(SerialNumber::from_slice(&[0x87, 0x65, 0x43, 0x21]));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn sans(names: &[String]) -> Vec<SanType> {
    let name = |name: &String| SanType::DnsName(name.clone().try_into().unwrap());
    names.iter().map(name).collect()
}

fn usage(value: &[u8]) -> CustomExtension {
    let arcs = dc_core::DELEGATION_USAGE_ARCS;
    CustomExtension::from_oid_content(&arcs, value.to_vec())
}

/// The P-256 key of a request.
struct Requested(Vec<u8>);

impl Requested {
    fn of(csr_der: &[u8]) -> Self {
        let request = x509_cert::request::CertReq::from_der(csr_der).unwrap();
        let key = &request.info.public_key.subject_public_key;
        Self(key.as_bytes().unwrap().to_vec())
    }

    fn of_key(key: &KeyPair) -> Self {
        Self(key.der_bytes().to_vec())
    }
}

impl PublicKeyData for Requested {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}
