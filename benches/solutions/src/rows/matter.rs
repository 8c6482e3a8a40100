//! Matter: the device attestation certificate (DAC) of a Matter device as the certificate of its TLS server.
//!
//! The vendor's product attestation authority (PAA) signs an intermediate for a product (PAI), and that signs a DAC for
//! each device in the factory (Matter 1.2 §6.2). A DAC says whose product it is, by two numbers in its subject, and has no
//! name of the device: it ends in the year 9999, and nobody renews it.
//!
//! Not run: Matter's operational certificates (NOC), which a home's commissioner issues. They name a node and a fabric by
//! numbers in the subject, travel in an encoding of Matter's own, are used in its own handshake (CASE) and not in TLS, and
//! have no DNS name either: turned back into X.509, TLS programs would refuse them for what they refuse in a DAC.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    DnValue, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams,
    SanType, SerialNumber, date_time_ymd,
};

use crate::Result;
use crate::ledger::{Act, Party};
use crate::rows::device_key::{
    CLOCK_SKEW, DAY, DeviceKey, Factory, label, params, server_params, unknown,
};
use crate::solution::{Identity, Proof, Remedy, Solution, Trust};
use crate::world::World;

/// Whether a device attestation certificate has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As the specification has it: no subjectAltName.
    None,
    /// With a dNSName, which the specification does not know: what would have to change for TLS clients.
    DnsName,
}

/// A vendor of Matter devices.
#[derive(Debug)]
pub(crate) struct Matter {
    factory: Factory,
    naming: Naming,
    vendor: Option<Vendor>,
    devices: BTreeMap<usize, Device>,
    is_reachable: bool,
}

#[derive(Debug)]
struct Vendor {
    paa: PathBuf,
    /// Which signs.
    pai: CertifiedIssuer<'static, KeyPair>,
    stolen: Vec<(SerialNumber, u64)>,
    folder: PathBuf,
}

#[derive(Debug)]
struct Device {
    serial: SerialNumber,
    identity: Identity,
}

impl Matter {
    /// No vendor yet.
    pub(crate) fn new(world: &World, naming: Naming) -> Self {
        Self {
            factory: Factory::new(world, "matter"),
            naming,
            vendor: None,
            devices: BTreeMap::new(),
            is_reachable: true,
        }
    }

    /// Makes a device in the vendor's factory, which asks the PAI for a certificate.
    fn manufacture(&mut self) -> Result<Device> {
        let serial = label()?;
        let name = format!("{serial}.cpe.example.com");
        let key = self.factory.make()?;
        let mut params = self.attestation_params(&format!("Device {serial}"), Some(PRODUCT))?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if self.naming == Naming::DnsName {
            params.subject_alt_names = vec![SanType::DnsName(name.as_str().try_into()?)];
        }
        let pai = &self.vendor()?.pai;
        self.count(Act::Request);
        let certificate = params.signed_by(&key.pair, pai)?.pem();
        self.count(Act::Signature);
        Ok(Device {
            serial: params.serial_number.ok_or("no serial number")?,
            identity: identity(&key, &name, &[&certificate, &pai.as_ref().pem()])?,
        })
    }

    /// A certificate of the vendor without end, with the subject that Matter gives it.
    fn attestation_params(&self, name: &str, product: Option<&str>) -> Result<CertificateParams> {
        let begins = self.factory.world.now() - CLOCK_SKEW;
        let mut params = params(name, begins, NO_END)?;
        let mut push = |arcs: &[u64], value: &str| {
            let kind = DnType::CustomDnType(arcs.to_vec());
            let value = DnValue::Utf8String(value.to_owned());
            params.distinguished_name.push(kind, value);
        };
        push(&VENDOR_ID, VENDOR);
        if let Some(product) = product {
            push(&PRODUCT_ID, product);
        }
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }

    /// An authority with this many levels below it.
    fn authority_params(&self, name: &str, below: u8) -> Result<CertificateParams> {
        let mut params = self.attestation_params(name, None)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(params)
    }

    /// Fails while the vendor cannot be reached.
    fn vendor(&self) -> Result<&Vendor> {
        match &self.vendor {
            Some(_) if !self.is_reachable => Err("the vendor cannot be reached".into()),
            Some(vendor) => Ok(vendor),
            None => Err("there is no vendor yet: call `found` first".into()),
        }
    }

    fn count(&self, act: Act) {
        self.factory.world.ledger.count(Party::Vendor, act);
    }
}

impl Solution for Matter {
    fn found(&mut self) -> Result<()> {
        let folder = self.factory.world.folder("matter/vendor")?;
        let made = label()?;
        let paa = self.authority_params(&format!("PAA {made}"), 1)?;
        let paa = CertifiedIssuer::self_signed(paa, KeyPair::generate()?)?;
        let pai = self.authority_params(&format!("PAI {made}"), 0)?;
        let pai = CertifiedIssuer::signed_by(pai, KeyPair::generate()?, &paa)?;
        self.count(Act::Signature);
        let path = folder.join("paa.pem");
        fs::write(&path, paa.as_ref().pem())?;
        self.vendor = Some(Vendor {
            paa: path,
            pai,
            stolen: Vec::new(),
            folder,
        });
        Ok(())
    }

    /// The user imports the PAA into each client, once for all devices of the vendor in the world.
    fn enrol(&mut self, device: usize) -> Result<Identity> {
        let made = self.manufacture()?;
        let ledger = &self.factory.world.ledger;
        ledger.count(Party::User, Act::Request);
        let identity = made.identity.clone();
        self.devices.insert(device, made);
        Ok(identity)
    }

    /// Never: the certificate is for the device's whole life.
    fn due(&self, _device: usize) -> Option<u64> {
        None
    }

    /// The same certificate again: a device has no other, and cannot get one.
    fn renew(&mut self, device: usize) -> Result<Identity> {
        let found = self.devices.get(&device);
        Ok(found.ok_or_else(|| unknown(device))?.identity.clone())
    }

    /// The new device brings its own certificate. Clients trust it already, and the old one as before. If it has a name,
    /// that is another one, which the user has to open: what clients ask for cannot stay the same.
    fn replace(&mut self, device: usize) -> Result<Identity> {
        let old = self.devices.get(&device).ok_or_else(|| unknown(device))?;
        let name = old.identity.name.clone();
        let mut made = self.manufacture()?;
        let ledger = &self.factory.world.ledger;
        match self.naming {
            Naming::None => made.identity.name = name,
            Naming::DnsName => ledger.count(Party::User, Act::Request),
        }
        let identity = made.identity.clone();
        self.devices.insert(device, made);
        Ok(identity)
    }

    /// The vendor lists the certificate as revoked, in the list of the PAI.
    fn report_theft(&mut self, device: usize) -> Result<Remedy> {
        self.vendor()?;
        let now = self.factory.world.now();
        let found = self.devices.get(&device).ok_or_else(|| unknown(device))?;
        let vendor = self.vendor.as_mut().ok_or("no vendor")?;
        vendor.stolen.push((found.serial.clone(), now));
        let list = vendor.write_list(now)?;
        self.count(Act::Request);
        self.count(Act::Signature);
        Ok(Remedy {
            revocation_list: Some(list),
            removal: Some("the PAA, and with it the trust in all devices of the vendor"),
        })
    }

    fn reach(&mut self, party: Party, reachable: bool) -> Result<()> {
        if party == Party::Vendor {
            self.is_reachable = reachable;
        }
        Ok(())
    }

    fn trust(&self, _device: usize) -> Trust {
        let paa = self.vendor.as_ref().map(|vendor| vendor.paa.clone());
        Trust {
            imported: paa.into_iter().collect(),
            ..Trust::default()
        }
    }

    /// The twin's own certificate: it is as good as the victim's for whoever does not ask for a name.
    fn pose(&mut self, twin: usize, victim: usize) -> Result<Identity> {
        let name = self.devices.get(&victim).ok_or_else(|| unknown(victim))?;
        let name = name.identity.name.clone();
        let twin = self.devices.get(&twin).ok_or_else(|| unknown(twin))?;
        Ok(Identity {
            name,
            ..twin.identity.clone()
        })
    }

    /// The PAI may sign for any name: no constraint holds it, and whoever trusts the PAA trusts it for the web as well.
    fn outside(&mut self) -> Result<Option<Identity>> {
        let key = self.factory.make()?;
        let begins = self.factory.world.now() - CLOCK_SKEW;
        let mut params = server_params(OUTSIDE, begins, NO_END)?;
        params.use_authority_key_identifier_extension = true;
        let pai = &self.vendor()?.pai;
        let certificate = params.signed_by(&key.pair, pai)?.pem();
        identity(&key, OUTSIDE, &[&certificate, &pai.as_ref().pem()]).map(Some)
    }

    fn published(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Vendor {
    /// Writes the PAI's list of what was stolen, in PEM.
    fn write_list(&self, now: u64) -> Result<PathBuf> {
        let at = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
        let revoked = self.stolen.iter().map(|(serial, when)| RevokedCertParams {
            serial_number: serial.clone(),
            revocation_time: at(*when),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: at(now),
            next_update: at(now + 30 * DAY),
            crl_number: SerialNumber::from(self.stolen.len() as u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let path = self.folder.join(format!("crl-{}.pem", label()?));
        fs::write(&path, list.signed_by(&self.pai)?.pem()?)?;
        Ok(path)
    }
}

fn identity(key: &DeviceKey, name: &str, chain: &[&str]) -> Result<Identity> {
    Ok(Identity {
        name: name.to_owned(),
        proof: Proof::Certificate {
            chain: key.write_chain(chain)?,
            key: key.path(),
        },
        // What the certificate says is for ever (RFC 5280 §4.1.2.5).
        ends: None,
    })
}

/// 9999-12-31 23:59:59, which stands for no end.
const NO_END: u64 = 253_402_300_799;
/// A site that the vendor has nothing to do with.
const OUTSIDE: &str = "www.bank.example";
/// Of the Connectivity Standards Alliance's numbers for tests, in hexadecimal.
const VENDOR: &str = "FFF1";
const PRODUCT: &str = "8000";
/// matter-oid-vid and matter-oid-pid (Matter 1.2 §6.1.1).
const VENDOR_ID: [u64; 9] = [1, 3, 6, 1, 4, 1, 37244, 2, 1];
const PRODUCT_ID: [u64; 9] = [1, 3, 6, 1, 4, 1, 37244, 2, 2];

#[cfg(test)]
mod tests {
    use der::Decode as _;
    use x509_cert::Certificate;
    use x509_cert::ext::pkix::{BasicConstraints as Basic, KeyUsage, SubjectAltName};

    use super::*;
    use crate::ledger::Phase;
    use crate::rows::lab::{Lab, certificates, chain};

    fn vendor(lab: &Lab, naming: Naming) -> Matter {
        let mut row = Matter::new(&lab.world, naming);
        row.found().unwrap();
        row
    }

    #[test]
    fn an_attestation_certificate_is_as_the_specification_says() {
        let lab = Lab::new();
        let mut row = vendor(&lab, Naming::None);
        let chain = certificates(chain(&row.enrol(0).unwrap()));
        let [dac, pai] = [0, 1].map(|at| Certificate::from_der(&chain[at]).unwrap());
        let dac = dac.tbs_certificate();
        let subject = dac.subject().to_string();
        // As UTF8String: `FFF1`, `8000`.
        let [vid, pid] = ["37244.2.1=#0c0446464631", "37244.2.2=#0c0438303030"];
        assert!(subject.contains(vid) && subject.contains(pid), "{subject}");
        let end = dac.validity().not_after.to_unix_duration().as_secs();
        assert_eq!(end, NO_END);
        assert!(dac.get_extension::<SubjectAltName>().unwrap().is_none());
        let (critical, basic) = dac.get_extension::<Basic>().unwrap().unwrap();
        assert!(critical && !basic.ca);
        let (critical, usage) = dac.get_extension::<KeyUsage>().unwrap().unwrap();
        assert!(critical && usage.digital_signature() && !usage.key_cert_sign());
        let basic = pai.tbs_certificate().get_extension::<Basic>();
        let (critical, basic) = basic.unwrap().unwrap();
        assert!(critical && basic.ca);
        assert_eq!(basic.path_len_constraint, Some(0));
        assert!(row.due(0).is_none());
    }

    #[test]
    fn stock_rustls_misses_the_name_and_nothing_else() {
        let lab = Lab::new();
        let mut row = vendor(&lab, Naming::None);
        let device = row.enrol(0).unwrap();
        let error = lab.verify(&device, &row.trust(0), None).unwrap_err();
        assert!(error.to_string().contains("not valid for name"), "{error}");

        let mut row = vendor(&lab, Naming::DnsName);
        let device = row.enrol(0).unwrap();
        lab.verify(&device, &row.trust(0), None).unwrap();
        row.enrol(1).unwrap();
        let twin = row.pose(1, 0).unwrap();
        let error = lab.verify(&twin, &row.trust(0), None).unwrap_err();
        assert!(error.to_string().contains("not valid for name"), "{error}");
    }

    #[test]
    fn who_trusts_the_vendor_trusts_it_for_every_site() {
        let lab = Lab::new();
        let mut row = vendor(&lab, Naming::None);
        let outside = row.outside().unwrap().unwrap();
        lab.verify(&outside, &row.trust(0), None).unwrap();
    }

    #[test]
    fn a_stolen_device_is_on_the_vendor_s_list() {
        let lab = Lab::new();
        let mut row = vendor(&lab, Naming::DnsName);
        let (stolen, other) = (row.enrol(0).unwrap(), row.enrol(1).unwrap());
        lab.world.ledger.enter(Phase::Theft);
        let remedy = row.report_theft(0).unwrap();
        let list = remedy.revocation_list.as_deref();
        let error = lab.verify(&stolen, &row.trust(0), list).unwrap_err();
        assert!(error.to_string().contains("Revoked"), "{error}");
        lab.verify(&other, &row.trust(0), list).unwrap();
        assert_eq!(lab.count(Party::Vendor, Phase::Theft, Act::Request), 1);
        row.reach(Party::Vendor, false).unwrap();
        row.report_theft(1).unwrap_err();
        row.enrol(2).unwrap_err();
        // A device in the home asks for nothing.
        row.renew(0).unwrap();
    }
}
