//! Servers of all kinds, and what a client says to each.

use std::path::PathBuf;

use dc_core::Form;
use dc_tests::process::Server;
use dc_tests::vendor::{Device, Vendor};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SerialNumber, date_time_ymd,
};
use tempfile::TempDir;

use crate::clients::{Client, Outcome, Visit};
use crate::solution::{Identity, Proof};
use crate::world::World;
use crate::{server, setup};

/// Servers of all kinds, in a world of its own.
struct Lab {
    folder: TempDir,
    world: World,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::new(folder.path(), &setup::virtual_clock().unwrap(), 60).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "root of the lab");
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let lab = Self { folder, world, ca };
        lab.write("root.pem", &lab.ca.pem());
        lab
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A certificate for [`NAME`] that lives for [`DAYS`], by the CA or by itself.
    fn certificate(&self, file: &str, self_signed: bool) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, NAME);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        // No two of one issuer: NSS refuses them.
        let serial = if file == "good" {
            &[SERIAL]
        } else {
            file.as_bytes()
        };
        params.serial_number = Some(SerialNumber::from_slice(serial));
        let end = std::time::Duration::from_secs(self.world.now() + DAYS * 86_400);
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(1970, 1, 1) + end;
        let certificate = match self_signed {
            true => params.self_signed(&key).unwrap(),
            false => params.signed_by(&key, &self.ca).unwrap(),
        };
        Identity {
            name: NAME.to_owned(),
            proof: Proof::Certificate {
                chain: self.write(&format!("{file}.pem"), &certificate.pem()),
                key: self.write(&format!("{file}.key"), &key.serialize_pem()),
            },
            ends: None,
        }
    }

    /// A list that revokes this serial number.
    fn list(&self, file: &str, serial: u8) {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(u64::from(serial)),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(u64::from(serial)),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        self.write(file, &list.signed_by(&self.ca).unwrap().pem().unwrap());
    }

    /// The SHA-256 of this identity's public key.
    fn pin(&self, file: &str) -> [u8; 32] {
        let pem = std::fs::read_to_string(self.file(file)).unwrap();
        let spki = rcgen::PublicKeyData::subject_public_key_info(&KeyPair::from_pem(&pem).unwrap());
        let digest = ring::digest::digest(&ring::digest::SHA256, &spki);
        digest.as_ref().try_into().unwrap()
    }

    /// A credential of another vendor, with its root in `vendor.pem`.
    fn credential(&self) -> Identity {
        use base64ct::{Base64, Encoding as _};
        let (vendor, device) = (Vendor::default(), Device::new("router"));
        let folder = self.file("credential");
        std::fs::create_dir_all(&folder).unwrap();
        let both = [Form::Named, Form::Rfc9345]
            .map(|form| dc_core::pem::write(form, &vendor.issue(&device, form).bytes));
        self.write("credential/chain.pem", &vendor.chain_pem());
        self.write("credential/credential.pem", &both.concat());
        self.write("credential/key.pem", &device.key.private_key_pem());
        let root = Base64::encode_string(&vendor.root_der());
        self.write(
            "vendor.pem",
            &format!("-----BEGIN CERTIFICATE-----\n{root}\n-----END CERTIFICATE-----\n"),
        );
        Identity {
            name: device.name,
            proof: Proof::Credential { folder },
            ends: Some(self.world.now() + 86_400),
        }
    }
}

/// What runs while a client is asked, and what it is given.
struct Open {
    lab: Lab,
    /// With a certificate of the CA, one of its own, a raw public key, and a credential for both forms.
    servers: [Server; 4],
    pins: [[u8; 32]; 3],
}

impl Open {
    fn new() -> Self {
        let lab = Lab::new();
        let good = lab.certificate("good", false);
        let own = lab.certificate("own", true);
        // Of which nobody serves the certificate.
        lab.certificate("other", true);
        lab.certificate("neighbour", false);
        let leaf = std::fs::read_to_string(lab.file("neighbour.pem")).unwrap();
        lab.write("neighbour.pem", &(leaf + &lab.ca.pem()));
        lab.list("revoked.pem", SERIAL);
        lab.list("innocent.pem", SERIAL + 1);
        let raw = Identity {
            name: NAME.to_owned(),
            proof: Proof::RawKey {
                key: lab.file("other.key"),
            },
            ends: None,
        };
        let servers = [good, own, raw, lab.credential()];
        Self {
            servers: servers.map(|identity| server::start(&identity).unwrap()),
            pins: ["own.key", "other.key", "neighbour.key"].map(|file| lab.pin(file)),
            lab,
        }
    }

    fn ask(&self, client: &dyn Client, cases: Vec<(&'static str, Visit<'_>)>) -> Vec<String> {
        let (situations, visits): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
        let outcomes = client.visit(&self.lab.world.clock, &visits);
        assert_eq!(outcomes.len(), visits.len());
        let line = |(situation, outcome): (&str, Outcome)| match outcome {
            Outcome::Connected => format!("{situation}: connected"),
            Outcome::Warned(words) => format!("{situation}: warned, {words}"),
            Outcome::Refused(words) => format!("{situation}: refused, {words}"),
            Outcome::Unable(words) => format!("{situation}: unable, {words}"),
            Outcome::Failed(words) => format!("{situation}: failed, {words}"),
        };
        situations.into_iter().zip(outcomes).map(line).collect()
    }
}

/// Asks a client everything there is to ask: a line for each situation, with what came of it.
pub(super) fn interview(client: &dyn Client) -> Vec<String> {
    let open = Open::new();
    let [good, own, raw, credential] = [0, 1, 2, 3].map(|at: usize| open.servers[at].port());
    let file = |name| open.lab.file(name);
    let (root, vendor) = (file("root.pem"), file("vendor.pem"));
    let (revoked, innocent) = (file("revoked.pem"), file("innocent.pem"));
    let neighbour_pem = file("neighbour.pem");
    let (own_pem, other_pem) = (file("own.pem"), file("other.pem"));
    let [own_pin, other_pin, neighbour_pin] = &open.pins;
    let at = |port| Visit {
        name: NAME,
        port,
        ..Visit::default()
    };
    let trusting = || Visit {
        roots: vec![&root],
        ..at(good)
    };
    let listed = |list| Visit {
        revocation_list: Some(list),
        ..trusting()
    };
    let accepting = |pin, certificate| Visit {
        accepted: Some((pin, Some(certificate))),
        ..at(own)
    };
    let told = || Visit {
        raw_keys: true,
        ..at(raw)
    };
    let named = |name| Visit {
        name,
        roots: vec![&vendor],
        ..at(credential)
    };
    let mut said = open.ask(
        client,
        vec![
            ("good", trusting()),
            ("unknown root", at(good)),
            (
                "wrong name",
                Visit {
                    name: "b.home.example.com",
                    ..trusting()
                },
            ),
            ("revoked", listed(&revoked)),
            ("not revoked", listed(&innocent)),
            ("self-signed", at(own)),
            (
                "self-signed, going on",
                Visit {
                    accepts_warning: true,
                    ..at(own)
                },
            ),
            ("accepted", accepting(own_pin, &own_pem)),
            ("another accepted", accepting(other_pin, &other_pem)),
            (
                "neighbour accepted",
                Visit {
                    accepted: Some((neighbour_pin, Some(&neighbour_pem))),
                    ..at(good)
                },
            ),
            ("good again", trusting()),
            ("raw key", at(raw)),
            ("raw key, told", told()),
            (
                "raw key, accepted",
                Visit {
                    accepted: Some((other_pin, None)),
                    ..told()
                },
            ),
            ("credential", named("router.cpe.example.com")),
            ("credential of another name", named("twin.cpe.example.com")),
        ],
    );
    let clock = &open.lab.world.clock;
    clock.advance_to(clock.now() + (DAYS + 1) * 86_400).unwrap();
    said.extend(open.ask(
        client,
        vec![
            ("expired", trusting()),
            ("accepted and expired", accepting(own_pin, &own_pem)),
            ("credential, expired", named("router.cpe.example.com")),
        ],
    ));
    said
}

const NAME: &str = "a.home.example.com";
const SERIAL: u8 = 7;
const DAYS: u64 = 60;
