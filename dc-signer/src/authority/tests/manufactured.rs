//! Enrolling with the certificate that a device was made with.

use std::path::PathBuf;

use pki_types::CertificateDer;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use tempfile::TempDir;

use super::bench::Bench;
use super::device::{Cpe, csr, renewal};
use crate::authority::Error;
use crate::authority::json::{NewDevice, Replace};
use crate::authority::policy::PolicyError;
use crate::testing::{Database, on_both};
use dc_pki::Forms;
use dc_store::registry::{self, State};

on_both! {
    a_registered_serial_enrols_and_no_other_does,
    any_serial_enrols_where_the_configuration_says_so,
    another_key_with_the_same_serial_is_a_clone,
    a_replaced_box_does_not_take_its_name_back,
    a_replacement_with_a_serial_enrols_with_its_certificate,
    a_serial_is_one_devices_alone,
    a_certificate_of_somebody_else_enrols_nobody,
    a_certificate_without_a_serial_enrols_nobody,
}

/// A maker of devices with a CA of its own.
pub(super) struct Maker {
    params: CertificateParams,
    key: KeyPair,
    folder: TempDir,
}

impl Maker {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("acme.pem"), certificate.pem()).unwrap();
        Self {
            params,
            key,
            folder,
        }
    }

    pub(super) fn settings(&self, serials: &str) -> String {
        let anchors: PathBuf = self.folder.path().join("acme.pem");
        format!(
            "[[manufacturers]]\nname = 'acme'\nanchors = '{}'\nserials = '{serials}'",
            anchors.display()
        )
    }

    pub(super) fn make(&self, serial: Option<&str>) -> Cpe {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "router");
        if let Some(serial) = serial {
            let number = DnType::CustomDnType(vec![2, 5, 4, 5]);
            params.distinguished_name.push(number, serial);
        }
        params.subject_alt_names = vec![SanType::DnsName("router.example".try_into().unwrap())];
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate: CertificateDer<'static> = params.signed_by(&key, &issuer).unwrap().into();
        Cpe::with_chain(key, vec![certificate])
    }
}

async fn bench(database: &Database, maker: &Maker, serials: &str) -> Bench {
    let bench = Bench::empty(database, &maker.settings(serials)).await;
    bench.add_zone("cpe.example.com", Forms::Named).await;
    bench.import(bench.now).await;
    bench.authority.keep_zones(bench.now).await.unwrap();
    bench
}

async fn add(bench: &Bench, serial: &str) {
    let new = NewDevice {
        external_id: "customer-1".to_owned(),
        manufacturer: Some("acme".to_owned()),
        serial: Some(serial.to_owned()),
        ..NewDevice::default()
    };
    bench.add(new).await.unwrap();
}

async fn a_registered_serial_enrols_and_no_other_does(database: &Database) {
    let maker = Maker::new();
    let bench = bench(database, &maker, "registered").await;
    add(&bench, "SN-0001").await;
    let cpe = maker.make(Some("SN-0001"));
    let first = cpe
        .enrol(&bench.authority, &csr(), None, bench.now)
        .await
        .unwrap();
    // Again, because the answer got lost; and then it renews with the same key.
    let again = cpe
        .enrol(&bench.authority, &csr(), None, bench.now)
        .await
        .unwrap();
    assert_eq!(again.name, first.name);
    cpe.renew(&bench.authority, &renewal(&again, "1"), bench.now)
        .await
        .unwrap();
    let other = maker.make(Some("SN-0002"));
    let refusal = other.enrol(&bench.authority, &csr(), None, bench.now).await;
    assert!(matches!(refusal, Err(Error::UnknownSerial)), "{refusal:?}");
}

async fn any_serial_enrols_where_the_configuration_says_so(database: &Database) {
    let maker = Maker::new();
    let bench = bench(database, &maker, "any").await;
    let cpe = maker.make(Some("SN-0001"));
    let answer = cpe
        .enrol(&bench.authority, &csr(), None, bench.now)
        .await
        .unwrap();
    let device = bench.find("SN-0001").await;
    assert_eq!(
        (device.state, device.name.as_str()),
        (State::Active, answer.name.as_str())
    );
}

async fn another_key_with_the_same_serial_is_a_clone(database: &Database) {
    let maker = Maker::new();
    let bench = bench(database, &maker, "any").await;
    let (cpe, copy) = (maker.make(Some("SN-0001")), maker.make(Some("SN-0001")));
    let first = cpe
        .enrol(&bench.authority, &csr(), None, bench.now)
        .await
        .unwrap();
    let refusal = copy.enrol(&bench.authority, &csr(), None, bench.now).await;
    assert!(
        matches!(refusal, Err(Error::Policy(PolicyError::CloneSuspected))),
        "{refusal:?}"
    );
    assert!(bench.find("SN-0001").await.possible_clone);
    // The first one is not locked out by the other.
    cpe.renew(&bench.authority, &renewal(&first, "1"), bench.now)
        .await
        .unwrap();
}

async fn a_replaced_box_does_not_take_its_name_back(database: &Database) {
    let maker = Maker::new();
    let bench = bench(database, &maker, "registered").await;
    add(&bench, "SN-0001").await;
    let old = maker.make(Some("SN-0001"));
    let first = old
        .enrol(&bench.authority, &csr(), None, bench.now)
        .await
        .unwrap();
    let device = bench.find("customer-1").await;
    let by = bench.by(bench.now);
    let replaced = bench
        .authority
        .replace(device.id, &Replace::default(), &by)
        .await;
    let code = replaced.unwrap().code.unwrap().code;
    let refusal = old.enrol(&bench.authority, &csr(), None, bench.now).await;
    assert!(matches!(refusal, Err(Error::UnknownSerial)), "{refusal:?}");
    let over = bench.after(first.expires - bench.now.as_secs() + 3601);
    bench.authority.accept_clock(over);
    let new = Cpe::new()
        .enrol_with(&bench.authority, &code, over)
        .await
        .unwrap();
    assert_eq!(new.name, first.name);
}

fn with_serial(serial: &str) -> Replace {
    Replace {
        manufacturer: Some("acme".to_owned()),
        serial: Some(serial.to_owned()),
        ..Replace::default()
    }
}

async fn a_replacement_with_a_serial_enrols_with_its_certificate(database: &Database) {
    let maker = Maker::new();
    let bench = bench(database, &maker, "registered").await;
    add(&bench, "SN-0001").await;
    let [old, new] = ["SN-0001", "SN-0002"].map(|serial| maker.make(Some(serial)));
    let first = old.enrol(&bench.authority, &csr(), None, bench.now).await;
    let device = bench.find("customer-1").await;
    let (how, by) = (with_serial("SN-0002"), bench.by(bench.now));
    let replaced = bench.authority.replace(device.id, &how, &by).await.unwrap();
    assert!(replaced.code.is_none());
    assert_eq!(replaced.device.serial.as_deref(), Some("SN-0002"));
    let refusal = old.enrol(&bench.authority, &csr(), None, bench.now).await;
    assert!(matches!(refusal, Err(Error::UnknownSerial)), "{refusal:?}");
    let held = new.enrol(&bench.authority, &csr(), None, bench.now).await;
    let from = held.unwrap_err().available_from().unwrap();
    bench.authority.accept_clock(from);
    let second = new.enrol(&bench.authority, &csr(), None, from).await;
    assert_eq!(second.unwrap().name, first.unwrap().name);
}

async fn a_serial_is_one_devices_alone(database: &Database) {
    let maker = Maker::new();
    let bench = bench(database, &maker, "registered").await;
    add(&bench, "SN-0001").await;
    let other = NewDevice {
        external_id: "customer-2".to_owned(),
        ..NewDevice::default()
    };
    bench.add(other).await.unwrap();
    let device = bench.find("customer-2").await;
    let replace = async |how| {
        let by = bench.by(bench.now);
        let replaced = bench.authority.replace(device.id, &how, &by).await;
        replaced.unwrap_err()
    };
    for serial in ["SN-0001", "SN-\0"] {
        let refusal = replace(with_serial(serial)).await;
        let taken = registry::Error::SerialTaken;
        assert_eq!(refusal.to_string(), taken.to_string());
    }
    let alone = Replace {
        manufacturer: None,
        ..with_serial("SN-0002")
    };
    assert!(matches!(replace(alone).await, Error::SerialAlone));
    let sold = Replace {
        new_name: true,
        ..with_serial("SN-0002")
    };
    assert!(matches!(replace(sold).await, Error::TwoWays));
    let nobody = Replace {
        manufacturer: Some("nobody".to_owned()),
        ..with_serial("SN-0002")
    };
    let refusal = replace(nobody).await;
    assert!(matches!(refusal, Error::NoManufacturer { .. }));
    assert_eq!(bench.find("customer-2").await, device);
}

async fn a_certificate_of_somebody_else_enrols_nobody(database: &Database) {
    let maker = Maker::new();
    let bench = bench(database, &maker, "any").await;
    let records = bench.records().await;
    let stranger = Maker::new().make(Some("SN-0001"));
    let refusal = stranger
        .enrol(&bench.authority, &csr(), None, bench.now)
        .await;
    assert!(matches!(refusal, Err(Error::Stranger)), "{refusal:?}");
    assert_eq!(bench.records().await, records);
}

async fn a_certificate_without_a_serial_enrols_nobody(database: &Database) {
    let maker = Maker::new();
    let bench = bench(database, &maker, "any").await;
    let cpe = maker.make(None);
    let refusal = cpe.enrol(&bench.authority, &csr(), None, bench.now).await;
    assert!(matches!(refusal, Err(Error::WithoutSerial)), "{refusal:?}");
}
