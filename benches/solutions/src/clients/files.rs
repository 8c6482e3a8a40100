//! What client programs read: a folder for one visit.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use tempfile::TempDir;

use super::Visit;
use crate::Result;

/// A folder that is removed with this value.
#[derive(Debug)]
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    pub(super) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.folder().join(name);
        fs::write(&path, content)?;
        Ok(path)
    }

    /// An empty folder.
    pub(super) fn empty(&self) -> Result<PathBuf> {
        let path = self.folder().join("empty");
        fs::create_dir_all(&path)?;
        Ok(path)
    }

    /// One file of these, and of a root whose key nobody has: programs take no empty file.
    pub(super) fn bundle(&self, parts: &[&Path]) -> Result<PathBuf> {
        let mut bundle = nobody()?.to_owned();
        for part in parts {
            bundle.push_str(&text(part)?);
            bundle.push('\n');
        }
        self.write("roots.pem", bundle)
    }

    /// The same of what a visit trusts, with the certificate that the user has accepted before.
    pub(super) fn trusted(&self, visit: &Visit<'_>) -> Result<PathBuf> {
        let accepted = self.accepted(visit)?;
        let all: Vec<&Path> = { visit.roots.iter().copied() }
            .chain(accepted.as_deref())
            .collect();
        self.bundle(&all)
    }

    /// The certificate that the user has accepted before, without what may follow it in its file: whoever signed it has
    /// not been accepted.
    pub(super) fn accepted(&self, visit: &Visit<'_>) -> Result<Option<PathBuf>> {
        let Some((_, Some(path))) = visit.accepted else {
            return Ok(None);
        };
        let text = text(path)?;
        let end = text
            .find(END)
            .ok_or_else(|| format!("{}: no certificate", path.display()))?;
        self.write("accepted.pem", format!("{}{END}\n", &text[..end]))
            .map(Some)
    }
}

/// A file's text; fails with its path.
pub(super) fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The root whose key nobody has, in PEM.
pub(super) fn nobody() -> Result<&'static str> {
    static NOBODY: OnceLock<String> = OnceLock::new();
    if let Some(made) = NOBODY.get() {
        return Ok(made);
    }
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "a root whose key nobody has");
    let made = params.self_signed(&KeyPair::generate()?)?.pem();
    Ok(NOBODY.get_or_init(|| made))
}

const END: &str = "-----END CERTIFICATE-----";
