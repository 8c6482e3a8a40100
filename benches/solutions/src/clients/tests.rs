//! What each client says to servers that are as they should be, and to others.

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

use super::*;
use crate::server;
use crate::setup;
use crate::solution::{Identity, Proof};
use crate::world::World;

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
        // Those of one issuer are different.
        let serial = if self_signed {
            file.len() as u64
        } else {
            SERIAL
        };
        params.serial_number = Some(SerialNumber::from(serial));
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
    fn list(&self, file: &str, serial: u64) -> PathBuf {
        let revoked = RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(serial),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        self.write(file, &list.signed_by(&self.ca).unwrap().pem().unwrap())
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

/// Asks a client everything there is to ask; what came of it, by the situation.
fn interview(client: &dyn Client) -> Vec<(&'static str, Outcome)> {
    let lab = Lab::new();
    let good = lab.certificate("good", false);
    let own = lab.certificate("own", true);
    let other = lab.certificate("other", true);
    let raw = Identity {
        name: NAME.to_owned(),
        proof: Proof::RawKey {
            key: lab.file("other.key"),
        },
        ends: None,
    };
    let credential = lab.credential();
    let servers: Vec<Server> = [&good, &own, &raw, &credential]
        .map(|one| server::start(one).unwrap())
        .into();
    let [good, own, raw, credential] = [0, 1, 2, 3].map(|at: usize| servers[at].port());
    let _ = other;
    let (root, vendor) = (lab.file("root.pem"), lab.file("vendor.pem"));
    let (revoked, innocent) = (lab.list("revoked.pem", SERIAL), lab.list("innocent.pem", 3));
    let (own_pem, other_pem) = (lab.file("own.pem"), lab.file("other.pem"));
    let (own_pin, other_pin) = (lab.pin("own.key"), lab.pin("other.key"));
    let visit = |port| Visit {
        name: NAME,
        port,
        ..Visit::default()
    };
    let trusting = |port| Visit {
        roots: vec![&root],
        ..visit(port)
    };
    let named = |name| Visit {
        name,
        roots: vec![&vendor],
        ..visit(credential)
    };
    let visits = [
        ("good", trusting(good)),
        ("unknown root", visit(good)),
        (
            "wrong name",
            Visit {
                name: "b.home.example.com",
                ..trusting(good)
            },
        ),
        (
            "revoked",
            Visit {
                revocation_list: Some(&revoked),
                ..trusting(good)
            },
        ),
        (
            "not revoked",
            Visit {
                revocation_list: Some(&innocent),
                ..trusting(good)
            },
        ),
        ("self-signed", visit(own)),
        (
            "self-signed, going on",
            Visit {
                accepts_warning: true,
                ..visit(own)
            },
        ),
        (
            "accepted",
            Visit {
                accepted: Some((&own_pin, Some(&own_pem))),
                ..visit(own)
            },
        ),
        (
            "another accepted",
            Visit {
                accepted: Some((&other_pin, Some(&other_pem))),
                ..visit(own)
            },
        ),
        ("good again", trusting(good)),
        ("raw key", visit(raw)),
        (
            "raw key, told",
            Visit {
                raw_keys: true,
                ..visit(raw)
            },
        ),
        (
            "raw key, going on",
            Visit {
                raw_keys: true,
                accepts_warning: true,
                ..visit(raw)
            },
        ),
        (
            "raw key, accepted",
            Visit {
                raw_keys: true,
                accepted: Some((&other_pin, None)),
                ..visit(raw)
            },
        ),
        (
            "raw key, another accepted",
            Visit {
                raw_keys: true,
                accepted: Some((&own_pin, None)),
                ..visit(raw)
            },
        ),
        ("credential", named("router.cpe.example.com")),
        ("credential of another name", named("twin.cpe.example.com")),
    ];
    let (names, visits): (Vec<_>, Vec<_>) = visits.into_iter().unzip();
    let mut outcomes: Vec<_> = names
        .into_iter()
        .zip(client.visit(&lab.world.clock, &visits))
        .collect();
    lab.world
        .clock
        .advance_to(lab.world.now() + (DAYS + 1) * 86_400)
        .unwrap();
    let late = [
        trusting(good),
        Visit {
            accepted: Some((&own_pin, Some(&own_pem))),
            ..visit(own)
        },
        named("router.cpe.example.com"),
    ];
    let late = client.visit(&lab.world.clock, &late);
    outcomes.extend(
        ["expired", "accepted and expired", "credential, expired"]
            .into_iter()
            .zip(late),
    );
    outcomes
}

#[test]
fn explore() {
    let pick = std::env::var("PICK").unwrap_or_default();
    let mut all = all();
    all.push(Box::new(DcRustls::new()));
    all.push(Box::new(DcRustls::without_names()));
    for client in all {
        if !client.name().contains(&pick) {
            continue;
        }
        let start = std::time::Instant::now();
        println!("== {} {:?}", client.name(), client.version());
        println!("   {:?}", start.elapsed());
        let start = std::time::Instant::now();
        for (name, outcome) in interview(&*client) {
            println!("{name:28} {outcome:?}");
        }
        println!("   {:?}", start.elapsed());
    }
}

const NAME: &str = "a.home.example.com";
const SERIAL: u64 = 7;
const DAYS: u64 = 60;
