//! The public CA: whoever signs the vendor's delegation certificate, and nothing else.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dc_pki::device_csr;
use dc_pki::names::ZoneName;
use dc_pki::test_ca::delegation_usage;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, SubjectPublicKeyInfo,
    date_time_ymd,
};

use crate::Result;
use crate::ledger::{Act, Party};
use crate::world::World;

/// Asks the CA to sign the request in this file, counts that, and returns the chain without its root, in PEM.
pub(crate) type Order = Box<dyn FnMut(&Path) -> Result<String>>;

/// A CA that clients trust as they are delivered.
pub(crate) struct PublicCa {
    /// Its root, in PEM.
    pub(crate) root: PathBuf,
    pub(crate) order: Order,
}

impl PublicCa {
    /// A root of our own, which signs at once what it is asked for: one request for an order, without ACME.
    pub(crate) fn own(world: &World, zone: &ZoneName, folder: &Path) -> Result<Self> {
        let issuer = Arc::new(root(world.now())?);
        let path = folder.join("public-root.pem");
        fs::create_dir_all(folder)?;
        fs::write(&path, issuer.pem())?;
        let (world, wildcard) = (world.clone(), zone.wildcard());
        let order = move |request: &Path| {
            let spki = device_csr::public_key(&fs::read(request)?, algorithms())?;
            world.ledger.count(Party::PublicCa, Act::Request);
            let params = delegation(&wildcard, world.now(), world.certificate_days)?;
            let certificate = params.signed_by(&SubjectPublicKeyInfo::from_der(&spki)?, &issuer)?;
            world.ledger.count(Party::PublicCa, Act::Signature);
            Ok(certificate.pem())
        };
        Ok(Self {
            root: path,
            order: Box::new(order),
        })
    }
}

impl fmt::Debug for PublicCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { root, order: _ } = self;
        f.debug_struct("PublicCa")
            .field("root", root)
            .finish_non_exhaustive()
    }
}

fn root(now: u64) -> Result<CertifiedIssuer<'static, KeyPair>> {
    let mut params = CertificateParams::default();
    set_validity(&mut params, now - A_DAY, now + 3650 * A_DAY);
    params
        .distinguished_name
        .push(DnType::CommonName, "a root that clients are delivered with");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// A certificate that may sign delegated credentials (RFC 9345, section 4.2).
fn delegation(wildcard: &str, now: u64, days: u64) -> Result<CertificateParams> {
    let mut params = CertificateParams::default();
    // As public CAs do, for clients with slow clocks.
    let begins = now - 3600;
    set_validity(&mut params, begins, begins + days * A_DAY);
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::DnsName(wildcard.try_into()?)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.custom_extensions = vec![delegation_usage()];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Sets from when until when a certificate is valid, in Unix seconds.
pub(super) fn set_validity(params: &mut CertificateParams, from: u64, until: u64) {
    let moment = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    (params.not_before, params.not_after) = (moment(from), moment(until));
}

fn algorithms() -> &'static [&'static dyn pki_types::SignatureVerificationAlgorithm] {
    rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all
}

const A_DAY: u64 = 24 * 3600;
