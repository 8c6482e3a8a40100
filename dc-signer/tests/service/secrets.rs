//! Secrets that must never be told, and the search for it with which every test ends.

use data_encoding::{BASE64, HEXLOWER};

use crate::rig::Rig;

/// Texts that have to be nowhere.
#[derive(Debug, Default)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    /// A token, a code, a cookie: as it is, as people type it, and as bytes are printed.
    pub(crate) fn add(&mut self, secret: &str) {
        assert!(secret.len() > 20, "too short to be told from other texts");
        let plain = secret.replace('-', "");
        self.0
            .extend([secret.to_owned(), plain, secret.to_uppercase()]);
        self.add_bytes(secret.as_bytes());
    }

    /// A private key in PEM.
    pub(crate) fn add_key(&mut self, pem: &str) {
        let lines = pem.lines().filter(|line| !line.starts_with("-----"));
        let text: String = lines.collect();
        let Ok(der) = BASE64.decode(text.as_bytes()) else {
            panic!("no PEM");
        };
        self.0.push("PRIVATE KEY".to_owned());
        self.0.extend(pem.lines().nth(1).map(ToOwned::to_owned));
        // The beginning is the same in all keys; this is of the secret number.
        if let Some(secret) = der.get(36..60) {
            self.add_bytes(secret);
        }
    }

    fn add_bytes(&mut self, bytes: &[u8]) {
        let hex = HEXLOWER.encode(bytes);
        let list = format!("{bytes:?}");
        self.0.push(hex.to_uppercase());
        self.0.push(hex);
        self.0.push(list.trim_matches(['[', ']']).to_owned());
    }

    /// True if any of them is in a text.
    pub(crate) fn are_in(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret))
    }
}

const SECRET: &str = "planted-planted-planted";

#[test]
fn a_secret_is_found_in_whatever_form_it_is_told() {
    let mut secrets = Secrets::default();
    secrets.add(SECRET);
    let key = rcgen::KeyPair::generate().unwrap();
    let der = key.serialize_der();
    secrets.add_key(&key.serialize_pem());
    for told in [
        SECRET.to_owned(),
        SECRET.replace('-', ""),
        SECRET.to_uppercase(),
        HEXLOWER.encode(SECRET.as_bytes()),
        format!("{:?}", SECRET.as_bytes()),
        key.serialize_pem(),
        HEXLOWER.encode(&der),
        format!("Key {{ bytes: {der:?} }}"),
    ] {
        assert!(secrets.are_in(&format!("an error: {told}!")), "{told}");
    }
    assert!(!secrets.are_in("planted-planted and more"));
    let other = rcgen::KeyPair::generate().unwrap().serialize_der();
    assert!(!secrets.are_in(&format!("{other:?}")));
}

#[test]
fn a_secret_in_the_log_is_found() {
    let rig = Rig::start();
    rig.keep_secret(SECRET);
    let problem = mistyped(&rig);
    assert!(problem.to_string().contains(SECRET), "{problem}");
    assert_eq!(rig.told_secrets(), ["log"].into());
}

#[test]
fn a_secret_in_a_metric_is_found() {
    let rig = Rig::start();
    rig.keep_secret("dc_fleet_possible_clones");
    assert_eq!(rig.told_secrets(), ["metrics"].into());
}

#[test]
fn a_secret_in_the_database_is_found() {
    let rig = Rig::start();
    rig.keep_secret(SECRET);
    let new = serde_json::json!({"external_id": SECRET});
    rig.admin().post("/v1/admin/devices", &new).ok();
    assert_eq!(rig.told_secrets(), ["database"].into());
}

#[test]
#[should_panic(expected = "a secret was told in {\"log\"}")]
fn a_test_that_tells_a_secret_fails() {
    let rig = Rig::start();
    rig.keep_secret(SECRET);
    mistyped(&rig);
}

/// The name of a manufacturer whom nobody knows is in the problem, and so in the log.
fn mistyped(rig: &Rig) -> serde_json::Value {
    let new = serde_json::json!({"external_id": "one", "manufacturer": SECRET, "serial": "1"});
    let answer = rig.admin().post("/v1/admin/devices", &new);
    answer.refused(400, "bad-request")
}
