//! A public-key infrastructure and issuers that share no code with this project: the openssl command line,
//! `mint_dc.py` and NSS. Root, intermediate, delegation certificates, and credentials right and wrong.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{nss, process::run_ok, setup, tlslite};

/// The kinds of key that credentials of the lab are for.
pub(crate) const CREDENTIAL_KEYS: [&str; 4] = ["P-256", "P-384", "P-521", "Ed25519"];
/// The kinds of key that its delegation certificates have.
pub(crate) const DELEGATION_KEYS: [&str; 4] = ["P-256", "P-384", "RSA", "Ed25519"];
/// A server name that all certificates of the lab cover.
pub(crate) const NAME: &str = "host.cpe.example.com";

/// A credential together with all that a server needs to use it.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) credential: PathBuf,
    pub(crate) credential_key: PathBuf,
}

/// What is wrong with a credential that every strict client refuses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wrong {
    pub(crate) what: &'static str,
    /// How NSS calls it.
    pub(crate) nss_error: &'static str,
    certificate: &'static str,
    mint: &'static [&'static str],
}

impl Wrong {
    const fn credential(
        what: &'static str,
        nss_error: &'static str,
        mint: &'static [&'static str],
    ) -> Self {
        Self {
            what,
            nss_error,
            certificate: "delegation",
            mint,
        }
    }

    const fn certificate(what: &'static str, certificate: &'static str) -> Self {
        Self {
            what,
            nss_error: "SSL_ERROR_DC_INVALID_KEY_USAGE",
            certificate,
            mint: &[],
        }
    }

    /// Whether the NSS server can be made to send it.
    pub(crate) fn nss_serves(&self) -> bool {
        self.certificate != "wrong_key_usage"
    }

    /// Our server's cryptography does not sign a SHA-384 digest with a P-256 key.
    pub(crate) fn our_server_signs(&self) -> bool {
        self.tlslite_serves()
    }

    /// Nor does tlslite-ng.
    pub(crate) fn tlslite_serves(&self) -> bool {
        !self.mint.contains(&"--scheme=0x0503")
    }
}

/// One for every check of RFC 9345 §4.1.3 and §4.2.
pub(crate) const WRONG: [Wrong; 9] = [
    Wrong::credential("expired", "SSL_ERROR_DC_EXPIRED", &["--seconds=-3600"]),
    Wrong::credential(
        "valid for eight days",
        "SSL_ERROR_DC_INAPPROPRIATE_VALIDITY_PERIOD",
        &["--seconds=691200"],
    ),
    Wrong::credential(
        "absolute valid_time",
        "SSL_ERROR_DC_INAPPROPRIATE_VALIDITY_PERIOD",
        &["--absolute-time"],
    ),
    Wrong::credential(
        "corrupt signature",
        "SSL_ERROR_DC_BAD_SIGNATURE",
        &["--corrupt"],
    ),
    Wrong::credential(
        "client context",
        "SSL_ERROR_DC_BAD_SIGNATURE",
        &["--context=client"],
    ),
    Wrong::credential(
        "P-256 key declared 0x0503",
        "SSL_ERROR_INCORRECT_SIGNATURE_ALGORITHM",
        &["--scheme=0x0503"],
    ),
    Wrong::certificate("no DelegationUsage", "no_delegation_usage"),
    Wrong::certificate("no keyUsage", "no_key_usage"),
    Wrong::certificate("keyUsage keyAgreement", "wrong_key_usage"),
];

/// The folder with all of it.
#[derive(Debug)]
pub(crate) struct Lab {
    folder: PathBuf,
    made: Mutex<HashMap<(&'static str, &'static str), Served>>,
}

impl Lab {
    pub(crate) fn make(folder: &Path) -> Self {
        let lab = Self {
            folder: folder.to_owned(),
            made: Mutex::default(),
        };
        create(folder);
        write(&folder.join("index.txt"), "");
        write(&folder.join("serial"), "1000");
        // Two days back, so that mistaking valid_time for a lifetime shows.
        let start = SystemTime::now() - 2 * DAY;
        lab.certificate("root", "P-256", "root", None, start);
        lab.certificate("intermediate", "P-256", "intermediate", Some("root"), start);
        for kind in DELEGATION_KEYS {
            let name = delegation_certificate(kind);
            lab.certificate(name, kind, "delegation", Some("intermediate"), start);
        }
        for extensions in ["no_delegation_usage", "no_key_usage", "wrong_key_usage"] {
            lab.certificate(extensions, "P-256", extensions, Some("intermediate"), start);
        }
        // An ordinary certificate. Its curve shows in a handshake that no credential was used.
        lab.certificate(
            "ordinary",
            "P-384",
            "no_delegation_usage",
            Some("intermediate"),
            start,
        );
        for kind in CREDENTIAL_KEYS {
            lab.key_pair(&format!("credential-{kind}"), kind);
        }
        lab.key_pair("another", "P-256");
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

    /// A correct credential for a key of this kind, minted by `mint_dc.py`.
    pub(crate) fn minted(&self, kind: &str) -> Served {
        self.minted_under("P-256", kind)
    }

    /// The same, under a delegation certificate with a key of the first kind.
    pub(crate) fn minted_under(&self, delegation: &str, kind: &str) -> Served {
        let name = format!("right-{kind}-under-{delegation}");
        self.mint(&name, delegation_certificate(delegation), kind, &[])
    }

    /// The same, made only once: for many servers that differ in other ways.
    pub(crate) fn minted_once(&self, delegation: &'static str, kind: &'static str) -> Served {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry((delegation, kind))
            .or_insert_with(|| self.minted_under(delegation, kind))
            .clone()
    }

    /// A correct credential, for another key than the one that comes with it.
    pub(crate) fn with_another_key(&self) -> Served {
        Served {
            credential_key: self.folder.join("another.key"),
            ..self.minted("P-256")
        }
    }

    /// A credential that no strict client accepts, minted by `mint_dc.py`.
    pub(crate) fn wrong(&self, wrong: &Wrong) -> Served {
        self.mint(wrong.what, wrong.certificate, "P-256", wrong.mint)
    }

    /// A correct credential for a key of this kind, issued by NSS.
    pub(crate) fn issued_by_nss(&self, kind: &str) -> Served {
        let served = self.served(&format!("nss-{kind}"), "delegation", kind);
        let scheme = if kind == "P-384" { "p384" } else { "p256" };
        run_ok(
            Command::new(setup::cache().join("nss_server"))
                .arg("issue")
                .args([
                    &served.chain,
                    &served.key,
                    &self.folder.join(format!("credential-{kind}.pub")),
                ])
                .arg(scheme)
                .arg(&served.credential),
        );
        served
    }

    fn mint(&self, name: &str, certificate: &str, kind: &str, arguments: &[&str]) -> Served {
        let served = self.served(name, certificate, kind);
        run_ok(
            tlslite::python("mint_dc.py")
                .arg("--certificate")
                .arg(&served.chain)
                .arg("--key")
                .arg(&served.key)
                .arg("--public-key")
                .arg(self.folder.join(format!("credential-{kind}.pub")))
                .arg("--out")
                .arg(&served.credential)
                .args(arguments),
        );
        served
    }

    fn served(&self, name: &str, certificate: &str, kind: &str) -> Served {
        // Tests run at the same time and must not write the same file.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Served {
            chain: self.folder.join(format!("{certificate}.chain.pem")),
            key: self.folder.join(format!("{certificate}.key")),
            credential: self.folder.join(format!(
                "{number}-{}.credential.pem",
                name.replace(' ', "-")
            )),
            credential_key: self.folder.join(format!("credential-{kind}.key")),
        }
    }

    /// Makes `name.key`, `name.pem` and `name.chain.pem`, signed by itself or by `issuer`.
    fn certificate(
        &self,
        name: &str,
        kind: &str,
        extensions: &str,
        issuer: Option<&str>,
        start: SystemTime,
    ) {
        self.key_pair(name, kind);
        let file = |suffix: &str| format!("{name}.{suffix}");
        let config = setup::source().join("lab.cnf");
        run_ok(
            self.openssl("req")
                .args([
                    "-new",
                    "-key",
                    &file("key"),
                    "-subj",
                    &format!("/CN=interop lab {name}"),
                    "-out",
                    &file("csr"),
                ])
                .arg("-config")
                .arg(&config),
        );
        let mut sign = self.openssl("ca");
        sign.args([
            "-batch",
            "-notext",
            "-in",
            &file("csr"),
            "-out",
            &file("pem"),
            "-extensions",
            extensions,
        ]);
        sign.args([
            "-startdate",
            &asn1_time(start),
            "-enddate",
            &asn1_time(start + 90 * DAY),
        ]);
        sign.arg("-config").arg(&config);
        match issuer {
            None => sign.args(["-selfsign", "-keyfile", &file("key")]),
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

fn delegation_certificate(kind: &str) -> &'static str {
    match kind {
        "P-384" => "delegation_p384",
        "RSA" => "delegation_rsa",
        "Ed25519" => "delegation_ed25519",
        _ => "delegation",
    }
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

static NUMBER: AtomicU32 = AtomicU32::new(1);
const DAY: Duration = Duration::from_secs(86_400);
