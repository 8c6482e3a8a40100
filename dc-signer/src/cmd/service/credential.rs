//! `--token-…`: the credential of whoever acts.

use std::path::{Path, PathBuf};

use dc_pki::clock;
use dc_pki::keys::{KeyLocation, OpenKey, Unlock};
use dc_pki::secret::SecretSource;
use dc_signer::authority::claim::Claim;
use dc_signer::authority::operators::read_certificates;
use dc_signer::server::listener::{spki_sha256, valid};
use dc_store::registry::{Access, Reason, Sha256};

use super::error::Error;

/// The token itself is never an argument: other users of the machine see those.
#[derive(Debug, clap::Args)]
pub(super) struct Credential {
    /// The file with your token, which others may not read [default: what DC_SIGNER_TOKEN_FILE names]
    #[arg(long, value_name = "FILE", help_heading = WHO)]
    token_file: Option<PathBuf>,
    /// The same from an open file descriptor, as in '--token-fd 3 3< FILE'
    #[arg(long, value_name = "NUMBER", help_heading = WHO, conflicts_with = "token_file")]
    token_fd: Option<u32>,
    /// The same from the credential of this name that systemd hands over (LoadCredential=)
    #[arg(long, value_name = "NAME", help_heading = WHO, conflicts_with_all = ["token_file", "token_fd"])]
    token_credential: Option<String>,
    /// Your client certificate, instead of a token
    #[arg(long, value_name = "FILE", help_heading = WHO, requires = "operator_key",
        conflicts_with_all = ["token_file", "token_fd", "token_credential"])]
    operator_certificate: Option<PathBuf>,
    /// Its key
    #[arg(long, value_name = "FILE", help_heading = WHO, requires = "operator_certificate")]
    operator_key: Option<PathBuf>,
    /// Act without a credential, because nobody has one any more: the audit log, the metrics and an alert say so
    #[arg(long, value_name = "REASON", help_heading = WHO,
        conflicts_with_all = ["token_file", "token_fd", "token_credential", "operator_certificate"])]
    as_root_because: Option<Reason>,
}

impl Credential {
    /// Reads what is given. Before anything else: it is whoever's runs this, not the signer's.
    ///
    /// Fails with [`Error::Token`], and with what reading a certificate and a key fails with.
    pub(super) fn claim(&self) -> Result<Claim, Error> {
        if let Some(why) = &self.as_root_because {
            return Ok(Claim::Root(why.clone()));
        }
        if let (Some(certificate), Some(key)) = (&self.operator_certificate, &self.operator_key) {
            return of_certificate(certificate, key).map(Claim::Operator);
        }
        let (source, path) = match (self.token(), usual()) {
            (Some(given), _) => (given, None),
            (None, Some(path)) => (SecretSource::File(path.clone()), Some(path)),
            (None, None) => return Ok(Claim::Nothing),
        };
        // The first operator may be about to get it there.
        if let Some(path) = path.filter(|path| matches!(path.try_exists(), Ok(false))) {
            return Ok(Claim::Absent(path));
        }
        let token = source.read()?;
        let hash = Sha256::of(token.trim_ascii());
        Ok(Claim::Operator(Access::Token(hash)))
    }

    /// True for whoever says that there is none.
    pub(super) fn is_none(&self) -> bool {
        self.as_root_because.is_some()
    }

    fn token(&self) -> Option<SecretSource> {
        let given = [
            self.token_file.clone().map(SecretSource::File),
            self.token_fd.map(SecretSource::Descriptor),
            self.token_credential.clone().map(SecretSource::Credential),
        ];
        given.into_iter().flatten().next()
    }
}

/// The file that the environment names.
fn usual() -> Option<PathBuf> {
    let path = std::env::var_os("DC_SIGNER_TOKEN_FILE");
    path.filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A certificate is known to all, so its key has to be here too, and it has to be valid now.
fn of_certificate(certificate: &Path, key: &Path) -> Result<Access, Error> {
    let chain = read_certificates(certificate)?;
    let mismatch = || dc_pki::Error::KeyMismatch {
        key: key.to_path_buf().into(),
        certificate: certificate.into(),
    };
    let first = chain.first().ok_or_else(mismatch)?;
    let open = OpenKey::open(KeyLocation::File(key.into()), &Unlock::default())?;
    if spki_sha256(first) != Some(Sha256::of(open.spki())) {
        return Err(mismatch().into());
    }
    let now = clock::now()?;
    match valid(first) {
        Some(times) if times.contains(&now) => Ok(Access::Certificate(Sha256::of(first))),
        _ => Err(Error::CertificateEnded {
            path: certificate.into(),
        }),
    }
}

const WHO: &str = "Who acts";
