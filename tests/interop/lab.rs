//! A public-key infrastructure that shares no code with this project: root, intermediate and delegation certificates,
//! right and wrong, by the openssl command line.

mod credentials;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{nss, process::run_ok, setup};
use credentials::{Made, delegation_certificate};
pub(crate) use credentials::{Served, WRONG, Wrong};

/// The kinds of key that credentials of the lab are for.
pub(crate) const CREDENTIAL_KEYS: [&str; 4] = ["P-256", "P-384", "P-521", "Ed25519"];
/// The kinds of key that its delegation certificates have.
pub(crate) const DELEGATION_KEYS: [&str; 4] = ["P-256", "P-384", "RSA", "Ed25519"];
/// A server name that all certificates of the lab cover.
pub(crate) const NAME: &str = "host.cpe.example.com";

/// The folder with all of it.
#[derive(Debug)]
pub(crate) struct Lab {
    folder: PathBuf,
    made: OnceLock<Made>,
}

impl Lab {
    pub(crate) fn make(folder: &Path) -> Self {
        let lab = Self {
            folder: folder.to_owned(),
            made: OnceLock::new(),
        };
        create(folder);
        write(&folder.join("index.txt"), "");
        write(&folder.join("serial"), "1000");
        let validity = Validity::of_the_lab();
        lab.key_pair("root", "P-256");
        lab.certificate("root", "root", "root", None, &validity);
        lab.key_pair("intermediate", "P-256");
        let root = Some("root");
        lab.certificate(
            "intermediate",
            "intermediate",
            "intermediate",
            root,
            &validity,
        );
        let issuer = Some("intermediate");
        for kind in DELEGATION_KEYS {
            let key = delegation_certificate("delegation", kind);
            lab.key_pair(&key, kind);
            for extensions in EXTENSIONS {
                let name = delegation_certificate(extensions, kind);
                lab.certificate(&name, &key, extensions, issuer, &validity);
            }
        }
        // Its curve shows in a handshake that no credential was used.
        lab.key_pair("ordinary", "P-384");
        lab.certificate(
            "ordinary",
            "ordinary",
            "no_delegation_usage",
            issuer,
            &validity,
        );
        for kind in CREDENTIAL_KEYS {
            lab.key_pair(&format!("credential-{kind}"), kind);
            lab.key_pair(&format!("another-{kind}"), kind);
        }
        nss::make_database(&lab.nss_database(), &[lab.root()]);
        lab
    }

    /// A certificate database for NSS that trusts the lab's root.
    pub(crate) fn nss_database(&self) -> PathBuf {
        self.folder.join("nss")
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    /// Chain and key of an ordinary P-384 certificate, which has nothing to do with credentials.
    pub(crate) fn ordinary(&self) -> (PathBuf, PathBuf) {
        (
            self.folder.join("ordinary.chain.pem"),
            self.folder.join("ordinary.key"),
        )
    }

    /// Makes `name.pem` and `name.chain.pem` for this key, signed by itself or by `issuer`.
    fn certificate(
        &self,
        name: &str,
        key: &str,
        extensions: &str,
        issuer: Option<&str>,
        validity: &Validity,
    ) {
        let file = |suffix: &str| format!("{name}.{suffix}");
        let key = format!("{key}.key");
        let config = setup::source().join("lab.cnf");
        run_ok(
            self.openssl("req")
                .args(["-new", "-key", &key, "-out", &file("csr"), "-subj"])
                .arg(format!("/CN=interop lab {name}"))
                .arg("-config")
                .arg(&config),
        );
        let mut sign = self.openssl("ca");
        sign.args(["-batch", "-notext", "-in", &file("csr")]);
        sign.args(["-out", &file("pem"), "-extensions", extensions]);
        sign.args(["-startdate", &validity.start, "-enddate", &validity.end]);
        sign.arg("-config").arg(&config);
        match issuer {
            None => sign.args(["-selfsign", "-keyfile", &key]),
            Some(issuer) => sign.args([
                "-cert",
                &format!("{issuer}.pem"),
                "-keyfile",
                &format!("{issuer}.key"),
            ]),
        };
        run_ok(&mut sign);
        let chain = if issuer == Some("intermediate") {
            vec![name, "intermediate"]
        } else {
            vec![name]
        };
        let pem: String = chain
            .iter()
            .map(|name| read(&self.folder.join(format!("{name}.pem"))))
            .collect();
        write(&self.folder.join(file("chain.pem")), &pem);
    }

    /// Makes `name.key` and `name.pub`.
    fn key_pair(&self, name: &str, kind: &str) {
        make_key(&self.folder.join(format!("{name}.key")), kind);
        let (key, public) = (format!("{name}.key"), format!("{name}.pub"));
        run_ok(
            self.openssl("pkey")
                .args(["-in", &key, "-pubout", "-out", &public]),
        );
    }

    fn openssl(&self, command: &str) -> Command {
        let mut openssl = Command::new("openssl");
        openssl.arg(command).current_dir(&self.folder);
        openssl
    }
}

/// Makes a private key of one of these kinds in PKCS#8 PEM, readable by its owner only.
pub(crate) fn make_key(path: &Path, kind: &str) {
    let curve = format!("ec_paramgen_curve:{kind}");
    let algorithm = match kind {
        "RSA" => &["RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..],
        "Ed25519" => &["ED25519"],
        _ => &["EC", "-pkeyopt", &curve],
    };
    run_ok(
        Command::new("openssl")
            .args(["genpkey", "-algorithm"])
            .args(algorithm)
            .arg("-out")
            .arg(path),
    );
}

/// From when and until when certificates are valid, as openssl wants it.
struct Validity {
    start: String,
    end: String,
}

impl Validity {
    fn of_the_lab() -> Self {
        // Two days back, so that mistaking valid_time for a lifetime shows.
        let start = SystemTime::now() - 2 * DAY;
        Self {
            start: asn1_time(start),
            end: asn1_time(start + 90 * DAY),
        }
    }
}

/// The path of a file for the caller alone, which is not there yet.
pub(crate) fn new_file(name: &str) -> PathBuf {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    setup::run().join(format!("{number}-{name}"))
}

/// Creates a folder and all above it.
pub(crate) fn create(folder: &Path) {
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes a text file.
pub(crate) fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// `YYYYMMDDHHMMSSZ`, by the date command: the standard library knows no calendar.
fn asn1_time(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let date =
        run_ok(Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%Y%m%d%H%M%SZ"]));
    date.trim().to_owned()
}

/// What delegation certificates have: sections of `lab.cnf`, the right one first.
const EXTENSIONS: [&str; 4] = [
    "delegation",
    "no_delegation_usage",
    "no_key_usage",
    "wrong_key_usage",
];
const DAY: Duration = Duration::from_secs(86_400);
static NUMBER: AtomicU32 = AtomicU32::new(1);
