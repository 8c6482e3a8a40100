//! Certificate authorities that sign here: roots, what is below them, and lists of what they have revoked.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams,
    CertificateSigningRequestParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    NameConstraints, PublicKeyData, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::Result;

/// A certificate authority: its certificate and its key, both in files in PEM as well.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) pem: String,
    /// The last second at which it is valid.
    pub(crate) ends: u64,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate authority is made from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    /// Where `NAME.pem` and `NAME-key.pem` go.
    pub(crate) folder: &'a Path,
    /// Also its common name.
    pub(crate) name: &'a str,
    pub(crate) now: u64,
    pub(crate) days: u64,
    /// The domain to which it is limited, in a critical extension; all names if none.
    pub(crate) only: Option<&'a str>,
}

impl Authority {
    /// One that only its own signature speaks for.
    pub(crate) fn root(plan: Plan<'_>) -> Result<Self> {
        let above = BasicConstraints::Unconstrained;
        Self::make(plan, above, CertificateParams::self_signed)
    }

    /// One that this one speaks for; it signs servers, and no further authority.
    pub(crate) fn subordinate(&self, plan: Plan<'_>) -> Result<Self> {
        let last = BasicConstraints::Constrained(0);
        Self::make(plan, last, |params, key| {
            params.signed_by(key, &self.issuer)
        })
    }

    fn make(
        plan: Plan<'_>,
        below: BasicConstraints,
        sign: impl FnOnce(&CertificateParams, &KeyPair) -> Made<rcgen::Certificate>,
    ) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = plan.params(below);
        params.key_identifier_method = key_id(&key);
        let pem = sign(&params, &key)?.pem();
        let [certificate, key_file] = ["", "-key"].map(|of| {
            let file = format!("{}{of}.pem", plan.name.replace(' ', "-"));
            plan.folder.join(file)
        });
        fs::write(&certificate, &pem)?;
        fs::write(&key_file, key.serialize_pem())?;
        Ok(Self {
            certificate,
            key: key_file,
            pem,
            ends: plan.ends(),
            issuer: Issuer::new(params, key),
        })
    }

    /// A server's certificate in PEM, for the key of a request (PKCS #10, in DER) and nothing else that it asks for.
    ///
    /// Fails if the request is not signed with its key.
    pub(crate) fn sign(
        &self,
        request: &[u8],
        names: &[&str],
        now: u64,
        days: u64,
    ) -> Result<String> {
        let request = CertificateSigningRequestParams::from_der(&request.into())?;
        self.certify(&request.public_key, names, now, days)
    }

    /// The same for a key that is known to be its holder's.
    pub(crate) fn certify(
        &self,
        key: &impl PublicKeyData,
        names: &[&str],
        now: u64,
        days: u64,
    ) -> Result<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = { names.iter() }
            .map(|name| Ok(SanType::DnsName((*name).try_into()?)))
            .collect::<Made<_>>()?;
        set_life(&mut params, now, last_second(now, days));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        Ok(params.signed_by(key, &self.issuer)?.pem())
    }

    /// A list, in PEM, of these serial numbers, each with the second from which it is revoked. It is to be used for
    /// [`LIST_LIVES`].
    pub(crate) fn list(&self, now: u64, revoked: &[(Vec<u8>, u64)]) -> Result<String> {
        let at = |second| date_time_ymd(1970, 1, 1) + Duration::from_secs(second);
        let revoked_certs = { revoked.iter() }
            .map(|(serial, since)| RevokedCertParams {
                serial_number: SerialNumber::from_slice(serial),
                revocation_time: at(*since),
                reason_code: None,
                invalidity_date: None,
            })
            .collect();
        let list = CertificateRevocationListParams {
            this_update: at(now),
            next_update: at(now + LIST_LIVES.as_secs()),
            crl_number: SerialNumber::from(now),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: key_id(self.issuer.key()),
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

type Made<T> = std::result::Result<T, rcgen::Error>;

impl Plan<'_> {
    fn params(&self, below: BasicConstraints) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, self.name);
        set_life(&mut params, self.now, self.ends());
        params.is_ca = IsCa::Ca(below);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.use_authority_key_identifier_extension = true;
        if let Some(domain) = self.only {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.name_constraints = Some(limit(domain));
        }
        params
    }

    fn ends(&self) -> u64 {
        last_second(self.now, self.days)
    }
}

/// This domain, what is below it, and no address: names of a kind that is not mentioned are free.
fn limit(domain: &str) -> NameConstraints {
    let addresses = [
        CidrSubnet::from_v4_prefix([0; 4], 0),
        CidrSubnet::from_v6_prefix([0; 16], 0),
    ];
    NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(domain.into())],
        excluded_subtrees: addresses.map(GeneralSubtree::IpAddress).into(),
    }
}

/// As RFC 5280 §4.2.1.2 suggests: acme2certifier computes that of its CA instead of reading it.
fn key_id(key: &KeyPair) -> KeyIdMethod {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, key.public_key_raw());
    KeyIdMethod::PreSpecified(hash.as_ref().into())
}

/// Both ends of a certificate's life belong to it.
fn last_second(now: u64, days: u64) -> u64 {
    now + days * 86_400 - 1
}

fn set_life(params: &mut CertificateParams, first: u64, last: u64) {
    let at = |second| date_time_ymd(1970, 1, 1) + Duration::from_secs(second);
    params.not_before = at(first);
    params.not_after = at(last);
}

/// What public CAs may take at most for the certificates of servers is ten days.
pub(crate) const LIST_LIVES: Duration = Duration::from_secs(7 * 86_400);
