//! The key of a CA, what it has signed, and what it has revoked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use der::Decode as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationList,
    CertificateRevocationListParams, CrlDistributionPoint, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKey,
    RevokedCertParams, SanType, SerialNumber,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use x509_cert::Certificate;

use crate::Result;
use crate::acme::jws;
use crate::acme::problem::Problem;
use crate::acme::server::parse;
use crate::acme::tally::Tally;

use super::schedule::Validity;

/// A root certificate for ten years, in PEM, and its key.
pub(crate) fn root(name: &str, now: u64) -> Result<(String, KeyPair)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = moment(now).into();
    params.not_after = moment(now + ROOT_LIVES).into();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok((params.self_signed(&key)?.pem(), key))
}

/// Whose a certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) account: String,
    /// Whether the CA renews it: such certificates are not revoked.
    pub(super) is_star: bool,
}

/// The part of a CA that has its key.
pub(super) struct Issuing {
    issuer: Issuer<'static, KeyPair>,
    lifetime: u64,
    list_url: Option<String>,
    tally: Tally,
    signed: Mutex<Signed>,
}

#[derive(Debug, Default)]
struct Signed {
    /// By serial number.
    owners: BTreeMap<Vec<u8>, Owner>,
    /// Serial number, moment, and reason.
    revoked: BTreeMap<Vec<u8>, (u64, u8)>,
    names: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Revocation {
    certificate: String,
    #[serde(default)]
    reason: u8,
}

impl Issuing {
    pub(super) fn new(
        certificate: &str,
        key: KeyPair,
        lifetime: u64,
        list_url: Option<String>,
        tally: Tally,
    ) -> Result<Self> {
        Ok(Self {
            issuer: Issuer::from_ca_cert_pem(certificate, key)?,
            lifetime,
            list_url,
            tally,
            signed: Mutex::default(),
        })
    }

    /// What a certificate that is signed now and not renewed gets.
    pub(super) fn ordinary(&self, now: u64) -> Validity {
        Validity {
            first: now,
            last: now + self.lifetime - 1,
        }
    }

    /// A certificate, in PEM.
    pub(super) fn sign(
        &self,
        names: &[String],
        key: &PublicKey,
        validity: Validity,
        owner: Owner,
    ) -> std::result::Result<String, Problem> {
        let pem = self.certify(names, key, validity, owner);
        pem.map_err(|error| Problem::new(500, "serverInternal", error.to_string()))
    }

    fn certify(
        &self,
        names: &[String],
        key: &PublicKey,
        validity: Validity,
        owner: Owner,
    ) -> Result<String> {
        let serial = serial()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = { names.iter() }
            .map(|name| Ok(SanType::DnsName(name.as_str().try_into()?)))
            .collect::<std::result::Result<_, rcgen::Error>>()?;
        params.not_before = moment(validity.first).into();
        params.not_after = moment(validity.last).into();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        if let Some(url) = &self.list_url {
            params.crl_distribution_points = vec![CrlDistributionPoint {
                uris: vec![url.clone()],
            }];
        }
        let pem = params.signed_by(key, &self.issuer)?.pem();
        self.tally.signature();
        let mut signed = self.signed();
        signed.owners.insert(serial.to_vec(), owner);
        signed.names.extend(names.iter().cloned());
        Ok(pem)
    }

    /// Takes back a certificate of this account. RFC 8739 §2.3: none that the CA renews.
    pub(super) fn revoke(
        &self,
        account: &str,
        payload: &[u8],
        now: u64,
    ) -> std::result::Result<(), Problem> {
        let malformed = |detail: String| Problem::new(400, "malformed", detail);
        let wanted: Revocation = parse(payload)?;
        let der = jws::decode(&wanted.certificate).map_err(|error| malformed(error.to_string()))?;
        let certificate =
            Certificate::from_der(&der).map_err(|error| malformed(error.to_string()))?;
        let serial = certificate
            .tbs_certificate()
            .serial_number()
            .as_bytes()
            .to_vec();
        let mut signed = self.signed();
        match signed.owners.get(&serial) {
            Some(owner) if owner.account != account => Err(Problem::new(
                403,
                "unauthorized",
                "the certificate of somebody else",
            )),
            Some(owner) if owner.is_star => {
                let detail = "cancel the order instead";
                Err(Problem::new(
                    403,
                    "autoRenewalRevocationNotSupported",
                    detail,
                ))
            }
            Some(_) if signed.revoked.contains_key(&serial) => {
                Err(Problem::new(400, "alreadyRevoked", "it is revoked"))
            }
            Some(_) if reason(wanted.reason).is_none() => Err(Problem::new(
                400,
                "badRevocationReason",
                "reasons are 0, 1, 3, 4, 5 and 9",
            )),
            Some(_) => {
                signed.revoked.insert(serial, (now, wanted.reason));
                Ok(())
            }
            None => Err(Problem::new(404, "malformed", "this CA has not signed it")),
        }
    }

    /// The list of revoked certificates.
    pub(super) fn list_der(&self, now: u64) -> std::result::Result<Vec<u8>, Problem> {
        let list = self.list(now);
        let list = list.map_err(|error| Problem::new(500, "serverInternal", error.to_string()));
        Ok(list?.der().to_vec())
    }

    fn list(&self, now: u64) -> std::result::Result<CertificateRevocationList, rcgen::Error> {
        let signed = self.signed();
        let revoked_certs = { signed.revoked.iter() }
            .map(|(serial, (since, code))| RevokedCertParams {
                serial_number: SerialNumber::from_slice(serial),
                revocation_time: moment(*since).into(),
                reason_code: reason(*code),
                invalidity_date: None,
            })
            .collect();
        let params = CertificateRevocationListParams {
            this_update: moment(now).into(),
            next_update: moment(now + LIST_LIVES).into(),
            crl_number: SerialNumber::from(now),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.signed().names.iter().cloned().collect()
    }

    fn signed(&self) -> MutexGuard<'_, Signed> {
        self.signed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Issuing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuing")
            .field("signed", &self.signed)
            .finish_non_exhaustive()
    }
}

fn serial() -> Result<[u8; 16]> {
    let mut serial = [0; 16];
    SystemRandom::new()
        .fill(&mut serial)
        .map_err(|_| "the system has no randomness")?;
    // Positive, and of one length: DER needs no byte in front, and drops none.
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    Ok(serial)
}

/// RFC 5280 §5.3.1; what is for CAs' own certificates or for lists of changes is none.
fn reason(code: u8) -> Option<rcgen::RevocationReason> {
    use rcgen::RevocationReason as Reason;
    Some(match code {
        0 => Reason::Unspecified,
        1 => Reason::KeyCompromise,
        3 => Reason::AffiliationChanged,
        4 => Reason::Superseded,
        5 => Reason::CessationOfOperation,
        9 => Reason::PrivilegeWithdrawn,
        _ => return None,
    })
}

fn moment(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

const ROOT_LIVES: u64 = 10 * 365 * 86_400;
/// A list is to be used for a week.
const LIST_LIVES: u64 = 7 * 86_400;
