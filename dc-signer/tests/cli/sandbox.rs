//! A folder to run the binary in, with devices' keys and certificates made at run time.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use apparatus::SoftHsm;
use dc_core::{
    DelegatedCredential, DelegationCertificate, Form, Offer, Role, SchemeList, SignatureScheme,
    VerifiedCredential, Verifier,
};
use pki_types::pem::PemObject;
use pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use rcgen::{
    CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    SignatureAlgorithm, date_time_ymd,
};
use tempfile::TempDir;

pub(crate) const DAY: u64 = 24 * 3600;
pub(crate) const NAME: &str = "k3v.cpe.example.com";
/// The arguments that every `issue` of these tests has.
pub(crate) const ISSUE: [&str; 5] = ["issue", "--delegation", "vendor", "--out", "out"];

/// The file of the token of whoever acts.
pub(crate) const TOKEN: &str = "token";

/// A temporary folder that the binary runs in.
#[derive(Debug)]
pub(crate) struct Sandbox(TempDir);

impl Sandbox {
    pub(crate) fn empty() -> Self {
        apparatus::prepare(apparatus::Part::Tools);
        Self(tempfile::tempdir().unwrap())
    }

    /// With `vendor`, made by `init`, and a P-256 device's `device.key` and `device.csr`.
    pub(crate) fn with_vendor() -> Self {
        let sandbox = Self::empty();
        sandbox
            .run(&["init", "vendor", "--zone", "cpe.example.com"])
            .succeeded();
        sandbox.device("device", &rcgen::PKCS_ECDSA_P256_SHA256);
        sandbox
    }

    /// Makes `NAME.key`, `NAME.csr` and `NAME.pub`.
    pub(crate) fn device(&self, name: &str, algorithm: &'static SignatureAlgorithm) -> KeyPair {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = CertificateParams::default();
        // A name that the device would like to have, and must not get.
        params
            .distinguished_name
            .push(DnType::CommonName, "admin.cpe.example.com");
        let csr = params.serialize_request(&key).unwrap();
        self.write(&format!("{name}.key"), key.serialize_pem());
        self.write(&format!("{name}.csr"), csr.pem().unwrap());
        self.write(&format!("{name}.pub"), key.public_key_pem());
        key
    }

    /// Replaces the delegation certificate and its key by others.
    pub(crate) fn put_certificate(&self, template: CertificateTemplate) {
        let key = template.key;
        let mut params = CertificateParams::new(
            template
                .names
                .into_iter()
                .map(String::from)
                .collect::<Vec<_>>(),
        )
        .unwrap();
        let now = date_time_ymd(1970, 1, 1) + Duration::from_secs(now().as_secs());
        params.not_before = now - Duration::from_secs(template.began_days_ago * DAY);
        params.not_after = match template.ends_in_days {
            days @ 0.. => now + Duration::from_secs(days.unsigned_abs() * DAY),
            days => now - Duration::from_secs(days.unsigned_abs() * DAY),
        };
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = template.purposes;
        if template.delegates {
            let oid = dc_core::DELEGATION_USAGE_ARCS;
            let usage = CustomExtension::from_oid_content(&oid, vec![5, 0]);
            params.custom_extensions = vec![usage];
        }
        let certificate = params.self_signed(&key).unwrap();
        self.write("vendor/chain.pem", certificate.pem());
        self.write("vendor/key.pem", key.serialize_pem());
    }

    /// Runs a command of the service with `config.toml` as an admin, who is made first, and for a reason if it takes one.
    pub(crate) fn operate(&self, arguments: &[&str]) -> Outcome {
        self.operate_at("config.toml", arguments)
    }

    /// The same with another configuration.
    pub(crate) fn operate_at(&self, config: &str, arguments: &[&str]) -> Outcome {
        let config = ["--config", config];
        let takes_operator = match arguments {
            ["devices" | "codes", ..]
            | ["certificate", "order", ..]
            | ["audit", "acknowledge" | "archive", ..] => true,
            ["operators" | "zones", what, ..] => *what != "list",
            ["secrets", what, ..] => !["make-key", "show"].contains(what),
            _ => false,
        };
        if takes_operator && !self.path(TOKEN).exists() {
            let add = ["operators", "add", "tester", "--role", "admin"];
            let made = self.run(&[&add[..], &["--save-token", TOKEN], &config].concat());
            if made.code != Some(0) {
                return made;
            }
        }
        let takes_reason = match arguments {
            ["devices", "suspend" | "resume" | "retire" | "replace", ..]
            | [
                "zones",
                "forms" | "roles" | "pull-renewals" | "remove" | "rollover" | "end",
                ..,
            ]
            | ["operators", "add" | "disable" | "enable" | "renew", ..] => true,
            ["secrets", what, ..] => *what != "show",
            ["certificate", "order", ..] | ["audit", "acknowledge" | "archive", ..] => true,
            ["restore", ..] => !arguments.contains(&"--check"),
            _ => false,
        };
        let reason: &[&str] = match takes_reason && !arguments.contains(&"--reason") {
            true => &["--reason", "a test"],
            false => &[],
        };
        self.run(&[arguments, reason, &config].concat())
    }

    /// Runs it, as the operator whose token lies here if one does.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dc-signer"));
        match self.path(TOKEN).exists() {
            true => command.env("DC_SIGNER_TOKEN_FILE", TOKEN),
            false => command.env_remove("DC_SIGNER_TOKEN_FILE"),
        };
        // Tokens that lie here are seen.
        let hsm = self.path("hsm");
        if hsm.exists() {
            command.env(SoftHsm::VARIABLE, SoftHsm::of(hsm).settings());
        }
        let output = command
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs `issue` with these arguments besides the common ones.
    pub(crate) fn issue(&self, arguments: &[&str]) -> Outcome {
        self.run(&[&ISSUE[..], arguments].concat())
    }

    /// Runs `issue`, which must refuse, say all of `words`, and leave nothing behind.
    pub(crate) fn issue_refused(&self, arguments: &[&str], words: &[&str]) {
        let before = self.names(".");
        self.issue(arguments).refused(words);
        assert_eq!(self.names("."), before);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        fs::write(self.path(name), contents).unwrap();
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// The names of all that is in a folder, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The credentials of an identity folder, verified as a client that wants `name` does.
    pub(crate) fn verified(&self, folder: &str, name: &str) -> Vec<VerifiedCredential> {
        self.verified_as(Role::Server, folder, name)
    }

    /// As [`verified`](Self::verified), for either end.
    pub(crate) fn verified_as(
        &self,
        role: Role,
        folder: &str,
        name: &str,
    ) -> Vec<VerifiedCredential> {
        let certificate = certificate(&self.path(folder).join("chain.pem"));
        let file = fs::read(self.path(folder).join("credential.pem")).unwrap();
        dc_core::pem::read(&file)
            .unwrap()
            .iter()
            .map(|stored| {
                let credential = DelegatedCredential::decode(stored.form, &stored.bytes).unwrap();
                let wanted = name.to_owned().try_into().unwrap();
                Verifier::new(role, &offer(), algorithms())
                    .verify(&credential, &certificate, Some(&wanted), now())
                    .unwrap()
            })
            .collect()
    }
}

/// How the binary ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Status 0 and nothing to complain about.
    pub(crate) fn succeeded(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self.stdout
    }

    /// Status 0 and one line of warning.
    pub(crate) fn warned(self, words: &[&str]) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.one_line("warning: ", words);
        self.stdout
    }

    /// Status 1 and one line that says all of `words`.
    pub(crate) fn refused(self, words: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        self.one_line("error: ", words);
    }

    /// Status 3: it waits for a second operator, who types what is printed. The number that it waits as.
    pub(crate) fn waits(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(3), ""), "{self:?}");
        assert!(self.stdout.contains("nothing was done yet"), "{self:?}");
        let number = self.stdout.split("dc-signer approvals approve ").nth(1);
        number.unwrap().split(' ').next().unwrap().to_owned()
    }

    /// Status 2 and a message of clap's.
    pub(crate) fn wrong_usage(self, words: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word} not in {}", self.stderr);
        }
    }

    fn one_line(&self, start: &str, words: &[&str]) {
        assert!(self.stderr.starts_with(start), "{}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "{word} not in {}", self.stderr);
        }
    }
}

/// A self-signed delegation certificate; the default is a good one.
#[derive(Debug)]
pub(crate) struct CertificateTemplate {
    pub(crate) key: KeyPair,
    pub(crate) names: Vec<&'static str>,
    pub(crate) began_days_ago: u64,
    pub(crate) ends_in_days: i64,
    pub(crate) delegates: bool,
    /// None stands for all of them.
    pub(crate) purposes: Vec<ExtendedKeyUsagePurpose>,
}

impl Default for CertificateTemplate {
    fn default() -> Self {
        Self {
            key: KeyPair::generate().unwrap(),
            names: vec!["*.cpe.example.com"],
            began_days_ago: 100,
            ends_in_days: 100,
            delegates: true,
            purposes: Vec::new(),
        }
    }
}

pub(crate) fn certificate(chain: &Path) -> DelegationCertificate<'static> {
    let first = CertificateDer::from_pem_file(chain).unwrap();
    DelegationCertificate::parse(first).unwrap()
}

pub(crate) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    rustls::crypto::ring::default_provider()
        .signature_verification_algorithms
        .all
}

pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixTime::since_unix_epoch(since)
}

fn offer() -> Offer {
    let list = || {
        let mut schemes = SignatureScheme::FOR_CREDENTIAL_KEYS.to_vec();
        schemes.push(SignatureScheme::RSA_PSS_RSAE_SHA256);
        SchemeList::new(schemes).unwrap()
    };
    Offer::new(list())
        .with(Form::Named, list())
        .with(Form::Rfc9345, list())
}
