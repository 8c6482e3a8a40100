//! The CA of a drill: it signs delegation certificates, and revokes them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use dc_pki::test_ca::delegation_usage;
use pki_types::CertificateRevocationListDer;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason,
    RevokedCertParams, SerialNumber, date_time_ymd,
};

use super::command::ZONE;
use crate::rig::now;

/// A root that signs delegation certificates itself.
pub(super) struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "the CA of a drill");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn root(&self) -> String {
        self.0.pem()
    }

    /// Makes a folder with a new key and a delegation certificate for it.
    pub(super) fn certify(&self, serial: u64, folder: &Path) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([format!("*.{ZONE}")]).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(now().as_secs());
        params.not_before = now - Duration::from_secs(3600);
        params.not_after = now + Duration::from_secs(90 * 86_400);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.custom_extensions = vec![delegation_usage()];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("chain.pem"), certificate.pem()).unwrap();
        let place = folder.join("key.pem");
        fs::write(&place, key.serialize_pem()).unwrap();
        fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// The list of revoked certificates, with these.
    pub(super) fn revoked(&self, serials: &[u64]) -> CertificateRevocationListDer<'static> {
        let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(now().as_secs());
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: now,
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: now - Duration::from_secs(60),
            next_update: now + Duration::from_secs(86_400),
            crl_number: SerialNumber::from(serials.len() as u64 + 1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().into()
    }
}
