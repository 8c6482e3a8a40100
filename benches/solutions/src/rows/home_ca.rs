//! The certificate authority of a home, in its router: a root made at the first start, and a service for the other devices.
//!
//! Devices send a request (PKCS #10, in PEM) to `/certificate` and get a certificate for a week; `/crl` has the list of
//! what was revoked, `/root.pem` the root. A name belongs to the key that first asked for it after the user approved the
//! name on the router's page.
//!
//! draft-sweet-iot-acme does the same with ACME. That takes more requests for each certificate, and decides by what
//! answers under the name instead of by what the user approved.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams,
    CertificateSigningRequestParams, CertifiedIssuer, CidrSubnet, GeneralSubtree, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData, RevocationReason,
    RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};

use crate::Result;
use crate::http::{Answer, Request};
use crate::ledger::{Act, Party};
use crate::rows::device_key::{
    CLOCK_SKEW, DAY, TEN_YEARS, fingerprint, label, params, server_params,
};
use crate::service::Service;
use crate::world::World;

/// Which names the root may vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limits {
    /// Those of its home: a critical name constraint.
    OwnZone,
    /// All names there are: what most such CAs have.
    Unconstrained,
}

/// A home's CA, which answers until dropped.
#[derive(Debug)]
pub(crate) struct HomeCa {
    authority: Arc<Authority>,
    service: Service,
    folder: PathBuf,
}

impl HomeCa {
    /// The first start of the router of a home.
    pub(crate) fn start(world: &World, zone: &str, limits: Limits) -> Result<Self> {
        let folder = world.folder(&format!("home-ca/{}", label()?))?;
        let authority = Arc::new(Authority::make(world, zone, limits)?);
        fs::write(folder.join(ROOT), authority.root_pem())?;
        let of_service = Arc::clone(&authority);
        let service = Service::http(move |request| of_service.answer(request))?;
        Ok(Self {
            authority,
            service,
            folder,
        })
    }

    /// The root certificate, in PEM.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join(ROOT)
    }

    /// Where it answers, on loopback.
    pub(crate) fn port(&self) -> u16 {
        self.service.port()
    }

    pub(crate) fn reach(&self, reachable: bool) {
        self.service.reach(reachable);
    }

    /// The user approves a name on the router's page; whoever asks for it next has it.
    pub(crate) fn approve(&self, name: &str) {
        self.authority.register().keys.insert(name.to_owned(), None);
    }

    /// The user removes a name on the router's page: its key gets nothing more, and its certificates are revoked.
    pub(crate) fn revoke(&self, name: &str) {
        let now = self.authority.world.now();
        let mut register = self.authority.register();
        register.keys.remove(name);
        let issued = register.issued.remove(name).unwrap_or_default();
        register
            .revoked
            .extend(issued.into_iter().map(|serial| (serial, now)));
    }

    /// Writes the revocation list as it is now, in PEM.
    pub(crate) fn write_list(&self) -> Result<PathBuf> {
        let path = self.folder.join(format!("crl-{}.pem", label()?));
        fs::write(&path, self.authority.list()?.pem()?)?;
        Ok(path)
    }

    /// A certificate for the router itself, in PEM: no service is asked.
    pub(crate) fn certify_itself(&self, name: &str, key: &KeyPair) -> Result<String> {
        self.authority.sign(name, key)
    }
}

/// The root and what it knows.
#[derive(Debug)]
struct Authority {
    world: World,
    issuer: CertifiedIssuer<'static, KeyPair>,
    register: Mutex<Register>,
}

#[derive(Debug, Default)]
struct Register {
    /// The names that the user has approved, and the fingerprint of the key that has each.
    keys: BTreeMap<String, Option<[u8; 32]>>,
    issued: BTreeMap<String, Vec<SerialNumber>>,
    revoked: Vec<(SerialNumber, u64)>,
    lists: u64,
}

impl Authority {
    fn make(world: &World, zone: &str, limits: Limits) -> Result<Self> {
        let now = world.now();
        // Clients find issuers by name, so no two homes may share one.
        let name = format!("Home of {zone} ({})", label()?);
        let mut params = params(&name, now - CLOCK_SKEW, now + TEN_YEARS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = (limits == Limits::OwnZone).then(|| constraints(zone));
        Ok(Self {
            world: world.clone(),
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
            register: Mutex::default(),
        })
    }

    fn answer(&self, request: &Request) -> Answer {
        match (&*request.method, &*request.path) {
            ("GET", "/root.pem") => Answer::new(200, self.root_pem()),
            ("GET", "/crl") => match self.list() {
                Ok(list) => Answer::new(200, list.der().to_vec()),
                Err(error) => Answer::new(500, error.to_string()),
            },
            ("POST", "/certificate") => match self.issue(&request.body) {
                Ok(certificate) => Answer::new(200, certificate),
                Err(error) => Answer::new(403, error.to_string()),
            },
            (_, path) => Answer::new(404, format!("nothing is at {path}")),
        }
    }

    /// Answers a device's request: of what it wants, only the name and the key count.
    fn issue(&self, request: &[u8]) -> Result<String> {
        let request = std::str::from_utf8(request)?;
        let request = CertificateSigningRequestParams::from_pem(request)?;
        let [SanType::DnsName(name)] = &request.params.subject_alt_names[..] else {
            return Err("a request has exactly one DNS name".into());
        };
        self.claim(
            name.as_str(),
            fingerprint(&request.public_key.subject_public_key_info()),
        )?;
        self.sign(name.as_str(), &request.public_key)
    }

    /// Whether a key has a name, or may have it from now on.
    fn claim(&self, name: &str, key: [u8; 32]) -> Result<()> {
        match self.register().keys.get_mut(name) {
            None => Err(format!("{name} is not approved: approve it on the router's page").into()),
            Some(Some(owner)) if *owner != key => Err(format!(
                "{name} belongs to another key: remove that on the router's page"
            )
            .into()),
            Some(owner) => {
                *owner = Some(key);
                Ok(())
            }
        }
    }

    fn sign(&self, name: &str, key: &impl PublicKeyData) -> Result<String> {
        let now = self.world.now();
        let mut params = server_params(name, now - CLOCK_SKEW, now + LIFETIME)?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer)?;
        self.world.ledger.count(Party::Home, Act::Signature);
        let mut register = self.register();
        let issued = register.issued.entry(name.to_owned()).or_default();
        issued.extend(params.serial_number);
        Ok(certificate.pem())
    }

    fn list(&self) -> Result<rcgen::CertificateRevocationList> {
        let epoch = date_time_ymd(1970, 1, 1);
        let now = epoch + Duration::from_secs(self.world.now());
        let mut register = self.register();
        register.lists += 1;
        let revoked = register
            .revoked
            .iter()
            .map(|(serial, when)| RevokedCertParams {
                serial_number: serial.clone(),
                revocation_time: epoch + Duration::from_secs(*when),
                reason_code: Some(RevocationReason::KeyCompromise),
                invalidity_date: None,
            });
        let list = CertificateRevocationListParams {
            this_update: now,
            next_update: now + Duration::from_secs(LIST_LIFETIME),
            crl_number: SerialNumber::from(register.lists),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?)
    }

    fn root_pem(&self) -> String {
        self.issuer.as_ref().pem()
    }

    fn register(&self) -> MutexGuard<'_, Register> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the device sends to the CA: its name, and a proof that it has the key.
pub(crate) fn request(name: &str, key: &KeyPair) -> Result<String> {
    let params = CertificateParams::new([name.to_owned()])?;
    Ok(params.serialize_request(key)?.pem()?)
}

/// The zone, and no address: who may vouch for all addresses could vouch for those of other homes.
fn constraints(zone: &str) -> NameConstraints {
    NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(zone.to_owned())],
        excluded_subtrees: vec![
            GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])),
        ],
    }
}

/// For how long a device's certificate is valid.
pub(crate) const LIFETIME: u64 = 7 * DAY;
/// For how long clients may use a list that they have loaded.
const LIST_LIFETIME: u64 = 30 * DAY;
const ROOT: &str = "root.pem";
