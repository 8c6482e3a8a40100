//! The lab's credentials, right and wrong, by `mint_dc.py` and by NSS.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
};

use super::{CREDENTIAL_KEYS, DELEGATION_KEYS, Lab, new_file, write};
use crate::{process::run_ok, setup, tlslite};

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
    /// The section of `lab.cnf` for the delegation certificate.
    extensions: &'static str,
    mint: Option<&'static str>,
}

impl Wrong {
    const fn credential(what: &'static str, nss_error: &'static str, mint: &'static str) -> Self {
        Self {
            what,
            nss_error,
            extensions: "delegation",
            mint: Some(mint),
        }
    }

    const fn certificate(what: &'static str, extensions: &'static str) -> Self {
        Self {
            what,
            nss_error: "SSL_ERROR_DC_INVALID_KEY_USAGE",
            extensions,
            mint: None,
        }
    }

    /// Whether the NSS server and BoringSSL can be made to send it.
    pub(crate) fn is_configurable(&self) -> bool {
        self.extensions != "wrong_key_usage"
    }

    /// Whether the handshake has to be signed with a scheme that is not the key's, which few programs do.
    pub(crate) fn is_of_another_scheme(&self) -> bool {
        self.mint == Some(ANOTHER_SCHEME)
    }
}

/// One for every check of RFC 9345 §4.1.3 and §4.2.
pub(crate) const WRONG: [Wrong; 9] = [
    Wrong::credential("expired", "SSL_ERROR_DC_EXPIRED", "--seconds=-3600"),
    Wrong::credential(
        "valid for eight days",
        "SSL_ERROR_DC_INAPPROPRIATE_VALIDITY_PERIOD",
        "--seconds=691200",
    ),
    Wrong::credential(
        "absolute valid_time",
        "SSL_ERROR_DC_INAPPROPRIATE_VALIDITY_PERIOD",
        "--absolute-time",
    ),
    Wrong::credential(
        "corrupt signature",
        "SSL_ERROR_DC_BAD_SIGNATURE",
        "--corrupt",
    ),
    Wrong::credential(
        "client context",
        "SSL_ERROR_DC_BAD_SIGNATURE",
        "--context=client",
    ),
    Wrong::credential(
        "scheme of another key",
        "SSL_ERROR_INCORRECT_SIGNATURE_ALGORITHM",
        ANOTHER_SCHEME,
    ),
    Wrong::certificate("no DelegationUsage", "no_delegation_usage"),
    Wrong::certificate("no keyUsage", "no_key_usage"),
    Wrong::certificate("keyUsage keyAgreement", "wrong_key_usage"),
];

/// What was minted: by what is wrong, the delegation key and the credential key.
pub(super) type Made = HashMap<(&'static str, &'static str, &'static str), Served>;

impl Lab {
    /// A correct credential for a key of this kind, minted by `mint_dc.py` for the caller alone.
    pub(crate) fn minted(&self, kind: &str) -> Served {
        let served = self.served("right", "delegation", "P-256", kind);
        let arguments = self.mint_arguments(&served, kind, None);
        run_ok(tlslite::python("mint_dc.py").args(arguments));
        served
    }

    /// A correct credential for a key of the second kind under a certificate with a key of the first.
    pub(crate) fn right(&self, delegation: &'static str, kind: &'static str) -> Served {
        self.made()[&(RIGHT, delegation, kind)].clone()
    }

    /// The same, but no strict client accepts it.
    pub(crate) fn wrong(
        &self,
        wrong: &Wrong,
        delegation: &'static str,
        kind: &'static str,
    ) -> Served {
        self.made()[&(wrong.what, delegation, kind)].clone()
    }

    /// A correct credential, for another key than the one that comes with it.
    pub(crate) fn with_another_key(&self, delegation: &'static str, kind: &'static str) -> Served {
        Served {
            credential_key: self.folder.join(format!("another-{kind}.key")),
            ..self.right(delegation, kind)
        }
    }

    /// A correct credential for a key of this kind, issued by NSS.
    pub(crate) fn issued_by_nss(&self, kind: &str) -> Served {
        let served = self.served("nss", "delegation", "P-256", kind);
        let scheme = if kind == "P-384" { "p384" } else { "p256" };
        run_ok(
            Command::new(setup::cache().join("nss_server"))
                .arg("issue")
                .args([&served.chain, &served.key, &self.public_key(kind)])
                .arg(scheme)
                .arg(&served.credential),
        );
        served
    }

    /// All that the matrix needs, minted together when the first is asked for.
    fn made(&self) -> &Made {
        self.made.get_or_init(|| {
            let (mut made, mut batch) = (Made::new(), String::new());
            let right = (RIGHT, "delegation", None);
            let wrong = WRONG.iter().map(|w| (w.what, w.extensions, w.mint));
            for (what, extensions, mint) in wrong.chain([right]) {
                for delegation in DELEGATION_KEYS {
                    for kind in CREDENTIAL_KEYS {
                        let served = self.served(what, extensions, delegation, kind);
                        for word in self.mint_arguments(&served, kind, mint) {
                            batch += &format!("'{word}' ");
                        }
                        batch += "\n";
                        made.insert((what, delegation, kind), served);
                    }
                }
            }
            let list = new_file("mint");
            write(&list, &batch);
            run_ok(tlslite::python("mint_dc.py").arg("--batch").arg(&list));
            made
        })
    }

    fn mint_arguments(&self, served: &Served, kind: &str, mint: Option<&str>) -> Vec<String> {
        let option = |name: &str, path: &Path| format!("{name}={}", path.display());
        let mut arguments = vec![
            option("--certificate", &served.chain),
            option("--key", &served.key),
            option("--public-key", &self.public_key(kind)),
            option("--out", &served.credential),
        ];
        arguments.extend(mint.map(str::to_owned));
        arguments
    }

    fn served(&self, what: &str, extensions: &str, delegation: &str, kind: &str) -> Served {
        let certificate = delegation_certificate(extensions, delegation);
        let name = format!("{what} {kind} under {delegation}.credential.pem");
        Served {
            chain: self.folder.join(format!("{certificate}.chain.pem")),
            key: self
                .folder
                .join(delegation_certificate("delegation", delegation) + ".key"),
            credential: new_file(&name.replace(' ', "-")),
            credential_key: self.folder.join(format!("credential-{kind}.key")),
        }
    }

    fn public_key(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("credential-{kind}.pub"))
    }
}

/// The name of the delegation certificate with these extensions and such a key.
pub(super) fn delegation_certificate(extensions: &str, kind: &str) -> String {
    format!("{extensions}-{kind}")
}

const RIGHT: &str = "right";
const ANOTHER_SCHEME: &str = "--another-scheme";
