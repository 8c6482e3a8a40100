//! A public CA for tests, which needs no foreign program.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use dc_pki::device_csr;
use dc_pki::names::ZoneName;
use dc_pki::test_ca::delegation_usage;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType, SubjectPublicKeyInfo,
};

use super::ca::PublicCa;
use super::signer::set_validity;
use crate::Result;
use crate::ledger::{Act, Party};
use crate::world::World;

/// A root of our own, which signs at once what it is asked for: one request for an order, without ACME.
pub(super) struct Own {
    world: World,
    wildcard: String,
    root: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
    is_reachable: bool,
}

impl Own {
    pub(super) fn new(world: &World, zone: &ZoneName, folder: &Path) -> Result<Self> {
        let issuer = root(world.now())?;
        let path = folder.join("public-root.pem");
        fs::create_dir_all(folder)?;
        fs::write(&path, issuer.pem())?;
        Ok(Self {
            world: world.clone(),
            wildcard: zone.wildcard(),
            root: path,
            issuer,
            is_reachable: true,
        })
    }
}

impl PublicCa for Own {
    fn root(&self) -> &Path {
        &self.root
    }

    fn order(&mut self, request: &Path) -> Result<String> {
        if !self.is_reachable {
            return Err("the public CA cannot be reached".into());
        }
        let world = &self.world;
        let spki = device_csr::public_key(&fs::read(request)?, algorithms())?;
        world.ledger.count(Party::PublicCa, Act::Request);
        let params = delegation(&self.wildcard, world.now(), world.certificate_days)?;
        let spki = SubjectPublicKeyInfo::from_der(&spki)?;
        let certificate = params.signed_by(&spki, &self.issuer)?;
        world.ledger.count(Party::PublicCa, Act::Signature);
        Ok(certificate.pem())
    }

    fn names(&self) -> Result<Vec<String>> {
        Ok(vec![self.wildcard.clone()])
    }

    fn reach(&mut self, reachable: bool) -> Result<()> {
        self.is_reachable = reachable;
        Ok(())
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Own")
            .field("root", &self.root)
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

fn algorithms() -> &'static [&'static dyn pki_types::SignatureVerificationAlgorithm] {
    rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all
}

const A_DAY: u64 = 24 * 3600;
